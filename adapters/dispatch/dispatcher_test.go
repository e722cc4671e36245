package dispatch_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/domain"
)

func TestDispatcher_Delivers(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		endpoint := w.endpoint(nil)
		w.subscribe(endpoint, "offer.*")
		n := w.start(nil)
		synctest.Wait()
		event := w.event("offer.issued")
		w.event("order.placed")
		synctest.Wait()
		n.end(t)

		requests := w.receiver.seen()
		if len(requests) != 1 || requests[0].event != event.Stream.ID || requests[0].number != 1 {
			t.Fatalf("requests: %+v", requests)
		}
		want := []string{"started 1", "succeeded 1 succeeded"}
		if got := w.story(requests[0].delivery); !slices.Equal(got, want) {
			t.Errorf("the log tells %q", got)
		}
		if starts := startsOf(&event); len(starts) != 1 || starts[0].delivery != requests[0].delivery {
			t.Errorf("the event's entry begins %+v", starts)
		}
		if ended := w.find(domain.KindAttemptFinished); ended.Cause != event.Sequence || ended.StreamVersion != 1 {
			t.Errorf("the attempt ends in version %d, caused by %d, want 1 and the event's sequence %d",
				ended.StreamVersion, ended.Cause, event.Sequence)
		}
		if got := len(w.entries()) - int(event.Position); got != 2 { // the attempt's end and another event
			t.Errorf("%d entries follow the event's", got)
		}
		w.check()
	})
}

// find returns the first entry of a kind.
func (w *world) find(kind domain.Kind) domain.Entry {
	for _, e := range w.entries() {
		if e.Kind == kind {
			return e
		}
	}
	w.t.Fatalf("the log has no %s", kind)
	return domain.Entry{}
}

func TestDispatcher_RetrySchedule(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.subscribe(w.endpoint(nil), "*")
		w.receiver.answer = fails
		n := w.start(func(s *dispatch.Settings) { s.Beat, s.Expiry = time.Hour, 3*time.Hour })
		synctest.Wait()
		began := time.Now()
		w.event("a")
		time.Sleep(100 * time.Hour)
		synctest.Wait()
		n.end(t)

		var at []time.Duration
		for _, r := range w.receiver.seen() {
			at = append(at, r.at.Sub(began).Round(time.Second))
		}
		want := []time.Duration{0}
		for _, gap := range domain.DefaultSchedule().Gaps {
			want = append(want, want[len(want)-1]+time.Duration(gap))
		}
		if !slices.Equal(at, want) {
			t.Errorf("attempts after %v, want %v", at, want)
		}
		if d := w.deliveries()[0]; d.Status != domain.DeliveryDead || d.Attempts != 10 {
			t.Errorf("the delivery is %s after %d attempts", d.Status, d.Attempts)
		}
		w.check()
	})
}

// settings that make hours pass quickly.
func slowBeat(s *dispatch.Settings) { s.Beat, s.Expiry = time.Hour, 3*time.Hour }

func TestDispatcher_Redrive(t *testing.T) {
	t.Parallel()
	for _, lag := range []int{0, 3, 100} {
		t.Run(fmt.Sprintf("views %d entries behind", lag), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, w *world) { redrive(t, w, lag) })
		})
	}
}

func redrive(t *testing.T, w *world, lag int) {
	w.subscribe(w.endpoint(func(c *domain.EndpointConfig) {
		c.Retry = domain.Schedule{Gaps: []domain.Duration{domain.Duration(time.Minute)}}
	}), "*")
	w.receiver.answer = fails
	n := w.start(slowBeat)
	w.event("a")
	time.Sleep(10 * time.Minute)
	synctest.Wait()
	d := w.deliveries()[0]
	if d.Status != domain.DeliveryDead {
		t.Fatalf("the delivery is %s", d.Status)
	}
	w.views.lag(lag)
	fact, err := d.Redrive(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w.append(acme, domain.Stream{Kind: domain.StreamDelivery, ID: d.ID}, d.Version, d.EventSequence, fact)
	synctest.Wait()
	for range lag { // views move on only with the log
		w.tenant(domain.TenantID("t-" + domain.NewUUID().String()))
	}
	time.Sleep(30 * time.Second)
	w.receiver.set(succeeds)
	time.Sleep(10 * time.Minute)
	synctest.Wait()
	n.end(t)
	want := []string{
		"started 1", "failed 1 retrying", "started 2", "failed 2 dead", "redriven after 2",
		"started 3", "failed 3 retrying", "started 4", "succeeded 4 succeeded",
	}
	if got := w.story(d.ID); !slices.Equal(got, want) {
		t.Errorf("the log tells %q\nwant %q", got, want)
	}
	w.check()
}

func TestDispatcher_Permanent(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.subscribe(w.endpoint(nil), "*")
		w.receiver.answer = func(s domain.Shipment) domain.Answer {
			a := fails(s)
			a.Permanent = true
			return a
		}
		n := w.start(nil)
		w.event("a")
		time.Sleep(10 * time.Second)
		n.end(t)
		if got, want := w.story(w.deliveries()[0].ID), []string{"started 1", "failed 1 dead"}; !slices.Equal(got, want) {
			t.Errorf("the log tells %q", got)
		}
		w.check()
	})
}

