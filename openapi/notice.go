package openapi

import (
	"context"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// withNotice adds the operational event about a change of an endpoint, where a subscription of the tenant asks for
// such. Of its own changes the server tells by itself.
func withNotice(ctx context.Context, c *call, group domain.Group, endpoint domain.UUID) (domain.Group, error) {
	typ := noticeOf(group.Drafts[0].Fact)
	wanted, err := noticeWanted(ctx, c, typ)
	if err == nil && wanted {
		event := domain.OperationalEvent(c.Tenant, typ, domain.Notice{Endpoint: endpoint})
		event.By = c.By()
		group.Drafts = append(group.Drafts, event)
	}
	return group, err
}

// noticeOf is the operational event of a change; "" for none.
func noticeOf(fact domain.Fact) domain.EventType {
	switch fact.(type) {
	case *domain.EndpointPaused:
		return domain.EventEndpointPaused
	case *domain.EndpointResumed:
		return domain.EventEndpointResumed
	case *domain.EndpointDeleted:
		return domain.EventEndpointDeleted
	}
	return ""
}

// noticeWanted reports whether a subscription of the call's tenant matches a type, paused or not.
func noticeWanted(ctx context.Context, c *call, typ domain.EventType) (wanted bool, err error) {
	_, err = rest.Now(ctx, c.Request, func(r projections.Reader) error {
		return rest.EachRow(func(page projections.Page) ([]projections.Subscription, error) {
			return r.Subscriptions(ctx, domain.UUID{}, page, projections.AsOf{})
		},
			func(s projections.Subscription) (domain.Sequence, error) {
				wanted = wanted || s.Matches(typ)
				return s.Created.Sequence, nil
			})
	})
	return wanted, err
}
