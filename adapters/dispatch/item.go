package dispatch

import (
	"cmp"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// phase says who has an item in hand.
type phase uint8

const (
	waiting phase = iota // in its lane's window
	held                 // a task works on it: an attempt, a closing, a cancellation
	// stale: an append was refused because the log says more about the delivery than the fold has seen. It is taken up
	// again when the fold gets there.
	stale
)

// item is one delivery in memory: not ended, or with an open attempt.
type item struct {
	delivery domain.Delivery
	position domain.Position // of the entry that created it
	version  int             // of its stream
	phase    phase
	index    int // in its lane's window, while waiting
	awaits   int // the version that the fold has to reach, while stale
	// stub: only what entries since some position said is known, not whose delivery it is. See loader.
	stub bool
	// based: the schedule's base comes from an entry and not from the view's row.
	based bool
	node  domain.UUID // that started the open attempt, if the fold saw it start here
	lane  *lane
	event *Event // when at hand; else from the cache or the log
}

// key is the item's place in its lane.
func (it *item) key() Key { return Key{it.delivery.NextAttemptAt, it.position} }

// fresh says that no attempt has ended yet.
func (it *item) fresh() bool { return it.delivery.Status == domain.DeliveryPending }

// due says whether an attempt may be made now. A first one always may: its time is the database's, whose clock may be ahead
// of this one.
func (it *item) due(now time.Time) bool { return it.fresh() || !it.delivery.NextAttemptAt.After(now) }

// compare orders keys.
func (k Key) compare(other Key) int {
	if c := k.Due.Compare(other.Due); c != 0 {
		return c
	}
	return cmp.Compare(k.Position, other.Position)
}

// gone says that nothing is left to do for the delivery.
func (it *item) gone() bool { return it.delivery.Status.Ended() && !it.delivery.Open }

// apply folds an entry of the delivery's stream. Entries are absolute: folding some again in order, from any earlier
// place up to the newest, ends in the same state.
func (it *item) apply(e *domain.Entry) {
	if e.StreamVersion <= it.version {
		return
	}
	it.version = e.StreamVersion
	d := &it.delivery
	switch f := e.Fact.(type) {
	case *domain.AttemptStarted:
		d.Attempts, d.Open, it.node = f.Number, true, f.Node
		d.NextAttemptAt = time.Time{}
	case *domain.AttemptFinished:
		d.Attempts, d.Open = f.Result.Number, false
		d.Status, d.NextAttemptAt = f.Result.Status, f.Result.NextAttemptAt
	case *domain.DeliveryRedriven:
		d.ScheduleBase, it.based = f.Attempts, true
		d.Attempts = f.Attempts
		d.Status, d.NextAttemptAt = domain.DeliveryRetrying, f.NextAttemptAt
	case *domain.DeliveryCancelled:
		d.Status, d.NextAttemptAt = domain.DeliveryGivenUp, time.Time{}
	default: // its content was destroyed, and with it what the delivery is about
		d.Status, d.Open, d.NextAttemptAt = domain.DeliveryGivenUp, false, time.Time{}
	}
}

// routed is the delivery that a routing entry makes.
func routed(e *domain.Entry, r *domain.RoutedDelivery) domain.Delivery {
	return domain.Delivery{
		ID: r.ID, Tenant: e.Tenant, Event: e.Stream.ID, EventSequence: e.Cause,
		Endpoint: r.Endpoint, EndpointVersion: r.EndpointVersion, Subscriptions: r.Subscriptions,
		Status: domain.DeliveryPending, NextAttemptAt: e.RecordedAt,
	}
}
