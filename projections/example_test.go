package projections_test

import (
	"context"
	"fmt"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
	"github.com/hooktrail/hooktrail/projections/memorytest"
)

// Folding the log gives views, and a view answers as of any moment: here, where an endpoint's events went at the time.
func ExampleApply() {
	nine := time.Date(2026, 7, 1, 9, 0, 0, 0, time.UTC)
	endpoint := domain.Stream{Kind: domain.StreamEndpoint, ID: domain.UUID{15: 1}}
	views := memorytest.New()
	for i, fact := range []domain.Fact{
		&domain.EndpointCreated{Endpoint: domain.EndpointConfig{URL: "https://old.example/hook"}},
		&domain.EndpointUpdated{Endpoint: domain.EndpointConfig{URL: "https://new.example/hook"}},
		&domain.EndpointDeleted{Endpoint: domain.EndpointConfig{URL: "https://new.example/hook"}},
	} {
		entry := domain.Entry{
			Position: domain.Position(i + 1), Tenant: "acme", Sequence: domain.Sequence(i),
			RecordedAt: nine.Add(time.Duration(i) * time.Hour), Stream: endpoint, StreamVersion: i + 1,
			Kind: fact.Kind(), KindVersion: 1, Fact: fact,
		}
		if err := projections.Apply(views, entry); err != nil {
			fmt.Println(err)
			return
		}
	}
	ctx := context.Background()
	err := views.Read(ctx, "acme", 2, func(r projections.Reader) error {
		for _, at := range []time.Time{nine.Add(30 * time.Minute), nine.Add(time.Hour), nine.Add(3 * time.Hour)} {
			sequence, err := r.SequenceAt(ctx, at)
			if err != nil {
				return err
			}
			then, err := r.Endpoint(ctx, endpoint.ID, projections.AsOf{Sequence: sequence, Set: true})
			fmt.Println(at.Format("15:04"), then.URL, err)
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 09:30 https://old.example/hook <nil>
	// 10:00 https://new.example/hook <nil>
	// 12:00  not found
}
