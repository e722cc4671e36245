package views

import "github.com/prometheus/client_golang/prometheus"

// followerMetrics are those of one follower.
type followerMetrics struct {
	lag      prometheus.Gauge
	stopped  prometheus.Gauge
	entries  prometheus.Counter
	duration prometheus.Histogram
}

// newFollowerMetrics registers the metrics; without a registerer they are counted for nobody.
func newFollowerMetrics(registerer prometheus.Registerer, follower string) *followerMetrics {
	labels := prometheus.Labels{"follower": follower}
	m := &followerMetrics{
		lag: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hooktrail_follower_lag_entries", Help: "Entries that the follower's rows don't reflect yet, as last seen.", ConstLabels: labels,
		}),
		stopped: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hooktrail_follower_stopped", Help: "1 when the follower stopped at an entry that it can't fold.", ConstLabels: labels,
		}),
		entries: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hooktrail_follower_entries_total", Help: "Entries that this process folded.", ConstLabels: labels,
		}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hooktrail_follower_page_duration_seconds", Help: "Folding and writing one page.", ConstLabels: labels,
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 13),
		}),
	}
	if registerer != nil {
		registerer.MustRegister(m.lag, m.stopped, m.entries, m.duration)
	}
	return m
}
