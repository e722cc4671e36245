package openapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// TestDelivery_Held: a delivery that waits for a paused endpoint, or because of the tenant's rules, says so, and no time
// at which it would be tried.
func TestDelivery_Held(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const acme = "/v1/tenants/acme"
	endpoint := f.post(f.operator, acme+"/endpoints", `{"name":"e","url":"https://receiver.example/"}`).want(http.StatusCreated).text("id")
	event := f.event("acme", "x")
	id := f.fanOut(event, domain.NewUUID(), endpoint)[0]
	f.attempt(event, endpoint, id, 1, domain.DeliveryDead)
	f.settle()
	path := acme + "/deliveries/" + id.String()
	f.post(f.operator, path+"/redrive", "").want(http.StatusOK) // due now
	f.settle()
	free := f.get(f.operator, path).want(http.StatusOK)
	if text := string(free.Body); strings.Contains(text, `"held"`) || !strings.Contains(text, `"next_attempt_at"`) {
		t.Errorf("nothing holds it: %s", text)
	}
	paused := f.post(f.operator, acme+"/endpoints/"+endpoint+"/pause", "").want(http.StatusOK)
	f.patch(f.operator, acme+"/endpoints/"+endpoint, `{"name":"other"}`).want(http.StatusOK) // doesn't begin the pause anew
	f.settle()
	held := f.get(f.operator, path).want(http.StatusOK)
	if held.text("held.by") != "endpoint_paused" || held.text("held.since") != paused.text("updated_at") ||
		strings.Contains(string(held.Body), "next_attempt_at") {
		t.Errorf("%s, paused at %s", held.Body, paused.text("updated_at"))
	}
	list := f.get(f.operator, acme+"/deliveries").want(http.StatusOK)
	if list.text("items.0.held.by") != "endpoint_paused" {
		t.Errorf("%s", list.Body)
	}
	then := f.get(f.operator, path+"?as_of_sequence="+free.Header.Get("Hooktrail-Sequence")).want(http.StatusOK)
	if strings.Contains(string(then.Body), `"held"`) {
		t.Errorf("before the pause nothing held it: %s", then.Body)
	}
	f.post(f.operator, acme+"/endpoints/"+endpoint+"/resume", "").want(http.StatusOK)
	f.patch(f.operator, acme, `{"webhooks_enabled":false}`).want(http.StatusOK)
	f.settle()
	if ruled := f.get(f.operator, path).want(http.StatusOK); ruled.text("held.by") != string(domain.SkipWebhooksOff) {
		t.Errorf("%s", ruled.Body)
	}
}

// lanes plays a dispatcher whose endpoints are all throttled.
type lanes time.Time

// Held implements openapi.Lanes.
func (l lanes) Held(domain.UUID) (string, time.Time) { return domain.HeldByReceiver, time.Time(l) }

// TestDelivery_HeldByReceiver: what only the process that delivers knows is shown of deliveries that are due, as of now.
func TestDelivery_HeldByReceiver(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	since := time.Date(2100, 1, 1, 12, 0, 0, 0, time.UTC)
	f.server.Lanes = lanes(since)
	f.useServer()
	const acme = "/v1/tenants/acme"
	endpoint := f.post(f.operator, acme+"/endpoints", `{"name":"e","url":"https://receiver.example/"}`).want(http.StatusCreated).text("id")
	event := f.event("acme", "x")
	id := f.fanOut(event, domain.NewUUID(), endpoint)[0]
	f.settle()
	path := acme + "/deliveries/" + id.String()
	held := f.get(f.operator, path).want(http.StatusOK)
	if held.text("held.by") != domain.HeldByReceiver || held.text("held.since") != "2100-01-01T12:00:00Z" {
		t.Errorf("%s", held.Body)
	}
	then := f.get(f.operator, path+"?as_of_sequence="+held.Header.Get("Hooktrail-Sequence")).want(http.StatusOK)
	if strings.Contains(string(then.Body), `"held"`) {
		t.Errorf("what was in memory then isn't known: %s", then.Body)
	}
}
