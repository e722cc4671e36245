package webhook

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"github.com/hooktrail/hooktrail/domain"
)

const ourOrigin = "hooks.bank.example"

// shake sends a handshake to an endpoint.
func shake(t *testing.T, target *Target, h Handshake) (Result, HandshakeVerdict) {
	t.Helper()
	request, err := target.BuildHandshake(h, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	r := newSender(loopback(), nil, nil).Send(t.Context(), request, 10*time.Second)
	return r, h.Check(&r)
}

func ownership() Handshake {
	return Handshake{Kind: domain.HandshakeOwnership, ID: domain.NewUUID(), Challenge: NewChallenge()}
}

func TestHandshake_cloudEventsAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		status       int
		origin, rate string
		asked        int
		passes       bool
		allowed      int
	}{
		{"our origin", 200, ourOrigin, "120", 0, true, 120},
		{"our origin in capitals", 200, "Hooks.Bank.Example", "1", 60, true, 1},
		{"every origin at any rate", 200, "*", "*", 60, true, 0},
		{"no body to answer with", 204, ourOrigin, "*", 0, true, 0},
		{"no rate where none was asked for", 200, ourOrigin, "", 0, true, 0},
		{"no rate where one was asked for", 200, ourOrigin, "", 60, false, 0},
		{"no origin", 200, "", "120", 0, false, 0},
		{"another origin", 200, "hooks.bank.example.evil", "120", 0, false, 0},
		{"a list of origins", 200, ourOrigin + ", other.example", "120", 0, false, 0},
		{"rate of nothing", 200, ourOrigin, "0", 0, false, 0},
		{"negative rate", 200, ourOrigin, "-5", 0, false, 0},
		{"rate that is no number", 200, ourOrigin, "plenty", 0, false, 0},
		{"not supported", 405, ourOrigin, "120", 0, false, 0},
		{"broken", 500, "*", "*", 0, false, 0},
		{"redirect", 307, "*", "*", 0, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
				for name, value := range map[string]string{"WebHook-Allowed-Origin": tt.origin, "WebHook-Allowed-Rate": tt.rate} {
					if value != "" {
						w.Header().Set(name, value)
					}
				}
				w.WriteHeader(tt.status)
			})
			target := sampleTarget(t, embeddedProfile(t, "cloudevents"), url)
			_, v := shake(t, target, Handshake{Kind: domain.HandshakeCloudEvents, Origin: ourOrigin, RatePerMinute: tt.asked})
			if v.Passed != tt.passes || v.AllowedRate != tt.allowed || (v.Reason == "") != v.Passed {
				t.Errorf("%+v", v)
			}
		})
	}
}

func TestHandshake_cloudEventsRequest(t *testing.T) {
	t.Parallel()
	for _, h2 := range []bool{false, true} {
		var got *http.Request
		var body []byte
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, _ = io.ReadAll(r.Body)
			got = r
		}))
		server.EnableHTTP2 = h2
		server.StartTLS()
		t.Cleanup(server.Close)
		target := mustTarget(t, TargetConfig{
			Profile: embeddedProfile(t, "cloudevents"), URL: server.URL + "/hook?token=t0psecret",
			Auth: Auth{Type: "bearer", Value: "bearer-secret"}, Headers: []domain.Header{{Name: "X-Custom", Value: "cust0m"}},
		})
		request, err := target.BuildHandshake(
			Handshake{Kind: domain.HandshakeCloudEvents, Origin: ourOrigin, RatePerMinute: 90},
			time.Now(),
		)
		if err != nil {
			t.Fatal(err)
		}
		s := newSender(loopback(), nil, server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs)
		if r := s.Send(t.Context(), request, 10*time.Second); r.StatusCode != 200 || (got.ProtoMajor == 2) != h2 {
			t.Fatalf("%+v over %s", r, got.Proto)
		}
		if got.Method != http.MethodOptions || got.RequestURI != "/hook?token=t0psecret" || len(body) > 0 ||
			len(got.TransferEncoding) > 0 ||
			got.Header.Get("Content-Type") != "" {
			t.Errorf("%s %s arrived with %q and %v", got.Method, got.RequestURI, body, got.Header)
		}
		for name, want := range map[string]string{
			"WebHook-Request-Origin": ourOrigin, "WebHook-Request-Rate": "90", "Authorization": "Bearer bearer-secret", "X-Custom": "cust0m", "User-Agent": userAgent,
		} {
			if got.Header.Get(name) != want {
				t.Errorf("%s is %q, want %q", name, got.Header.Get(name), want)
			}
		}
		recorded, _ := json.Marshal([]any{request.URL, request.LogHeader()})
		for _, secret := range []string{"t0psecret", "bearer-secret", "cust0m"} {
			if strings.Contains(string(recorded), secret) {
				t.Errorf("%s stands in %s", secret, recorded)
			}
		}
	}
}