func TestDispatcher_Concurrency(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.subscribe(w.endpoint(func(c *domain.EndpointConfig) { c.Concurrency = 7 }), "*")
		w.receiver.took = 10 * time.Millisecond
		n := w.start(nil)
		time.Sleep(5 * time.Second)
		began := time.Now()
		for range 700 {
			w.event("a")
		}
		time.Sleep(time.Minute)
		n.end(t)
		requests := w.receiver.seen()
		if len(requests) != 700 || w.receiver.most != 7 {
			t.Errorf("%d requests, at most %d at once", len(requests), w.receiver.most)
		}
		if took := requests[699].at.Sub(began); took > 1100*time.Millisecond {
			t.Errorf("700 requests of 10ms, 7 at once, took %v", took)
		}
		w.check()
	})
}

func TestDispatcher_RateLimit(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		limit := func(perSecond float64, burst int) func(*domain.EndpointConfig) {
			return func(c *domain.EndpointConfig) { c.RateLimit = &domain.RateLimit{PerSecond: perSecond, Burst: burst} }
		}
		endpoint := w.endpoint(limit(10, 5))
		w.subscribe(endpoint, "*")
		n := w.start(nil)
		time.Sleep(5 * time.Second)
		began := time.Now()
		for range 100 {
			w.event("a")
		}
		time.Sleep(2*time.Second + 50*time.Millisecond)
		if got := len(w.receiver.seen()); got != 25 {
			t.Errorf("%d requests in 2 s at 10/s with a burst of 5", got)
		}
		if by, since := n.Held(endpoint); by != domain.HeldByRateLimit || since.Sub(began) > 100*time.Millisecond {
			t.Errorf("what is due is held by %q since %v", by, since.Sub(began))
		}
		w.change(endpoint, func(c domain.EndpointConfig) domain.Fact {
			limit(100, 5)(&c)
			return &domain.EndpointUpdated{Endpoint: c}
		})
		time.Sleep(time.Minute)
		n.end(t)
		requests := w.receiver.seen()
		if took := requests[99].at.Sub(began); len(requests) != 100 || took > 3*time.Second {
			t.Errorf("%d requests in %v after the limit was raised", len(requests), took)
		}
		w.check()
	})
}

func TestDispatcher_PauseAndResume(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		endpoint := w.endpoint(nil)
		w.subscribe(endpoint, "*")
		n := w.start(nil)
		time.Sleep(5 * time.Second)
		w.change(endpoint, func(c domain.EndpointConfig) domain.Fact {
			c.Paused = true
			return &domain.EndpointPaused{Endpoint: c}
		})
		synctest.Wait()
		w.event("a")
		w.event("b")
		time.Sleep(time.Hour)
		if got := w.receiver.seen(); len(got) != 0 {
			t.Fatalf("%d requests to a paused endpoint", len(got))
		}
		if got := w.deliveries(); len(got) != 2 || got[0].Status != domain.DeliveryPending {
			t.Fatalf("deliveries of a paused endpoint: %+v", got)
		}
		w.change(endpoint, func(c domain.EndpointConfig) domain.Fact {
			c.Paused = false
			return &domain.EndpointResumed{Endpoint: c}
		})
		synctest.Wait()
		n.end(t)
		if got := w.receiver.seen(); len(got) != 2 {
			t.Errorf("%d requests after the pause", len(got))
		}
		w.check()
	})
}

