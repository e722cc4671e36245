package openapi_test

import (
	"net/http"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// TestAppend_anothersEvent: a producer that repeats another principal's event is told the same, whether it guessed what
// the event holds or not, in both operations; the owner and the operator get the first receipt.
func TestAppend_anothersEvent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	owner, stranger := f.key("acme", domain.RoleProducer, `,"principal":"one"`), f.key("acme", domain.RoleProducer, `,"principal":"two"`)
	const events, guessed, missed = "/v1/tenants/acme/events", `{"id":"a","type":"a.b","data":{"pin":1234}}`, `{"id":"a","type":"a.b","data":{"pin":1}}`
	f.post(owner, events, guessed).want(http.StatusCreated)
	for _, key := range []string{owner, f.operator} {
		f.post(key, events, guessed).want(http.StatusOK)
		f.post(key, events+"/batch", `{"events":[`+guessed+`]}`).want(http.StatusOK)
	}
	one := f.post(stranger, events, missed).problem(http.StatusConflict, "event_id_conflict").names("body.id")
	many := f.post(stranger, events+"/batch", `{"events":[`+missed+`]}`).problem(http.StatusConflict, "event_id_conflict").names("body.events[0].id")
	for _, header := range [][]string{nil, {"Idempotency-Key", "k"}} {
		if got := f.post(stranger, events, guessed, header...); got.Code != one.Code || string(got.Body) != string(one.Body) {
			t.Errorf("a guess is confirmed: %d %s", got.Code, got.Body)
		}
		if got := f.post(stranger, events+"/batch", `{"events":[`+guessed+`]}`, header...); got.Code != many.Code || string(got.Body) != string(many.Body) {
			t.Errorf("a guess is confirmed in a batch: %d %s", got.Code, got.Body)
		}
	}
}
