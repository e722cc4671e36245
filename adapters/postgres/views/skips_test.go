package views_test

import (
	"testing"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// TestViews_Skips: a filter by endpoint and subscription chooses what was passed over of both at once. A row that is
// about the endpoint, and about another's subscription, would tell a receiver what another one didn't get.
func TestViews_Skips(t *testing.T) {
	t.Parallel()
	f := openFolded(t, nil)
	event := f.mustAppend(t, group(event(`1`)))[0]
	one := domain.Skipped{Subscription: domain.NewUUID(), Version: 1, Endpoint: domain.NewUUID(), Reason: domain.SkipFilter}
	two := domain.Skipped{Subscription: domain.NewUUID(), Version: 1, Endpoint: domain.NewUUID(), Reason: domain.SkipFilter}
	routed := f.mustAppend(t, group(domain.Draft{
		Tenant: event.Tenant, Stream: event.Stream, Expected: domain.AnyVersion, Cause: event.Sequence,
		Fact: &domain.EventRouted{Routing: domain.Routing{Complete: true}, Verdicts: domain.Verdicts{Skipped: []domain.Skipped{one, two}}},
	}))[0]
	awaitFold(t, f, routed)
	for filter, want := range map[projections.SkipFilter]int{
		{}:                       1,
		{Endpoint: one.Endpoint}: 1,
		{Endpoint: one.Endpoint, Subscription: one.Subscription}: 1,
		{Endpoint: one.Endpoint, Subscription: two.Subscription}: 0,
		{Endpoint: two.Endpoint, Subscription: one.Subscription}: 0,
	} {
		err := f.views.Read(t.Context(), event.Tenant, routed.Sequence, func(r projections.Reader) error {
			rows, err := r.Skips(t.Context(), filter, projections.Page{Limit: 10})
			if len(rows) != want {
				t.Errorf("%+v finds %d rows, want %d", filter, len(rows), want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
