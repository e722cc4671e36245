package dispatch_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/domain"
)

func isGone(s domain.Shipment) domain.Answer {
	return domain.Answer{Gone: true, Result: domain.AttemptResult{AttemptEnd: domain.AttemptEnd{Outcome: domain.OutcomeFailed, StatusCode: 410}}}
}

func (w *world) resume(endpoint domain.UUID) {
	w.change(endpoint, func(c domain.EndpointConfig) domain.Fact {
		c.Paused, c.Disabled = false, ""
		return &domain.EndpointResumed{Endpoint: c}
	})
}

// disabled returns why and when an endpoint was disabled, each time.
func (w *world) disabled(endpoint domain.UUID) (reasons []string, at []time.Time) {
	for _, e := range w.entries() {
		if f, ok := e.Fact.(*domain.EndpointDisabled); ok && e.Stream.ID == endpoint {
			reasons, at = append(reasons, f.Endpoint.Disabled), append(at, e.RecordedAt)
		}
	}
	return reasons, at
}

// skips returns why an event made no delivery.
func (w *world) skips(event domain.UUID) (reasons []domain.SkipReason) {
	for _, e := range w.entries() {
		if f, ok := e.Fact.(*domain.EventAppended); ok && e.Stream.ID == event {
			for _, s := range f.Routing.Skipped {
				reasons = append(reasons, s.Reason)
			}
		}
	}
	return reasons
}

// TestDispatcher_Gone: a 410 disables the endpoint in the commit that ends the attempt, however many say so at once.
// What waits goes on when the endpoint is resumed, what comes meanwhile is skipped.
func TestDispatcher_Gone(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		endpoint := w.endpoint(func(c *domain.EndpointConfig) { c.Concurrency = 4 })
		w.subscribe(endpoint, "*")
		registry := prometheus.NewRegistry()
		n := w.start(func(s *dispatch.Settings) { s.Metrics = registry })
		time.Sleep(3 * time.Second)
		w.receiver.set(fails)
		w.event("a") // is to be tried again in 5 s
		time.Sleep(time.Second)
		w.receiver.set(isGone)
		w.receiver.delay(time.Second)
		for range 8 {
			w.event("a")
		}
		time.Sleep(time.Hour)
		if got := len(w.receiver.seen()); got != 5 {
			t.Errorf("%d requests, want the failed one and four that were under way when the first 410 came", got)
		}
		if got, _ := w.disabled(endpoint); !slices.Equal(got, []string{domain.DisabledGone}) {
			t.Errorf("the endpoint was disabled for %q", got)
		}
		disabled := w.find(domain.KindEndpointDisabled)
		end := w.entries()[disabled.Position-2]
		if f, ok := end.Fact.(*domain.AttemptFinished); !ok || f.Result.StatusCode != 410 || end.RecordedAt.Add(time.Microsecond) != disabled.RecordedAt || disabled.Cause != end.Cause {
			t.Errorf("the disabling isn't in one commit with the attempt's end: it follows %s", end.Kind)
		}
		late := w.event("a")
		synctest.Wait()
		if got := w.skips(late.Stream.ID); !slices.Equal(got, []domain.SkipReason{domain.SkipEndpointDisabled}) {
			t.Errorf("a later event was skipped for %q", got)
		}
		w.receiver.set(succeeds)
		w.resume(endpoint)
		time.Sleep(time.Minute)
		n.end(t)
		statuses := make(map[domain.DeliveryStatus]int)
		for _, d := range w.deliveries() {
			statuses[d.Status]++
		}
		if len(statuses) != 2 || statuses[domain.DeliveryDead] != 4 || statuses[domain.DeliverySucceeded] != 5 {
			t.Errorf("deliveries end as %v", statuses)
		}
		for name, want := range map[string]int{"dead_total": 4, "endpoints_disabled_total": 1} {
			if got := valueOf(t, registry, "hooktrail_dispatch_"+name); got != want {
				t.Errorf("%s counts %d, want %d", name, got, want)
			}
		}
		w.check()
	})
}

