package openapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi"
)

// endpoint makes an endpoint and returns its path; more is what the body has beside name and URL.
func (f *fixture) endpoint(more string) string {
	f.t.Helper()
	made := f.post(f.operator, "/v1/tenants/acme/endpoints", `{"name":"e","url":"https://receiver.example/hooks"`+more+`}`).want(http.StatusCreated)
	return "/v1/tenants/acme/endpoints/" + made.text("id")
}

// receiverOf makes a key for an endpoint's receiver.
func (f *fixture) receiverOf(endpoint string) string {
	f.t.Helper()
	return f.key("acme", domain.RoleReceiver, `,"endpoint_id":"`+endpoint[strings.LastIndexByte(endpoint, '/')+1:]+`"`)
}

// refuses has every receiver fail its handshake.
func (f *fixture) refuses() {
	f.asked = func(domain.HandshakeOrder) (domain.HandshakeResult, []byte) {
		return domain.HandshakeResult{StatusCode: 404, Error: "not_passed", Detail: "the receiver answered 404", FinishedAt: now()}, []byte("no such page")
	}
}

// kinds lists the kinds of an endpoint's entries.
func (f *fixture) kinds(endpoint string) string {
	f.t.Helper()
	var page struct{ Items []struct{ Kind string } }
	f.get(f.operator, "/v1/tenants/acme/log?stream=endpoint/"+endpoint[strings.LastIndexByte(endpoint, '/')+1:]).want(http.StatusOK).into(&page)
	var kinds []string
	for _, item := range page.Items {
		kinds = append(kinds, strings.TrimPrefix(item.Kind, "endpoint."))
	}
	return strings.Join(kinds, " ")
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	endpoint := f.endpoint(`,"handshake":"ownership","timeout":"5s"`)
	if got := f.get(f.operator, endpoint).want(http.StatusOK); got.value("verified") != false || got.text("handshake") != "ownership" {
		t.Fatalf("before the handshake: %s", got.Body)
	}
	f.refuses()
	got := f.post(f.operator, endpoint+"/handshake", "").want(http.StatusOK)
	if got.value("passed") != false || got.number("status_code") != 404 || got.text("error") != "not_passed" || got.value("endpoint.verified") != false {
		t.Errorf("a refused handshake: %s", got.Body)
	}
	var order domain.HandshakeOrder
	before := f.head()
	f.asked = func(o domain.HandshakeOrder) (domain.HandshakeResult, []byte) {
		order = o
		if f.head() != before+1 {
			t.Error("the intent isn't in the log when the request leaves")
		}
		return domain.HandshakeResult{Passed: true, AllowedPerMinute: 120, StatusCode: 200, DurationUS: 1500, FinishedAt: now()}, nil
	}
	got = f.post(f.operator, endpoint+"/handshake", `{"reason":"again"}`, "Idempotency-Key", "k").want(http.StatusOK)
	if got.value("passed") != true || got.value("endpoint.verified") != true || got.value("duration_ms") != 1.5 || got.value("endpoint.rate_limit.per_second") != 2.0 {
		t.Errorf("a passed handshake: %s", got.Body)
	}
	if s := order.Start; s.Kind != domain.HandshakeOwnership || s.URL != "https://receiver.example/hooks" || len(s.Keys) != 1 || s.TimeoutMS != 5000 || s.Node != f.server.Node {
		t.Errorf("asked %+v", s)
	}
	f.asked = nil
	again := f.post(f.operator, endpoint+"/handshake", `{"reason":"again"}`, "Idempotency-Key", "k").want(http.StatusOK)
	if string(again.Body) != string(got.Body) || again.Header.Get("Idempotency-Replayed") != "true" || again.Header.Get("ETag") != got.Header.Get("ETag") {
		t.Errorf("repeated: %s, want %s", again.Body, got.Body)
	}
	if want := "created handshake_started handshake_finished handshake_started handshake_finished"; f.kinds(endpoint) != want {
		t.Errorf("the log has %s", f.kinds(endpoint))
	}
	entry := f.get(f.operator, "/v1/tenants/acme/log/"+got.Header.Get("Hooktrail-Sequence")).want(http.StatusOK)
	if entry.number("cause") != got.number("started_sequence") || entry.text("reason") != "again" {
		t.Errorf("the end's entry: %s", entry.Body)
	}
}

