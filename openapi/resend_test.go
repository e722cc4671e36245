package openapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// resender is a tenant with an endpoint that asked for nothing.
type resender struct {
	*fixture
	endpoint string // its id
}

func newResender(t *testing.T) resender {
	f := newFixture(t)
	made := f.post(f.operator, "/v1/tenants/acme/endpoints", `{"name":"e","url":"https://receiver.example/"}`).want(http.StatusCreated)
	return resender{f, made.text("id")}
}

// resend asks for an event to go to the endpoint.
func (f resender) resend(key, event string) answer {
	f.t.Helper()
	return f.post(key, "/v1/tenants/acme/events/"+event+"/resend", `{"endpoint_id":"`+f.endpoint+`","reason":"they lost it"}`)
}

// last is the newest entry of a delivery's stream, as the log shows it.
func (f resender) last(delivery string) answer {
	f.t.Helper()
	return f.get(f.operator, "/v1/tenants/acme/log?limit=1&order=desc&stream=delivery/"+delivery).want(http.StatusOK)
}

// TestResend_NeverMatched: a delivery is made, once, and the log says who asked for it and why. From then on it is like
// every other.
func TestResend_NeverMatched(t *testing.T) {
	t.Parallel()
	f := newResender(t)
	event := f.event("acme", "x")
	made := f.resend(f.operator, "x").want(http.StatusOK)
	id := made.text("id")
	endpoint, err := domain.ParseUUID(f.endpoint)
	if err != nil {
		t.Fatal(err)
	}
	if id != domain.DerivedDelivery(event.Stream.ID, endpoint).String() || made.text("status") != "pending" ||
		made.value("asked") != true || made.text("event_id") != "x" || made.text("endpoint_id") != f.endpoint ||
		made.Header.Get("Location") != "/v1/tenants/acme/deliveries/"+id {
		t.Errorf("made %v %s", made.Header, made.Body)
	}
	entry := f.last(id)
	if entry.text("items.0.kind") != "delivery.created" || entry.text("items.0.reason") != "they lost it" ||
		entry.text("items.0.actor.principal") == "" || entry.number("items.0.cause") != int(event.Sequence) {
		t.Errorf("the log says %s", entry.Body)
	}
	f.resend(f.operator, "x").problem(http.StatusConflict, "not_ended")

	// What comes after it goes the way of every delivery, and is resent as that.
	created := made.number("created_sequence")
	uuid, err := domain.ParseUUID(id)
	if err != nil {
		t.Fatal(err)
	}
	f.attempt(event, f.endpoint, uuid, 1, domain.DeliverySucceeded)
	again := f.resend(f.operator, "x").want(http.StatusOK)
	if again.text("id") != id || again.text("status") != "retrying" || again.number("created_sequence") != created {
		t.Errorf("resent %s", again.Body)
	}
	f.attempt(event, f.endpoint, uuid, 2, domain.DeliverySucceeded)
	f.settle()
	attempts := f.get(f.operator, "/v1/tenants/acme/deliveries/"+id+"/attempts").want(http.StatusOK)
	if attempts.number("items.0.cause_sequence") != created ||
		attempts.number("items.1.cause_sequence") != again.number("updated_sequence") {
		t.Errorf("the attempts were caused by %s", attempts.Body)
	}
	for filter, want := range map[string]int{"event_id=x": 1, "endpoint_id=" + f.endpoint: 1, "status=succeeded": 1} {
		list := f.get(f.operator, "/v1/tenants/acme/deliveries?"+filter).want(http.StatusOK)
		if items, _ := list.value("items").([]any); len(items) != want {
			t.Errorf("deliveries?%s: %s", filter, list.Body)
		}
	}
}

