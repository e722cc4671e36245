package openapi

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

type previewRoutingIn struct {
	TenantPath
	Body routePreviewIn
}

type routePreviewIn struct {
	Event        sentEvent  `json:"event" doc:"The event, as append-event takes it."`
	AsOf         *time.Time `json:"as_of,omitempty" doc:"By the configuration as of this time. In the future: 422." example:"2026-07-01T12:00:00Z"`
	AsOfSequence *int64     `json:"as_of_sequence,omitempty" minimum:"0" doc:"By the configuration as it was after this entry of the tenant's log. Beyond its end: 422." example:"41"`
}

// routePreviewOut is the routing that an event would have had.
type routePreviewOut struct {
	Deliveries []previewedOut `json:"deliveries" doc:"Where the event would go."`
	Skipped    []skippedOut   `json:"skipped" doc:"Subscriptions whose types match and that would make no delivery all the same."`
}

type previewedOut struct {
	EndpointID      domain.UUID `json:"endpoint_id" format:"uuid" doc:"The endpoint." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	EndpointVersion int         `json:"endpoint_version" doc:"The endpoint's version then." example:"3"`
	Subscriptions   []matchOut  `json:"subscriptions" doc:"The subscriptions that match."`
}

// previewRouting asks the router's own code what it would do.
func previewRouting(ctx context.Context, c *call, in *previewRoutingIn) (*oneOut[routePreviewOut], error) {
	event, err := c.event(in.Body.Event)
	if err != nil {
		return nil, err
	}
	var as AsOfQuery
	if at := in.Body.AsOf; at != nil {
		as.AsOf = opt[time.Time]{*at, true}
	}
	if n := in.Body.AsOfSequence; n != nil {
		as.AsOfSequence = opt[int64]{*n, true}
	}
	m, err := c.moment(ctx, as, fresh, nil)
	if err != nil {
		return nil, inBody(err)
	}
	config := projections.NewConfig()
	n, err := c.view(ctx, m, func(r projections.Reader, as projections.AsOf) error { return fillConfig(ctx, config, r, as) })
	if err != nil {
		return nil, err
	}
	routing, verdicts, err := c.Route(ctx, config, c.tenant, event.fact())
	if err != nil {
		return nil, err
	}
	out := routePreviewOut{Deliveries: []previewedOut{}, Skipped: []skippedOut{}}
	for _, d := range routing.Deliveries {
		out.Deliveries = append(out.Deliveries, previewedOut{d.Endpoint, d.EndpointVersion, showMatches(d.Subscriptions)})
	}
	out.Skipped = append(showSkipped(routing.Skipped), showSkipped(verdicts.Skipped)...)
	return &oneOut[routePreviewOut]{Sequence: sequenceText(n), Body: out}, nil
}

// configPage is how many rows of configuration are read at once.
const configPage = 1000

// fillConfig puts a tenant's configuration as of a moment where the router has its own.
func fillConfig(ctx context.Context, config *projections.Config, r projections.Reader, as projections.AsOf) error {
	tenant, err := r.Tenant(ctx, as)
	if err != nil {
		return err
	}
	if err := config.PutTenant(tenant); err != nil {
		return err
	}
	err = eachRow(func(page projections.Page) ([]projections.Endpoint, error) { return r.Endpoints(ctx, page, as) },
		func(e projections.Endpoint) (domain.Sequence, error) {
			return e.Created.Sequence, config.PutEndpoint(e)
		})
	if err != nil {
		return err
	}
	return eachRow(func(page projections.Page) ([]projections.Subscription, error) {
		return r.Subscriptions(ctx, domain.UUID{}, page, as)
	},
		func(s projections.Subscription) (domain.Sequence, error) {
			return s.Created.Sequence, config.PutSubscription(s)
		})
}

// eachRow walks a list to its end. put returns where its row stands in the list.
func eachRow[R any](read func(projections.Page) ([]R, error), put func(R) (domain.Sequence, error)) error {
	page := projections.Page{Limit: configPage}
	for {
		rows, err := read(page)
		if err != nil {
			return err
		}
		var last domain.Sequence
		for _, row := range rows {
			if last, err = put(row); err != nil {
				return err
			}
		}
		if len(rows) < configPage {
			return nil
		}
		page.After = &last
	}
}

// inBody says of a moment's error that it stands in the body.
func inBody(err error) error {
	var p *problem
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