// The CloudEvents SDK's own receiver grants permission, and withholds it from an origin that it wasn't told of.
func TestHandshake_cloudEventsSDKGrants(t *testing.T) {
	t.Parallel()
	protocol, err := cehttp.New(
		cehttp.WithDefaultOptionsHandlerFunc([]string{http.MethodPost}, 120, []string{ourOrigin}, false),
	)
	if err != nil {
		t.Fatal(err)
	}
	target := sampleTarget(t, embeddedProfile(t, "cloudevents"), receiver(t, protocol.ServeHTTP))
	_, v := shake(t, target, Handshake{Kind: domain.HandshakeCloudEvents, Origin: ourOrigin, RatePerMinute: 600})
	if !v.Passed || v.AllowedRate != 120 {
		t.Errorf("%+v", v)
	}
	if _, v := shake(
		t,
		target,
		Handshake{Kind: domain.HandshakeCloudEvents, Origin: "other.example"},
	); v.Passed ||
		v.Reason == "" {
		t.Errorf("another origin: %+v", v)
	}
}

// net/http repeats an OPTIONS request by itself when a kept connection ends without an answer: the receiver may have
// read it, and the log would know of one request where two were sent.
func TestHandshake_isNeverSentTwice(t *testing.T) {
	t.Parallel()
	var arrived atomic.Int32
	url := rawReceiver(t, func(c net.Conn) {
		arrived.Add(1)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		if n, _ := c.Read(make([]byte, 4096)); n > 0 {
			arrived.Add(1) // read, and never answered
		}
	})
	target := sampleTarget(t, embeddedProfile(t, "cloudevents"), url)
	h := Handshake{Kind: domain.HandshakeCloudEvents, Origin: ourOrigin}
	request, err := target.BuildHandshake(h, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s := newSender(loopback(), nil, nil)
	first := s.Send(t.Context(), request, 10*time.Second)
	second := s.Send(t.Context(), request, 10*time.Second)
	if first.StatusCode != 200 || second.ErrorCode != ConnectionReset || arrived.Load() != 2 {
		t.Errorf(
			"%d requests arrived: %d %s, then %d %s",
			arrived.Load(),
			first.StatusCode,
			first.ErrorCode,
			second.StatusCode,
			second.ErrorCode,
		)
	}
	if v := h.Check(&second); v.Passed || v.Reason == "" {
		t.Errorf("without an answer: %+v", v)
	}
}

// challengeOf reads an ownership check as a receiver does.
func challengeOf(t *testing.T, r *http.Request) (body []byte, challenge string) {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	if got := member(t, body, "type"); got != OwnershipCheckType {
		t.Errorf("type %q", got)
	}
	return body, member(t, body, "challenge")
}

func TestHandshake_ownershipAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		status int
		answer func(challenge string) string
		passes bool
	}{
		{"the challenge", 200, func(c string) string { return c }, true},
		{"in white space", 201, func(c string) string { return "\r\n " + c + "\n" }, true},
		{"as JSON", 202, func(c string) string { return ` {"ok":true,"challenge":"` + c + `"}` }, true},
		{"nothing", 204, func(string) string { return "" }, false},
		{"another challenge", 200, func(string) string { return NewChallenge() }, false},
		{"the masked text", 200, func(string) string { return masked }, false},
		{"cut short", 200, func(c string) string { return c[:42] }, false},
		{"among other text", 200, func(c string) string { return "your challenge is " + c }, false},
		{"everything sent back", 200, func(c string) string { return `{"body":{"challenge":"` + c + `"}}` }, false},
		{"an array", 200, func(c string) string { return `["` + c + `"]` }, false},
		{"broken JSON", 200, func(c string) string { return `{"challenge":"` + c + `"` }, false},
		{"behind a long text", 200, func(c string) string { return strings.Repeat(" ", 2*readBufferLen) + c }, false},
		{"a failure", 500, func(c string) string { return c }, false},
		{"a redirect", 302, func(c string) string { return c }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url := receiver(t, func(w http.ResponseWriter, r *http.Request) {
				_, challenge := challengeOf(t, r)
				w.Header().Set("X-Seen", challenge)
				w.WriteHeader(tt.status)
				if tt.status != http.StatusNoContent {
					_, _ = io.WriteString(w, tt.answer(challenge))
				}
			})
			h := ownership()
			r, v := shake(t, sampleTarget(t, embeddedProfile(t, "standard-webhooks"), url), h)
			if r.StatusCode != tt.status || v.Passed != tt.passes || (v.Reason == "") != v.Passed {
				t.Errorf("%+v to %d", v, r.StatusCode)
			}
			kept, _ := json.Marshal(r)
			if text := string(kept) + string(r.Body); strings.Contains(text, h.Challenge) || !r.Masked {
				t.Errorf("the challenge stands in what is recorded: %s", r.Body)
			}
		})
	}
}