// TestResend_Twice: of any number at once one makes the delivery.
func TestResend_Twice(t *testing.T) {
	t.Parallel()
	f := newResender(t)
	f.event("acme", "x")
	codes := make([]int, 8)
	var all sync.WaitGroup
	for n := range codes {
		all.Go(func() { codes[n] = f.resend(f.operator, "x").Code })
	}
	all.Wait()
	count := make(map[int]int)
	for _, code := range codes {
		count[code]++
	}
	if count[http.StatusOK] != 1 || count[http.StatusConflict] != 7 {
		t.Errorf("answered %v", count)
	}
	f.settle()
	list := f.get(f.operator, "/v1/tenants/acme/deliveries?event_id=x").want(http.StatusOK)
	if items, _ := list.value("items").([]any); len(items) != 1 {
		t.Errorf("deliveries: %s", list.Body)
	}
}

// TestResend_Ended: whatever became of a delivery, it goes again, and its subscriptions don't matter any more.
func TestResend_Ended(t *testing.T) {
	t.Parallel()
	f := newResender(t)
	event := f.event("acme", "x")
	receiver := f.receiverOf("/v1/tenants/acme/endpoints/" + f.endpoint)
	gone := f.fanOut(event, domain.NewUUID(), f.endpoint)[0] // by a subscription that is deleted
	path := "/v1/tenants/acme/deliveries/" + gone.String()
	for n, status := range []domain.DeliveryStatus{domain.DeliveryDead, domain.DeliverySucceeded, domain.DeliveryDead} {
		f.attempt(event, f.endpoint, gone, n+1, status)
		if n == 0 {
			f.post(f.operator, path+"/redrive", "").problem(http.StatusConflict, "subscriptions_deleted")
			if d := f.get(f.operator, path).want(http.StatusOK); d.text("status") != "dead" {
				t.Errorf("the dead letter is lost: %s", d.Body)
			}
		}
		again := f.resend(receiver, "x").want(http.StatusOK) // what was sent to it before, it may ask for
		if again.text("id") != gone.String() || again.text("status") != "retrying" || again.number("attempts") != n+1 {
			t.Errorf("resent %s", again.Body)
		}
	}
	f.append(domain.Draft{
		Tenant: "acme", Stream: domain.Stream{Kind: domain.StreamDelivery, ID: gone}, Expected: domain.AnyVersion,
		Cause: event.Sequence, Fact: &domain.DeliveryCancelled{Reason: domain.CancelSubscriptionsDeleted},
	})
	f.resend(f.operator, "x").want(http.StatusOK)
	f.attempt(event, f.endpoint, gone, 4, domain.DeliveryDead)
	f.post(receiver, path+"/redrive", `{"reason":"fixed"}`).want(http.StatusOK) // somebody has asked for it since
}