// TestDispatcher_TenantRules: what waits for an endpoint stays while the tenant's rules let nothing out to it, on a
// node that begins meanwhile too, and goes on when they do again. What comes meanwhile is skipped.
func TestDispatcher_TenantRules(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(c *domain.TenantConfig, on bool){
		"webhooks disabled": func(c *domain.TenantConfig, on bool) { c.WebhooksEnabled = !on },
		"https only":        func(c *domain.TenantConfig, on bool) { c.HTTPSOnly = on },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, w *world) {
				w.subscribe(w.endpoint(func(c *domain.EndpointConfig) { c.URL = "http://receiver.example/hooks" }), "*")
				w.receiver.answer = fails
				n := w.start(nil)
				time.Sleep(5 * time.Second)
				w.event("a")
				time.Sleep(time.Second)
				w.rules(func(c *domain.TenantConfig) { set(c, true) })
				w.receiver.set(succeeds)
				skipped := w.event("a")
				time.Sleep(time.Hour)
				n.end(t)
				n = w.start(nil)
				time.Sleep(time.Hour)
				if got := len(w.receiver.seen()); got != 1 {
					t.Errorf("%d requests, want the one from before the rule", got)
				}
				if got := w.deliveries(); len(got) != 1 || got[0].Status != domain.DeliveryRetrying || len(w.skips(skipped.Stream.ID)) != 1 {
					t.Errorf("deliveries: %+v, skipped for %q", got, w.skips(skipped.Stream.ID))
				}
				w.rules(func(c *domain.TenantConfig) { set(c, false) })
				time.Sleep(time.Minute)
				n.end(t)
				if got := w.deliveries(); len(got) != 1 || got[0].Status != domain.DeliverySucceeded || got[0].Attempts != 2 {
					t.Errorf("deliveries at the end: %+v", got)
				}
				w.check()
			})
		})
	}
}

func TestDispatcher_Cancels(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		end  func(w *world, endpoint, subscription domain.UUID)
		want domain.CancelReason
	}{
		"endpoint deleted": {func(w *world, endpoint, _ domain.UUID) {
			w.change(endpoint, func(c domain.EndpointConfig) domain.Fact { return &domain.EndpointDeleted{Endpoint: c} })
		}, domain.CancelEndpointDeleted},
		"subscriptions deleted": {func(w *world, endpoint, subscription domain.UUID) {
			w.append(acme, subscriptionStream(subscription), domain.AnyVersion, 0, &domain.SubscriptionDeleted{
				Subscription: domain.SubscriptionConfig{Endpoint: endpoint, EventTypes: []domain.Pattern{"*"}},
			})
		}, domain.CancelSubscriptionsDeleted},
		"tenant deleted": {func(w *world, _, _ domain.UUID) {
			row, _ := w.views.config(w.t).Tenant(acme)
			w.append(acme, domain.Stream{Kind: domain.StreamTenant, ID: row.Stream}, domain.AnyVersion, 0, &domain.TenantDeleted{Tenant: row.TenantConfig})
		}, domain.CancelTenantDeleted},
	}
	for name, test := range tests {
		for _, window := range []int{dispatch.DefaultWindow, 2} {
			t.Run(fmt.Sprintf("%s, %d in memory", name, window), func(t *testing.T) {
				t.Parallel()
				bubble(t, func(t *testing.T, w *world) {
					endpoint := w.endpoint(nil)
					subscription := w.subscribe(endpoint, "*")
					w.receiver.answer = fails
					n := w.start(func(s *dispatch.Settings) { s.Window = window })
					for range 20 {
						w.event("a")
					}
					time.Sleep(4 * time.Second)
					w.receiver.delay(3 * time.Second) // the next attempts are under way when the end comes
					time.Sleep(2 * time.Second)
					test.end(w, endpoint, subscription)
					time.Sleep(10 * time.Minute)
					n.end(t)
					for _, d := range w.deliveries() {
						if d.Status != domain.DeliveryStatusCancelled || d.Cancel != test.want {
							t.Errorf("a delivery is %s (%s): %q", d.Status, d.Cancel, w.story(d.ID))
						}
					}
					w.check()
				})
			})
		}
	}
}

func TestDispatcher_PanicOfASend(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.subscribe(w.endpoint(nil), "*")
		w.receiver.answer = func(domain.Shipment) domain.Answer { panic("a defect") }
		n := w.start(nil)
		w.event("a")
		time.Sleep(4 * time.Second)
		w.receiver.set(succeeds)
		time.Sleep(time.Minute)
		n.end(t)
		want := []string{"started 1", "failed 1 retrying internal", "started 2", "succeeded 2 succeeded"}
		if got := w.story(w.deliveries()[0].ID); !slices.Equal(got, want) {
			t.Errorf("the log tells %q", got)
		}
	})
}

// TestDispatcher_TooLate: a process that stood still between commit and send doesn't send.
func TestDispatcher_TooLate(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.subscribe(w.endpoint(nil), "*")
		still := &slow{Log: w.memory}
		n := w.start(func(s *dispatch.Settings) { s.Log = still })
		time.Sleep(5 * time.Second)
		still.pause(time.Duration(domain.DefaultTimeout))
		w.event("a")
		time.Sleep(2 * time.Second)
		still.pause(0)
		time.Sleep(time.Minute)
		n.end(t)
		want := []string{"started 1", "failed 1 retrying too_late", "started 2", "succeeded 2 succeeded"}
		if got := w.story(w.deliveries()[0].ID); !slices.Equal(got, want) {
			t.Errorf("the log tells %q", got)
		}
		if got := len(w.receiver.seen()); got != 1 {
			t.Errorf("%d requests", got)
		}
		w.check()
	})
}

