package dispatch_test

import (
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/prometheus/client_golang/prometheus"
)

// valueOf reads a gauge or a counter as a scrape does.
func valueOf(t testing.TB, from prometheus.Gatherer, name string) int {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return int(m.GetGauge().GetValue() + m.GetCounter().GetValue())
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// TestMetrics_Due: what is due and held up counts, what waits for its time doesn't.
func TestMetrics_Due(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		fixed := func(c *domain.EndpointConfig) {
			c.Retry = domain.Schedule{Gaps: []domain.Duration{domain.Duration(time.Hour)}}
		}
		failing, paused := w.endpoint(fixed), w.endpoint(func(c *domain.EndpointConfig) { c.Paused = true })
		w.subscribe(failing, "a")
		w.subscribe(paused, "b")
		w.receiver.answer = fails
		registry := prometheus.NewRegistry()
		n := w.start(func(s *dispatch.Settings) { s.Metrics = registry })
		time.Sleep(5 * time.Second)
		expect := func(when string, waiting, due int) {
			t.Helper()
			if got := valueOf(t, registry, "hooktrail_dispatch_waiting"); got != waiting {
				t.Errorf("%s: %d wait, want %d", when, got, waiting)
			}
			if got := valueOf(t, registry, "hooktrail_dispatch_due"); got != due {
				t.Errorf("%s: %d are due, want %d", when, got, due)
			}
		}
		for range 5 {
			w.event("a")
			w.event("b")
		}
		time.Sleep(time.Minute)
		expect("five retries in an hour, five deliveries of a paused endpoint", 10, 5)
		w.change(failing, func(c domain.EndpointConfig) domain.Fact {
			c.Paused = true
			return &domain.EndpointPaused{Endpoint: c}
		})
		time.Sleep(2 * time.Hour)
		expect("the retries' time has come, both are paused", 10, 10)
		w.receiver.set(succeeds)
		w.change(failing, func(c domain.EndpointConfig) domain.Fact {
			c.Paused = false
			return &domain.EndpointResumed{Endpoint: c}
		})
		time.Sleep(time.Minute)
		expect("one is resumed", 5, 5)
		n.end(t)
		w.check()
	})
}
