package main

import (
	"context"
	"time"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/adapters/postgres/views"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi"
	"github.com/hooktrail/hooktrail/projections"
)

// viewState offers the views to the dispatcher. Adapters don't know one another, so the rows change their type here.
type viewState struct{ views *views.Views }

func (s viewState) LoadConfig(ctx context.Context, at domain.Position) (*projections.Config, error) {
	return s.views.LoadConfig(ctx, at)
}

func (s viewState) Outstanding(ctx context.Context) ([]domain.UUID, domain.Position, error) {
	return s.views.Outstanding(ctx)
}

func (s viewState) Waiting(ctx context.Context, q dispatch.WaitingQuery) ([]dispatch.Waiting, domain.Position, error) {
	rows, as, err := s.views.Waiting(ctx, views.WaitingQuery{
		Endpoint: q.Endpoint, After: views.WaitingKey(q.After), Limit: q.Limit,
	})
	return waitingRows(rows), as, err
}

func (s viewState) Deliveries(ctx context.Context, ids []domain.UUID) ([]dispatch.Waiting, domain.Position, error) {
	rows, as, err := s.views.Deliveries(ctx, ids)
	return waitingRows(rows), as, err
}

func (s viewState) Health(ctx context.Context, endpoint domain.UUID, atLeast domain.Position) (domain.Health, domain.Position, error) {
	return s.views.Health(ctx, endpoint, atLeast)
}

func waitingRows(rows []views.WaitingDelivery) []dispatch.Waiting {
	out := make([]dispatch.Waiting, len(rows))
	for i, row := range rows {
		out[i] = dispatch.Waiting(row)
	}
	return out
}

// previewed decides as an append would, all of it in one piece.
func (s *server) previewed(
	ctx context.Context, c *projections.Config, tenant domain.TenantID, e *domain.EventAppended,
) (routing domain.Routing, verdicts domain.Verdicts, err error) {
	c.KeepFilters(s.filters.Lazy)
	snapshot := c.Snapshot(tenant)
	if snapshot == nil {
		return routing, verdicts, domain.ErrNotFound
	}
	parts, err := dispatch.Preview(ctx, snapshot, &domain.FilterRun{Event: e, Now: time.Now()})
	for _, part := range parts {
		routing.Deliveries = append(routing.Deliveries, part.Routing.Deliveries...)
		routing.Skipped = append(routing.Skipped, part.Routing.Skipped...)
		verdicts.Skipped = append(verdicts.Skipped, part.Verdicts.Skipped...)
	}
	return routing, verdicts, err
}

// logLeases offers the leases and heartbeats of the database to the dispatcher.
type logLeases struct{ leases eventlog.Leases }

func (l logLeases) Heartbeat(ctx context.Context, node domain.UUID) (dispatch.Standing, error) {
	var standing dispatch.Standing
	if err := l.leases.Heartbeat(ctx, node); err != nil {
		return standing, err
	}
	leases, nodes, err := l.leases.Standing(ctx)
	for _, lease := range leases {
		standing.Leases = append(standing.Leases, dispatch.Lease(lease))
	}
	for _, living := range nodes {
		standing.Nodes = append(standing.Nodes, dispatch.Node(living))
	}
	return standing, err
}

func (l logLeases) Retire(ctx context.Context, node domain.UUID) error {
	return l.leases.Retire(ctx, node)
}

// keptSecrets offers the table of secrets to the HTTP surface.
func keptSecrets(log *eventlog.Log, vault *seal.Vault) openapi.Secrets {
	return openapi.Secrets{
		Put: func(ctx context.Context, tenant domain.TenantID, purpose, value string) (domain.UUID, string, error) {
			id := domain.NewUUID()
			fingerprint, err := log.Fingerprint(ctx, tenant, []byte(value))
			if err != nil {
				return id, "", err
			}
			return id, fingerprint, vault.PutSecret(ctx, tenant, id, purpose, []byte(value))
		},
		Delete: func(ctx context.Context, tenant domain.TenantID, ids ...domain.UUID) error {
			for _, id := range ids {
				if err := vault.DeleteSecret(ctx, tenant, id); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
