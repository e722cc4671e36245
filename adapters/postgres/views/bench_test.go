package views_test

import (
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
)

// BenchmarkViews_Fold folds one page of 20,000 entries: 5,000 events, each routed to one endpoint and delivered at once.
func BenchmarkViews_Fold(b *testing.B) {
	log := open(b)
	const events = 5000
	endpoint, subscription := domain.NewUUID(), domain.NewUUID()
	for range events / 250 {
		var groups []domain.Group
		for range 250 {
			groups = append(groups, delivered(endpoint, subscription))
		}
		log.mustAppend(b, groups...)
	}
	views := postgres.NewViews(newPool(b, log.db.URL), log, nil)
	admin := connect(b, log.db.AdminURL)
	truncate := func() {
		mustExec(b, admin, `TRUNCATE cursors, tenants, keys, endpoints, subscriptions, events, deliveries, attempts, delivery_changes`)
	}
	for b.Loop() {
		b.StopTimer()
		truncate()
		b.StartTimer()
		if err := views.Rebuild(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
	}
	var bytes int64
	err := admin.QueryRow(b.Context(), `
		SELECT pg_total_relation_size('events') + pg_total_relation_size('deliveries') + pg_total_relation_size('attempts')`).Scan(&bytes)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(bytes)/events, "B/event")
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/events, "µs/event")
}

// delivered is an event's whole life.
func delivered(endpoint, subscription domain.UUID) domain.Group {
	appended := event(`{"a":1}`)
	appended.Fact.(*domain.EventAppended).Event.ID = appended.Stream.ID.String()
	appended.Fact.(*domain.EventAppended).Event.Source = "/tenants/default"
	delivery := domain.Stream{Kind: domain.StreamDelivery, ID: domain.NewUUID()}
	routed, started, finished := appended, appended, appended
	routed.Fact = &domain.EventRouted{Complete: true, Deliveries: []domain.RoutedDelivery{{
		ID: delivery.ID, Endpoint: endpoint, EndpointVersion: 1, Subscriptions: []domain.SubscriptionMatch{{ID: subscription, Version: 1}},
	}}}
	routed.Expected, started.Stream, finished.Stream, finished.Expected = 1, delivery, delivery, 1
	routed.Cause, started.Cause, finished.Cause = 1, 1, 1
	started.Fact = &domain.AttemptStarted{Number: 1, EndpointVersion: 1, TimeoutMS: 15000}
	finished.Fact = &domain.AttemptFinished{Result: domain.AttemptResult{
		AttemptEnd: domain.AttemptEnd{Number: 1, Outcome: domain.OutcomeSucceeded, Status: domain.DeliverySucceeded, FinishedAt: time.Unix(1e9, 0).UTC()},
	}}
	return group(appended, routed, started, finished)
}
