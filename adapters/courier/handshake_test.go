package courier

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// handshakeReceiver answers by its path, and keeps the last request's header and query.
type handshakeReceiver struct {
	header http.Header
	query  string
	method string
}

// ServeHTTP implements http.Handler.
func (h *handshakeReceiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.header, h.query, h.method = r.Header.Clone(), r.URL.RawQuery, r.Method
	var check struct{ Challenge string }
	body, err := io.ReadAll(r.Body)
	if err == nil && len(body) > 0 {
		err = json.Unmarshal(body, &check)
	}
	switch {
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
	case r.URL.Path == "/owner":
		_, _ = io.WriteString(w, check.Challenge) // the server notices
	case r.URL.Path == "/cloudevents":
		w.Header().Set("WebHook-Allowed-Origin", "hooks.bank.example")
		w.Header().Set("WebHook-Allowed-Rate", "90")
	}
}

// TestHandshake: a handshake carries the endpoint's credentials to the URL that is asked, and what is kept of it holds
// none of them, nor the challenge.
func TestHandshake(t *testing.T) {
	t.Parallel()
	receiver := &handshakeReceiver{}
	server := httptest.NewServer(receiver)
	defer server.Close()
	const query, token = "tenant=query-secret-1", "bearer-secret-2"
	secrets := &keptSecrets{byPurpose: map[string]string{domain.PurposeQuery: query, domain.PurposeAuth: token}}
	known, nameless := loopbackCourier(t, secrets, "hooks.bank.example"), loopbackCourier(t, secrets, "")
	e := endpoint(t, "https://old.example/", "cloudevents")
	e.Auth, e.Handshake = &domain.EndpointAuth{Type: "bearer", Secret: domain.NewUUID()}, domain.HandshakeCloudEvents
	for _, test := range []struct {
		courier *Courier
		kind    domain.HandshakeKind
		path    string
		passed  bool
		error   string
		rate    int
	}{
		{known, domain.HandshakeOwnership, "/owner", true, "", 0},
		{known, domain.HandshakeOwnership, "/silent", false, "not_passed", 0},
		{known, domain.HandshakeCloudEvents, "/cloudevents", true, "", 90},
		{known, domain.HandshakeCloudEvents, "/owner", false, "not_passed", 0},
		{nameless, domain.HandshakeCloudEvents, "/cloudevents", false, codeNotSendable, 0},
	} {
		start := domain.HandshakeStart{
			ID: domain.NewUUID(), Kind: test.kind, URL: server.URL + test.path + "?tenant=%5Bredacted%5D",
			Query: &domain.SecretQuery{Secret: domain.NewUUID()}, At: now(), TimeoutMS: 10_000,
		}
		result, body := test.courier.Handshake(t.Context(), domain.HandshakeOrder{Endpoint: e, Start: start})
		if result.Passed != test.passed || result.Error != test.error || result.AllowedPerMinute != test.rate || (result.Detail == "") != test.passed {
			t.Errorf("%s at %s: %+v", test.kind, test.path, result)
		}
		if test.error == codeNotSendable {
			if !strings.Contains(result.Detail, "HOOKTRAIL_WEBHOOK_ORIGIN") {
				t.Errorf("%s without an origin: %s", test.kind, result.Detail)
			}
			continue
		}
		if receiver.query != query || receiver.header.Get("Authorization") != "Bearer "+token {
			t.Errorf("%s at %s: came with %s and %v", test.kind, test.path, receiver.query, receiver.header)
		}
		kept, err := json.Marshal(result)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"query-secret-1", token} {
			if strings.Contains(string(kept)+string(body), secret) {
				t.Errorf("%s at %s: %s is kept", test.kind, test.path, secret)
			}
		}
		if test.path == "/owner" && test.passed && string(body) != "[masked]" {
			t.Errorf("the challenge is kept: %s", body)
		}
	}
	start := domain.HandshakeStart{
		ID: domain.NewUUID(), Kind: domain.HandshakeOwnership, URL: "http://169.254.169.254/latest", At: now(), TimeoutMS: 1000,
	}
	if result, _ := known.Handshake(t.Context(), domain.HandshakeOrder{Endpoint: e, Start: start}); result.Passed || result.Error == "" || result.RemoteAddr != "" {
		t.Errorf("a handshake passes the guard: %+v", result)
	}
}

// TestHandshake_rate: a CloudEvents handshake asks for the rate that the endpoint is limited to, at least one a minute.
func TestHandshake_rate(t *testing.T) {
	t.Parallel()
	receiver := &handshakeReceiver{}
	server := httptest.NewServer(receiver)
	defer server.Close()
	c := loopbackCourier(t, &keptSecrets{}, "hooks.bank.example")
	for perSecond, want := range map[float64]string{0: "", 0.001: "1", 1.5: "90", 100: "6000"} {
		e := endpoint(t, "https://old.example/", "cloudevents")
		if perSecond > 0 {
			e.RateLimit = &domain.RateLimit{PerSecond: perSecond}
		}
		start := domain.HandshakeStart{
			ID: domain.NewUUID(), Kind: domain.HandshakeCloudEvents, URL: server.URL + "/cloudevents", At: now(), TimeoutMS: 10_000,
		}
		if c.Handshake(t.Context(), domain.HandshakeOrder{Endpoint: e, Start: start}); receiver.header.Get("WebHook-Request-Rate") != want {
			t.Errorf("%g a second: asks for %q, want %q", perSecond, receiver.header.Get("WebHook-Request-Rate"), want)
		}
	}
}

// TestSend_origin: an endpoint whose receiver allowed an origin is told it with every delivery, and no other is.
func TestSend_origin(t *testing.T) {
	t.Parallel()
	receiver := &handshakeReceiver{}
	server := httptest.NewServer(receiver)
	defer server.Close()
	known := loopbackCourier(t, &keptSecrets{}, "hooks.bank.example")
	for version, test := range []struct {
		handshake  domain.HandshakeKind
		unverified bool
		want       string
	}{
		{domain.HandshakeCloudEvents, false, "hooks.bank.example"},
		{domain.HandshakeCloudEvents, true, ""},
		{domain.HandshakeOwnership, false, ""},
		{"", false, ""},
	} {
		e := endpoint(t, server.URL, "cloudevents")
		e.Version, e.Handshake, e.Unverified = version, test.handshake, test.unverified
		answer := known.Send(t.Context(), shipment(e, logged(`{}`)))
		if answer.Result.Outcome != domain.OutcomeSucceeded || receiver.header.Get("WebHook-Request-Origin") != test.want {
			t.Errorf("%+v: %+v with %v", test, answer.Result, receiver.header)
		}
	}
}
