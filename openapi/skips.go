package openapi

import (
	"context"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// skipsOut is what one entry of an event's routing skipped.
type skipsOut struct {
	EventID       string       `json:"event_id" doc:"The event." example:"order-4711"`
	EventSequence int64        `json:"event_sequence" doc:"Its place in the tenant's log." example:"41"`
	Sequence      int64        `json:"sequence" doc:"The routing's entry." example:"42"`
	RecordedAt    rest.Stamp   `json:"recorded_at" doc:"When it was recorded." example:"2026-07-01T12:00:00.125456Z"`
	Skipped       []skippedOut `json:"skipped" doc:"The subscriptions that made no delivery, as far as the filters choose them."`
}

type listSkipsIn struct {
	rest.TenantPath
	rest.ListQuery
	EndpointID     string              `query:"endpoint_id" format:"uuid" doc:"What didn't go to this endpoint." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	SubscriptionID string              `query:"subscription_id" format:"uuid" doc:"What this subscription skipped." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d71"`
	From           rest.Opt[rest.Time] `query:"from" doc:"Routed at this time or later." example:"2026-07-01T00:00:00Z"`
	To             rest.Opt[rest.Time] `query:"to" doc:"Routed before this time." example:"2026-08-01T00:00:00Z"`
	rest.WaitQuery
}

// filter reads the filters; a receiver sees what didn't go to its own endpoint.
func (in *listSkipsIn) filter(c *call) (f projections.SkipFilter, err error) {
	f = projections.SkipFilter{Endpoint: c.Receiver(), From: in.From.Value.Std(), To: in.To.Value.Std()}
	if in.EndpointID != "" {
		if f.Endpoint, err = rest.ParseID("query.endpoint_id", in.EndpointID); err != nil {
			return f, err
		}
		if !c.Opens(f.Endpoint) {
			return f, rest.NotFound()
		}
	}
	if in.SubscriptionID != "" {
		f.Subscription, err = rest.ParseID("query.subscription_id", in.SubscriptionID)
	}
	return f, err
}

// listSkips lists what was never delivered, and why.
func listSkips(ctx context.Context, c *call, in *listSkipsIn) (*rest.Listed[skipsOut], error) {
	filter, err := in.filter(c)
	if err != nil {
		return nil, err
	}
	l, err := rest.NewWalk(c.Request, in.ListQuery, in.EndpointID, "\x00", in.SubscriptionID,
		[2]rest.Opt[rest.Time]{in.From, in.To})
	if err != nil {
		return nil, err
	}
	leave, err := rest.Scan(c.Request)
	if err != nil {
		return nil, err
	}
	defer leave()
	var rows []projections.Skips
	names := make(map[domain.UUID]string)
	n, err := rest.View(ctx, c.Request,
		rest.Moment{AsOfQuery: rest.AsOfQuery{WaitQuery: in.WaitQuery}, Pinned: l.Pinned()}, func(r projections.Reader,
			as projections.AsOf,
		) error {
			if rows, err = r.Skips(ctx, filter, l.Rows()); err != nil {
				return err
			}
			if i := beyondWalk(rows, as); i >= 0 {
				rows = rows[:i]
			}
			for _, row := range rows {
				if _, ok := names[row.Event]; ok {
					continue
				}
				event, err := eventOfDelivery(ctx, c, r, row.Event)
				if err != nil {
					return err
				}
				names[row.Event] = event.name
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	return rest.NewListed(l, n, rows, func(s *projections.Skips) []byte { return rest.PlaceAt(s.At.Sequence) },
		func(s *projections.Skips) skipsOut { return showSkips(s, names[s.Event], filter) }), nil
}

// beyondWalk is the first row that was recorded since the walk began; -1 for none.
func beyondWalk(rows []projections.Skips, as projections.AsOf) int {
	for i := range rows {
		if as.Set && rows[i].At.Sequence > as.Sequence {
			return i
		}
	}
	return -1
}

// showSkips shows a row as far as the filter chooses: a receiver must not see what concerns others.
func showSkips(s *projections.Skips, event string, f projections.SkipFilter) skipsOut {
	out := skipsOut{
		EventID: event, EventSequence: int64(s.EventSequence), Sequence: int64(s.At.Sequence),
		RecordedAt: rest.Stamp(s.At.RecordedAt),
		Skipped:    []skippedOut{},
	}
	for _, skipped := range s.Skipped {
		if (f.Endpoint.IsZero() || skipped.Endpoint == f.Endpoint) &&
			(f.Subscription.IsZero() || skipped.Subscription == f.Subscription) {
			out.Skipped = append(out.Skipped,
				skippedOut{skipped.Subscription, skipped.Version, skipped.Endpoint, skipped.Reason})
		}
	}
	return out
}