// slow is a log that answers appends late.
type slow struct {
	domain.Log
	mu    sync.Mutex
	delay time.Duration
}

func (l *slow) pause(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = d
}

// Append implements domain.Log.
func (l *slow) Append(ctx context.Context, groups ...domain.Group) []domain.Outcome {
	l.mu.Lock()
	delay := l.delay
	l.mu.Unlock()
	outcomes := l.Log.Append(ctx, groups...)
	time.Sleep(delay)
	return outcomes
}

func TestDispatcher_Shutdown(t *testing.T) {
	t.Parallel()
	for name, took := range map[string]time.Duration{"finished": 5 * time.Second, "broken off": time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, w *world) {
				w.subscribe(w.endpoint(func(c *domain.EndpointConfig) { c.Timeout, c.Concurrency = domain.MaxTimeout, 2 }), "*")
				w.receiver.took = took
				n := w.start(nil)
				time.Sleep(5 * time.Second)
				for range 4 {
					w.event("a")
				}
				synctest.Wait()
				began := time.Now()
				n.end(t)
				if got, want := time.Since(began), min(took, dispatch.DefaultGrace); got != want {
					t.Errorf("stopped after %v, want %v", got, want)
				}
				if got := len(w.receiver.seen()); got != 2 {
					t.Errorf("%d requests: none may begin while the dispatcher stops", got)
				}
				w.check()
				n = w.start(func(s *dispatch.Settings) { s.Displaced = []domain.UUID{n.set.Node} })
				time.Sleep(time.Hour)
				n.end(t)
				for _, d := range w.deliveries() {
					if d.Status != domain.DeliverySucceeded {
						t.Errorf("a delivery is %s: %q", d.Status, w.story(d.ID))
					}
				}
				w.check()
			})
		})
	}
}

// TestLane_OfDeletedEndpointGoes: of an endpoint that is deleted nothing stays in memory, once nothing of it waits.
func TestLane_OfDeletedEndpointGoes(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		kept, gone := w.endpoint(nil), w.endpoint(func(c *domain.EndpointConfig) { c.Paused = true })
		w.subscribe(kept, "*")
		w.subscribe(gone, "*")
		n := w.start(func(s *dispatch.Settings) { s.Window = 2 }) // most lie beyond, and have to be read to be cancelled
		time.Sleep(5 * time.Second)
		for range 20 {
			w.event("a")
		}
		time.Sleep(time.Minute)
		w.change(gone, func(c domain.EndpointConfig) domain.Fact { return &domain.EndpointDeleted{Endpoint: c} })
		time.Sleep(time.Minute)
		for endpoint, want := range map[domain.UUID]bool{kept: true, gone: false} {
			if got := n.HasLane(endpoint); got != want {
				t.Errorf("a lane of %s: %v, want %v", endpoint, got, want)
			}
		}
		n.end(t)
		cancelled := 0
		for _, d := range w.deliveries() {
			if d.Endpoint == gone && d.Status == domain.DeliveryStatusCancelled {
				cancelled++
			}
		}
		if cancelled != 20 {
			t.Errorf("%d deliveries are given up, want 20", cancelled)
		}
		w.check()
	})
}

// TestDispatcher_DatabaseClockAhead: the time that the log gives a delivery says nothing about its first attempt, not
// even behind a retry that has to wait.
func TestDispatcher_DatabaseClockAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldAt(t, func() time.Time { return time.Now().Add(30 * time.Second) })
		w.subscribe(w.endpoint(func(c *domain.EndpointConfig) {
			c.Concurrency = 1
			c.Retry = domain.Schedule{Gaps: []domain.Duration{domain.Duration(10 * time.Second)}}
		}), "*")
		w.receiver.took = time.Second
		var sent atomic.Int32
		w.receiver.answer = func(s domain.Shipment) domain.Answer {
			if sent.Add(1) == 1 {
				return fails(s)
			}
			return succeeds(s)
		}
		n := w.start(slowBeat)
		time.Sleep(time.Second)
		began := time.Now()
		w.event("a")
		w.event("b") // both wait for the slot, and are 30 s in the future by the log
		w.event("c")
		time.Sleep(time.Minute)
		n.end(t)
		if got, want := w.receiver.times(began), []int{0, 1, 2, 11}; !slices.Equal(got, want) {
			t.Errorf("requests after %v seconds, want %v", got, want)
		}
		w.check()
	})
}
