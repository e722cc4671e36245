package main

import (
	"context"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi"
	"github.com/hooktrail/hooktrail/projections"
)

// viewState offers the views to the dispatcher. Adapters don't know one another, so the rows change their type here.
type viewState struct{ views *postgres.Views }

func (s viewState) LoadConfig(ctx context.Context, at domain.Position) (*projections.Config, error) {
	return s.views.LoadConfig(ctx, at)
}

func (s viewState) FirstUnrouted(ctx context.Context) (first, as domain.Position, err error) {
	return s.views.FirstUnrouted(ctx)
}

func (s viewState) Outstanding(ctx context.Context) ([]domain.UUID, domain.Position, error) {
	return s.views.Outstanding(ctx)
}

func (s viewState) Waiting(ctx context.Context, q dispatch.WaitingQuery) ([]dispatch.Waiting, domain.Position, error) {
	rows, as, err := s.views.Waiting(ctx, postgres.WaitingQuery{
		Endpoint: q.Endpoint, After: postgres.WaitingKey(q.After), Limit: q.Limit,
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

func waitingRows(rows []postgres.WaitingDelivery) []dispatch.Waiting {
	out := make([]dispatch.Waiting, len(rows))
	for i, row := range rows {
		out[i] = dispatch.Waiting(row)
	}
	return out
}

// logLeases offers the leases and heartbeats of the database to the dispatcher.
type logLeases struct{ log *postgres.Log }

func (l logLeases) Heartbeat(ctx context.Context, node domain.UUID) (dispatch.Standing, error) {
	var standing dispatch.Standing
	if err := l.log.Heartbeat(ctx, node); err != nil {
		return standing, err
	}
	leases, nodes, err := l.log.Standing(ctx)
	for _, lease := range leases {
		standing.Leases = append(standing.Leases, dispatch.Lease(lease))
	}
	for _, living := range nodes {
		standing.Nodes = append(standing.Nodes, dispatch.Node(living))
	}
	return standing, err
}

func (l logLeases) Retire(ctx context.Context, node domain.UUID) error {
	return l.log.Retire(ctx, node)
}

// keptSecrets offers the table of secrets to the HTTP surface.
func keptSecrets(log *postgres.Log) openapi.Secrets {
	return openapi.Secrets{
		Put: func(ctx context.Context, tenant domain.TenantID, purpose, value string) (domain.UUID, string, error) {
			id := domain.NewUUID()
			err := log.PutSecret(ctx, tenant, id, purpose, []byte(value))
			return id, log.Fingerprint(tenant, []byte(value)), err
		},
		Delete: func(ctx context.Context, tenant domain.TenantID, ids ...domain.UUID) error {
			for _, id := range ids {
				if err := log.DeleteSecret(ctx, tenant, id); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
