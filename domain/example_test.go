package domain_test

import (
	"fmt"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// A schedule decides when the next attempt is due. Here the gaps grow by half each time, without jitter.
func ExampleSchedule_Next() {
	schedule := domain.Schedule{
		First: domain.Duration(10 * time.Second), Factor: 1.5, MaxElapsed: domain.Duration(time.Minute),
	}
	ended := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for attempt := 1; ; attempt++ {
		next, ok := schedule.Next(attempt, ended, 0)
		if !ok {
			fmt.Println("given up after attempt", attempt)
			return
		}
		fmt.Println("attempt", attempt+1, "is due at", next.Format("15:04:05.0"))
		ended = next
	}
	// Output:
	// attempt 2 is due at 12:00:10.0
	// attempt 3 is due at 12:00:25.0
	// attempt 4 is due at 12:00:47.5
	// given up after attempt 4
}

// The event's own entry makes the delivery and may start its first attempt. The entries of the delivery's stream follow.
func ExampleDelivery_Fold() {
	event := &domain.Entry{
		Tenant: "acme", Sequence: 4, StreamVersion: 1, Kind: domain.KindEventAppended,
		Fact: &domain.EventAppended{Routing: domain.Routing{Complete: true, Deliveries: []domain.RoutedDelivery{
			{EndpointVersion: 1, First: &domain.AttemptStarted{Number: 1}},
		}}},
	}
	delivery := domain.Routed(event)[0]
	fmt.Println(delivery.Status, "attempt", delivery.Attempts, "open:", delivery.Open)

	end := domain.AttemptEnd{Number: 1, Outcome: domain.OutcomeSucceeded, StatusCode: 200, Status: domain.DeliverySucceeded}
	finished := &domain.Entry{
		Tenant: "acme", Sequence: 5, StreamVersion: 1, Kind: domain.KindAttemptFinished,
		Fact: &domain.AttemptFinished{Result: domain.AttemptResult{AttemptEnd: end}},
	}
	if err := delivery.Fold(finished); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(delivery.Status, "attempt", delivery.Attempts, "open:", delivery.Open)
	// Output:
	// pending attempt 1 open: true
	// succeeded attempt 1 open: false
}

// An auditor's program reads leaves without any key: they commit to content, and never contain it.
func ExampleParseLeaf() {
	leaf, err := domain.ParseLeaf([]byte(`{"commitment.config":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",` +
		`"kind":"tenant.created","kind_version":"1","origin":"hooktrail-1/acme","recorded_at":"2026-07-01T12:00:00Z",` +
		`"sequence":"0","stream":"tenant/01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d32","stream_version":"1"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(leaf.Origin, leaf.Sequence, leaf.Kind, leaf.RecordedAt.Format(time.RFC3339))
	fmt.Println("commits to", leaf.Commitments[0].Part)
	// Output:
	// hooktrail-1/acme 0 tenant.created 2026-07-01T12:00:00Z
	// commits to config
}