// TestDispatcher_GoneOvertaken: the endpoint was changed while the attempt was under way. Its end is recorded at once,
// and whether the endpoint is disabled is decided by what it is then.
func TestDispatcher_GoneOvertaken(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(domain.EndpointConfig) domain.Fact
		want   []string
	}{
		"renamed": {func(c domain.EndpointConfig) domain.Fact {
			c.Name = "another"
			return &domain.EndpointUpdated{Endpoint: c}
		}, []string{domain.DisabledGone}},
		"paused": {func(c domain.EndpointConfig) domain.Fact {
			c.Paused = true
			return &domain.EndpointPaused{Endpoint: c}
		}, []string{domain.DisabledGone}},
		"moved": {func(c domain.EndpointConfig) domain.Fact {
			c.URL = "https://receiver.example/new"
			return &domain.EndpointUpdated{Endpoint: c}
		}, nil},
		"another query": {func(c domain.EndpointConfig) domain.Fact {
			c.Query = &domain.SecretQuery{Secret: domain.NewUUID()}
			return &domain.EndpointUpdated{Endpoint: c}
		}, nil},
		"deleted": {func(c domain.EndpointConfig) domain.Fact { return &domain.EndpointDeleted{Endpoint: c} }, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, w *world) {
				endpoint := w.endpoint(nil)
				w.subscribe(endpoint, "*")
				log := &faulty{Log: w.memory}
				w.receiver.answer = func(s domain.Shipment) domain.Answer {
					log.shut(true)
					w.change(endpoint, test.change)
					return isGone(s)
				}
				n := w.start(func(s *dispatch.Settings) { s.Log = log })
				time.Sleep(3 * time.Second)
				w.event("a")
				time.Sleep(10 * time.Second)
				if got, want := w.story(w.deliveries()[0].ID), []string{"started 1", "failed 1 dead"}; !slices.Equal(got, want) {
					t.Errorf("before the change is folded the log tells %q", got)
				}
				log.shut(false)
				time.Sleep(10 * time.Second)
				if got, _ := w.disabled(endpoint); !slices.Equal(got, test.want) {
					t.Errorf("the endpoint was disabled for %q, want %q", got, test.want)
				}
				if test.want == nil && name != "deleted" { // and so attempts begin again
					w.receiver.set(succeeds)
					w.event("a")
					synctest.Wait()
					if got := len(w.receiver.seen()); got != 2 {
						t.Errorf("%d requests: the endpoint still waits for its disabling", got)
					}
				}
				n.end(t)
				w.check()
			})
		})
	}
}

// answerless loses the answer to the first append of a kind of fact, which is committed.
type answerless struct {
	domain.Log
	kind domain.Kind

	mu   sync.Mutex
	lost bool
}

// Append implements domain.Log.
func (l *answerless) Append(ctx context.Context, groups ...domain.Group) []domain.Outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	outcomes := l.Log.Append(ctx, groups...)
	for _, g := range groups {
		if !l.lost && slices.ContainsFunc(g.Drafts, func(d domain.Draft) bool { return d.Fact.Kind() == l.kind }) {
			l.lost = true
			return refused(len(groups), domain.ErrUnavailable)
		}
	}
	return outcomes
}

// TestDispatcher_GoneAnswerLost: neither the end nor the disabling is said twice when the answer to both is lost.
func TestDispatcher_GoneAnswerLost(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		endpoint := w.endpoint(nil)
		w.subscribe(endpoint, "*")
		w.subscribe(w.endpoint(nil), "hooktrail.*")
		w.receiver.answer = func(s domain.Shipment) domain.Answer {
			if s.Endpoint.ID == endpoint {
				return isGone(s)
			}
			return succeeds(s)
		}
		log := &answerless{Log: w.memory, kind: domain.KindEndpointDisabled}
		n := w.start(func(s *dispatch.Settings) { s.Log = log })
		time.Sleep(3 * time.Second)
		w.event("a")
		time.Sleep(time.Minute)
		n.end(t)
		if got, _ := w.disabled(endpoint); !slices.Equal(got, []string{domain.DisabledGone}) || !log.lost {
			t.Errorf("the endpoint was disabled for %q (an answer was lost: %v)", got, log.lost)
		}
		if got := w.notices(); len(got) != 2 {
			t.Errorf("operational events: %q", got)
		}
		w.check()
	})
}

// TestDispatcher_GoneTenantDeleted: a deleted tenant's log takes an attempt's end, and nothing else.
func TestDispatcher_GoneTenantDeleted(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		endpoint := w.endpoint(nil)
		w.subscribe(endpoint, "*")
		w.subscribe(w.endpoint(nil), "hooktrail.*")
		log := &faulty{Log: w.memory}
		w.receiver.answer = func(s domain.Shipment) domain.Answer {
			log.shut(true)
			row, _ := w.views.config(w.t).Tenant(acme)
			w.append(acme, domain.Stream{Kind: domain.StreamTenant, ID: row.Stream}, domain.AnyVersion, 0, &domain.TenantDeleted{Tenant: row.TenantConfig})
			return isGone(s)
		}
		n := w.start(func(s *dispatch.Settings) { s.Log = log })
		time.Sleep(3 * time.Second)
		w.event("a")
		time.Sleep(10 * time.Second)
		if got, want := w.story(w.deliveries()[0].ID), []string{"started 1", "failed 1 dead"}; !slices.Equal(got, want) {
			t.Errorf("the log tells %q", got)
		}
		log.shut(false)
		time.Sleep(time.Minute)
		n.end(t)
		if got, _ := w.disabled(endpoint); len(got) != 0 || len(w.notices()) != 0 {
			t.Errorf("the endpoint was disabled for %q, operational events %q", got, w.notices())
		}
		w.check()
	})
}

