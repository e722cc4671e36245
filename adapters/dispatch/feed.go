package dispatch

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// pageEntries bounds how many entries are folded before others get at the state.
const pageEntries = 1000

// feed folds the log, this process's own appends included, until ctx ends.
func (d *Dispatcher) feed(ctx context.Context) error {
	var pause backoff
	for ctx.Err() == nil {
		n, err := d.fold(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !transient(err):
			return err
		case err != nil:
			d.set.Logger.Warn("the log can't be read and is tried again", slog.Any("error", err))
			if pause.wait(ctx) != nil {
				return nil
			}
		case n == 0:
			pause = backoff{}
			d.set.Log.Await(ctx, d.position) // without mu: nobody but this goroutine changes it
		}
	}
	return nil
}

// fold applies one page and returns how many entries it had.
func (d *Dispatcher) fold(ctx context.Context) (int, error) {
	d.turn.Lock()
	defer d.turn.Unlock()
	entries, err := d.set.Log.Page(ctx, d.position, pageEntries)
	if err != nil {
		return 0, unavailable{err}
	}
	if len(entries) == 0 {
		return 0, nil
	}
	d.mu.Lock()
	defer d.unlock()
	for i := range entries {
		if err := d.apply(&entries[i]); err != nil {
			d.stopping = true // by no means go on with what is folded halfway
			return 0, &stopError{feedFollower, entries[i].Position, err}
		}
	}
	if d.moved != nil {
		close(d.moved)
		d.moved = nil
	}
	return len(entries), nil
}

// apply folds one entry into everything that is kept of it here.
func (d *Dispatcher) apply(e *domain.Entry) error {
	if e.Kind.Version() == 0 {
		return fmt.Errorf("this program doesn't know %s (a newer program wrote it): upgrade this one", e.Kind)
	}
	switch e.Stream.Kind {
	case domain.StreamEvent:
		d.applyEvent(e)
	case domain.StreamDelivery:
		d.applyDelivery(e)
	case domain.StreamTenant, domain.StreamEndpoint, domain.StreamSubscription:
		if err := projections.Apply(d.config, *e); err != nil {
			return err
		}
		d.reconfigure(e)
	case domain.StreamLease:
		d.applyLease(e)
	}
	d.config.SetCursor(e.Position)
	d.position = e.Position
	return nil
}

func (d *Dispatcher) applyEvent(e *domain.Entry) {
	switch f := e.Fact.(type) {
	case *domain.EventAppended:
		d.contents.put(e.Tenant, eventOf(e))
	case *domain.EventRouted:
		for i := range f.Deliveries {
			r := &f.Deliveries[i]
			sh := d.shards[shardOf(r.ID)]
			if sh == nil || !sh.ready {
				continue // not ours, or the loader sees it
			}
			if known := sh.items[r.ID]; known != nil { // the router has started it
				known.position = e.Position
				continue
			}
			it := &item{delivery: routed(e, r), position: e.Position, lane: d.laneOf(sh, e.Tenant, r.Endpoint)}
			sh.items[r.ID] = it
			d.settle(it)
		}
	}
}

func (d *Dispatcher) applyDelivery(e *domain.Entry) {
	sh := d.shards[shardOf(e.Stream.ID)]
	if sh == nil || !sh.ready {
		return
	}
	it := sh.items[e.Stream.ID]
	if it == nil {
		if _, ok := e.Fact.(*domain.DeliveryRedriven); !ok {
			return // it lies beyond a window and was ended by somebody else
		}
		it = newStub(e)
		sh.items[e.Stream.ID] = it
		d.lookUp(sh, it)
	}
	if it.phase == waiting && !it.stub {
		it.lane.window.remove(it)
		d.waiting--
		it.phase = stale
	}
	it.apply(e)
	if it.phase == stale && !it.stub && it.version >= it.awaits {
		d.settle(it)
	}
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
