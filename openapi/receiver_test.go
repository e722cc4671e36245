package openapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// selfServed is an endpoint that its receiver made with a registration.
type selfServed struct {
	key, id, path, subscription string
}

func (f *fixture) selfServed() selfServed {
	f.t.Helper()
	made := f.post(f.registered(""), "/v1/tenants/acme/endpoints", `{"name":"own","url":"https://receiver.example/","event_types":["offer.*"]}`).want(http.StatusCreated)
	return selfServed{made.text("receiver_key"), made.text("id"), "/v1/tenants/acme/endpoints/" + made.text("id"), "/v1/tenants/acme/subscriptions/" + made.text("subscription_id")}
}

// TestReceiver_Subscriptions: a receiver chooses what goes to its endpoint, within its registration.
func TestReceiver_Subscriptions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	own := f.selfServed()
	f.withFilters()
	const subscriptions = "/v1/tenants/acme/subscriptions"
	foreign := f.endpoint(`,"event_types":["*"]`)
	foreignID := foreign[strings.LastIndexByte(foreign, '/')+1:]
	body := func(endpoint, more string) string {
		return `{"endpoint_id":"` + endpoint + `","event_types":` + more + `}`
	}
	made := f.post(own.key, subscriptions, body(own.id, `["order.paid"],"filter":"data.amount > 1"`)).want(http.StatusCreated)
	path := subscriptions + "/" + made.text("id")
	f.patch(own.key, path, `{"event_types":["offer.issued","order.paid"],"filter":null}`).want(http.StatusOK)
	f.post(own.key, path+"/pause", "").want(http.StatusOK)
	f.post(own.key, path+"/resume", "").want(http.StatusOK)
	f.get(own.key, path).want(http.StatusOK)
	if got, want := ids(f.get(own.key, subscriptions).want(http.StatusOK)), fmt.Sprintf("%q,%q", own.subscription[len(subscriptions)+1:], made.text("id")); got != want {
		t.Errorf("lists %s, want %s", got, want)
	}
	for types, field := range map[string]string{
		`["order.*"]`: "body.event_types[0]", `["offer.a","*"]`: "body.event_types[1]", `["hooktrail.*"]`: "body.event_types[0]", `["offer.a"],"filter":"bad"`: "body.filter",
	} {
		f.post(own.key, subscriptions, body(own.id, types)).problem(http.StatusUnprocessableEntity, "validation_failed").names(field)
		f.patch(own.key, path, `{"event_types":`+types+`}`).problem(http.StatusUnprocessableEntity, "validation_failed").names(field)
	}
	f.post(own.key, subscriptions, body(foreignID, `["offer.*"]`)).problem(http.StatusNotFound, "not_found")
	f.get(own.key, subscriptions+"?endpoint_id="+foreignID).problem(http.StatusNotFound, "not_found")

	// What an administrator chose beyond the registration can be lessened, and not widened again.
	wide := subscriptions + "/" + f.post(f.operator, subscriptions, body(own.id, `["secret.*"]`)).want(http.StatusCreated).text("id")
	f.patch(own.key, wide, `{"filter":"true"}`).problem(http.StatusUnprocessableEntity, "validation_failed").names("body.event_types[0]")
	f.post(own.key, wide+"/pause", "").want(http.StatusOK)
	f.post(own.key, wide+"/resume", "").problem(http.StatusUnprocessableEntity, "validation_failed").names("body.event_types[0]")
	f.do(own.key, http.MethodDelete, wide, "").want(http.StatusNoContent)
	f.do(own.key, http.MethodDelete, path, "").want(http.StatusNoContent)

	// Without a registration it looks on.
	plain := f.receiverOf(foreign)
	page := f.get(plain, subscriptions).want(http.StatusOK)
	theirs := subscriptions + "/" + page.text("items.0.id")
	f.get(plain, theirs).want(http.StatusOK)
	f.post(plain, subscriptions, body(foreignID, `["offer.*"]`)).problem(http.StatusForbidden, "forbidden")
	f.patch(plain, theirs, `{"filter":"true"}`).problem(http.StatusForbidden, "forbidden")
	f.post(plain, theirs+"/pause", "").problem(http.StatusForbidden, "forbidden")
	f.post(plain, theirs+"/resume", "").problem(http.StatusForbidden, "forbidden")
	f.do(plain, http.MethodDelete, theirs, "").problem(http.StatusForbidden, "forbidden")
}

