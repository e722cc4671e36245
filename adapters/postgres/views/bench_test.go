package views_test

import (
	"testing"

	"github.com/hooktrail/hooktrail/adapters/postgres/views"
	"github.com/hooktrail/hooktrail/domain"
)

// BenchmarkViews_Fold folds 10,000 entries: 5,000 events, each delivered to one endpoint at the first try.
func BenchmarkViews_Fold(b *testing.B) {
	log := open(b)
	const events = 5000
	endpoint := domain.NewUUID()
	for range events / 250 {
		var groups []domain.Group
		for range 250 {
			draft, delivery := sent(endpoint)
			groups = append(groups, group(draft, finished(delivery, 0, 1, domain.OutcomeSucceeded, domain.DeliverySucceeded)))
		}
		log.mustAppend(b, groups...)
	}
	benchmarkRebuild(b, log, events)
}

// BenchmarkViews_FoldRetries folds what 15,000 deliveries that fail three times each make of the log. They fail in rounds,
// as they do when a receiver is away: so no page holds the whole of a delivery.
func BenchmarkViews_FoldRetries(b *testing.B) {
	log := open(b)
	const deliveries, batch = 15_000, 500
	endpoint := domain.NewUUID()
	ids := make([]domain.UUID, 0, deliveries)
	for round := range 4 {
		for begin := 0; begin < deliveries; begin += batch {
			var groups []domain.Group
			for i := begin; i < begin+batch; i++ {
				switch round {
				case 0:
					draft, delivery := sent(endpoint)
					ids = append(ids, delivery)
					groups = append(groups, group(draft))
				case 3:
					groups = append(groups, group(finished(ids[i], 4, 3, domain.OutcomeFailed, domain.DeliveryDead)))
				default: // the end and the next start are one group
					groups = append(groups, group(
						finished(ids[i], 2*(round-1), round, domain.OutcomeFailed, domain.DeliveryRetrying), started(ids[i], 2*round-1, round+1),
					))
				}
			}
			log.mustAppend(b, groups...)
		}
	}
	benchmarkRebuild(b, log, deliveries)
}

func benchmarkRebuild(b *testing.B, log *opened, events int) {
	tables := views.NewViews(newPool(b, log.db.URL), log, nil)
	for b.Loop() {
		if err := tables.Rebuild(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
	}
	var bytes, entries int64
	err := connect(b, log.db.AdminURL).QueryRow(b.Context(), `
		SELECT pg_total_relation_size('events') + pg_total_relation_size('deliveries') + pg_total_relation_size('undelivered'),
		       (SELECT max(position) FROM entries)`).Scan(&bytes, &entries)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(bytes)/float64(events), "B/event")
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(entries), "µs/entry")
}
