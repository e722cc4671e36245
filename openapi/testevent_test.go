package openapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// registerType registers an event type with an example.
func (f *fixture) registerType(name, example string) {
	f.t.Helper()
	f.put(f.operator, "/v1/tenants/acme/event-types/"+name, `{"version":"v7","examples":[`+example+`,"second"]}`).want(http.StatusCreated)
}

func TestTestEvent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	endpoint := f.endpoint("")
	id := endpoint[strings.LastIndexByte(endpoint, '/')+1:]
	f.registerType("offer.issued", `{"amount": 12.50}`)
	for _, c := range []struct{ body, kind, version, data string }{
		{"", "hooktrail.test", "v1", `{"test":true,"message":"A test of this endpoint: nothing happened."}`},
		{`{"type":"offer.issued"}`, "offer.issued", "v7", `{"amount": 12.50}`},
		{`{"type":"offer.issued","data":{"b": 1,"a":[1.50]}}`, "offer.issued", "v7", `{"b": 1,"a":[1.50]}`},
		{`{"type":"offer.unknown"}`, "offer.unknown", "v1", `{"test":true,"message":"A test of this endpoint: nothing happened."}`},
		{`{"data":null}`, "hooktrail.test", "v1", `null`},
	} {
		made := f.post(f.operator, endpoint+"/test", c.body).want(http.StatusCreated)
		if made.text("type") != c.kind || made.text("endpoint_id") != id || made.Header.Get("Location") != "/v1/tenants/acme/deliveries?event_id="+made.text("event_id") {
			t.Errorf("%s: %v %s", c.body, made.Header, made.Body)
		}
		event := f.get(f.operator, "/v1/tenants/acme/events/"+made.text("event_id")).want(http.StatusOK)
		if event.value("test") != true || event.text("schema_version") != c.version || !strings.HasSuffix(string(event.Body), `,"data":`+c.data+`}`) {
			t.Errorf("%s: %s", c.body, event.Body)
		}
		entry := f.get(f.operator, "/v1/tenants/acme/log/"+made.Header.Get("Hooktrail-Sequence")).want(http.StatusOK)
		if entry.text("kind") != "event.appended" || entry.text("data.class.test.endpoint") != id {
			t.Errorf("%s: entry %s", c.body, entry.Body)
		}
	}
	made := f.post(f.operator, endpoint+"/test", `{"reason":"why"}`, "Idempotency-Key", "k").want(http.StatusCreated)
	again := f.post(f.operator, endpoint+"/test", `{"reason":"why"}`, "Idempotency-Key", "k").want(http.StatusCreated)
	if string(again.Body) != string(made.Body) || again.Header.Get("Location") != made.Header.Get("Location") {
		t.Errorf("repeated: %s, want %s", again.Body, made.Body)
	}
	entry, err := domain.Select(t.Context(), f.log, domain.Query{Tenant: "acme", Descending: true, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	f.deliver(entry[0], id)
	f.deliver(f.event("acme", "no-test"), id)
	f.settle()
	list := f.get(f.operator, "/v1/tenants/acme/deliveries?order=asc").want(http.StatusOK)
	if list.value("items.0.test") != true || list.text("items.1.event_id") != "no-test" || strings.Contains(string(list.Body[strings.Index(string(list.Body), "no-test"):]), `"test"`) {
		t.Errorf("deliveries %s", list.Body)
	}
	if got := f.get(f.operator, "/v1/tenants/acme/deliveries/"+list.text("items.0.id")).want(http.StatusOK); got.value("test") != true {
		t.Errorf("the delivery %s", got.Body)
	}
}

// TestTestEvent_Refused: nothing is appended where nothing would be sent, or what isn't the caller's to send.
func TestTestEvent_Refused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	endpoint := f.endpoint(`,"event_types":["offer.issued"]`)
	receiver, own := f.receiverOf(endpoint), f.selfServed()
	unverified := f.endpoint(`,"handshake":"ownership"`)
	before := f.head()
	for _, c := range []struct {
		key, path, body, code string
		status                int
	}{
		{f.operator, endpoint, `{"type":"hooktrail.delivery.dead"}`, "validation_failed", 422},
		{f.operator, endpoint, `{"type":"a..b"}`, "validation_failed", 422},
		{f.operator, endpoint, `{"data":"` + strings.Repeat("a", domain.MaxDataBytes) + `"}`, "event_data_too_large", 413},
		{f.operator, endpoint, `{"data":{"a":1,"a":2}}`, "", 422},
		{f.operator, unverified, ``, "endpoint_unverified", 409},
		{receiver, endpoint, `{"type":"order.paid"}`, "validation_failed", 422},
		{own.key, own.path, `{"type":"secret.thing"}`, "validation_failed", 422},
	} {
		got := f.post(c.key, c.path+"/test", c.body)
		if got.Code != c.status || c.code != "" && got.text("code") != c.code {
			t.Errorf("%s: status %d %s", clipped(c.body), got.Code, got.Body)
		}
	}
	if f.head() != before {
		t.Error("what was refused was appended")
	}
	f.post(receiver, endpoint+"/test", `{"type":"offer.issued"}`).want(http.StatusCreated)
	f.post(own.key, own.path+"/test", `{"type":"order.paid"}`).want(http.StatusCreated) // not subscribed to, but it may be
	f.disable(endpoint[strings.LastIndexByte(endpoint, '/')+1:])
	f.post(receiver, endpoint+"/test", "").problem(http.StatusConflict, "endpoint_disabled")
}

func clipped(s string) string { return s[:min(len(s), 80)] }

// TestReceiver_Resume: a receiver ends what the server did to its endpoint, not what the tenant's admins did.
func TestReceiver_Resume(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	endpoint := f.endpoint("")
	receiver := f.receiverOf(endpoint)
	f.disable(endpoint[strings.LastIndexByte(endpoint, '/')+1:])
	if got := f.post(receiver, endpoint+"/resume", "").want(http.StatusOK); got.text("status") != "active" {
		t.Errorf("after a disabling: %s", got.Body)
	}
	f.post(f.operator, endpoint+"/pause", "").want(http.StatusOK)
	f.post(receiver, endpoint+"/resume", "").problem(http.StatusForbidden, "forbidden")
	f.post(f.operator, endpoint+"/resume", "").want(http.StatusOK)
}
