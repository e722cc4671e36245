package dispatch

import (
	"cmp"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// phase is who has an item in hand.
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
	position domain.Position // of the entry that created it; 0: the feed hasn't come to it (an attempt reserved by the Router)
	phase    phase
	index    int // in its lane's window, while waiting
	awaits   int // the version that the fold has to reach, while stale
	lane     *lane

	// placeholder: whose delivery it is isn't known yet, only entries of its stream; see placeholder.go. The delivery has
	// nothing but its id and tenant.
	placeholder bool
	entries     []domain.Entry

	// unreadable: an entry of the delivery's stream is damaged. This node leaves the delivery alone from then on.
	unreadable bool
}

// key is the item's place in its lane.
func (it *item) key() Key { return Key{it.delivery.NextAttemptAt, it.position} }

// fresh reports whether no attempt has ended yet.
func (it *item) fresh() bool { return it.delivery.Status == domain.DeliveryPending }

// due reports whether an attempt may be made now. A first one always may: its time is the database's, whose clock may be ahead
// of this one.
func (it *item) due(now time.Time) bool { return it.fresh() || !it.delivery.NextAttemptAt.After(now) }

// compare orders keys.
func (k Key) compare(other Key) int {
	if c := k.Due.Compare(other.Due); c != 0 {
		return c
	}
	return cmp.Compare(k.Position, other.Position)
}

// gone reports whether nothing is left to do for the delivery.
func (it *item) gone() bool {
	if it.placeholder {
		return endedBy(it.entries)
	}
	return it.unreadable || it.delivery.Status.Ended() && !it.delivery.Open
}

// fold applies an entry of the delivery's stream. One that is damaged ends the delivery as far as this node goes: what it
// said isn't known, and whatever was done next could be wrong. The entries after it are folded like all others.
func (it *item) fold(e *domain.Entry) error {
	if it.placeholder {
		it.entries = append(it.entries, *e)
		return nil
	}
	it.unreadable = it.unreadable || e.Damaged && e.StreamVersion > it.delivery.Version
	return it.delivery.Fold(e)
}