// An ownership check is signed like a delivery, so that a receiver's own verification lets it through.
func TestHandshake_ownershipRequest(t *testing.T) {
	t.Parallel()
	set, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range set.All() {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			target, h := sampleTarget(t, p, "https://r.example/hook"), ownership()
			request, err := target.BuildHandshake(h, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			header, body := request.Header, request.Body
			if header.Get("Content-Type") != "application/json" || member(t, body, "endpoint_id") != target.endpointID {
				t.Errorf("%s with %v", body, header)
			}
			if p.AuthRequired() && header.Get("X-Api-Key") == "" {
				t.Error("no credentials")
			}
			if !p.Signs() {
				return
			}
			if err := Verify(p, target.signers, header, body, time.Now(), time.Minute); err != nil {
				t.Error(err)
			}
			if p.headerOf(fieldWebhookID) != "" && header.Get("webhook-id") != h.ID.String() {
				t.Errorf("webhook-id is %q", header.Get("webhook-id"))
			}
		})
	}
}

// What only events have can't be signed without one.
func TestHandshake_ownershipOfAFormatThatSignsItsEvents(t *testing.T) {
	t.Parallel()
	document := strings.NewReplacer(`"X-Time": "${timestamp}"`, `"X-Time": "${sequence}"`, `${timestamp}:${body}`, `${sequence}:${body}`).
		Replace(valid)
	p, err := ParseProfile([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	request, err := sampleTarget(t, p, "https://r.example/").BuildHandshake(ownership(), time.Now())
	if err != nil || request.Header.Get("X-Sig") != "" || request.Header.Get("X-Time") != "" {
		t.Errorf("%v with %v", err, request)
	}
}

func TestBuildHandshake_refuses(t *testing.T) {
	t.Parallel()
	target := sampleTarget(t, embeddedProfile(t, "sparkfly"), "https://r.example/")
	for name, h := range map[string]Handshake{
		"no kind": {}, "no challenge": {Kind: domain.HandshakeOwnership}, "a short challenge": {Kind: domain.HandshakeOwnership, Challenge: "YWJj"},
		"no origin": {Kind: domain.HandshakeCloudEvents}, "an origin that ends its header": {Kind: domain.HandshakeCloudEvents, Origin: "a\r\nX: y"},
		"a URL as origin": {Kind: domain.HandshakeCloudEvents, Origin: "https://hooks.bank.example"},
	} {
		if r, err := target.BuildHandshake(h, time.Now()); err == nil {
			t.Errorf("%s: builds %v", name, r.Header)
		}
	}
	_, err := NewTarget(TargetConfig{Profile: target.profile, URL: "https://r.example/", Origin: "a b"})
	var invalid *domain.InvalidError
	if !errors.As(err, &invalid) || invalid.Field != "origin" {
		t.Errorf("%v, want a fault of origin", err)
	}
}

// After a handshake every delivery names the origin that was let in.
func TestBuild_origin(t *testing.T) {
	t.Parallel()
	target := mustTarget(
		t,
		TargetConfig{Profile: embeddedProfile(t, "cloudevents"), URL: "https://r.example/", Origin: ourOrigin},
	)
	if got := mustBuild(
		t,
		target,
		sampleEvent(),
		Attempt{Number: 1},
	).Header.Get(
		"WebHook-Request-Origin",
	); got != ourOrigin {
		t.Errorf("origin %q", got)
	}
}
