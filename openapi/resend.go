package openapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// redrive sets a dead delivery going again, with its schedule from the start.
func redrive(ctx context.Context, c *call, in *rest.ActionInput) (*rest.Made[deliveryOut], error) {
	return moveDelivery(ctx, c, in, func(d *projections.Delivery) (domain.Fact, error) {
		fact, err := d.Redrive(c.Clock())
		if errors.Is(err, domain.ErrConflict) {
			return nil, rest.Refuse(http.StatusConflict, "not_dead",
				"Only a dead delivery can be redriven; this one is "+string(d.Status)+".")
		}
		return fact, err
	})
}

// retryNow has a waiting delivery's next attempt due at once. Where it is due already, nothing is to be done.
func retryNow(ctx context.Context, c *call, in *rest.ActionInput) (*rest.Made[deliveryOut], error) {
	return moveDelivery(ctx, c, in, func(d *projections.Delivery) (domain.Fact, error) {
		fact, err := d.RetryNow(c.Clock())
		switch {
		case errors.Is(err, domain.ErrConflict) && d.Open:
			return nil, rest.Refuse(http.StatusConflict, "attempt_in_progress", "An attempt is under way.")
		case errors.Is(err, domain.ErrConflict):
			return nil, rest.Refuse(http.StatusConflict, "not_waiting",
				"Only a waiting delivery can be retried; this one is "+string(d.Status)+". See redrive and resend.")
		case fact == nil:
			return nil, err
		}
		return fact, err
	})
}

// moveDelivery appends what decide says of a delivery, unless nothing can come of it.
func moveDelivery(
	ctx context.Context, c *call, in *rest.ActionInput, decide func(*projections.Delivery) (domain.Fact, error),
) (*rest.Made[deliveryOut], error) {
	id, err := in.UUID()
	if err != nil {
		return nil, err
	}
	reason := ""
	if in.Body != nil {
		reason = in.Body.Reason
	}
	if err := rest.CheckReason("body.reason", reason); err != nil {
		return nil, err
	}
	return sendAgain(ctx, c, in.ThingPath, func(ctx context.Context) (domain.Group, error) {
		var row projections.Delivery
		var fact domain.Fact
		_, err := rest.Now(ctx, c.Request, func(r projections.Reader) (err error) {
			if row, err = r.Delivery(ctx, id, projections.AsOf{}); err != nil {
				return err
			}
			if !c.Opens(row.Endpoint) {
				return domain.ErrNotFound
			}
			if fact, err = decide(&row); err != nil || fact == nil {
				return err
			}
			return hopeless(ctx, c, r, &row)
		})
		if err != nil || fact == nil {
			return domain.Group{}, err
		}
		return domain.Group{Drafts: []domain.Draft{draftAbout(c, &row, fact, reason)}}, nil
	})
}

// draftAbout drafts a fact about a delivery as the view has it. The delivery changes without anybody asking: a change
// in between is a conflict.
func draftAbout(c *call, row *projections.Delivery, fact domain.Fact, reason string) domain.Draft {
	return domain.Draft{
		Tenant: c.Tenant, Stream: domain.Stream{Kind: domain.StreamDelivery, ID: row.ID}, Expected: row.Version, By: c.By(),
		Cause: row.Updated.Sequence, Retention: row.Retention, Fact: fact, Reason: reason,
	}
}

// sendAgain appends a fact about one delivery and answers with it.
func sendAgain(
	ctx context.Context, c *call, waiting rest.ThingPath, decide func(context.Context) (domain.Group, error),
) (*rest.Made[deliveryOut], error) {
	answer := func(ctx context.Context, in rest.ThingPath, as rest.AsOfQuery) (*rest.Made[deliveryOut], error) {
		row, event, reflected, err := findDelivery(ctx, c, in, as, nil)
		return &rest.Made[deliveryOut]{
			Sequence: rest.SequenceText(reflected), Location: c.Path("deliveries", row.ID.String()),
			Body: showDelivery(&row, event),
		}, err
	}
	return rest.Once(ctx, c.Request, rest.Post[rest.Made[deliveryOut]]{
		Decide: decide,
		Answer: func(ctx context.Context, entries []domain.Entry, replayed bool) (*rest.Made[deliveryOut], error) {
			e := entries[0]
			as := rest.AsOfQuery{AsOfSequence: rest.Opt[int64]{Value: int64(e.Sequence), Set: true}}
			out, err := answer(ctx, rest.ThingPath{TenantPath: waiting.TenantPath, ID: e.Stream.ID.String()}, as)
			if err != nil {
				return nil, err
			}
			out.Replayed = rest.Replayed(replayed)
			return out, nil
		},
		Idle: func(ctx context.Context) (*rest.Made[deliveryOut], error) {
			return answer(ctx, waiting, rest.AsOfQuery{})
		},
	})
}

