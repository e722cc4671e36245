package dispatch

import (
	"context"
	"fmt"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// loader gathers what is waiting in some shards: the view's rows, and the fold of the entries after the position that
// they reflect. It does so beside the feed, on items of its own, and hands them over when it has caught up with it. A
// loader needs no memory of what was touched since: the log is that.
type loader struct {
	d      *Dispatcher
	shards [Shards]*shard // that are loaded; nil: not this one
	only   domain.UUID    // the one endpoint that is meant; zero: all of the shards
	items  map[domain.UUID]*item
	at     domain.Position // up to which items are folded
	begun  bool            // at says something
}

func (d *Dispatcher) newLoader(shards ...*shard) *loader {
	ld := &loader{d: d, items: make(map[domain.UUID]*item)}
	for _, sh := range shards {
		ld.shards[sh.index] = sh
	}
	return ld
}

// reflect notes as of which position rows were read. The fold goes on from the earliest.
func (ld *loader) reflect(as domain.Position) {
	if !ld.begun || as < ld.at {
		ld.at, ld.begun = as, true
	}
}

// rows reads the first waiting deliveries of an endpoint behind a key. It returns the last of them when more may wait
// behind it, else nil.
func (ld *loader) rows(ctx context.Context, q WaitingQuery) (*item, error) {
	rows, as, err := ld.d.set.State.Waiting(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("read waiting deliveries: %w", err)
	}
	ld.reflect(as)
	var last *item
	for i := range rows {
		last = itemOf(&rows[i])
		ld.items[last.delivery.ID] = last
	}
	if len(rows) < q.Limit {
		return nil, nil
	}
	return last, nil
}

// itemOf makes an item of a row.
func itemOf(w *Waiting) *item {
	it := &item{delivery: w.Delivery, position: w.Position, version: w.Version}
	if it.delivery.Open {
		it.delivery.NextAttemptAt = time.Time{}
	}
	return it
}

// fold applies one entry.
func (ld *loader) fold(e *domain.Entry) {
	ld.at = e.Position
	switch e.Stream.Kind {
	case domain.StreamEvent:
		f, ok := e.Fact.(*domain.EventRouted)
		if !ok {
			return
		}
		for i := range f.Deliveries {
			r := &f.Deliveries[i]
			if ld.shards[shardOf(r.ID)] != nil && ld.items[r.ID] == nil && (ld.only.IsZero() || ld.only == r.Endpoint) {
				ld.items[r.ID] = &item{delivery: routed(e, r), position: e.Position}
			}
		}
	case domain.StreamDelivery:
		if ld.shards[shardOf(e.Stream.ID)] == nil {
			return
		}
		it := ld.items[e.Stream.ID]
		if it == nil {
			it = newStub(e)
			ld.items[e.Stream.ID] = it
		}
		it.apply(e)
		if it.gone() {
			delete(ld.items, e.Stream.ID)
		}
	}
}

// page folds the entries up to a position at most, a page of them.
func (ld *loader) page(ctx context.Context, to domain.Position) error {
	entries, err := ld.d.set.Log.Page(ctx, ld.at, pageEntries)
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	for i := range entries {
		if entries[i].Position > to {
			return nil
		}
		ld.fold(&entries[i])
	}
	return nil
}

// catchUp folds until the feed is reached, and calls merge, with the feed stopped and mu held, when there both are.
func (ld *loader) catchUp(ctx context.Context, merge func()) error {
	d := ld.d
	for {
		d.mu.Lock()
		to := d.position
		d.unlock()
		if ld.at+pageEntries >= to {
			break
		}
		if err := ld.page(ctx, to); err != nil {
			return err
		}
	}
	d.turn.Lock()
	defer d.turn.Unlock()
	for ld.at < d.position {
		if err := ld.page(ctx, d.position); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.unlock()
	// The view may be ahead of the feed, which then comes to entries that are in its rows already: items skip them by
	// their version.
	merge()
	return nil
}

// load brings in what is waiting in shards that were just taken, and sets them to work.
func (d *Dispatcher) load(shards []*shard) {
	began := time.Now()
	err := d.persist(d.io, "load the deliveries of shards taken over", func() error { return d.tryLoad(d.io, shards) })
	if err == nil {
		d.set.Logger.Info("shards loaded", "shards", len(shards), "took", time.Since(began))
	}
}

func (d *Dispatcher) tryLoad(ctx context.Context, shards []*shard) error {
	ld := d.newLoader(shards...)
	endpoints, as, err := d.set.State.Outstanding(ctx)
	if err != nil {
		return fmt.Errorf("read which endpoints have deliveries waiting: %w", err)
	}
	ld.reflect(as)
	var beyond []reach
	for _, endpoint := range endpoints {
		if ld.shards[shardOf(endpoint)] == nil {
			continue
		}
		limit := d.set.Window
		if len(ld.items) > d.set.Budget {
			limit = min(smallWindow, limit)
		}
		last, err := ld.rows(ctx, WaitingQuery{Endpoint: endpoint, Limit: limit})
		if err != nil {
			return err
		}
		if last != nil {
			beyond = append(beyond, reach{last.delivery.Tenant, endpoint, last.key()})
		}
	}
	return ld.catchUp(ctx, func() { d.mergeShards(ld, beyond) })
}

// reach says that more of an endpoint's deliveries wait behind a key.
type reach struct {
	tenant   domain.TenantID
	endpoint domain.UUID
	horizon  Key
}

// mergeShards sets loaded shards to work.
func (d *Dispatcher) mergeShards(ld *loader, beyond []reach) {
	for _, r := range beyond {
		if sh := ld.shards[shardOf(r.endpoint)]; !sh.lost {
			l := d.laneOf(sh, r.tenant, r.endpoint)
			l.window.more, l.window.horizon = true, r.horizon
			d.touch(l)
		}
	}
	open := 0
	for _, sh := range ld.shards {
		if sh != nil && !sh.lost {
			sh.ready = true
			open += d.adoptItems(sh, ld.items)
		}
	}
	if open > 0 {
		d.set.Logger.Warn("attempts of another process have no end: they are closed as unknown", "attempts", open)
	}
}

// adoptItems takes over a shard's items from a loader and returns how many had an attempt open.
func (d *Dispatcher) adoptItems(sh *shard, items map[domain.UUID]*item) int {
	var open []*item
	for id, it := range items {
		if shardOf(id) != sh.index || sh.items[id] != nil {
			continue
		}
		if !it.stub {
			it.lane = d.laneOf(sh, it.delivery.Tenant, it.delivery.Endpoint)
		}
		sh.items[id] = it
		it.node = domain.UUID{} // an attempt open now is a former owner's, which this node itself may have been
		switch {
		case it.stub:
			d.lookUp(sh, it)
		case it.delivery.Open:
			open = append(open, it)
		default:
			d.settle(it)
		}
	}
	d.closeOpen(sh, open, unknown)
	return len(open)
}

// pageIn reads the next deliveries into a lane's window in the background; mu is held.
func (d *Dispatcher) pageIn(l *lane) {
	l.paging = true
	d.spawnTask(l.shard, func() {
		// Its only error is that time is over.
		_ = d.persist(d.io, "read more waiting deliveries of an endpoint", func() error { return d.tryPageIn(d.io, l) })
	})
}

func (d *Dispatcher) tryPageIn(ctx context.Context, l *lane) error {
	d.mu.Lock()
	after, limit := l.window.horizon, d.windowLimit()
	d.unlock()
	ld := d.newLoader(l.shard)
	ld.only = l.endpoint
	last, err := ld.rows(ctx, WaitingQuery{Endpoint: l.endpoint, After: after, Limit: limit})
	if err != nil {
		return err
	}
	horizon := Key{}
	if last != nil {
		horizon = last.key()
	}
	return ld.catchUp(ctx, func() {
		l.paging = false
		if l.shard.lost {
			return
		}
		// If the window was trimmed meanwhile, there would be a gap before what was read: it is read again.
		if l.window.horizon == after {
			l.window.more, l.window.horizon = last != nil, horizon
			d.mergePage(l, ld.items)
		}
		d.touch(l)
	})
}

// mergePage takes over what was read behind a lane's window. What is known here already is newer.
func (d *Dispatcher) mergePage(l *lane, items map[domain.UUID]*item) {
	for id, it := range items {
		if l.shard.items[id] != nil {
			continue
		}
		if it.stub {
			// A delivery of this shard, of whatever lane, that lay beyond a window when it was touched.
			l.shard.items[id] = it
			d.lookUp(l.shard, it)
			continue
		}
		if it.delivery.Endpoint != l.endpoint {
			continue
		}
		it.lane = l
		l.shard.items[id] = it
		d.settle(it)
	}
}
