package dispatch

import (
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// Preview decides as the Router does to whom an event goes by a configuration of its tenant, and appends nothing. It returns
// at least one part, of which the last is complete. The deliveries' ids are of none that will ever be.
func Preview(c *projections.Snapshot, filters Filters, e *domain.EventAppended) []domain.EventRouted {
	return routesOf(c, filters, e, "")
}