// TestReceiver_TooManySubscriptions: each filter costs everybody time, so a receiver makes only as many as it needs.
func TestReceiver_TooManySubscriptions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	own := f.selfServed() // with a subscription
	const subscriptions = "/v1/tenants/acme/subscriptions"
	body := `{"endpoint_id":"` + own.id + `","event_types":["offer.*"]}`
	codes := make([]int, 40)
	var all sync.WaitGroup
	for n := range codes {
		all.Go(func() { codes[n] = f.post(own.key, subscriptions, body).Code })
	}
	all.Wait()
	count := make(map[int]int)
	for _, code := range codes {
		count[code]++
	}
	if count[http.StatusCreated] != 19 || count[http.StatusConflict] != 21 {
		t.Errorf("answered %v", count)
	}
	f.post(own.key, subscriptions, body).problem(http.StatusConflict, "too_many_subscriptions")
	f.do(own.key, http.MethodDelete, own.subscription, "").want(http.StatusNoContent)
	f.post(own.key, subscriptions, body).want(http.StatusCreated)
	f.post(f.operator, subscriptions, body).want(http.StatusCreated) // administrators know what they do
}

// TestReceiver_Forbidden tries what a receiver must not do.
func TestReceiver_Forbidden(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	own := f.selfServed()
	const acme = "/v1/tenants/acme"
	foreign := f.endpoint(`,"event_types":["*"]`)
	foreignID := foreign[strings.LastIndexByte(foreign, '/')+1:]
	subscription := acme + "/subscriptions/" + f.get(f.operator, acme+"/subscriptions?endpoint_id="+foreignID).want(http.StatusOK).text("items.0.id")
	event := f.event("acme", "not-for-it")
	delivery := acme + "/deliveries/" + f.deliver(event, foreignID).String()
	before := f.head()
	for _, c := range []struct {
		method, target, body string
		code                 int
	}{
		{"GET", foreign, "", 404},
		{"PATCH", foreign, `{"url":"https://receiver.example/"}`, 404},
		{"DELETE", foreign, "", 403},
		{"POST", foreign + "/handshake", `{"url":"https://receiver.example/"}`, 404},
		{"POST", foreign + "/test", ``, 404},
		{"POST", foreign + "/rotate-key", ``, 404},
		{"POST", foreign + "/pause", ``, 403},
		{"GET", subscription, "", 404},
		{"PATCH", subscription, `{"filter":null}`, 404},
		{"DELETE", subscription, "", 404},
		{"POST", subscription + "/pause", "", 404},
		{"POST", subscription + "/resume", "", 404},
		{"GET", delivery, "", 404},
		{"GET", delivery + "/attempts", "", 404},
		{"POST", delivery + "/redrive", "", 404},
		{"POST", delivery + "/retry", "", 404},
		{"POST", acme + "/events/not-for-it/resend", `{"endpoint_id":"` + foreignID + `","reason":"x"}`, 404},
		{"POST", acme + "/events/not-for-it/resend", `{"endpoint_id":"` + own.id + `","reason":"x"}`, 404},
		{"GET", acme + "/deliveries?endpoint_id=" + foreignID, "", 404},
		{"GET", acme + "/skips?endpoint_id=" + foreignID, "", 404},
		{"GET", acme + "/events/not-for-it", "", 404},
		{"GET", fmt.Sprintf("%s/events/by-sequence/%d", acme, event.Sequence), "", 404},

		{"PATCH", own.path, `{"name":"mine"}`, 403},
		{"PATCH", own.path, `{"url":"https://receiver.example/x","headers":{"X-A":"b"}}`, 403},
		{"PATCH", own.path, `{"auth":{"type":"bearer","token":"t"}}`, 403},
		{"PATCH", own.path, `{"auth":null}`, 403},
		{"PATCH", own.path, `{"rate_limit":null}`, 403},
		{"PATCH", own.path, `{"concurrency":1000}`, 403},
		{"PATCH", own.path, `{"retry":{"schedule":["1s"]}}`, 403},
		{"PATCH", own.path, `{"timeout":"120s"}`, 403},
		{"PATCH", own.path, `{"success":["2xx"]}`, 403},
		{"PATCH", own.path, `{"disable_after":"0s"}`, 403},
		{"PATCH", own.path, `{"handshake":null}`, 403},
		{"PATCH", own.path, `{"external_id":"x"}`, 403},
		{"PATCH", own.path, `{"metadata":{"a":"b"}}`, 403},
		{"DELETE", own.path, "", 403},
		{"POST", own.path + "/pause", "", 403},
		{"GET", acme + "/endpoints", "", 403},
		{"POST", acme + "/endpoints", `{"name":"e","url":"https://receiver.example/"}`, 403},
		{"POST", acme + "/events", `{"type":"a.b","data":1}`, 403},
		{"GET", acme + "/events/not-for-it/routing", "", 403},
		{"GET", acme + "/keys", "", 403},
		{"POST", acme + "/keys", `{"role":"admin","name":"a"}`, 403},
		{"GET", acme + "/registrations", "", 403},
		{"POST", acme + "/registrations", `{"name":"r","event_types":["*"]}`, 403},
		{"GET", acme + "/log", "", 403},
		{"GET", acme + "/log/0", "", 403},
		{"GET", acme + "/log/tail", "", 403},
		{"GET", acme, "", 403},
		{"PATCH", acme, `{"https_only":false}`, 403},
		{"GET", "/v1/tenants/other/endpoints/" + own.id, "", 404},
	} {
		got := f.do(own.key, c.method, c.target, c.body, "Content-Type", map[bool]string{true: "application/merge-patch+json", false: "application/json"}[c.method == "PATCH"])
		if got.Code != c.code {
			t.Errorf("%s %s %s: status %d, want %d: %s", c.method, c.target, c.body, got.Code, c.code, got.Body)
		}
	}
	if f.head() != before {
		t.Error("what was refused was appended")
	}
}

