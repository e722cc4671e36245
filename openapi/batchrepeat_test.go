package openapi_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi"
)

// countedLog counts what is looked up in a log.
type countedLog struct {
	domain.Log
	openapi.Claims
	scans, claimed atomic.Int32
}

func (l *countedLog) Scan(ctx context.Context, q domain.Query) ([]domain.Entry, *domain.Sequence, error) {
	l.scans.Add(1)
	return l.Log.Scan(ctx, q)
}

func (l *countedLog) Claimed(ctx context.Context, claims []domain.Claim) ([]*domain.ClaimedError, error) {
	l.claimed.Add(1)
	return l.Claims.Claimed(ctx, claims)
}

// TestBatch_RepeatedInSets: a batch whose events were appended before with their defaults left out is looked up in sets,
// not event by event, and one event that differs refuses it.
func TestBatch_RepeatedInSets(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(f.operator, "/v1/tenants/acme/event-types/a.b", `{"version":"v7"}`).want(http.StatusCreated)
	counted := &countedLog{Log: f.server.Log, Claims: f.server.Claims}
	f.server.Log, f.server.Claims = counted, counted
	f.useServer()
	const events = 150
	batch := func(more string) string {
		list := make([]string, events)
		for n := range list {
			list[n] = fmt.Sprintf(`{"id":"%d","type":"a.b","data":1%s}`, n, more)
		}
		return `{"events":[` + strings.Join(list, ",") + `]}`
	}
	const path = "/v1/tenants/acme/events/batch"
	first := f.post(f.operator, path, batch("")).want(http.StatusCreated)
	counted.scans.Store(0)
	counted.claimed.Store(0)
	spelled := batch(`,"schema_version":"v7"`)
	again := f.post(f.operator, path, spelled).want(http.StatusOK)
	if string(first.Body) != string(again.Body) {
		t.Errorf("the receipts are others: %s", again.Body)
	}
	if scans, claimed := counted.scans.Load(), counted.claimed.Load(); scans > 5 || claimed > 5 {
		t.Errorf("%d events are looked up by %d scans and %d look-ups of claims", events, scans, claimed)
	}
	other := strings.Replace(spelled, `{"id":"120","type":"a.b","data":1`, `{"id":"120","type":"a.b","data":2`, 1)
	f.post(f.operator, path, other).problem(http.StatusConflict, "event_id_conflict").names("body.events[120].id")
}

// TestBatch_Budget: the copies that a batch makes of its events' data count against the budget, as its body does.
func TestBatch_Budget(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	event := `{"type":"a.b","data":"` + strings.Repeat("a", 150<<10) + `"}`
	batch := `{"events":[` + event + `,` + event + `]}`
	for held, refused := range map[int]bool{1 << 20: true, 2 << 20: false} { // half of it is the tenant's
		f.server.Limits.HeldBytes = held
		f.useServer()
		got := f.post(f.operator, "/v1/tenants/acme/events/batch", batch)
		if refused {
			got.problem(http.StatusServiceUnavailable, "busy")
		} else {
			got.want(http.StatusCreated)
		}
	}
}