// TestHandshake_Move: a passed handshake with another URL takes it over, and a refused one leaves everything as it was.
func TestHandshake_Move(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	endpoint := f.endpoint(`,"handshake":"ownership"`)
	f.post(f.operator, endpoint+"/handshake", "").want(http.StatusOK)
	f.refuses()
	kept := f.secrets.count()
	f.patch(f.operator, endpoint, `{"url":"https://elsewhere.example/?k=v"}`).problem(http.StatusUnprocessableEntity, "handshake_failed").names("body.url")
	if f.secrets.count() != kept {
		t.Error("the query of a URL that wasn't taken over is kept")
	}
	if got := f.get(f.operator, endpoint).want(http.StatusOK); got.text("url") != "https://receiver.example/hooks" || got.value("verified") != true {
		t.Errorf("after a refused move: %s", got.Body)
	}
	var asked string
	f.asked = func(o domain.HandshakeOrder) (domain.HandshakeResult, []byte) {
		asked = o.Start.URL + " " + f.secret(o.Start.Query)
		return domain.HandshakeResult{Passed: true, FinishedAt: now()}, nil
	}
	got := f.patch(f.operator, endpoint, `{"url":"https://elsewhere.example/?token=`+secretValue+`","reason":"moved"}`).want(http.StatusOK)
	if got.text("url") != "https://elsewhere.example/?[redacted]" || got.value("verified") != true || asked != got.text("url")+" /?token="+secretValue {
		t.Errorf("after a passed move: %s, asked %s", got.Body, asked)
	}
	f.patch(f.operator, endpoint, `{"url":"https://elsewhere.example/?[redacted]","name":"f"}`).want(http.StatusOK) // as it is shown: no move
	f.patch(f.operator, endpoint, `{"url":"https://elsewhere.example/?token=another-token"}`, "If-Match", `"1"`).problem(http.StatusPreconditionFailed, "precondition_failed")
	f.patch(f.operator, endpoint, `{"url":"https://elsewhere.example/?token=another-token"}`).want(http.StatusOK)
	if asked != "https://elsewhere.example/?[redacted] /?token=another-token" {
		t.Errorf("another query was taken over with %s asked", asked)
	}
	f.patch(f.operator, endpoint, `{"url":"https://third.example/","name":"f"}`).problem(http.StatusUnprocessableEntity, "validation_failed").names("body.url").names("body.name")
	f.patch(f.operator, "/v1/tenants/acme", `{"https_only":true}`).want(http.StatusOK)
	before := f.head()
	for body, field := range map[string]string{
		`{"url":"http://plain.example/"}`: "body.url", `{"url":"https://user:pw@third.example/"}`: "body.url", `{"url":"nonsense"}`: "body.url",
		`{"kind":"cloudevents","url":"https://third.example/"}`: "body.kind",
	} {
		f.post(f.operator, endpoint+"/handshake", body).problem(http.StatusUnprocessableEntity, "validation_failed").names(field)
	}
	if f.head() != before {
		t.Error("a refused order stands in the log")
	}
	// Without a demand, an administrator's change needs none.
	plain := f.endpoint("")
	f.refuses()
	f.patch(f.operator, plain, `{"url":"https://elsewhere.example/"}`).want(http.StatusOK)
	// The demand can be given up together with the URL.
	f.patch(f.operator, endpoint, `{"url":"https://third.example/","handshake":null}`).want(http.StatusOK)
}

// secret is a kept query.
func (f *fixture) secret(q *domain.SecretQuery) string {
	if q == nil {
		return ""
	}
	f.secrets.mu.Lock()
	defer f.secrets.mu.Unlock()
	return f.secrets.kept[q.Secret]
}

