package views_test

import (
	"maps"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// TestViews_DeliveryCounts counts more deliveries that have moved on since than are folded again at once.
func TestViews_DeliveryCounts(t *testing.T) {
	t.Parallel()
	f := openFolded(t, nil)
	const each, events = 950, 2
	endpoint := domain.NewUUID()
	var cancelled []domain.Draft
	var routed domain.Entry
	for range events {
		d := event(`1`)
		fact := d.Fact.(*domain.EventAppended)
		fact.Event.ID = d.Stream.ID.String()
		for range each {
			id := domain.NewUUID()
			fact.Routing.Deliveries = append(fact.Routing.Deliveries, domain.RoutedDelivery{
				ID: id, Endpoint: endpoint, EndpointVersion: 1,
				Subscriptions: []domain.SubscriptionMatch{{ID: domain.UUID{7}, Version: 1}},
			})
			cancelled = append(cancelled, domain.Draft{
				Tenant: d.Tenant, Stream: domain.Stream{Kind: domain.StreamDelivery, ID: id}, Expected: domain.AnyVersion,
				Fact: &domain.DeliveryCancelled{Reason: domain.CancelEndpointDeleted},
			})
		}
		routed = f.mustAppend(t, group(d))[0]
	}
	half := f.mustAppend(t, group(cancelled[:each/2]...))
	rest := f.mustAppend(t, group(cancelled[each/2:each]...))
	last := f.mustAppend(t, group(cancelled[each:]...))
	for _, c := range []struct {
		at   domain.Sequence
		want projections.DeliveryCounts
	}{
		{routed.Sequence, projections.DeliveryCounts{domain.DeliveryPending: events * each}},
		{half[len(half)-1].Sequence, projections.DeliveryCounts{domain.DeliveryPending: events*each - each/2, domain.DeliveryStatusCancelled: each / 2}},
		{rest[len(rest)-1].Sequence, projections.DeliveryCounts{domain.DeliveryPending: each, domain.DeliveryStatusCancelled: each}},
		{last[len(last)-1].Sequence, projections.DeliveryCounts{domain.DeliveryStatusCancelled: events * each}},
	} {
		err := f.views.Read(t.Context(), domain.DefaultTenant, last[len(last)-1].Sequence, func(r projections.Reader) error {
			got, err := r.DeliveryCounts(t.Context(), projections.AsOf{Sequence: c.at, Set: true})
			if !maps.Equal(got, c.want) {
				t.Errorf("as of %d: %v, want %v", c.at, got, c.want)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}