// hopeless refuses to send a delivery of which nothing can come: it would be cancelled at once, and a dead letter lost.
func hopeless(ctx context.Context, c *call, r projections.Reader, d *projections.Delivery) error {
	_, err := r.Endpoint(ctx, d.Endpoint, projections.AsOf{})
	if err != nil && !isNotFound(err) {
		return err
	}
	var failed error
	doom := d.Doom(err == nil, func(id domain.UUID) bool {
		_, err := r.Subscription(ctx, id, projections.AsOf{})
		if err != nil && !isNotFound(err) {
			failed = err
		}
		return err == nil
	})
	switch {
	case failed != nil:
		return failed
	case doom == domain.CancelEndpointDeleted:
		return rest.Refuse(http.StatusConflict, string(doom), "The delivery's endpoint is deleted: there is nowhere to send it.")
	case doom != "":
		return rest.Refuse(http.StatusConflict, string(doom), "All subscriptions that asked for the delivery are deleted: "+
			"it would be cancelled. Resend the event to the endpoint instead.")
	}
	event, err := rest.Entry(ctx, c.Request, d.EventSequence)
	if err == nil && (event.Fact == nil || event.Erased) {
		return refuseErased()
	}
	return err
}

func refuseErased() error {
	return rest.Refuse(http.StatusConflict, "event_erased", "The event's content was erased: nothing is left to send.")
}

type resendIn struct {
	EventPath
	rest.PostHeader
	Body resendBody
}

type resendBody struct {
	EndpointID string `json:"endpoint_id" format:"uuid" doc:"Where it goes." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	Reason     string `json:"reason" minLength:"1" maxLength:"1024" doc:"Why it is sent again; recorded in the log." example:"the receiver lost its database"`
}

// resend sends one event to one endpoint, whatever became of it before.
func resend(ctx context.Context, c *call, in *resendIn) (*rest.Made[deliveryOut], error) {
	endpoint, err := rest.ParseID("body.endpoint_id", in.Body.EndpointID)
	if err != nil {
		return nil, err
	}
	if err := rest.CheckReason("body.reason", in.Body.Reason); err != nil {
		return nil, err
	}
	if !c.Opens(endpoint) {
		return nil, rest.NotFound()
	}
	return sendAgain(ctx, c, rest.ThingPath{TenantPath: in.TenantPath}, func(ctx context.Context) (domain.Group, error) {
		draft, err := decideResend(ctx, c, in, endpoint)
		return domain.Group{Drafts: []domain.Draft{draft}}, err
	})
}

// decideResend decides on the delivery of an event to an endpoint: the one that there is goes again, and where there is
// none it is made. A receiver gets only what it was sent before: what else there is isn't its business.
func decideResend(ctx context.Context, c *call, in *resendIn, to domain.UUID) (draft domain.Draft, err error) {
	var event projections.Event
	var endpoint projections.Endpoint
	var rows []projections.Delivery
	_, err = rest.Now(ctx, c.Request, func(r projections.Reader) error {
		if event, err = eventNamed(ctx, c, r, in.ID, in.Source); err != nil {
			return err
		}
		filter := projections.DeliveryFilter{Event: event.ID, Endpoint: to}
		if rows, err = r.Deliveries(ctx, filter, projections.Page{Limit: 1}, projections.AsOf{}); err != nil {
			return err
		}
		if len(rows) == 0 && c.Key.Role == domain.RoleReceiver {
			return domain.ErrNotFound
		}
		endpoint, err = r.Endpoint(ctx, to, projections.AsOf{})
		if isNotFound(err) {
			return unknownEndpoint(ctx, r, to)
		}
		return err
	})
	if err != nil {
		return draft, err
	}
	e, err := rest.Entry(ctx, c.Request, event.Created.Sequence)
	if err != nil {
		return draft, err
	}
	fact, ok := e.Fact.(*domain.EventAppended)
	if !ok || e.Erased {
		return draft, refuseErased()
	}
	if reason := fact.Event.Withheld(&endpoint.Endpoint); reason != "" {
		return draft, rest.Refuse(http.StatusConflict, string(reason), "The event may not go to this endpoint: "+withheldBecause(reason))
	}
	if len(rows) == 0 {
		return domain.Draft{
			Tenant: c.Tenant, Stream: domain.Stream{Kind: domain.StreamDelivery, ID: domain.DerivedDelivery(event.ID, to)},
			By: c.By(), Cause: event.Created.Sequence, Retention: fact.Routing.Retention, Reason: in.Body.Reason,
			Fact: &domain.DeliveryCreated{
				Event: event.ID, EventSequence: event.Created.Sequence, Endpoint: to, EndpointVersion: endpoint.Version,
				Retention: fact.Routing.Retention,
			},
		}, nil
	}
	again, err := rows[0].Resend(c.Clock(), domain.UUID{})
	if errors.Is(err, domain.ErrConflict) {
		return draft, rest.Refuse(http.StatusConflict, "not_ended", "The delivery "+rows[0].ID.String()+
			" hasn't ended: it is "+string(rows[0].Status)+" and goes on by itself. To have it tried at once, see retry.")
	}
	return draftAbout(c, &rows[0], again, in.Body.Reason), err
}

// unknownEndpoint refuses an endpoint that isn't there (any more).
func unknownEndpoint(ctx context.Context, r projections.Reader, id domain.UUID) error {
	_, err := r.EndpointVersion(ctx, id, 1)
	switch {
	case err == nil:
		return rest.Refuse(http.StatusConflict, "endpoint_deleted", "The endpoint is deleted: there is nowhere to send it.")
	case !isNotFound(err):
		return err
	}
	return rest.Invalid("body.endpoint_id", "is no endpoint of this tenant")
}

func withheldBecause(reason domain.SkipReason) string {
	switch reason {
	case domain.SkipOthersTest:
		return "it is a test of another one."
	case domain.SkipOwnEndpoint:
		return "it speaks of it."
	}
	return "the endpoint hasn't passed its handshake yet."
}
