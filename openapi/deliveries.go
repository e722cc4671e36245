package openapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// deliveryOut is one event for one endpoint.
type deliveryOut struct {
	ID              domain.UUID           `json:"id" format:"uuid" doc:"The delivery's id." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d73"`
	EventID         string                `json:"event_id" doc:"The event." example:"order-4711"`
	EventSequence   int64                 `json:"event_sequence" doc:"Its place in the tenant's log." example:"41"`
	EndpointID      domain.UUID           `json:"endpoint_id" format:"uuid" doc:"Where it goes." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	EndpointVersion int                   `json:"endpoint_version" doc:"The endpoint's version when the event was routed." example:"3"`
	SubscriptionIDs []domain.UUID         `json:"subscription_ids" doc:"The subscriptions that matched." example:"[\"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d71\"]"`
	Status          domain.DeliveryStatus `json:"status" doc:"pending, retrying, succeeded, dead or cancelled; more may be added." example:"retrying"`
	Attempts        int                   `json:"attempts" doc:"How many were started." example:"2"`
	Test            bool                  `json:"test,omitempty" doc:"Of a sample made for this endpoint." example:"true"`
	InProgress      bool                  `json:"in_progress" doc:"An attempt is under way." example:"false"`
	NextAttemptAt   rest.Stamp            `json:"next_attempt_at,omitzero" doc:"When the next one is due; left out while the delivery is held. One that is due waits only for a slot of its endpoint or the server." example:"2026-07-01T12:05:00Z"`
	Held            *heldOut              `json:"held,omitempty" doc:"What holds it: it isn't tried until that ends."`
	CancelReason    domain.CancelReason   `json:"cancel_reason,omitempty" doc:"Why it was cancelled; more reasons may be added." example:"endpoint_deleted"`
	CreatedAt       rest.Stamp            `json:"created_at" doc:"When the event was routed." example:"2026-07-01T12:00:00.125456Z"`
	CreatedSequence int64                 `json:"created_sequence" doc:"The routing's entry." example:"42"`
	UpdatedAt       rest.Stamp            `json:"updated_at" doc:"When the delivery changed last." example:"2026-07-01T12:00:01.5Z"`
	UpdatedSequence int64                 `json:"updated_sequence" doc:"The entry that changed it last." example:"44"`
	EndedAt         rest.Stamp            `json:"ended_at,omitzero" doc:"When it ended." example:"2026-07-01T12:05:00.7Z"`
	EndedSequence   int64                 `json:"ended_sequence,omitempty" doc:"The entry that ended it." example:"48"`
}

func showDelivery(d *projections.Delivery, event deliveredEvent) deliveryOut {
	out := deliveryOut{
		ID: d.ID, EventID: event.name, Test: event.test, EventSequence: int64(d.EventSequence), EndpointID: d.Endpoint,
		EndpointVersion: d.EndpointVersion,
		SubscriptionIDs: make([]domain.UUID, 0, len(d.Subscriptions)), Status: d.Status, Attempts: d.Attempts,
		InProgress:    d.Open,
		NextAttemptAt: rest.Stamp(d.NextAttemptAt), CancelReason: d.Cancel,
		CreatedAt: rest.Stamp(d.Created.RecordedAt), CreatedSequence: int64(d.Created.Sequence),
		UpdatedAt: rest.Stamp(d.Updated.RecordedAt), UpdatedSequence: int64(d.Updated.Sequence),
		EndedAt: rest.Stamp(d.Ended.RecordedAt), EndedSequence: int64(d.Ended.Sequence),
	}
	for _, s := range d.Subscriptions {
		out.SubscriptionIDs = append(out.SubscriptionIDs, s.ID)
	}
	return out
}

// deliveredEvent is what a delivery says of its event.
type deliveredEvent struct {
	name string
	test bool
}

// eventOfDelivery reads what a delivery shows of its event.
func eventOfDelivery(ctx context.Context, c *call, r projections.Reader, event domain.UUID) (deliveredEvent, error) {
	row, err := r.Event(ctx, event)
	if isNotFound(err) {
		return deliveredEvent{name: event.String()}, nil // of an erased delivery nothing else is known
	}
	return deliveredEvent{eventName(c, event, row.Attrs), row.Attrs.Test != nil}, err
}

type listDeliveriesIn struct {
	rest.TenantPath
	rest.ListQuery
	EventID        string              `query:"event_id" maxLength:"256" doc:"Those of this event: the producer's id or the internal one." example:"order-4711"`
	EndpointID     string              `query:"endpoint_id" format:"uuid" doc:"Those to this endpoint." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	SubscriptionID string              `query:"subscription_id" format:"uuid" doc:"Those that this subscription matched." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d71"`
	Status         string              `query:"status" enum:"pending,retrying,succeeded,dead,cancelled" doc:"Those in this status." example:"dead"`
	From           rest.Opt[rest.Time] `query:"from" doc:"Routed at this time or later." example:"2026-07-01T00:00:00Z"`
	To             rest.Opt[rest.Time] `query:"to" doc:"Routed before this time." example:"2026-08-01T00:00:00Z"`
	rest.AsOfQuery
}

