package dispatch

import (
	"fmt"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics is what the package measures.
type metrics struct {
	attempts  [3]prometheus.Counter // by outcome: succeeded, failed, unknown
	cancelled prometheus.Counter
	dead      prometheus.Counter
	disabled  prometheus.Counter
	events    prometheus.Counter
	started   prometheus.Counter
	stale     prometheus.Counter
	parked    prometheus.Counter
	latency   prometheus.Histogram
	followers map[string]prometheus.Gauge // read only
}

// newMetrics registers everything with a registerer, if there is one.
func newMetrics(r prometheus.Registerer, ls *lanes) (*metrics, error) {
	outcomes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hooktrail_dispatch_attempts_total", Help: "Delivery attempts whose end was recorded by this node, by outcome.",
	}, []string{"outcome"})
	m := &metrics{
		followers: make(map[string]prometheus.Gauge),
		attempts: [3]prometheus.Counter{
			outcomes.WithLabelValues(string(domain.OutcomeSucceeded)),
			outcomes.WithLabelValues(string(domain.OutcomeFailed)),
			outcomes.WithLabelValues(string(domain.OutcomeUnknown)),
		},
		cancelled: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hooktrail_dispatch_cancelled_total", Help: "Deliveries that this node cancelled.",
		}),
		dead: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hooktrail_dispatch_dead_total", Help: "Deliveries that became dead by the end of an attempt that this node recorded.",
		}),
		disabled: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hooktrail_dispatch_endpoints_disabled_total", Help: "Endpoints that this node disabled: their receivers were gone, or failed for too long.",
		}),
		events: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hooktrail_dispatch_routed_events_total", Help: "Events that this node appended and routed.",
		}),
		started: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hooktrail_dispatch_routed_started_total", Help: "First attempts that began with their event's own commit.",
		}),
		stale: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hooktrail_dispatch_stale_routings_total",
			Help: "Times that the log refused to append events since the tenant's configuration had changed while they were routed.",
		}),
		parked: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hooktrail_dispatch_parked_total",
			Help: "Deliveries that are left alone until the next start, since the log refuses a fact about them: a defect.",
		}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "hooktrail_dispatch_delivery_latency_seconds",
			Help:    "Time from an event's append to the recorded end of its successful delivery, retries included.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 22),
		}),
	}
	for _, follower := range []string{feedFollower, configurationFollower} {
		// The views' follower has the same, so that one alert serves all.
		m.followers[follower] = prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hooktrail_follower_stopped", Help: "1 when the follower stopped at an entry that it can't fold.",
			ConstLabels: prometheus.Labels{"follower": follower},
		})
	}
	if r == nil {
		return m, nil
	}
	gauge := func(name, help string, value func(*lanes) int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			return float64(ls.measure(value))
		})
	}
	all := []prometheus.Collector{
		outcomes, m.cancelled, m.dead, m.disabled, m.events, m.started, m.stale, m.parked, m.latency,
		m.followers[feedFollower], m.followers[configurationFollower],
		gauge("hooktrail_dispatch_in_flight", "Attempts under way on this node.", func(ls *lanes) int { return ls.slots.running }),
		gauge("hooktrail_dispatch_waiting", "Waiting deliveries in this node's memory, due or not.", func(ls *lanes) int { return ls.budget.waiting }),
		gauge("hooktrail_dispatch_due", "Waiting deliveries in this node's memory whose time has come and which wait only for a slot of "+
			"their endpoint or this node, a rate limit, or the end of its pause, its disabling or its throttling. At most as many as are "+
			"kept in memory of each endpoint: "+
			"what lies beyond isn't counted.", dueCount),
		gauge("hooktrail_dispatch_crowded_endpoints", "Endpoints of this node's shards whose deliveries wait for the attempts of others to "+
			"end: as many are under way as this node allows, or their tenant's share of them.", func(ls *lanes) int { return ls.slots.waiting() }),
		gauge("hooktrail_dispatch_throttled", "Endpoints of this node's shards that get fewer attempts for now because their receivers asked "+
			"for it by a 429 or 503.", throttledCount),
		gauge("hooktrail_dispatch_shards", "Shards that this node holds.", heldCount),
	}
	for _, c := range all {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// dueCount is how many deliveries in windows are due. It looks at those and few others.
func dueCount(ls *lanes) int {
	n, now := 0, time.Now()
	for l := range ls.all() {
		n += l.window.due(now)
	}
	return n
}

// throttledCount is how many endpoints are slowed down.
func throttledCount(ls *lanes) int {
	n, now := 0, time.Now()
	for l := range ls.all() {
		if l.throttle.on(now) {
			n++
		}
	}
	return n
}

// heldCount is how many shards this node holds.
func heldCount(ls *lanes) int {
	n := 0
	for _, sh := range ls.shards {
		if sh != nil {
			n++
		}
	}
	return n
}

func (m *metrics) count(r *domain.AttemptResult) {
	if r.Status == domain.DeliveryDead {
		m.dead.Inc()
	}
	switch r.Outcome {
	case domain.OutcomeSucceeded:
		m.attempts[0].Inc()
	case domain.OutcomeFailed:
		m.attempts[1].Inc()
	case domain.OutcomeUnknown:
		m.attempts[2].Inc()
	}
}

// stopped notes that a fold stopped.
func (m *metrics) stopped(follower string) { m.followers[follower].Set(1) }

// finished counts an attempt of this node.
func (m *metrics) finished(e *ending, at time.Time) {
	m.count(&e.fact.Result)
	if e.event != nil && e.fact.Result.Outcome == domain.OutcomeSucceeded {
		m.latency.Observe(at.Sub(e.event.RecordedAt).Seconds())
	}
}

// appended counts what was recorded about a delivery without an attempt.
func (m *metrics) appended(f domain.Fact) {
	switch f := f.(type) {
	case *domain.AttemptFinished:
		m.count(&f.Result)
	case *domain.DeliveryCancelled:
		m.cancelled.Inc()
	}
}

// routed counts events that were appended, and the attempts that began with them.
func (m *metrics) routed(events, started int) {
	m.events.Add(float64(events))
	m.started.Add(float64(started))
}