// TestHandshake_Meanwhile: what changes while a receiver is asked isn't undone by its answer.
func TestHandshake_Meanwhile(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	endpoint := f.endpoint(`,"handshake":"ownership"`)
	change := func(body string) {
		f.asked = func(domain.HandshakeOrder) (domain.HandshakeResult, []byte) {
			f.post(f.operator, endpoint+"/handshake", "").problem(http.StatusConflict, "handshake_in_progress")
			f.patch(f.operator, endpoint, body).want(http.StatusOK)
			return domain.HandshakeResult{Passed: true, FinishedAt: now()}, nil
		}
	}
	change(`{"url":"https://other.example/"}`) // unverified: an administrator changes it freely
	got := f.post(f.operator, endpoint+"/handshake", "").want(http.StatusOK)
	if got.value("passed") != false || got.text("error") != "superseded" || got.text("endpoint.url") != "https://other.example/" || got.value("endpoint.verified") != false {
		t.Errorf("the answer of another URL counted: %s", got.Body)
	}
	change(`{"name":"another name"}`)
	got = f.post(f.operator, endpoint+"/handshake", "").want(http.StatusOK)
	if got.value("passed") != true || got.text("endpoint.name") != "another name" {
		t.Errorf("a change of the name: %s", got.Body)
	}
}

// TestHandshake_Crash: an intent without an end, as a process that died leaves it, keeps nothing from being asked again.
func TestHandshake_Crash(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	endpoint := f.endpoint(`,"handshake":"ownership"`)
	f.asked = func(domain.HandshakeOrder) (domain.HandshakeResult, []byte) { panic("the process dies") }
	f.post(f.operator, endpoint+"/handshake", `{}`, "Idempotency-Key", "k").want(http.StatusInternalServerError)
	f.asked = nil
	if got := f.post(f.operator, endpoint+"/handshake", `{}`, "Idempotency-Key", "k").want(http.StatusOK); got.value("endpoint.verified") != true {
		t.Errorf("after the crash: %s", got.Body)
	}
	if got := f.kinds(endpoint); got != "created handshake_started handshake_started handshake_finished" {
		t.Errorf("the log has %s", got)
	}
}

// TestProbes: a key is no tool to have others flooded with.
func TestProbes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	at := time.Now()
	f.server.Clock = func() time.Time { return at }
	f.useServer()
	endpoint := f.endpoint("")
	for n := range 10 {
		path, code := "/handshake", http.StatusOK
		if n%2 == 1 {
			path, code = "/test", http.StatusCreated
		}
		f.post(f.operator, endpoint+path, "").want(code)
	}
	before := f.head()
	for _, path := range []string{"/handshake", "/test"} {
		if got := f.post(f.operator, endpoint+path, "").problem(http.StatusTooManyRequests, "rate_limited"); got.Header.Get("Retry-After") != "7" {
			t.Errorf("Retry-After %q", got.Header.Get("Retry-After"))
		}
	}
	if f.head() != before {
		t.Error("what was refused stands in the log")
	}
	f.post(f.operator, f.endpoint("")+"/test", "").want(http.StatusCreated) // another endpoint has its own
	at = at.Add(7 * time.Second)
	f.post(f.operator, endpoint+"/test", "").want(http.StatusCreated)
	f.post(f.operator, endpoint+"/test", "").problem(http.StatusTooManyRequests, "rate_limited")
}

