package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// pageEntries bounds how many entries are folded before others get at the state.
const pageEntries = 1000

// feed folds the log, this process's own appends included, until ctx ends or the configuration can't be folded any more.
func (d *Dispatcher) feed(ctx context.Context) {
	var pause backoff
	for ctx.Err() == nil {
		n, err := d.fold(ctx)
		var stop *stopError
		switch {
		case ctx.Err() != nil:
			return
		case errors.As(err, &stop):
			return
		case err != nil:
			d.set.Logger.Warn("the log can't be read and is tried again", slog.Any("error", err))
			if pause.wait(ctx) != nil {
				return
			}
		case n < pageEntries:
			pause = backoff{}
			d.set.Log.Await(ctx, d.position) // without mu: nobody but this goroutine changes it
		}
	}
}

// fold applies one page and returns how many entries it had. It fails with a *stopError where the configuration can't be
// folded.
func (d *Dispatcher) fold(ctx context.Context) (int, error) {
	d.turn.Lock()
	defer d.turn.Unlock()
	entries, err := d.set.Log.Page(ctx, d.position, pageEntries)
	if err != nil {
		return 0, fmt.Errorf("read the log: %w", err)
	}
	if len(entries) == 0 {
		return 0, nil
	}
	d.mu.Lock()
	defer d.unlock()
	changed := make(map[domain.TenantID]bool)
	for i := range entries {
		e := &entries[i]
		known, err := understood(e)
		if e.Kind.Configures() {
			if err := d.applyConfiguration(e, known, err); err != nil {
				stop := &stopError{configurationFollower, e.Position, err}
				d.snapshots.fail(stop)
				d.halt(stop)
				return 0, stop
			}
			changed[e.Tenant] = true
		}
		if err == nil && known && !d.halted {
			err = d.applyWork(e)
		}
		if err != nil {
			d.halt(&stopError{feedFollower, e.Position, err})
		}
		d.config.SetCursor(e.Position)
		d.position = e.Position
	}
	if len(changed) > 0 {
		d.publish(changed)
	}
	if d.moved != nil {
		close(d.moved)
		d.moved = nil
	}
	return len(entries), nil
}

// understood reports whether this program knows an entry's kind. Entries of other kinds are passed over, unless they are
// critical; one of a newer version of a known kind must not be.
func understood(e *domain.Entry) (known bool, err error) {
	switch version := e.Kind.Version(); {
	case version == 0 && e.Critical:
		return false, fmt.Errorf("this program doesn't know %s, which must not be passed over: upgrade it", e.Kind)
	case e.KindVersion > version && version > 0:
		return false, fmt.Errorf("this program doesn't know version %d of %s: upgrade it", e.KindVersion, e.Kind)
	default:
		return version > 0, nil
	}
}

// applyConfiguration folds an entry that configures routing; mu is held.
func (d *Dispatcher) applyConfiguration(e *domain.Entry, known bool, err error) error {
	switch {
	case err != nil:
		return err
	case !known:
		d.config.SetConfigured(e.Tenant, e.Sequence)
		return nil
	}
	return projections.Apply(d.config, *e)
}

// publish offers the configurations of some tenants to those who route; mu is held.
func (d *Dispatcher) publish(tenants map[domain.TenantID]bool) {
	newer := make([]*projections.Snapshot, 0, len(tenants))
	for id := range tenants {
		newer = append(newer, d.config.Snapshot(id))
	}
	d.snapshots.publish(newer)
}

// applyWork folds one entry into everything else that is kept of it here; mu is held.
func (d *Dispatcher) applyWork(e *domain.Entry) error {
	switch e.Stream.Kind {
	case domain.StreamEvent:
		d.applyEvent(e)
	case domain.StreamDelivery:
		return d.applyDelivery(e)
	case domain.StreamTenant, domain.StreamEndpoint, domain.StreamSubscription:
		d.reconfigure(e)
	case domain.StreamLease:
		d.applyLease(e)
	}
	return nil
}

