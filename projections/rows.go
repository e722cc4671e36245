package projections

import (
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// Origin says which entry made a row.
type Origin struct {
	Position   domain.Position
	Sequence   domain.Sequence
	RecordedAt time.Time
}

// Tenant is one version of a tenant.
type Tenant struct {
	domain.Tenant
	Created Origin // of the first version
	Updated Origin // of this version
}

// Key is one version of an API key.
type Key struct {
	domain.Key
	Created Origin
	Updated Origin
}

// Endpoint is one version of an endpoint.
type Endpoint struct {
	domain.Endpoint
	Created Origin
	Updated Origin
}

// Subscription is one version of a subscription.
type Subscription struct {
	domain.Subscription
	Created Origin
	Updated Origin
}

// EventType is one version of an event type's definition.
type EventType struct {
	domain.EventTypeDefinition
	Created Origin
	Updated Origin
}

// Profile is a wire profile that an operator added.
type Profile struct {
	domain.ProfileName
	ID       domain.UUID // of its stream
	Document []byte
	Added    Origin
}

// Skips are the subscriptions that one entry of an event's routing skipped.
type Skips struct {
	Tenant        domain.TenantID
	Event         domain.UUID
	EventSequence domain.Sequence
	Skipped       []domain.Skipped
	Verdicts      []domain.Skipped // those that filters decided; gone when the event's subject is erased
	At            Origin
}

// Event is an event without its data, which only the log holds.
type Event struct {
	ID       domain.UUID // the stream's: the internal id
	Tenant   domain.TenantID
	Attrs    domain.EventAttributes
	LeafHash [32]byte // RFC 6962
	DataSize int
	Created  Origin
	Whole    bool // its own entry has its whole routing; else entries right behind continue it
	Erased   bool // the identity in Attrs and the data were destroyed
	Damaged  bool // the content doesn't open: nothing is known but what the leaf says
}

// LostRouting reports whether some of the event's routing may be in no entry that can be read. (An event has a type.)
func (e *Event) LostRouting() bool { return e.Damaged || e.Attrs.Type == "" || !e.Whole }

// Delivery is a delivery as of some sequence.
type Delivery struct {
	domain.Delivery
	Created Origin
	Updated Origin // of the last entry that changed it
	Ended   Origin // zero while it isn't ended
}

// Replay is a replay and what became of the deliveries that it has set off.
type Replay struct {
	domain.Replay
	Results ReplayResults
	Created Origin
	Updated Origin
}

// ReplayResults counts deliveries that a replay has set off. Those that have ended, with no attempt under way, are counted by
// how they ended.
type ReplayResults struct {
	Succeeded, Dead, Cancelled int
	Tried                      int // an attempt has ended since they were set off, or they have ended without
}

// Add adds other counts.
func (r *ReplayResults) Add(o ReplayResults) {
	r.Succeeded, r.Dead, r.Cancelled, r.Tried = r.Succeeded+o.Succeeded, r.Dead+o.Dead, r.Cancelled+o.Cancelled, r.Tried+o.Tried
}

// end counts a delivery that has ended.
func (r *ReplayResults) end(s domain.DeliveryStatus) {
	switch s {
	case domain.DeliverySucceeded:
		r.Succeeded++
	case domain.DeliveryDead:
		r.Dead++
	case domain.DeliveryStatusCancelled:
		r.Cancelled++
	}
}

// ReplayPreview is what a replay would do.
type ReplayPreview struct {
	Counts  domain.ReplayCounts
	Problem string // why it would fail
	Sample  []ReplaySample
}

// ReplaySample is one delivery that a replay would set off.
type ReplaySample struct {
	Event    Event
	Endpoint domain.UUID
	Delivery domain.UUID
}

// Unfinished is how many of the deliveries that it has set off haven't ended.
func (r *Replay) Unfinished() int {
	return r.Counts.Sent - r.Results.Succeeded - r.Results.Dead - r.Results.Cancelled
}

// Untried is how many of the deliveries that it has set off haven't been tried since.
func (r *Replay) Untried() int { return r.Counts.Sent - r.Results.Tried }

// Fold applies an entry of the replay's stream.
func (r *Replay) Fold(e *domain.Entry) error {
	if e.StreamVersion <= r.Version {
		return nil
	}
	if err := r.Replay.Fold(e); err != nil {
		return err
	}
	r.Updated = OriginOf(*e)
	if e.StreamVersion == 1 {
		r.Created = r.Updated
	}
	return nil
}

// Attempt is one attempt of a delivery. Result is nil until it is finished.
type Attempt struct {
	Delivery domain.UUID
	Tenant   domain.TenantID
	Started  domain.AttemptStarted
	Result   *domain.AttemptResult
	Begun    Origin
	Cause    domain.Sequence // of the entry that set it off
	Finished Origin          // zero until it is finished
	// BodySize is the length of the answer's body as kept; the log has the bytes at Finished.
	BodySize int
	// Erased reports that what went over the wire was destroyed: Result has the outcome only.
	Erased bool
}
