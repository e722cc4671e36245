package openapi_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestErased: of an event whose subject was erased the log shows what the tenant keeps, and a repetition is answered 410
// whatever it holds: the answer must not confirm a guess of what was erased.
func TestErased(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const events = "/v1/tenants/acme/events"
	const body = `{"id":"order-1","type":"order.paid","subject":"person/1","data":{"note":"` + secretValue + `"}}`
	f.post(f.operator, events, body, "Idempotency-Key", "once").want(http.StatusCreated)
	f.log.Erase("acme", "person/1")

	entry := f.get(f.operator, "/v1/tenants/acme/log?kind=event.appended").want(http.StatusOK)
	text := string(entry.Body)
	for _, kept := range []string{`"erased":true`, `"class":{"type":"order.paid"`, `"routing":{`} {
		if !strings.Contains(text, kept) {
			t.Errorf("the entry has no %s: %s", kept, text)
		}
	}
	for _, gone := range []string{`"identity":`, `"data":{"note"`, secretValue, "person/1", "order-1"} {
		if strings.Contains(text, gone) {
			t.Errorf("the entry still shows %s: %s", gone, text)
		}
	}
	for name, again := range map[string]string{
		"the same": body, "another guess": strings.Replace(body, secretValue, "guess", 1),
	} {
		if got := f.post(f.operator, events, again); got.Code != http.StatusGone {
			t.Errorf("%s is answered %d: %s", name, got.Code, got.Body)
		}
		if got := f.post(f.operator, events, again, "Idempotency-Key", "once"); got.Code != http.StatusGone {
			t.Errorf("%s under the same Idempotency-Key is answered %d: %s", name, got.Code, got.Body)
		}
		if got := f.post(f.operator, events+"/batch", `{"events":[`+again+`]}`); got.Code != http.StatusGone {
			t.Errorf("%s in a batch is answered %d: %s", name, got.Code, got.Body)
		}
	}
}

// TestLog_Context: a change of configuration says from where it was asked for, an event doesn't.
func TestLog_Context(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.post(f.operator, "/v1/tenants/acme/endpoints", `{"name":"e","url":"https://receiver.example/"}`, "User-Agent", "acceptance/1").
		want(http.StatusCreated)
	f.post(f.operator, "/v1/tenants/acme/events", `{"type":"order.paid","data":1}`, "User-Agent", "acceptance/1").want(http.StatusCreated)
	change := f.get(f.operator, "/v1/tenants/acme/log?kind=endpoint.created").want(http.StatusOK)
	if change.text("items.0.context.user_agent") != "acceptance/1" || change.text("items.0.context.address") == "" {
		t.Errorf("the change came from %s", change.Body)
	}
	event := f.get(f.operator, "/v1/tenants/acme/log?kind=event.appended").want(http.StatusOK)
	if strings.Contains(string(event.Body), `"context"`) {
		t.Errorf("the event has a context: %s", event.Body)
	}
}
