package main

import (
	"context"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
	"github.com/hooktrail/hooktrail/adapters/postgres/views"
	"github.com/hooktrail/hooktrail/domain"
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

// logLeases offers the leases and heartbeats of the database to the dispatcher.
type logLeases struct{ log *eventlog.Log }

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
