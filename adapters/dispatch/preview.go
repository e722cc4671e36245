package dispatch

import (
	"context"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// Preview decides as the Router does to whom an event goes by a configuration of its tenant that keeps its filters
// (projections.Config.KeepFilters), and appends nothing. It returns at least one part, of which the last is complete,
// or what ctx ended with. The deliveries' ids are of none that will ever be. What its filters cost is added to
// run.Spent.
func Preview(ctx context.Context, c *projections.Snapshot, run *domain.FilterRun) ([]domain.EventRouted, error) {
	return routesOf(ctx, c, run, "")
}