// TestEndpoint_Members: success, disable_after and handshake are taken, changed, shown, and refused where they are wrong.
func TestEndpoint_Members(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for profile, want := range map[string]string{"standard-webhooks": "120h0m0s", "stashfin": "120h0m0s", "cloudevents": "120h0m0s", "sparkfly": "0s", "firespring": "0s"} {
		if got := f.get(f.operator, f.endpoint(`,"profile":"`+profile+`"`)).want(http.StatusOK); got.text("disable_after") != want || got.value("verified") != true {
			t.Errorf("%s: %s", profile, got.Body)
		}
	}
	endpoint := f.endpoint(`,"success":["200","202"],"disable_after":"0s","handshake":"cloudevents"`)
	for _, c := range []struct{ patch, want string }{
		{`{"name":"f"}`, `[200 202] 0s cloudevents false`},
		{`{"success":["2xx"],"disable_after":"24h"}`, `[2xx] 24h0m0s cloudevents false`},
		{`{"success":null,"disable_after":null,"handshake":null}`, `<nil> 120h0m0s <nil> true`},
		{`{"handshake":"ownership"}`, `<nil> 120h0m0s ownership false`},
	} {
		var out map[string]any
		f.patch(f.operator, endpoint, c.patch).want(http.StatusOK).into(&out)
		if got := fmt.Sprint(out["success"], " ", out["disable_after"], " ", out["handshake"], " ", out["verified"]); got != c.want {
			t.Errorf("%s: %s, want %s", c.patch, got, c.want)
		}
	}
	for body, field := range map[string]string{
		`{"success":["300"]}`: "body.success[0]", `{"success":["200","200"]}`: "body.success[1]", `{"success":[]}`: "body.success",
		`{"disable_after":"1m"}`: "body.disable_after", `{"disable_after":"soon"}`: "body.disable_after", `{"disable_after":""}`: "body.disable_after",
		`{"handshake":"hello"}`: "body.handshake", `{"handshake":""}`: "body.handshake",
	} {
		f.patch(f.operator, endpoint, body).problem(http.StatusUnprocessableEntity, "validation_failed").names(field)
	}
	f.post(f.operator, "/v1/tenants/acme/endpoints", `{"name":"e","url":"https://receiver.example/","success":["20"]}`).
		problem(http.StatusUnprocessableEntity, "validation_failed").names("body.success[0]")
}

// TestEndpoint_Health: how the attempts went of late is shown of the present, and of no past moment.
func TestEndpoint_Health(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	endpoint := f.endpoint("")
	id := endpoint[strings.LastIndexByte(endpoint, '/')+1:]
	if got := f.get(f.operator, endpoint).want(http.StatusOK); fmt.Sprint(got.value("health")) != "map[failures:0]" {
		t.Errorf("never tried: %s", got.Body)
	}
	event := f.event("acme", "a")
	delivery := f.deliver(event, id)
	f.attempt(event, id, delivery, 1, domain.DeliveryRetrying)
	f.attempt(event, id, delivery, 2, domain.DeliveryDead)
	f.settle()
	if got := f.get(f.operator, endpoint).want(http.StatusOK); got.number("health.failures") != 2 || got.text("health.failing_since") == "" {
		t.Errorf("two failures: %s", got.Body)
	}
	past := f.get(f.operator, endpoint+"?as_of_sequence="+f.get(f.operator, endpoint).Header.Get("Hooktrail-Sequence")).want(http.StatusOK)
	var out map[string]json.RawMessage
	past.into(&out)
	if _, ok := out["health"]; ok {
		t.Errorf("as of a moment: %s", past.Body)
	}
}

