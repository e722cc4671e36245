package dispatch_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/domain"
)

// receives makes an endpoint of a tenant that gets all of its events.
func (w *world) receives(tenant domain.TenantID) domain.UUID {
	id := domain.NewUUID()
	w.append(tenant, endpointStream(id), 0, 0, &domain.EndpointCreated{Endpoint: domain.EndpointConfig{
		Name: "receiver", URL: "https://receiver.example/hooks", Profile: "standard-webhooks", ProfileDigest: "d1",
		Concurrency: domain.DefaultConcurrency, Timeout: domain.DefaultTimeout, Retry: domain.DefaultSchedule(),
	}})
	w.append(tenant, subscriptionStream(domain.NewUUID()), 0, 0, &domain.SubscriptionCreated{
		Subscription: domain.SubscriptionConfig{Endpoint: id, EventTypes: []domain.Pattern{"*"}},
	})
	return id
}

// happens appends an event of a tenant.
func (w *world) happens(tenant domain.TenantID) domain.Entry {
	draft := eventDraft("a")
	draft.Tenant = tenant
	return w.submit(draft)
}

// underWay counts the requests at endpoints that haven't been answered.
func (r *receiver) underWay() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, running := range r.running {
		n += running
	}
	return n
}

// at counts the requests that an endpoint has got.
func (r *receiver) at(endpoint domain.UUID) (n int) {
	for _, request := range r.seen() {
		if request.endpoint == endpoint {
			n++
		}
	}
	return n
}

// TestSlots_Tarpit: one tenant's endpoints that never answer hold three quarters of the node's slots at most, and
// another tenant's deliveries leave at once. A freed slot goes to the tenant with fewer.
func TestSlots_Tarpit(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]int{"few": 4, "some": 100, "many": 1000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, w *world) {
				w.tenant("globex")
				for range 60 {
					w.receives(acme)
				}
				healthy := w.receives("globex")
				w.receiver.slow = func(s domain.Shipment) time.Duration {
					if s.Endpoint.ID == healthy {
						return 50 * time.Millisecond
					}
					return 14 * time.Second
				}
				n := w.start(func(s *dispatch.Settings) { s.Attempts = limit })
				time.Sleep(5 * time.Second)
				for range 30 {
					w.happens(acme)
				}
				synctest.Wait()
				if got := w.receiver.underWay(); got < limit/2 || got > (3*limit+3)/4 {
					t.Errorf("the tarpit holds %d of %d slots", got, limit)
				}
				for i := range 200 {
					w.happens("globex")
					synctest.Wait()
					if got := w.receiver.at(healthy); got != i+1 {
						t.Errorf("event %d: the healthy tenant's receiver has got %d", i, got)
					}
					if got := w.receiver.underWay(); got > limit {
						t.Errorf("%d attempts are under way", got)
					}
					if text := n.Imbalance(); text != "" {
						t.Error(text)
					}
					time.Sleep(100 * time.Millisecond)
				}
				n.end(t)
			})
		})
	}
}

// TestSlots_Neighbours: an endpoint finds a slot beside others of its tenant that never answer.
func TestSlots_Neighbours(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		for range 10 {
			w.receives(acme)
		}
		w.receiver.took = 14 * time.Second
		n := w.start(func(s *dispatch.Settings) { s.Attempts = 100 })
		time.Sleep(5 * time.Second)
		for range 30 {
			w.happens(acme)
		}
		healthy := w.receives(acme)
		time.Sleep(time.Second)
		w.happens(acme)
		synctest.Wait()
		if w.receiver.at(healthy) != 1 {
			t.Error("the healthy endpoint's delivery waits for the others' attempts")
		}
		n.end(t)
	})
}

// TestSlots_Turns: with more tenants at a tarpit than slots every tenant gets its turns, and every delivery ends.
func TestSlots_Turns(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		tenants := []domain.TenantID{"a", "b", "c", "d", "e", "f", "g", "h"}
		for _, tenant := range tenants {
			w.tenant(tenant)
			w.receives(tenant)
			w.receives(tenant)
		}
		w.receiver.took = time.Second
		n := w.start(func(s *dispatch.Settings) { s.Attempts = 4 })
		time.Sleep(5 * time.Second)
		for range 50 {
			w.happens("a") // is first, and has far more
		}
		for _, tenant := range tenants[1:] {
			w.happens(tenant)
		}
		time.Sleep(10 * time.Second)
		others := 0
		for _, e := range w.entries() {
			if e.Kind == domain.KindAttemptFinished && e.Tenant != "a" {
				others++
			}
		}
		if others != 2*(len(tenants)-1) {
			t.Errorf("%d deliveries of tenants with few have ended", others)
		}
		time.Sleep(time.Minute)
		idle(t, n.Dispatcher)
		if text := n.Imbalance(); text != "" {
			t.Error(text)
		}
		n.end(t)
		w.check()
	})
}