// asked counts how often an endpoint's health is read.
type asked struct {
	dispatch.State
	mu sync.Mutex
	n  int
}

// Health implements State.
func (a *asked) Health(ctx context.Context, endpoint domain.UUID, atLeast domain.Position) (domain.Health, domain.Position, error) {
	a.mu.Lock()
	a.n++
	a.mu.Unlock()
	return a.State.Health(ctx, endpoint, atLeast)
}

// TestDispatcher_Failing: an endpoint is disabled after nothing but failures for as long as it allows, when a
// delivery's schedule has ended, and not before.
func TestDispatcher_Failing(t *testing.T) {
	t.Parallel()
	// One event every ten minutes; its delivery is dead two minutes later.
	tests := map[string]struct {
		lag    int
		answer func(at time.Duration, s domain.Shipment) domain.Answer
		change time.Duration // when the endpoint is changed
		after  time.Duration // of the endpoint; 0: never
		want   time.Duration // when it is disabled; 0: never
		asks   int           // how often its health is read
	}{
		"at once":            {after: time.Hour, want: 62 * time.Minute, asks: 2},
		"views behind":       {lag: 3, after: time.Hour, want: 62*time.Minute + 30*time.Second, asks: 2},
		"never":              {after: 0},
		"not in these hours": {after: 5 * time.Hour, asks: 1},
		"changed meanwhile":  {change: 30 * time.Minute, after: time.Hour, want: 92 * time.Minute, asks: 3},
		"one success": {answer: func(at time.Duration, s domain.Shipment) domain.Answer {
			if at > 25*time.Minute && at < 35*time.Minute {
				return succeeds(s)
			}
			return fails(s)
		}, after: time.Hour, want: 102 * time.Minute, asks: 3},
		"never sent": {answer: func(_ time.Duration, s domain.Shipment) domain.Answer {
			a := fails(s)
			a.Unsent = true
			return a
		}, after: time.Hour},
		"refused for good": {answer: func(_ time.Duration, s domain.Shipment) domain.Answer {
			a := fails(s)
			a.Permanent = true
			return a
		}, after: time.Hour},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, w *world) {
				endpoint := w.endpoint(func(c *domain.EndpointConfig) {
					minute := domain.Duration(time.Minute)
					c.Retry, c.DisableAfter = domain.Schedule{Gaps: []domain.Duration{minute, minute}}, domain.Duration(test.after)
				})
				w.subscribe(endpoint, "*")
				state := &asked{State: w.views}
				n := w.start(func(s *dispatch.Settings) { s.State = state; slowBeat(s) })
				synctest.Wait()
				began := time.Now()
				w.receiver.set(func(s domain.Shipment) domain.Answer {
					if test.answer == nil {
						return fails(s)
					}
					return test.answer(time.Since(began), s)
				})
				for at := time.Duration(0); at < 3*time.Hour; at += 10 * time.Minute {
					if at == test.change && at > 0 {
						w.change(endpoint, func(c domain.EndpointConfig) domain.Fact {
							c.Name += "!"
							return &domain.EndpointUpdated{Endpoint: c}
						})
					}
					w.event("a")
					w.views.lag(test.lag)
					time.Sleep(2*time.Minute + 30*time.Second)
					w.views.lag(0)
					time.Sleep(7*time.Minute + 30*time.Second)
				}
				n.end(t)
				reasons, at := w.disabled(endpoint)
				switch {
				case test.want == 0 && len(at) > 0:
					t.Errorf("the endpoint was disabled after %v", at[0].Sub(began))
				case test.want > 0 && (!slices.Equal(reasons, []string{domain.DisabledFailing}) || at[0].Sub(began).Round(10*time.Second) != test.want):
					t.Errorf("the endpoint was disabled for %q at %v, want %v", reasons, at, test.want)
				}
				if state.n != test.asks {
					t.Errorf("its health was read %d times, want %d", state.n, test.asks)
				}
				w.check()
			})
		})
	}
}

// notices returns the operational events in the log: their types and data.
func (w *world) notices() (texts []string) {
	for _, e := range w.entries() {
		if f, ok := e.Fact.(*domain.EventAppended); ok && f.Event.Type.Operational() && !e.Erased {
			texts = append(texts, strings.TrimPrefix(string(f.Event.Type), "hooktrail.")+" "+string(f.Data))
		}
	}
	return texts
}
