package openapi

import (
	"context"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

type getRoutingIn struct {
	EventPath
	rest.AsOfQuery
}

type getRoutingBySequenceIn struct {
	rest.TenantPath
	Sequence int64 `path:"sequence" minimum:"0" doc:"The event's place in the tenant's log." example:"41"`
	rest.AsOfQuery
}

// routingOut is where an event went.
type routingOut struct {
	EventID       string       `json:"event_id" doc:"The event." example:"order-4711"`
	EventSequence int64        `json:"event_sequence" doc:"Its place in the tenant's log." example:"41"`
	Complete      bool         `json:"complete" doc:"false: as of the moment asked for, further entries of the routing were still to come." example:"true"`
	Configuration int64        `json:"configuration_sequence" doc:"The tenant's newest configuration entry when the event was routed: the routing is what that configuration decides." example:"17"`
	Sequence      int64        `json:"sequence,omitempty" doc:"The routing's last entry: the event's own, unless it goes to more than 1,000 endpoints." example:"41"`
	RoutedAt      rest.Stamp   `json:"routed_at,omitzero" doc:"When it was recorded." example:"2026-07-01T12:00:00.125456Z"`
	Deliveries    []routedOut  `json:"deliveries" doc:"Where the event goes."`
	Skipped       []skippedOut `json:"skipped" doc:"Subscriptions whose types matched and that still made no delivery."`
}

type routedOut struct {
	ID              domain.UUID `json:"id" format:"uuid" doc:"The delivery." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e"`
	EndpointID      domain.UUID `json:"endpoint_id" format:"uuid" doc:"The endpoint." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	EndpointVersion int         `json:"endpoint_version" doc:"The endpoint's version then." example:"3"`
	Subscriptions   []matchOut  `json:"subscriptions" doc:"The subscriptions that matched; none for a test."`
	Started         bool        `json:"started" doc:"true: the event's own commit was the intent of the first attempt." example:"true"`
}

type matchOut struct {
	ID      domain.UUID `json:"id" format:"uuid" doc:"The subscription." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d71"`
	Version int         `json:"version" doc:"Its version then." example:"1"`
}

type skippedOut struct {
	SubscriptionID domain.UUID       `json:"subscription_id" format:"uuid" doc:"The subscription." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d71"`
	Version        int               `json:"version" doc:"Its version then." example:"1"`
	EndpointID     domain.UUID       `json:"endpoint_id" format:"uuid" doc:"Its endpoint." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	Reason         domain.SkipReason `json:"reason" doc:"Why it made no delivery; loop: too many webhooks, one because of the other, led to the event. More reasons may be added." example:"subscription_paused"`
}

// getRouting shows the routing of an event that is found by its name.
func getRouting(ctx context.Context, c *call, in *getRoutingIn) (*rest.One[routingOut], error) {
	row, reflected, err := findEvent(ctx, c, in.ID, in.Source, in.AsOfQuery)
	if err != nil {
		return nil, err
	}
	return answerRouting(ctx, c, row, reflected, in.AsOfQuery)
}

// getRoutingBySequence shows the routing of an event that is found by its place.
func getRoutingBySequence(ctx context.Context, c *call, in *getRoutingBySequenceIn) (*rest.One[routingOut], error) {
	row, reflected, err := eventAt(ctx, c, domain.Sequence(in.Sequence), in.AsOfQuery)
	if err != nil {
		return nil, err
	}
	return answerRouting(ctx, c, row, reflected, in.AsOfQuery)
}

// answerRouting reads the routing's entries: they have all of it, as it was decided then.
func answerRouting(
	ctx context.Context, c *call, row projections.Event, reflected domain.Sequence, in rest.AsOfQuery,
) (*rest.One[routingOut], error) {
	if c.Key.Role == domain.RoleProducer {
		if _, err := exactEvent(ctx, c, row.Created.Sequence, 0); err != nil {
			return nil, err
		}
	}
	out := routingOut{
		EventID: eventName(c, row.ID, row.Attrs), EventSequence: int64(row.Created.Sequence), Deliveries: []routedOut{},
		Skipped: []skippedOut{},
	}
	from := row.Created.Sequence
	query := domain.Query{
		Tenant: c.Tenant, From: &from, Stream: domain.Stream{Kind: domain.StreamEvent, ID: row.ID}, Limit: 100,
	}
	if in.AsOf.Set || in.AsOfSequence.Set {
		to := reflected + 1
		query.To = &to
	}
	for {
		entries, err := domain.Select(ctx, c.Log, query)
		if err != nil {
			return nil, err
		}
		for i := range entries {
			if err := out.add(&entries[i]); err != nil {
				return nil, err
			}
			from = entries[i].Sequence + 1
		}
		if len(entries) < 100 {
			return &rest.One[routingOut]{Sequence: rest.SequenceText(max(from-1, reflected)), Body: out}, nil
		}
	}
}

// add adds what one entry says of the routing.
func (out *routingOut) add(e *domain.Entry) error {
	routing, verdicts := routingOf(e.Fact)
	if routing == nil {
		return rest.Unreadable(*e)
	}
	for _, d := range routing.Deliveries {
		out.Deliveries = append(out.Deliveries,
			routedOut{d.ID, d.Endpoint, d.EndpointVersion, showMatches(d.Subscriptions), d.First != nil})
	}
	out.Skipped = append(out.Skipped, showSkipped(routing.Skipped)...)
	out.Skipped = append(out.Skipped, showSkipped(verdicts.Skipped)...)
	out.Complete, out.Sequence, out.RoutedAt = routing.Complete, int64(e.Sequence), rest.Stamp(e.RecordedAt)
	out.Configuration = int64(routing.Configuration)
	return nil
}

// routingOf returns what an entry of an event's stream says of its routing, nil for facts of other streams.
func routingOf(fact domain.Fact) (*domain.Routing, *domain.Verdicts) {
	switch f := fact.(type) {
	case *domain.EventAppended:
		return &f.Routing, &f.Verdicts
	case *domain.EventRouted:
		return &f.Routing, &f.Verdicts
	}
	return nil, nil
}

func showMatches(matches []domain.SubscriptionMatch) []matchOut {
	out := make([]matchOut, len(matches))
	for i, m := range matches {
		out[i] = matchOut{m.ID, m.Version}
	}
	return out
}

func showSkipped(skipped []domain.Skipped) []skippedOut {
	out := make([]skippedOut, len(skipped))
	for i, s := range skipped {
		out[i] = skippedOut{s.Subscription, s.Version, s.Endpoint, s.Reason}
	}
	return out
}
