package openapi

import (
	"context"
	"fmt"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

type listEndpointsIn struct {
	rest.TenantPath
	rest.ListQuery
	rest.AsOfQuery
}

// listEndpoints lists a tenant's endpoints, or those that a registration's holder made.
func listEndpoints(ctx context.Context, c *call, in *listEndpointsIn) (*rest.Listed[endpointOut], error) {
	l, err := rest.NewWalk(c.Request, in.ListQuery, in.AsOf.Value, in.AsOfSequence)
	if err != nil {
		return nil, err
	}
	if c.Key.Role == domain.RoleRegistrant {
		return registeredEndpoints(ctx, c, in, l)
	}
	var rows []projections.Endpoint
	n, err := rest.View(ctx, c.Request, rest.Moment{AsOfQuery: in.AsOfQuery, Fresh: true, Pinned: l.Pinned()},
		func(r projections.Reader, as projections.AsOf) (err error) {
			rows, err = r.Endpoints(ctx, l.Rows(), as)
			return err
		})
	if err != nil {
		return nil, err
	}
	return rest.NewListed(l, n, rows, func(e *projections.Endpoint) []byte { return rest.PlaceAt(e.Created.Sequence) },
		func(e *projections.Endpoint) endpointOut { return showEndpoint(*e) }), nil
}

// registeredEndpoints lists what a registrant made: the uses of its key name the endpoints in the order of their
// creation. A page has fewer items than asked for where some are deleted.
func registeredEndpoints(
	ctx context.Context, c *call, in *listEndpointsIn, l *rest.Walk,
) (*rest.Listed[endpointOut], error) {
	type use struct {
		at  domain.Sequence
		row *projections.Endpoint // nil: deleted
	}
	var uses []use
	n, err := rest.View(ctx, c.Request, rest.Moment{AsOfQuery: in.AsOfQuery, Fresh: true, Pinned: l.Pinned()},
		func(r projections.Reader, as projections.AsOf) error {
			uses = nil
			reflected := r.Sequence()
			if as.Set {
				reflected = as.Sequence
			}
			q := domain.Query{
				Tenant: c.Tenant, Stream: domain.Stream{Kind: domain.StreamKey, ID: c.Key.ID},
				Kind:  domain.KindRegistrationUsed,
				Limit: in.Limit + 1, Descending: in.Order == "desc",
			}
			l.Bound(&q, reflected)
			entries, err := domain.Select(ctx, c.Log, q)
			if err != nil {
				return err
			}
			for i := range entries {
				fact, ok := entries[i].Fact.(*domain.RegistrationUsed)
				if !ok {
					return rest.Unreadable(entries[i])
				}
				row, err := r.Endpoint(ctx, fact.Made.Endpoint, as)
				switch {
				case isNotFound(err):
					uses = append(uses, use{at: entries[i].Sequence})
				case err != nil:
					return fmt.Errorf("read an endpoint of the registration: %w", err)
				default:
					uses = append(uses, use{entries[i].Sequence, &row})
				}
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	out := &rest.Listed[endpointOut]{
		Sequence: rest.SequenceText(n),
		Body:     rest.Page[endpointOut]{Items: []endpointOut{}},
	}
	for i, u := range uses {
		if i == in.Limit {
			out.Body.Next, out.Link = l.Next(n, rest.PlaceAt(uses[i-1].at))
			break
		}
		if u.row != nil {
			out.Body.Items = append(out.Body.Items, showEndpoint(*u.row))
		}
	}
	return out, nil
}
