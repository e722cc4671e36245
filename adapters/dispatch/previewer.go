package dispatch

import (
	"context"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// Previewer decides as an append would, in one piece, and appends nothing. It is safe for concurrent use.
type Previewer struct {
	Filter func(expression string) domain.Filter // compiles a subscription's filter, which is known to be right
}

// Preview decides to whom an event of a tenant goes by a configuration, which it may add compiled filters to.
func (p Previewer) Preview(
	ctx context.Context, c *projections.Config, tenant domain.TenantID, e *domain.EventAppended,
) (routing domain.Routing, verdicts domain.Verdicts, err error) {
	c.KeepFilters(p.Filter)
	snapshot := c.Snapshot(tenant)
	if snapshot == nil {
		return routing, verdicts, domain.ErrNotFound
	}
	parts, err := Preview(ctx, snapshot, &domain.FilterRun{Event: e, Now: time.Now()})
	for _, part := range parts {
		routing.Deliveries = append(routing.Deliveries, part.Routing.Deliveries...)
		routing.Skipped = append(routing.Skipped, part.Routing.Skipped...)
		verdicts.Skipped = append(verdicts.Skipped, part.Verdicts.Skipped...)
	}
	return routing, verdicts, err
}
