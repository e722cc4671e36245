package dispatch

import (
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// Preview returns a function that decides as the router does to whom an event.appended goes by a configuration, and appends
// nothing. match evaluates filters. The deliveries' ids are of none that will ever be.
func Preview(match func(s domain.Subscription, e *domain.EventAppended) (bool, error)) func(*projections.Config, *domain.Entry) []domain.EventRouted {
	return func(c *projections.Config, e *domain.Entry) []domain.EventRouted { return routesOf(c, match, e) }
}
