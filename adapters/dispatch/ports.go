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

// Shipment is everything that one attempt needs. What it points to is shared and must not be changed.
type Shipment struct {
	Endpoint domain.Endpoint // in the version that Attempt names
	Event    Event
	Delivery domain.Delivery // as it is with the attempt open
	Attempt  domain.AttemptStarted
	// Deadline is when the attempt's timeout, counted from the commit of its start, has passed. It is a local time with
	// a monotonic reading.
	Deadline time.Time
}

// Event is an event as the log has it.
type Event struct {
	ID         domain.UUID // the internal one
	Sequence   domain.Sequence
	RecordedAt time.Time
	SubjectKey domain.UUID // the key of its personal parts; see domain.Draft
	Fact       *domain.EventAppended
}

// Answer is how an attempt ended.
type Answer struct {
	// Result has everything but Number, Status and NextAttemptAt. Its outcome is succeeded or failed.
	Result    domain.AttemptResult
	Body      []byte    // of the answer, as far as it is kept
	Permanent bool      // this delivery can't succeed: no further attempt makes sense
	Gone      bool      // the receiver wants nothing more at all; the delivery is dead, and the endpoint is disabled
	Throttle  bool      // the receiver gets too much: the whole endpoint slows down
	Unsent    bool      // no request could be made, which tells nothing of the receiver: it isn't disabled for it
	NotBefore time.Time // asked for by the receiver, at most domain.MaxRetryAfter from now; zero: nothing asked
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
