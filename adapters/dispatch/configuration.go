package dispatch

import (
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// configuration is the fold of everything that says where events go and how: tenants, endpoints and subscriptions.
// lanes.mu guards it.
type configuration struct{ *projections.Config }

// fold applies an entry that configures routing. known and err are what understood says of it.
func (c configuration) fold(e *domain.Entry, known bool, err error) error {
	switch {
	case err != nil:
		return err
	case !known:
		c.SetConfigured(e.Tenant, e.Sequence)
		return nil
	}
	return projections.Apply(c.Config, *e)
}

// endpoint returns an endpoint's configuration in force, nil when it is deleted.
func (c configuration) endpoint(id domain.UUID) *domain.Endpoint {
	row, ok := c.Endpoint(id)
	if !ok {
		return nil
	}
	return &row.Endpoint
}

// bars reports whether a tenant's rules let nothing out to one of its endpoints.
func (c configuration) bars(id domain.TenantID, endpoint *domain.Endpoint) bool {
	tenant, ok := c.Tenant(id)
	return ok && endpoint != nil && tenant.Bars(endpoint.EndpointConfig) != ""
}

// doom returns why a delivery is to be cancelled, "" when it isn't. endpoint is its endpoint's configuration, nil for a
// deleted one.
func (c configuration) doom(of *domain.Delivery, endpoint *domain.Endpoint) domain.CancelReason {
	if _, ok := c.Tenant(of.Tenant); !ok {
		return domain.CancelTenantDeleted
	}
	return of.Doom(endpoint != nil, func(id domain.UUID) bool {
		_, ok := c.Subscription(of.Tenant, id)
		return ok
	})
}

// wants reports whether a subscription of a tenant asks for operational events of a type.
func (c configuration) wants(tenant domain.TenantID, typ domain.EventType) bool {
	return len(c.Matching(tenant, typ)) > 0
}