// TestEndpoint_Headers: a custom header can't change how the request travels, pose as the profile's own, or end another.
func TestEndpoint_Headers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const target = "/v1/tenants/acme/endpoints"
	for _, name := range []string{
		"Connection", "keep-alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
		"Host", "host", "Content-Length", "Content-Type", "Content-Encoding", "Expect", "User-Agent", "Accept-Encoding",
		"Idempotency-Key", "X-Idempotency-Key", "Hooktrail-Test", "webhook-signature", "webhook-id", "webhook-timestamp", "WebHook-Request-Origin",
		"x-hmac-sha256-signature", "X-Sparkbox-Signature", "X-Hook-UUID", "X-Attempt-Number", "X-Event-Type", "ce-id", "ce-anything",
		"X A", "X:A", "X\\nA", "Ä",
	} {
		f.post(f.operator, target, `{"name":"e","url":"https://receiver.example/","headers":{"`+name+`":"v"}}`).problem(http.StatusUnprocessableEntity, "validation_failed")
	}
	for _, value := range []string{`a\r\nX-Evil: b`, `a\nb`, `a\rb`, `a\u0000b`, `a\tb`, ``, ` a`, `a `, `é`, strings.Repeat("a", 4097)} {
		got := f.post(f.operator, target, `{"name":"e","url":"https://receiver.example/","headers":{"X-Team":"`+value+`"}}`)
		got.problem(http.StatusUnprocessableEntity, "validation_failed").names("body.headers.X-Team")
	}
	if n := f.secrets.count(); n != 0 {
		t.Errorf("%d secrets of refused endpoints are kept", n)
	}
	made := f.endpoint(`,"headers":{"X-Team":"billing","authorization":"Bearer own"}`)
	f.patch(f.operator, made, `{"headers":{"Host":"evil.example"}}`).problem(http.StatusUnprocessableEntity, "validation_failed").names("body.headers.Host")
}

// TestHandshake_CallerGone: what a receiver was asked has its end in the log although nobody waits for it.
func TestHandshake_CallerGone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	endpoint := f.endpoint(`,"handshake":"ownership"`)
	ctx, leave := context.WithCancel(t.Context())
	f.asked = func(domain.HandshakeOrder) (domain.HandshakeResult, []byte) {
		leave()
		return domain.HandshakeResult{Passed: true, FinishedAt: now()}, nil
	}
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, endpoint+"/handshake", http.NoBody)
	r.Header.Set("Authorization", "Bearer "+f.operator)
	f.handler.ServeHTTP(httptest.NewRecorder(), r)
	if got := f.get(f.operator, endpoint).want(http.StatusOK); got.value("verified") != true || f.kinds(endpoint) != "created handshake_started handshake_finished" {
		t.Errorf("after the caller left: %s, %s", f.kinds(endpoint), got.Body)
	}
}

// TestHandshake_Twice: two processes work on the same request at once; one answer counts, and both give it.
func TestHandshake_Twice(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	endpoint := f.endpoint(`,"handshake":"ownership"`)
	other, err := openapi.NewHandler(f.server)
	if err != nil {
		t.Fatal(err)
	}
	const body = `{"url":"https://new.example/?k=v"}`
	var first answer
	f.asked = func(domain.HandshakeOrder) (domain.HandshakeResult, []byte) {
		f.asked = nil
		here := f.handler
		f.handler = other
		first = f.post(f.operator, endpoint+"/handshake", body, "Idempotency-Key", "k").want(http.StatusOK)
		f.handler = here
		return domain.HandshakeResult{Passed: true, FinishedAt: now()}, nil
	}
	kept := f.secrets.count()
	second := f.post(f.operator, endpoint+"/handshake", body, "Idempotency-Key", "k").want(http.StatusOK)
	if string(second.Body) != string(first.Body) || second.Header.Get("Idempotency-Replayed") != "true" || f.secrets.count() != kept+1 {
		t.Errorf("answered %s, want %s; %d secrets more", second.Body, first.Body, f.secrets.count()-kept)
	}
	if got := f.kinds(endpoint); got != "created handshake_started handshake_started handshake_finished" {
		t.Errorf("the log has %s", got)
	}
}

// TestHandshake_Deleted: an endpoint that is deleted while its receiver is asked stays so.
func TestHandshake_Deleted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	endpoint := f.endpoint("")
	f.asked = func(domain.HandshakeOrder) (domain.HandshakeResult, []byte) {
		f.do(f.operator, http.MethodDelete, endpoint, "").want(http.StatusNoContent)
		return domain.HandshakeResult{Passed: true, FinishedAt: now()}, nil
	}
	f.post(f.operator, endpoint+"/handshake", "").problem(http.StatusNotFound, "not_found")
	f.get(f.operator, endpoint).problem(http.StatusNotFound, "not_found")
}