// TestResend_Refused: what can't come to anything, or may not, is refused with the reason, and changes nothing.
func TestResend_Refused(t *testing.T) {
	t.Parallel()
	f := newResender(t)
	event := f.event("acme", "x")
	dead := f.deliver(event, f.endpoint)
	f.attempt(event, f.endpoint, dead, 1, domain.DeliveryDead)
	const acme = "/v1/tenants/acme"
	to := func(endpoint string) string { return `{"endpoint_id":"` + endpoint + `","reason":"lost"}` }
	erased := f.post(f.operator, acme+"/events", `{"id":"gone","type":"a.b","subject":"person/1","data":1}`).want(http.StatusCreated)
	f.log.Erase("acme", "person/1")
	unverified := f.post(f.operator, acme+"/endpoints", `{"name":"u","url":"https://receiver.example/","handshake":"ownership"}`).want(http.StatusCreated).text("id")
	deleted := f.post(f.operator, acme+"/endpoints", `{"name":"d","url":"https://receiver.example/"}`).want(http.StatusCreated).text("id")
	f.do(f.operator, http.MethodDelete, acme+"/endpoints/"+deleted, "").want(http.StatusNoContent)
	test := f.post(f.operator, acme+"/endpoints/"+f.endpoint+"/test", "").want(http.StatusCreated).text("event_id")
	other := f.post(f.operator, acme+"/endpoints", `{"name":"o","url":"https://receiver.example/"}`).want(http.StatusCreated).text("id")
	auditor := f.key("acme", domain.RoleAuditor)
	foreign := f.key("other", domain.RoleAdmin)
	before := f.head()
	for _, c := range []struct {
		name, key, target, body string
		code                    int
		problem                 string
	}{
		{"unknown event", f.operator, acme + "/events/y/resend", to(f.endpoint), 404, "not_found"},
		{"unknown endpoint", f.operator, acme + "/events/x/resend", to(domain.NewUUID().String()), 422, "validation_failed"},
		{"no id of an endpoint", f.operator, acme + "/events/x/resend", to("x"), 422, "validation_failed"},
		{"no reason", f.operator, acme + "/events/x/resend", `{"endpoint_id":"` + f.endpoint + `"}`, 422, "validation_failed"},
		{"an empty reason", f.operator, acme + "/events/x/resend", `{"endpoint_id":"` + f.endpoint + `","reason":""}`, 422, "validation_failed"},
		{"deleted endpoint", f.operator, acme + "/events/x/resend", to(deleted), 409, "endpoint_deleted"},
		{"unverified endpoint", f.operator, acme + "/events/x/resend", to(unverified), 409, "endpoint_unverified"},
		{"erased event", f.operator, acme + "/events/" + f.internal(erased) + "/resend", to(f.endpoint), 409, "event_erased"},
		{"a test of another endpoint", f.operator, acme + "/events/" + test + "/resend", to(other), 409, "test_of_another_endpoint"},
		{"wrong role", auditor, acme + "/events/x/resend", to(f.endpoint), 403, "forbidden"},
		{"another tenant", foreign, acme + "/events/x/resend", to(f.endpoint), 404, "not_found"},
		{"another tenant's event", foreign, "/v1/tenants/other/events/x/resend", to(f.endpoint), 404, "not_found"},
		{"a retry of a dead one", f.operator, acme + "/deliveries/" + dead.String() + "/retry", "", 409, "not_waiting"},
		{"a retry by another tenant", foreign, "/v1/tenants/other/deliveries/" + dead.String() + "/retry", "", 404, "not_found"},
		{"a redrive by another tenant", foreign, "/v1/tenants/other/deliveries/" + dead.String() + "/redrive", "", 404, "not_found"},
		{"a redrive by a wrong role", auditor, acme + "/deliveries/" + dead.String() + "/redrive", "", 403, "forbidden"},
	} {
		got := f.post(c.key, c.target, c.body)
		if got.Code != c.code || got.text("code") != c.problem {
			t.Errorf("%s: %d %s", c.name, got.Code, got.Body)
		}
	}
	if f.head() != before {
		t.Error("what was refused was appended")
	}

	// The dead letter of a deleted endpoint, and of an erased event, stays what it is.
	f.do(f.operator, http.MethodDelete, acme+"/endpoints/"+f.endpoint, "").want(http.StatusNoContent)
	path := acme + "/deliveries/" + dead.String()
	f.post(f.operator, path+"/redrive", "").problem(http.StatusConflict, "endpoint_deleted")
	if d := f.get(f.operator, path).want(http.StatusOK); d.text("status") != "dead" {
		t.Errorf("the dead letter is lost: %s", d.Body)
	}
}

// TestRedrive_Erased: of an erased event nothing is left to send, and its dead letter stays.
func TestRedrive_Erased(t *testing.T) {
	t.Parallel()
	f := newResender(t)
	made := f.post(f.operator, "/v1/tenants/acme/events", `{"id":"gone","type":"a.b","subject":"person/1","data":1}`).want(http.StatusCreated)
	event := domain.Entry{Tenant: "acme", Sequence: domain.Sequence(made.number("sequence"))}
	id, err := domain.ParseUUID(f.internal(made))
	if err != nil {
		t.Fatal(err)
	}
	event.Stream = domain.Stream{Kind: domain.StreamEvent, ID: id}
	dead := f.deliver(event, f.endpoint)
	finish := func(n int) {
		f.append(
			domain.Draft{Tenant: "acme", Stream: domain.Stream{Kind: domain.StreamDelivery, ID: dead}, Expected: domain.AnyVersion, Fact: &domain.AttemptStarted{Number: n}},
			domain.Draft{Tenant: "acme", Stream: domain.Stream{Kind: domain.StreamDelivery, ID: dead}, Expected: domain.AnyVersion, Fact: &domain.AttemptFinished{
				Result: domain.AttemptResult{AttemptEnd: domain.AttemptEnd{Number: n, Status: domain.DeliveryDead, Outcome: domain.OutcomeFailed}},
			}})
	}
	finish(1)
	path := "/v1/tenants/acme/deliveries/" + dead.String()
	f.log.Erase("acme", "person/1")
	f.post(f.operator, path+"/redrive", "").problem(http.StatusConflict, "event_erased")
	if d := f.get(f.operator, path).want(http.StatusOK); d.text("status") != "dead" {
		t.Errorf("the dead letter is lost: %s", d.Body)
	}
}