// applyEvent takes in the deliveries that an event's entry, or one that continues its routing, makes.
func (d *Dispatcher) applyEvent(e *domain.Entry) {
	if e.Damaged {
		d.set.Logger.Error("an event's content is damaged: this node doesn't know where it goes, and sends it nowhere",
			slog.Any("tenant", e.Tenant), slog.Any("sequence", e.Sequence))
		return
	}
	if event := eventOf(e); event != nil {
		d.contents.put(e.Tenant, event)
	}
	for _, delivery := range domain.Routed(e) {
		sh := d.shards[shardOf(delivery.ID)]
		if sh == nil || !sh.ready {
			continue // not ours, or the loader sees it
		}
		if known := sh.items[delivery.ID]; known != nil { // its first attempt is in hand: reserved, or under way
			d.adopt(known, e, &delivery)
			continue
		}
		it := &item{delivery: delivery, position: e.Position, lane: d.laneOf(sh, e.Tenant, delivery.Endpoint)}
		sh.items[delivery.ID] = it
		d.settle(it)
	}
}

func (d *Dispatcher) applyDelivery(e *domain.Entry) error {
	sh := d.shards[shardOf(e.Stream.ID)]
	if sh == nil || !sh.ready {
		return nil
	}
	it := sh.items[e.Stream.ID]
	if it == nil {
		if _, ok := e.Fact.(*domain.DeliveryRedriven); !ok {
			return nil // it lies beyond a window and was ended by somebody else
		}
		it = newPlaceholder(e)
		sh.items[e.Stream.ID] = it
		d.lookUp(sh, it)
	}
	if e.Damaged {
		d.set.Logger.Error("what became of a delivery is damaged in the log: this node sends it no more",
			slog.Any("tenant", e.Tenant), slog.Any("sequence", e.Sequence), slog.Any("delivery", e.Stream.ID))
	}
	if it.phase == waiting && !it.placeholder {
		it.lane.window.remove(it)
		d.waiting--
		it.phase = stale
	}
	if err := it.fold(e); err != nil {
		return err
	}
	if it.phase == stale && !it.placeholder && it.delivery.Version >= it.awaits {
		d.settle(it)
	}
	return nil
}

// reconfigure has lanes follow the configuration, which has just been folded.
func (d *Dispatcher) reconfigure(e *domain.Entry) {
	switch e.Stream.Kind {
	case domain.StreamEndpoint:
		if sh := d.shards[shardOf(e.Stream.ID)]; sh != nil && sh.lanes[e.Stream.ID] != nil {
			l := sh.lanes[e.Stream.ID]
			d.refresh(l)
			if l.config == nil {
				d.sift(l)
			}
			d.touch(l)
		}
	case domain.StreamSubscription:
		f, ok := e.Fact.(*domain.SubscriptionDeleted)
		if !ok {
			return
		}
		if sh := d.shards[shardOf(f.Subscription.Endpoint)]; sh != nil && sh.lanes[f.Subscription.Endpoint] != nil {
			d.sift(sh.lanes[f.Subscription.Endpoint])
		}
	case domain.StreamTenant:
		_, ok := d.config.Tenant(e.Tenant)
		d.eachLane(func(l *lane) {
			switch {
			case l.tenant != e.Tenant:
			case ok:
				d.bar(l)
				d.touch(l)
			default:
				d.refresh(l)
				d.sift(l)
			}
		})
	}
}

// sift cancels those in a lane's window that will not be tried any more.
func (d *Dispatcher) sift(l *lane) {
	if !l.shard.ready {
		return // its loader sifts
	}
	for _, it := range l.window.all() {
		if reason := d.doom(it); reason != "" {
			l.window.remove(it)
			d.waiting--
			d.cancel(it, reason)
		}
	}
	d.touch(l)
}

func (d *Dispatcher) eachLane(f func(*lane)) {
	for _, sh := range d.shards {
		if sh == nil {
			continue
		}
		for _, l := range sh.lanes {
			f(l)
		}
	}
}