// TestReceiver_URL: a receiver moves its endpoint where it proves to be, and nowhere else.
func TestReceiver_URL(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	endpoint := f.endpoint("") // it demands nothing of its administrators
	receiver := f.receiverOf(endpoint)
	f.refuses()
	f.patch(receiver, endpoint, `{"url":"https://victim.example/"}`).problem(http.StatusUnprocessableEntity, "handshake_failed").names("body.url")
	if got := f.post(receiver, endpoint+"/handshake", `{"url":"https://victim.example/"}`).want(http.StatusOK); got.value("passed") != false || got.text("endpoint.url") != "https://receiver.example/hooks" {
		t.Errorf("a refused move: %s", got.Body)
	}
	f.post(receiver, endpoint+"/handshake", `{"kind":"cloudevents","url":"https://victim.example/"}`).problem(http.StatusUnprocessableEntity, "validation_failed").names("body.kind")
	f.asked = nil
	if got := f.patch(receiver, endpoint, `{"url":"https://new.example/hooks","reason":"moved"}`).want(http.StatusOK); got.text("url") != "https://new.example/hooks" {
		t.Errorf("a passed move: %s", got.Body)
	}
	if got, want := f.kinds(endpoint), "created handshake_started handshake_finished handshake_started handshake_finished handshake_started handshake_finished"; got != want {
		t.Errorf("the log has %s, want %s", got, want)
	}
	// An endpoint made with a registration that asks for https stays there.
	made := f.post(f.registered(`,"https_only":true`), "/v1/tenants/acme/endpoints", `{"name":"e","url":"https://receiver.example/"}`).want(http.StatusCreated)
	f.patch(made.text("receiver_key"), "/v1/tenants/acme/endpoints/"+made.text("id"), `{"url":"http://receiver.example/"}`).
		problem(http.StatusUnprocessableEntity, "validation_failed").names("body.url")
}

// TestReceiver_EventTypes: schemas and examples are told to those whom their types concern.
func TestReceiver_EventTypes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	registrant, own := f.registered(""), f.selfServed()
	const path = "/v1/tenants/acme/event-types"
	for _, name := range []string{"fraud.suspected", "offer.issued", "fraud.confirmed", "order.paid", "offer.sent"} {
		f.put(f.operator, path+"/"+name, `{"examples":[{"of":"`+name+`"}]}`).want(http.StatusCreated)
	}
	given := f.endpoint(`,"event_types":["fraud.confirmed"]`)
	for name, test := range map[string]struct {
		key  string
		sees []string
	}{
		"a registrant":                       {registrant, []string{"offer.issued", "order.paid", "offer.sent"}},
		"a receiver with a registration":     {own.key, []string{"offer.issued", "order.paid", "offer.sent"}},
		"a receiver with an administrator's": {f.receiverOf(given), []string{"fraud.confirmed"}},
		"a receiver without a subscription":  {f.receiverOf(f.endpoint("")), nil},
		"a producer":                         {f.key("acme", domain.RoleProducer), []string{"fraud.suspected", "offer.issued", "fraud.confirmed", "order.paid", "offer.sent"}},
	} {
		var names []string
		for target := path + "?limit=1"; target != ""; {
			var page struct {
				Items []struct{ Name string }
				Next  *string
			}
			f.get(test.key, target).want(http.StatusOK).into(&page)
			for _, item := range page.Items {
				names = append(names, item.Name)
			}
			if target = ""; page.Next != nil {
				target = path + "?limit=1&cursor=" + *page.Next
			}
		}
		if !slices.Equal(names, test.sees) {
			t.Errorf("%s sees %q, want %q", name, names, test.sees)
		}
		if slices.Contains(test.sees, "fraud.suspected") {
			continue
		}
		f.get(test.key, path+"/fraud.suspected").problem(http.StatusNotFound, "not_found")
		f.get(test.key, path+"/fraud.suspected/guide?profile=sparkfly").problem(http.StatusNotFound, "not_found")
		for _, seen := range test.sees {
			f.get(test.key, path+"/"+seen).want(http.StatusOK)
		}
	}
}