// filter reads the filters; a receiver sees its own endpoint's deliveries.
func (in *listDeliveriesIn) filter(c *call) (projections.DeliveryFilter, error) {
	f := projections.DeliveryFilter{
		Endpoint: c.Receiver(), Status: domain.DeliveryStatus(in.Status), From: in.From.Value.Std(),
		To: in.To.Value.Std(),
	}
	if in.EndpointID != "" {
		id, err := rest.ParseID("query.endpoint_id", in.EndpointID)
		if err != nil {
			return f, err
		}
		if !c.Opens(id) {
			return f, rest.NotFound()
		}
		f.Endpoint = id
	}
	if in.SubscriptionID != "" {
		id, err := rest.ParseID("query.subscription_id", in.SubscriptionID)
		if err != nil {
			return f, err
		}
		f.Subscription = id
	}
	return f, nil
}

// listDeliveries reflects what the view has, since deliveries come about without anybody asking. The events are read in
// the same snapshot, each once.
func listDeliveries(ctx context.Context, c *call, in *listDeliveriesIn) (*rest.Listed[deliveryOut], error) {
	filter, err := in.filter(c)
	if err != nil {
		return nil, err
	}
	l, err := rest.NewWalk(c.Request, in.ListQuery,
		fmt.Sprintf("%q", []string{in.EventID, in.EndpointID, in.SubscriptionID, in.Status}),
		[2]rest.Opt[rest.Time]{in.From, in.To}, in.AsOf, in.AsOfSequence)
	if err != nil {
		return nil, err
	}
	var rows []projections.Delivery
	var held holds
	events := make(map[domain.UUID]deliveredEvent)
	n, err := rest.View(ctx, c.Request, rest.Moment{AsOfQuery: in.AsOfQuery, Pinned: l.Pinned()},
		func(r projections.Reader, as projections.AsOf) error {
			if in.EventID != "" {
				event, err := eventNamed(ctx, c, r, in.EventID, "")
				if isNotFound(err) {
					return nil // no event, no deliveries
				}
				if err != nil {
					return err
				}
				filter.Event = event.ID
			}
			if rows, err = r.Deliveries(ctx, filter, l.Rows(), as); err != nil {
				return err
			}
			if held, err = readHolds(ctx, c, r, as, rows); err != nil {
				return err
			}
			for i := range rows {
				if _, ok := events[rows[i].Event]; ok {
					continue
				}
				if events[rows[i].Event], err = eventOfDelivery(ctx, c, r, rows[i].Event); err != nil {
					return err
				}
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	return rest.NewListed(l, n, rows,
		func(d *projections.Delivery) []byte { return rest.PlaceOf(d.Created.Sequence, d.ID) },
		func(d *projections.Delivery) deliveryOut {
			out := showDelivery(d, events[d.Event])
			held.show(d, &out)
			return out
		}), nil
}

type getDeliveryIn struct {
	rest.ThingPath
	rest.AsOfQuery
}

// getDelivery waits for a delivery only where the view doesn't have it yet.
func getDelivery(ctx context.Context, c *call, in *getDeliveryIn) (*rest.One[deliveryOut], error) {
	var held holds
	row, event, n, err := findDelivery(ctx, c, in.ThingPath, in.AsOfQuery,
		func(r projections.Reader, as projections.AsOf, row projections.Delivery) (err error) {
			held, err = readHolds(ctx, c, r, as, []projections.Delivery{row})
			return err
		})
	if err != nil {
		return nil, err
	}
	out := showDelivery(&row, event)
	held.show(&row, &out)
	return &rest.One[deliveryOut]{Sequence: rest.SequenceText(n), Body: out}, nil
}

// findDelivery finds a delivery that the call may see; more reads on in the same snapshot (nil for nothing).
func findDelivery(
	ctx context.Context, c *call, in rest.ThingPath, as rest.AsOfQuery,
	more func(r projections.Reader, as projections.AsOf, row projections.Delivery) error,
) (row projections.Delivery, event deliveredEvent, n domain.Sequence, err error) {
	id, err := in.UUID()
	if err != nil {
		return row, event, 0, err
	}
	n, err = rest.Lookup(ctx, c.Request, as, func(r projections.Reader, as projections.AsOf) error {
		if row, err = r.Delivery(ctx, id, as); err != nil {
			return err
		}
		if !c.Opens(row.Endpoint) {
			return domain.ErrNotFound
		}
		if event, err = eventOfDelivery(ctx, c, r, row.Event); err != nil || more == nil {
			return err
		}
		return more(r, as, row)
	})
	return row, event, n, err
}

type redriveIn struct {
	rest.ThingPath
	rest.PostHeader
	Body *rest.ReasonBody
}

// redrive sets a dead delivery going again, with its schedule from the start.
func redrive(ctx context.Context, c *call, in *redriveIn) (*rest.Made[deliveryOut], error) {
	var reason string
	if in.Body != nil {
		reason = in.Body.Reason
	}
	if err := rest.CheckReason("body.reason", reason); err != nil {
		return nil, err
	}
	return rest.Once(ctx, c.Request, rest.Post[rest.Made[deliveryOut]]{
		Decide: func(ctx context.Context) (domain.Group, error) { return decideRedrive(ctx, c, in.ThingPath, reason) },
		Answer: func(ctx context.Context, entries []domain.Entry, replayed bool) (*rest.Made[deliveryOut], error) {
			e := entries[0]
			as := rest.AsOfQuery{AsOfSequence: rest.Opt[int64]{Value: int64(e.Sequence), Set: true}}
			row, event, _, err := findDelivery(ctx, c, in.ThingPath, as, nil)
			if err != nil {
				return nil, err
			}
			out := rest.NewMade(e, replayed, "/v1/tenants/"+string(c.Tenant)+"/deliveries/"+row.ID.String(),
				showDelivery(&row, event))
			out.ETag = ""
			return out, nil
		},
	})
}

// decideRedrive refuses what isn't dead, and what has no endpoint any more.
func decideRedrive(ctx context.Context, c *call, in rest.ThingPath, reason string) (domain.Group, error) {
	id, err := in.UUID()
	if err != nil {
		return domain.Group{}, err
	}
	stream := domain.Stream{Kind: domain.StreamDelivery, ID: id}
	// The delivery changes without anybody asking: its version is read first, so that a change in between is a
	// conflict.
	last, err := domain.Select(ctx, c.Log,
		domain.Query{Tenant: c.Tenant, Stream: stream, Descending: true, Limit: 1, HeadersOnly: true})
	if err != nil {
		return domain.Group{}, err
	}
	var row projections.Delivery
	_, err = rest.Now(ctx, c.Request, func(r projections.Reader) error {
		if row, err = r.Delivery(ctx, id, projections.AsOf{}); err != nil {
			return err
		}
		if !c.Opens(row.Endpoint) {
			return domain.ErrNotFound
		}
		_, err = r.Endpoint(ctx, row.Endpoint, projections.AsOf{})
		if isNotFound(err) {
			return rest.Refuse(http.StatusConflict, "endpoint_deleted",
				"The delivery's endpoint is deleted: there is nowhere to send it.")
		}
		return err
	})
	if err != nil {
		return domain.Group{}, err
	}
	fact, err := row.Redrive(c.Clock())
	if errors.Is(err, domain.ErrConflict) {
		return domain.Group{}, rest.Refuse(http.StatusConflict, "not_dead",
			"Only a dead delivery can be redriven; this one is "+string(row.Status)+".")
	}
	if err != nil {
		return domain.Group{}, err
	}
	expected := 0
	if len(last) > 0 {
		expected = last[0].StreamVersion
	}
	return domain.Group{Drafts: []domain.Draft{{
		Tenant: c.Tenant, Stream: stream, Expected: expected, By: c.By(), Cause: row.Updated.Sequence, Fact: fact,
		Reason: reason,
	}}}, nil
}
