package dispatch

import (
	"context"
	"errors"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// routesOf decides to whom an event goes by a configuration: at least one part, the last one Complete. The first
// belongs to the event's own entry. The decision depends on the configuration and the run's event and time alone, but
// that deliveries have random ids. It fails only with what ctx ended with.
func routesOf(
	ctx context.Context, c *projections.Snapshot, run *domain.FilterRun, retention string,
) ([]domain.EventRouted, error) {
	tenant, _ := c.Tenant()
	r := routing{config: c, rules: tenant.TenantConfig, run: run}
	if test := run.Event.Event.Test; test != nil {
		r.test(test.Endpoint)
		return r.split(c.Configured(), retention), nil
	}
	for _, s := range c.Matching(run.Event.Event.Type) {
		if err := r.add(ctx, s.Subscription); err != nil {
			return nil, err
		}
	}
	return r.split(c.Configured(), retention), nil
}

// routing gathers what becomes of one event.
type routing struct {
	config     *projections.Snapshot
	rules      domain.TenantConfig
	run        *domain.FilterRun
	deliveries []domain.RoutedDelivery
	skipped    []domain.Skipped    // for reasons that say nothing of the event's content
	verdicts   []domain.Skipped    // for others
	byEndpoint map[domain.UUID]int // index into deliveries; made when there are more than a few
}

// add decides on one subscription that the event's type matches. A subscription of a deleted endpoint asks for nothing.
func (r *routing) add(ctx context.Context, s domain.Subscription) error {
	endpoint, ok := r.config.Endpoint(s.Endpoint)
	if !ok {
		return nil
	}
	reason, err := r.skip(ctx, s, endpoint.Endpoint)
	if err != nil {
		return err
	}
	if reason == "" {
		d := r.delivery(endpoint.Endpoint)
		d.Subscriptions = append(d.Subscriptions, domain.SubscriptionMatch{ID: s.ID, Version: s.Version})
		return nil
	}
	skipped := domain.Skipped{Subscription: s.ID, Version: s.Version, Endpoint: s.Endpoint, Reason: reason}
	if reason.ByContent() {
		r.verdicts = append(r.verdicts, skipped)
	} else {
		r.skipped = append(r.skipped, skipped)
	}
	return nil
}

// skip returns why a subscription makes no delivery, "" when it does.
func (r *routing) skip(ctx context.Context, s domain.Subscription, endpoint domain.Endpoint) (domain.SkipReason, error) {
	if r.run.Event.Event.Loops() {
		return domain.SkipLoop, nil
	}
	if reason := r.rules.Bars(endpoint.EndpointConfig); reason != "" {
		return reason, nil
	}
	switch {
	case s.Paused:
		return domain.SkipSubscriptionPaused, nil
	case r.run.Event.Event.About == endpoint.ID:
		return domain.SkipOwnEndpoint, nil
	}
	if reason := withheld(endpoint); reason != "" || s.Filter == "" {
		return reason, nil
	}
	filter := r.config.Filter(s.ID)
	if filter == nil {
		return domain.SkipFilterFailed, nil
	}
	switch matches, err := filter(ctx, r.run); {
	case err != nil && ctx.Err() != nil:
		return "", context.Cause(ctx)
	case errors.Is(err, domain.ErrFilterBudget):
		return domain.SkipFilterBudget, nil
	case err != nil:
		return domain.SkipFilterFailed, nil
	case !matches:
		return domain.SkipFilter, nil
	}
	return "", nil
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
	if r.run.Event.Event.Loops() {
		reason = domain.SkipLoop
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
