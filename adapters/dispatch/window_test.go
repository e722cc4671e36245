package dispatch_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/domain"
)

// TestWindow_SmallEqualsUnbounded: how much of an endpoint's backlog is in memory doesn't show in what is sent when.
func TestWindow_SmallEqualsUnbounded(t *testing.T) {
	t.Parallel()
	var want []string
	for _, window := range []int{dispatch.DefaultWindow, 2, 3, 10} {
		for _, lag := range []int{0, 25} {
			var got []string
			bubble(t, func(t *testing.T, w *world) { got = backlog(t, w, window, lag) })
			if want == nil {
				want = got
			}
			if !slices.Equal(got, want) {
				t.Errorf("window %d, views %d entries behind: %d requests, unbounded: %d", window, lag, len(got), len(want))
				for i := range min(len(got), len(want)) {
					if got[i] != want[i] {
						t.Fatalf("request %d: %s, unbounded: %s", i, got[i], want[i])
					}
				}
			}
		}
	}
	if len(want) < 200 {
		t.Errorf("only %d requests: the test tests little", len(want))
	}
}

// backlog has an endpoint fail often and be paused, and returns what was sent to it when.
func backlog(t *testing.T, w *world, window, lag int) []string {
	endpoint := w.endpoint(func(c *domain.EndpointConfig) {
		c.Concurrency = domain.MaxConcurrency
		c.Retry = domain.Schedule{Gaps: []domain.Duration{
			domain.Duration(5 * time.Second), domain.Duration(time.Minute), domain.Duration(10 * time.Minute),
		}}
	})
	w.subscribe(endpoint, "*")
	w.views.lag(lag)
	numbers := make(map[domain.UUID]int)
	w.receiver.answer = func(s domain.Shipment) domain.Answer {
		w.receiver.mu.Lock()
		n := numbers[s.Event.ID]
		w.receiver.mu.Unlock()
		if (n+s.Attempt.Number)%3 != 0 {
			return fails(s)
		}
		return succeeds(s)
	}
	log := &faulty{Log: w.memory}
	n := w.start(func(s *dispatch.Settings) { s.Window, s.Log = window, log })
	time.Sleep(5 * time.Second)
	began := time.Now()
	for i := range 120 {
		if i%20 == 0 {
			time.Sleep(3 * time.Second)
		}
		if i == 60 || i == 100 {
			w.change(endpoint, func(c domain.EndpointConfig) domain.Fact {
				c.Paused = i == 60
				return &domain.EndpointUpdated{Endpoint: c}
			})
			synctest.Wait()
		}
		e := domain.NewUUID()
		w.receiver.mu.Lock()
		numbers[e] = i
		w.receiver.mu.Unlock()
		w.submit(domain.Draft{
			Tenant: acme, Stream: domain.Stream{Kind: domain.StreamEvent, ID: e},
			Fact: &domain.EventAppended{
				Event: domain.EventAttributes{
					EventClass:    domain.EventClass{Type: "a", SchemaVersion: "v1"},
					EventIdentity: domain.EventIdentity{ID: e.String(), Source: "/tenants/acme"},
				},
				Data: []byte("1"),
			},
		})
	}
	time.Sleep(time.Hour)
	n.end(t)
	w.check()
	if log.conflicts > 0 {
		t.Errorf("window %d, views %d entries behind: %d appends were in vain", window, lag, log.conflicts)
	}
	requests := w.receiver.seen()
	slices.SortFunc(requests, func(a, b request) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(numbers[a.event], numbers[b.event]))
	})
	var told []string
	for _, r := range requests {
		told = append(told, fmt.Sprintf("event %d attempt %d after %v", numbers[r.event], r.number, r.at.Sub(began).Round(time.Millisecond)))
	}
	return told
}
