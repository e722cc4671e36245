package views_test

import (
	"context"
	"flag"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres/views"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
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

// BenchmarkViews_FoldRetries folds what 15,000 deliveries that fail three times each make of the log.
func BenchmarkViews_FoldRetries(b *testing.B) {
	log := open(b)
	const deliveries = 15_000
	failInRounds(b, log, deliveries)
	benchmarkRebuild(b, log, deliveries)
}

// failInRounds appends deliveries that fail three times each, in rounds, as they do when a receiver is away: so no page
// of the views holds the whole of a delivery.
func failInRounds(t testing.TB, log *opened, deliveries int) (last domain.Entry) {
	t.Helper()
	const batch = 500
	endpoint := domain.NewUUID()
	ids := make([]domain.UUID, 0, deliveries)
	for round := range 4 {
		for begin := 0; begin < deliveries; begin += batch {
			var groups []domain.Group
			for i := begin; i < min(begin+batch, deliveries); i++ {
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
			entries := log.mustAppend(t, groups...)
			last = entries[len(entries)-1]
		}
	}
	return last
}

var failing = flag.Int("failing", 3000, "deliveries of TestFollower_KeepsUpWithFailures")

// TestFollower_KeepsUpWithFailures appends as fast as the log takes it what deliveries that fail three times each come
// to. The views are at the end soon after the log is: they aren't behind by what was appended meanwhile.
func TestFollower_KeepsUpWithFailures(t *testing.T) {
	t.Parallel()
	f := openFolded(t, nil)
	began := time.Now()
	last := failInRounds(t, f.opened, *failing)
	appending := time.Since(began)
	began = time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := f.views.Read(ctx, last.Tenant, last.Sequence, func(projections.Reader) error { return nil }); err != nil {
		t.Fatal(err)
	}
	behind := time.Since(began)
	t.Logf("%d deliveries: appended in %v, the views %v behind", *failing, appending, behind)
	if behind > max(appending, 2*time.Second) {
		t.Errorf("the views were %v behind after %v of appending", behind, appending)
	}
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
