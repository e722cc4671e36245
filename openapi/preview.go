package openapi

import (
	"context"
	"errors"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

type previewRoutingIn struct {
	rest.TenantPath
	Body routePreviewIn
}

type routePreviewIn struct {
	Event        sentEvent  `json:"event" doc:"The event, as append-event accepts it."`
	AsOf         *rest.Time `json:"as_of,omitempty" doc:"Uses the configuration as of this time. In the future: 422." example:"2026-07-01T12:00:00Z"`
	AsOfSequence *int64     `json:"as_of_sequence,omitempty" minimum:"0" doc:"Uses the configuration as it was after this entry of the tenant's log. Beyond its end: 422." example:"41"`
}

// routePreviewOut is the routing that an event would have had.
type routePreviewOut struct {
	Deliveries []previewedOut `json:"deliveries" doc:"Where the event would go."`
	Skipped    []skippedOut   `json:"skipped" doc:"Subscriptions whose types match and that would still make no delivery."`
}

type previewedOut struct {
	EndpointID      domain.UUID `json:"endpoint_id" format:"uuid" doc:"The endpoint." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	EndpointVersion int         `json:"endpoint_version" doc:"The endpoint's version then." example:"3"`
	Subscriptions   []matchOut  `json:"subscriptions" doc:"The subscriptions that match."`
}

// previewRouting asks the code that routes what it would do.
func previewRouting(ctx context.Context, c *call, in *previewRoutingIn) (*rest.One[routePreviewOut], error) {
	event, err := readSentEvent(c, in.Body.Event)
	if err != nil {
		return nil, err
	}
	leave, err := rest.Scan(c.Request)
	if err != nil {
		return nil, err
	}
	defer leave()
	var as rest.AsOfQuery
	if at := in.Body.AsOf; at != nil {
		as.AsOf = rest.Opt[rest.Time]{Value: *at, Set: true}
	}
	if n := in.Body.AsOfSequence; n != nil {
		as.AsOfSequence = rest.Opt[int64]{Value: *n, Set: true}
	}
	config := projections.NewConfig()
	n, err := rest.View(ctx, c.Request, rest.Moment{AsOfQuery: as, Fresh: true},
		func(r projections.Reader, as projections.AsOf) error { return fillConfig(ctx, c, config, r, as) })
	if err != nil {
		return nil, inBody(err)
	}
	routing, verdicts, err := c.Previewer.Preview(ctx, config, c.Tenant, event.Fact())
	if err != nil {
		return nil, err
	}
	out := routePreviewOut{Deliveries: []previewedOut{}, Skipped: []skippedOut{}}
	for _, d := range routing.Deliveries {
		out.Deliveries = append(out.Deliveries,
			previewedOut{d.Endpoint, d.EndpointVersion, showMatches(d.Subscriptions)})
	}
	out.Skipped = append(showSkipped(routing.Skipped), showSkipped(verdicts.Skipped)...)
	return &rest.One[routePreviewOut]{Sequence: rest.SequenceText(n), Body: out}, nil
}

// What an endpoint and a subscription of a previewed configuration hold, about, and each byte of a filter once it is
// compiled.
const (
	endpointBytes     = 4 << 10
	subscriptionBytes = 2 << 10
	filterFactor      = 45
)

// fillConfig reads a tenant's configuration as of a moment into the form by which events are routed. It counts what that
// holds.
func fillConfig(
	ctx context.Context, c *call, config *projections.Config, r projections.Reader, as projections.AsOf,
) error {
	tenant, err := r.Tenant(ctx, as)
	if err != nil {
		return err
	}
	if err := config.PutTenant(tenant); err != nil {
		return err
	}
	err = rest.EachRow(func(page projections.Page) ([]projections.Endpoint,
		error,
	) {
		return r.Endpoints(ctx, page, as)
	},
		func(e projections.Endpoint) (domain.Sequence, error) {
			if !c.Hold.Grow(endpointBytes) {
				return 0, rest.Full()
			}
			return e.Created.Sequence, config.PutEndpoint(e)
		})
	if err != nil {
		return err
	}
	return rest.EachRow(func(page projections.Page) ([]projections.Subscription, error) {
		return r.Subscriptions(ctx, domain.UUID{}, page, as)
	},
		func(s projections.Subscription) (domain.Sequence, error) {
			if !c.Hold.Grow(subscriptionBytes + filterFactor*len(s.Filter)) {
				return 0, rest.Full()
			}
			return s.Created.Sequence, config.PutSubscription(s)
		})
}

// inBody moves the locations of a moment's errors from the query to the body, where previews have it.
func inBody(err error) error {
	var p *rest.Problem
	if !errors.As(err, &p) {
		return err
	}
	for i, f := range p.Errors {
		if member, ok := strings.CutPrefix(f.Location, "query."); ok {
			p.Errors[i].Location = "body." + member
		}
	}
	return p
}
