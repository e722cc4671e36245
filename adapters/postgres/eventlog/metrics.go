package eventlog

import "github.com/prometheus/client_golang/prometheus"

// logMetrics are those of the log's appender.
type logMetrics struct {
	duration prometheus.Histogram
	batch    prometheus.Histogram
	entries  prometheus.Counter
	rejected prometheus.Counter
	bisected prometheus.Counter
	unknown  prometheus.Counter
	queued   prometheus.Gauge
}

// newLogMetrics registers the metrics; without a registerer they are counted for nobody.
func newLogMetrics(registerer prometheus.Registerer) *logMetrics {
	m := &logMetrics{
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hooktrail_log_append_duration_seconds", Help: "From the call of Append to the commit, by group.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hooktrail_log_batch_entries", Help: "Entries in one commit.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 12),
		}),
		entries: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hooktrail_log_entries_total", Help: "Entries that this process appended.",
		}),
		rejected: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hooktrail_log_rejected_groups_total", Help: "Groups that the state of the log didn't admit.",
		}),
		bisected: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hooktrail_log_bisected_batches_total", Help: "Batches split because the database refused a value in them.",
		}),
		unknown: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hooktrail_log_unknown_commits_total", Help: "Commits during which the connection was lost.",
		}),
		queued: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hooktrail_log_queued_entries", Help: "Entries that wait for the next commit.",
		}),
	}
	if registerer != nil {
		registerer.MustRegister(m.duration, m.batch, m.entries, m.rejected, m.bisected, m.unknown, m.queued)
	}
	return m
}
