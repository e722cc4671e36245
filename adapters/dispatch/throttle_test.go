package dispatch_test

import (
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/domain"
)

// complains answers with a 429 that asks for a time; 0: none.
func complains(wait time.Duration) func(domain.Shipment) domain.Answer {
	return func(domain.Shipment) domain.Answer {
		a := domain.Answer{Throttle: true, Result: domain.AttemptResult{AttemptEnd: domain.AttemptEnd{Outcome: domain.OutcomeFailed, StatusCode: 429}}}
		if wait > 0 {
			a.NotBefore = time.Now().Add(wait)
		}
		return a
	}
}

// times returns when the receiver was asked since began, in whole seconds.
func (r *receiver) times(began time.Time) (at []int) {
	for _, q := range r.seen() {
		at = append(at, int(q.at.Sub(began).Round(time.Second)/time.Second))
	}
	return at
}

// TestDispatcher_RetryAfter: a complaint stops the whole lane for as long as the receiver asks for; then one attempt
// goes first. Those that wait meanwhile count no attempts.
func TestDispatcher_RetryAfter(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		throttled := w.endpoint(func(c *domain.EndpointConfig) { c.Concurrency = 3 })
		w.subscribe(throttled, "a")
		w.subscribe(w.endpoint(nil), "b")
		w.receiver.took = time.Second
		w.receiver.answer = complains(30 * time.Second)
		registry := prometheus.NewRegistry()
		n := w.start(func(s *dispatch.Settings) { s.Metrics = registry })
		time.Sleep(5 * time.Second)
		began := time.Now()
		for range 10 {
			w.event("a")
		}
		time.Sleep(10 * time.Second)
		if got := valueOf(t, registry, "hooktrail_dispatch_throttled"); got != 1 {
			t.Errorf("%d endpoints are throttled", got)
		}
		if by, since := n.Held(throttled); by != domain.HeldByReceiver || since.Sub(began).Round(time.Second) != time.Second {
			t.Errorf("what is due is held by %q since %v", by, since.Sub(began))
		}
		w.receiver.set(succeeds)
		w.event("b") // another endpoint, which isn't
		time.Sleep(time.Hour)
		if got := valueOf(t, registry, "hooktrail_dispatch_throttled"); got != 0 {
			t.Errorf("%d endpoints are throttled at the end", got)
		}
		if by, _ := n.Held(throttled); by != "" {
			t.Errorf("at the end something is held by %q", by)
		}
		n.end(t)
		want := []int{0, 0, 0, 10, 31, 32, 32, 32, 33, 33, 33, 34, 34, 34}
		if got := w.receiver.times(began); !slices.Equal(got, want) {
			t.Errorf("requests after %v seconds, want %v", got, want)
		}
		attempts := make(map[int]int)
		for _, d := range w.deliveries() {
			attempts[d.Attempts]++
		}
		if attempts[1] != 8 || attempts[2] != 3 {
			t.Errorf("deliveries by attempts: %v", attempts)
		}
		w.check()
	})
}

// TestDispatcher_ThrottleBackoff: a receiver that doesn't say for how long gets one attempt after 1 s, 2 s, … and at
// most a minute. An ordinary failure lets the others through again, a success resets.
func TestDispatcher_ThrottleBackoff(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.subscribe(w.endpoint(func(c *domain.EndpointConfig) {
			c.Concurrency = 3
			c.Retry = domain.Schedule{Gaps: []domain.Duration{domain.Duration(24 * time.Hour)}}
		}), "*")
		w.receiver.took = 10 * time.Millisecond
		w.receiver.answer = complains(0)
		n := w.start(slowBeat)
		time.Sleep(5 * time.Second)
		began := time.Now()
		for range 17 {
			w.event("a")
		}
		time.Sleep(200 * time.Second)
		w.receiver.set(fails)
		time.Sleep(50 * time.Second) // three of them at 243
		w.receiver.set(complains(0))
		w.event("a")
		time.Sleep(10 * time.Second)
		w.receiver.set(succeeds)
		time.Sleep(time.Minute)
		w.receiver.set(complains(0))
		w.event("a")
		time.Sleep(2 * time.Second)
		n.end(t)
		want := []int{
			0, 0, 0, 1, 3, 7, 15, 31, 63, 123, 183, // complaints
			243, 243, 243, 243, 243, 243, // a failure, and the rest
			250, // a complaint, which isn't the first
			320, // after the minute that the last complaint cost: only a success makes it start from a second again
		}
		if got := w.receiver.times(began); !slices.Equal(got, want) {
			t.Errorf("requests after %v seconds, want %v", got, want)
		}
		w.check()
	})
}

// TestDispatcher_ThrottleOfAnother: a new URL is another receiver's, which said nothing yet.
func TestDispatcher_ThrottleOfAnother(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		endpoint := w.endpoint(func(c *domain.EndpointConfig) { c.Concurrency = 1 })
		w.subscribe(endpoint, "*")
		w.receiver.answer = complains(20 * time.Hour)
		n := w.start(slowBeat)
		time.Sleep(time.Second)
		began := time.Now()
		w.event("a")
		w.event("a")
		time.Sleep(time.Hour)
		w.receiver.set(succeeds)
		rename := func(name, url string) {
			w.change(endpoint, func(c domain.EndpointConfig) domain.Fact {
				c.Name, c.URL = name, url
				return &domain.EndpointUpdated{Endpoint: c}
			})
		}
		rename("new", "https://receiver.example/hooks")
		time.Sleep(time.Hour)
		rename("new", "https://receiver.example/new")
		time.Sleep(24 * time.Hour)
		n.end(t)
		if got, want := w.receiver.times(began), []int{0, 7200, 20 * 3600}; !slices.Equal(got, want) {
			t.Errorf("requests after %v seconds, want %v", got, want)
		}
		w.check()
	})
}
