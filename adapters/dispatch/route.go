package dispatch

import (
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// maxRouted is how many deliveries one event.routed names; an event with more has several, in one group.
const maxRouted = 1000

// matcher evaluates a subscription's filter; nil: none can be evaluated.
type matcher func(s domain.Subscription, e *domain.EventAppended) (bool, error)

// routesOf decides to whom an event goes by the configuration at its position: at least one fact, the last Complete.
func routesOf(c *projections.Config, match matcher, e *domain.Entry) []domain.EventRouted {
	f, ok := e.Fact.(*domain.EventAppended)
	if !ok { // erased before it was routed: there is nothing to send
		return []domain.EventRouted{{Complete: true}}
	}
	tenant, _ := c.Tenant(e.Tenant)
	r := routing{config: c, tenant: e.Tenant, rules: tenant.TenantConfig}
	if f.Event.Test != nil {
		r.test(f.Event.Test.Endpoint)
		return r.split()
	}
	for _, s := range c.Matching(e.Tenant, f.Event.Type) {
		r.add(s.Subscription, f, match)
	}
	return r.split()
}

// routing gathers what becomes of one event.
type routing struct {
	config     *projections.Config
	tenant     domain.TenantID
	rules      domain.TenantConfig
	deliveries []domain.RoutedDelivery
	skipped    []domain.Skipped
	byEndpoint map[domain.UUID]int // index into deliveries; made when there are more than a few
}

// add decides on one subscription that the event's type matches. A subscription of a deleted endpoint asks for nothing.
func (r *routing) add(s domain.Subscription, f *domain.EventAppended, match matcher) {
	endpoint, ok := r.config.Endpoint(s.Endpoint)
	if !ok {
		return
	}
	if reason := r.skip(s, endpoint.Endpoint, f, match); reason != "" {
		r.skipped = append(r.skipped, domain.Skipped{
			Subscription: s.ID, Version: s.Version, Endpoint: s.Endpoint, Reason: reason,
		})
		return
	}
	d := r.delivery(endpoint.Endpoint)
	d.Subscriptions = append(d.Subscriptions, domain.SubscriptionMatch{ID: s.ID, Version: s.Version})
}

// skip says why a subscription makes no delivery, "" when it does.
func (r *routing) skip(s domain.Subscription, endpoint domain.Endpoint, f *domain.EventAppended, match matcher) domain.SkipReason {
	if reason := r.rules.Bars(endpoint.EndpointConfig); reason != "" {
		return reason
	}
	switch {
	case s.Paused:
		return domain.SkipSubscriptionPaused
	case f.Event.About == endpoint.ID:
		return domain.SkipOwnEndpoint
	}
	if reason := withheld(endpoint); reason != "" {
		return reason
	}
	if s.Filter == "" {
		return ""
	}
	if match == nil {
		return domain.SkipFilterFailed
	}
	matches, err := match(s, f)
	switch {
	case err != nil:
		return domain.SkipFilterFailed
	case !matches:
		return domain.SkipFilter
	}
	return ""
}

// withheld says why an endpoint gets nothing at all, "" when it does.
func withheld(endpoint domain.Endpoint) domain.SkipReason {
	switch {
	case endpoint.Disabled != "":
		return domain.SkipEndpointDisabled
	case endpoint.Unverified:
		return domain.SkipEndpointUnverified
	}
	return ""
}

// test decides on a sample for one endpoint, which no subscription asked for.
func (r *routing) test(id domain.UUID) {
	endpoint, ok := r.config.Endpoint(id)
	if !ok || endpoint.Tenant != r.tenant {
		return
	}
	reason := r.rules.Bars(endpoint.EndpointConfig)
	if reason == "" {
		reason = withheld(endpoint.Endpoint)
	}
	if reason == "" {
		r.delivery(endpoint.Endpoint)
		return
	}
	r.skipped = append(r.skipped, domain.Skipped{Endpoint: id, Reason: reason})
}

// delivery returns the delivery to an endpoint, made when there is none. It is valid until the next call.
func (r *routing) delivery(endpoint domain.Endpoint) *domain.RoutedDelivery {
	if r.byEndpoint == nil {
		for i := range r.deliveries {
			if r.deliveries[i].Endpoint == endpoint.ID {
				return &r.deliveries[i]
			}
		}
		if len(r.deliveries) == 16 { // from here on a map is faster than looking through
			r.byEndpoint = make(map[domain.UUID]int)
			for i := range r.deliveries {
				r.byEndpoint[r.deliveries[i].Endpoint] = i
			}
		}
	} else if i, ok := r.byEndpoint[endpoint.ID]; ok {
		return &r.deliveries[i]
	}
	if r.byEndpoint != nil {
		r.byEndpoint[endpoint.ID] = len(r.deliveries)
	}
	r.deliveries = append(r.deliveries, domain.RoutedDelivery{
		ID: newDelivery(endpoint.ID), Endpoint: endpoint.ID, EndpointVersion: endpoint.Version,
	})
	return &r.deliveries[len(r.deliveries)-1]
}

// split makes the facts. Skips stand in the first ones, at most maxRouted each.
func (r *routing) split() []domain.EventRouted {
	var facts []domain.EventRouted
	for {
		n, m := min(maxRouted, len(r.deliveries)), min(maxRouted, len(r.skipped))
		fact := domain.EventRouted{Deliveries: r.deliveries[:n:n], Skipped: r.skipped[:m:m]}
		r.deliveries, r.skipped = r.deliveries[n:], r.skipped[m:]
		fact.Complete = len(r.deliveries) == 0 && len(r.skipped) == 0
		facts = append(facts, fact)
		if fact.Complete {
			return facts
		}
	}
}
