package dispatch

import (
	"context"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// Sender makes one HTTP attempt. It is called from many goroutines at once. It must give up by the shipment's deadline,
// or when ctx ends, and always says how the attempt ended.
type Sender interface {
	Send(ctx context.Context, s domain.Shipment) domain.Answer
}

// State is what the dispatcher reads of the views to begin with. Every answer says which position it reflects: what
// came later they fold themselves from the log, so a view may be any amount behind. Each method's rows and position
// come from one snapshot. All tenants are meant.
type State interface {
	// LoadConfig returns the configuration as it was at the greatest position not beyond at that the views reflect,
	// which is the Config's Cursor, and has it say of each tenant up to which entry (Config.SetConfigured). The caller
	// owns what it gets.
	LoadConfig(ctx context.Context, at domain.Position) (*projections.Config, error)
	// Outstanding returns the endpoints that have unfinished deliveries, or deliveries with an open attempt.
	Outstanding(ctx context.Context) (endpoints []domain.UUID, as domain.Position, err error)
	// Waiting returns deliveries of one endpoint in the order of their keys: those that aren't ended (pending,
	// retrying) and those that have an open attempt whatever their status.
	Waiting(ctx context.Context, q domain.WaitingQuery) (rows []domain.WaitingDelivery, as domain.Position, err error)
	// Deliveries returns deliveries by id, ended or not, in any order. An unknown id is left out.
	Deliveries(ctx context.Context, ids []domain.UUID) (rows []domain.WaitingDelivery, as domain.Position, err error)
	// Health returns how the attempts at an endpoint went of late. It waits until what it returns reflects at least a
	// position.
	Health(ctx context.Context, endpoint domain.UUID, atLeast domain.Position) (h domain.Health, as domain.Position, err error)
}

// Leases knows who lives and who holds what. Taking over isn't among its methods: that is an append (domain.Take).
type Leases interface {
	// Heartbeat notes that a node lives now, by the database's clock.
	Heartbeat(ctx context.Context, node domain.UUID) error
	// Standing returns who lives and who holds what.
	Standing(ctx context.Context) (domain.Standing, error)
	// Retire removes a node's heartbeat, so that what it still holds is free at once.
	Retire(ctx context.Context, node domain.UUID) error
}
