package dispatch

import (
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// Filters begins to evaluate filters on one event. What it returns is called once for each subscription that has a filter,
// in order, and says why the subscription is skipped (one of domain.SkipFilter, SkipFilterFailed and SkipFilterBudget), or
// "" when its filter matches. All calls for one event share its decoded form and one budget.
type Filters func(e *domain.EventAppended) func(s domain.Subscription) domain.SkipReason

// routesOf decides to whom an event goes by a configuration: at least one part, the last one Complete. The first belongs to
// the event's own entry. It depends on nothing else, but that the deliveries' ids are random.
func routesOf(c *projections.Snapshot, filters Filters, e *domain.EventAppended, retention string) []domain.EventRouted {
	r := routing{config: c, event: e, filters: filters}
	tenant, _ := c.Tenant()
	r.rules = tenant.TenantConfig
	if e.Event.Test != nil {
		r.test(e.Event.Test.Endpoint)
	} else {
		for _, s := range c.Matching(e.Event.Type) {
			r.add(s.Subscription)
		}
	}
	return r.split(c.Configured(), retention)
}

// routing gathers what becomes of one event.
type routing struct {
	config     *projections.Snapshot
	rules      domain.TenantConfig
	event      *domain.EventAppended
	filters    Filters
	filter     func(domain.Subscription) domain.SkipReason // of this event; nil: none was asked yet
	deliveries []domain.RoutedDelivery
	skipped    []domain.Skipped    // for reasons that say nothing of the event's content
	verdicts   []domain.Skipped    // for others
	byEndpoint map[domain.UUID]int // index into deliveries; made when there are more than a few
}

// add decides on one subscription that the event's type matches. A subscription of a deleted endpoint asks for nothing.
func (r *routing) add(s domain.Subscription) {
	endpoint, ok := r.config.Endpoint(s.Endpoint)
	if !ok {
		return
	}
	reason := r.skip(s, endpoint.Endpoint)
	if reason == "" {
		d := r.delivery(endpoint.Endpoint)
		d.Subscriptions = append(d.Subscriptions, domain.SubscriptionMatch{ID: s.ID, Version: s.Version})
		return
	}
	skipped := domain.Skipped{Subscription: s.ID, Version: s.Version, Endpoint: s.Endpoint, Reason: reason}
	if reason.ByContent() {
		r.verdicts = append(r.verdicts, skipped)
	} else {
		r.skipped = append(r.skipped, skipped)
	}
}

// skip returns why a subscription makes no delivery, "" when it does.
func (r *routing) skip(s domain.Subscription, endpoint domain.Endpoint) domain.SkipReason {
	if reason := r.rules.Bars(endpoint.EndpointConfig); reason != "" {
		return reason
	}
	switch {
	case s.Paused:
		return domain.SkipSubscriptionPaused
	case r.event.Event.About == endpoint.ID:
		return domain.SkipOwnEndpoint
	}
	if reason := withheld(endpoint); reason != "" {
		return reason
	}
	switch {
	case s.Filter == "":
		return ""
	case r.filters == nil:
		return domain.SkipFilterFailed
	case r.filter == nil:
		r.filter = r.filters(r.event)
	}
	return r.filter(s)
}

// withheld returns why an endpoint gets nothing at all, "" when it does.
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
	if !ok {
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

// split makes the parts, each of which names at most domain.MaxRouted deliveries and as many skips of either sort.
func (r *routing) split(configuration domain.Sequence, retention string) []domain.EventRouted {
	var parts []domain.EventRouted
	for {
		part := domain.EventRouted{Routing: domain.Routing{Configuration: configuration, Retention: retention}}
		part.Routing.Deliveries, r.deliveries = cut(r.deliveries)
		part.Routing.Skipped, r.skipped = cut(r.skipped)
		part.Verdicts.Skipped, r.verdicts = cut(r.verdicts)
		part.Routing.Complete = len(r.deliveries) == 0 && len(r.skipped) == 0 && len(r.verdicts) == 0
		parts = append(parts, part)
		if part.Routing.Complete {
			return parts
		}
	}
}

// cut takes as many as one entry may name off the front.
func cut[T any](all []T) (first, rest []T) {
	n := min(domain.MaxRouted, len(all))
	if n == 0 {
		return nil, nil
	}
	return all[:n:n], all[n:]
}