// TestRetry: a waiting delivery is due now, which is a fact with a reason; where it is due already, nothing is appended.
func TestRetry(t *testing.T) {
	t.Parallel()
	f := newResender(t)
	event := f.event("acme", "x")
	id := f.deliver(event, f.endpoint)
	path := "/v1/tenants/acme/deliveries/" + id.String()
	f.settle()
	before := f.head()
	f.post(f.operator, path+"/retry", "").want(http.StatusOK) // never tried: due as it is
	if f.head() != before {
		t.Error("a retry of what is due was appended")
	}
	f.waits(event, id, 1, time.Now().Add(time.Hour))
	receiver := f.receiverOf("/v1/tenants/acme/endpoints/" + f.endpoint)
	got := f.post(receiver, path+"/retry", `{"reason":"repaired"}`).want(http.StatusOK)
	due, err := time.Parse(time.RFC3339Nano, got.text("next_attempt_at"))
	if err != nil || time.Until(due) > time.Second || got.text("status") != "retrying" || got.number("attempts") != 1 {
		t.Errorf("retried %s", got.Body)
	}
	if entry := f.last(id.String()); entry.text("items.0.kind") != "delivery.rescheduled" || entry.text("items.0.reason") != "repaired" {
		t.Errorf("the log says %s", entry.Body)
	}
	f.append(domain.Draft{
		Tenant: "acme", Stream: domain.Stream{Kind: domain.StreamDelivery, ID: id}, Expected: domain.AnyVersion, Cause: event.Sequence,
		Fact: &domain.AttemptStarted{Number: 2, Node: domain.NewUUID()},
	})
	f.post(f.operator, path+"/retry", "").problem(http.StatusConflict, "attempt_in_progress")
	f.post(f.operator, path+"/redrive", "").problem(http.StatusConflict, "not_dead")
	f.resend(f.operator, "x").problem(http.StatusConflict, "not_ended")
}

// waits appends a failed attempt of a delivery, whose next one is due at a time.
func (f resender) waits(event domain.Entry, id domain.UUID, number int, next time.Time) {
	stream := domain.Stream{Kind: domain.StreamDelivery, ID: id}
	end := domain.AttemptEnd{
		Number: number, Outcome: domain.OutcomeFailed, Status: domain.DeliveryRetrying, NextAttemptAt: next.UTC().Truncate(time.Microsecond),
	}
	f.append(
		domain.Draft{Tenant: "acme", Stream: stream, Expected: domain.AnyVersion, Cause: event.Sequence, Fact: &domain.AttemptStarted{Number: number, Node: domain.NewUUID()}},
		domain.Draft{Tenant: "acme", Stream: stream, Expected: domain.AnyVersion, Cause: event.Sequence, Fact: &domain.AttemptFinished{Result: domain.AttemptResult{AttemptEnd: end}}},
	)
}

// internal is the internal id of an event that was just appended.
func (f resender) internal(made answer) string {
	f.t.Helper()
	entry := f.get(f.operator, fmt.Sprintf("/v1/tenants/acme/log/%d", made.number("sequence"))).want(http.StatusOK)
	return strings.TrimPrefix(entry.text("stream"), "event/")
}
