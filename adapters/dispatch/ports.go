package dispatch

import (
	"context"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// Sender makes one HTTP attempt. It is called from many goroutines at once. It must give up by the shipment's deadline,
// or when ctx ends, and always says how the attempt ended.
type Sender interface {
	Send(ctx context.Context, s Shipment) Answer
}

// What the dispatcher and its Sender exchange.
type (
	// Shipment is everything that one attempt needs.
	Shipment = domain.Shipment
	// Event is an event as the log has it.
	Event = domain.LoggedEvent
	// Answer is how an attempt ended.
	Answer = domain.Answer
)

// State is what the dispatcher reads of the views to begin with. Every answer says which position it reflects:
// what came later they fold themselves from the log, so a view may be any amount behind. Each method's rows and position
// come from one snapshot. All tenants are meant.
type State interface {
	// LoadConfig returns the configuration as it was at the greatest position not beyond at that the views reflect, which
	// is the Config's Cursor, and has it say of each tenant up to which entry (Config.SetConfigured). The caller owns what it
	// gets.
	LoadConfig(ctx context.Context, at domain.Position) (*projections.Config, error)
	// Outstanding returns the endpoints that have unfinished deliveries, or deliveries with an open attempt.
	Outstanding(ctx context.Context) (endpoints []domain.UUID, as domain.Position, err error)
	// Waiting returns deliveries of one endpoint in the order of their keys: those that aren't ended (pending, retrying)
	// and those that have an open attempt whatever their status.
	Waiting(ctx context.Context, q WaitingQuery) (rows []Waiting, as domain.Position, err error)
	// Deliveries returns deliveries by id, ended or not, in any order. An unknown id is left out.
	Deliveries(ctx context.Context, ids []domain.UUID) (rows []Waiting, as domain.Position, err error)
	// Health returns how the attempts at an endpoint went of late. It waits until what it returns reflects at least a
	// position.
	Health(ctx context.Context, endpoint domain.UUID, atLeast domain.Position) (h domain.Health, as domain.Position, err error)
}

// WaitingQuery asks for the waiting deliveries of one endpoint.
type WaitingQuery struct {
	Endpoint domain.UUID
	After    Key // exclusive; the zero value is before all
	Limit    int // at most this many; it is positive
}

// Waiting is one delivery as a view has it, exactly as of the answer's position: appends expect its Version.
type Waiting struct {
	Delivery domain.Delivery
	Position domain.Position // of the entry that created it
}

// Key is the place of a waiting delivery among those of its endpoint, which are tried in this order: first by Due, then by
// Position. No two of an endpoint share one.
type Key struct {
	Due      time.Time       // NextAttemptAt; the zero time, before all others, while an attempt is open
	Position domain.Position // of the entry that created the delivery
}

// Leases knows who lives and who holds what. Taking over isn't among its methods: that is an append (domain.Take).
type Leases interface {
	// Heartbeat notes that a node lives now, by the database's clock, and returns the standing after it.
	Heartbeat(ctx context.Context, node domain.UUID) (Standing, error)
	// Retire removes a node's heartbeat, so that what it still holds is free at once.
	Retire(ctx context.Context, node domain.UUID) error
}

// Standing is who lives and who holds what, from one snapshot.
type Standing struct {
	Leases []Lease // that were ever taken, in any order, of every name
	Nodes  []Node  // whose heartbeat is kept, in any order
}

// Lease is one lease and who holds it.
type Lease struct {
	Name  string // "shard/07"
	Owner domain.UUID
	Epoch int64
}

// Node is a process as its heartbeat shows it.
type Node struct {
	ID  domain.UUID
	Age time.Duration // of its last heartbeat, by the database's clock
}
