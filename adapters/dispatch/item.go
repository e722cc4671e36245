package dispatch

import (
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// phase is what becomes of an item next, and so who may touch it.
type phase uint8

const (
	waiting phase = iota // in its lane's window
	held                 // a task works on it: an attempt, a closing, a cancellation
	// stale: the log says more about the delivery than the fold has seen. It is settled again when the fold gets there.
	stale
	// parted: its attempt is open and a former owner's, which parts with the shard and ends it by itself.
	parted
)

// item is one delivery in memory: not ended, or with an open attempt.
type item struct {
	delivery domain.Delivery
	position domain.Position // of the entry that created it; 0: the feed hasn't come to it (an attempt reserved by the Router)
	phase    phase
	index    int // in its lane's window, while waiting
	awaits   int // the version that the fold has to reach, while stale
	lane     *lane

	// placeholder: only entries of the delivery's stream are known, and they are kept until the view's row has been
	// read, which says the rest (shard.lookUp). The delivery has nothing but its id and tenant, and the item has no
	// lane.
	placeholder bool
	entries     []domain.Entry

	// unreadable: an entry of the delivery's stream is damaged. This node leaves the delivery alone from then on.
	unreadable bool
}

// newPlaceholder makes an item of a delivery of which only an entry of its stream is known.
func newPlaceholder(e *domain.Entry) *item {
	return &item{
		delivery: domain.Delivery{ID: e.Stream.ID, Tenant: e.Tenant},
		phase:    stale, placeholder: true,
	}
}

// itemOf makes an item of a view's row.
func itemOf(w *domain.WaitingDelivery) *item {
	it := &item{delivery: w.Delivery, position: w.Position}
	it.delivery.NextAttemptAt = w.Key().Due
	return it
}

// key is the item's place in its lane.
func (it *item) key() domain.WaitingKey {
	return domain.WaitingKey{Due: it.delivery.NextAttemptAt, Position: it.position}
}

// fresh reports whether no attempt has ended yet.
func (it *item) fresh() bool { return it.delivery.Status == domain.DeliveryPending }

// due reports whether an attempt may be made now. A first one always may: its time is the database's, whose clock may
// be ahead of this one.
func (it *item) due(now time.Time) bool { return it.fresh() || !it.delivery.NextAttemptAt.After(now) }

// gone reports whether nothing is left to do for the delivery.
func (it *item) gone() bool {
	if it.placeholder {
		return endedBy(it.entries)
	}
	return it.unreadable || it.delivery.Status.Ended() && !it.delivery.Open
}

// endedBy reports whether the entries of a delivery's stream leave nothing to do for it.
func endedBy(entries []domain.Entry) bool {
	ended, open := false, false
	for i := range entries {
		switch f := entries[i].Fact.(type) {
		case *domain.AttemptStarted:
			open = true
		case *domain.AttemptFinished:
			ended, open = f.Result.Status.Ended(), false
		case *domain.DeliveryRedriven:
			ended = false
		case *domain.DeliveryCancelled:
			ended = true
		}
	}
	return ended && !open
}

// complete takes from a placeholder's row whose delivery it is, and folds its entries onto that.
func (it *item) complete(row *domain.WaitingDelivery) error {
	entries := it.entries
	it.delivery, it.position, it.placeholder, it.entries = row.Delivery, row.Position, false, nil
	for i := range entries {
		if err := it.fold(&entries[i]); err != nil {
			return err
		}
	}
	return nil
}

// created completes an item that was made for a reserved first attempt by the entry that begins it, unless that is
// done; lanes.mu is held.
func (it *item) created(e *domain.Entry, delivery *domain.Delivery) {
	if it.position == 0 {
		it.position, it.delivery = e.Position, *delivery
	}
}

// release returns an item to its lane once its worker is done. version is the stream version that the append reached:
// until the fold has caught up with it the item is stale and can't be claimed.
func (it *item) release(version int) {
	ls := it.lane.shard.lanes
	ls.mu.Lock()
	defer ls.mu.Unlock()
	it.lane.shard.release(it, version)
	ls.pump()
}

// cancel has the delivery of an item that a task has in hand ended as cancelled.
func (it *item) cancel(reason domain.CancelReason) {
	ls := it.lane.shard.lanes
	ls.mu.Lock()
	defer ls.mu.Unlock()
	it.lane.shard.cancel(it, reason)
}

// forget drops an item that a task has in hand, since nothing more can be recorded of it.
func (it *item) forget() {
	ls := it.lane.shard.lanes
	ls.mu.Lock()
	defer ls.mu.Unlock()
	delete(it.lane.shard.items, it.delivery.ID)
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
