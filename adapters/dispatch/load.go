package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// loader gathers what is waiting in some shards: the view's rows, and the fold of the entries after the position that
// they reflect. It does so beside the feed, on items of its own, and hands them over when it has caught up with it. A
// loader needs no memory of what was touched since: the log is that.
type loader struct {
	d       *Dispatcher
	shards  [Shards]*shard    // that are loaded; nil: not this one
	only    domain.UUID       // the one endpoint that is meant; zero: all of the shards
	after   domain.WaitingKey // behind which deliveries are meant: those up to it are in the window already
	limit   int               // of deliveries of one endpoint, about
	items   map[domain.UUID]*item
	reached map[domain.UUID]*reach // by endpoint
	at      domain.Position        // up to which items are folded
	begun   bool                   // at says something
	newest  domain.Position        // that any row reflects
}

// reach says how far an endpoint's waiting deliveries are gathered.
type reach struct {
	tenant   domain.TenantID
	endpoint domain.UUID
	more     bool // others are, or may be, waiting behind horizon
	horizon  domain.WaitingKey
	items    int // gathered, at most
}

func (d *Dispatcher) newLoader(limit int, shards ...*shard) *loader {
	ld := &loader{d: d, limit: limit, items: make(map[domain.UUID]*item), reached: make(map[domain.UUID]*reach)}
	for _, sh := range shards {
		ld.shards[sh.index] = sh
	}
	return ld
}

// reflect notes as of which position rows were read. The fold goes on from the earliest.
func (ld *loader) reflect(as domain.Position) {
	ld.newest = max(ld.newest, as)
	if !ld.begun || as < ld.at {
		ld.at, ld.begun = as, true
	}
}

// reach returns how far an endpoint's deliveries are gathered.
func (ld *loader) reach(tenant domain.TenantID, endpoint domain.UUID) *reach {
	r := ld.reached[endpoint]
	if r == nil {
		r = &reach{tenant: tenant, endpoint: endpoint}
		ld.reached[endpoint] = r
	}
	return r
}

// rows reads the first waiting deliveries of an endpoint behind a key.
func (ld *loader) rows(ctx context.Context, q domain.WaitingQuery) error {
	rows, as, err := ld.d.set.State.Waiting(ctx, q)
	if err != nil {
		return fmt.Errorf("read waiting deliveries: %w", err)
	}
	ld.reflect(as)
	for i := range rows {
		it := itemOf(&rows[i])
		ld.items[it.delivery.ID] = it
		r := ld.reach(it.delivery.Tenant, q.Endpoint)
		r.items++
		r.more, r.horizon = len(rows) >= q.Limit, it.key()
	}
	return nil
}

// add inserts a delivery that was routed after the rows were read, unless it sorts after the horizon. Deliveries before the
// requested range are kept: they may have been rescheduled into it.
func (ld *loader) add(it *item) {
	r, k := ld.reach(it.delivery.Tenant, it.delivery.Endpoint), it.key()
	if r.more && k.Compare(r.horizon) > 0 {
		return
	}
	ld.items[it.delivery.ID] = it
	if k.Compare(ld.after) <= 0 {
		return
	}
	if r.items++; r.items > 2*ld.limit {
		ld.trim(r)
	}
}

// trim leaves the first deliveries of an endpoint, so that a view that is far behind costs no more memory. What has been
// rescheduled beyond the horizon goes too: counted in, it could move the horizon outward, past deliveries that were left
// to the view before, and nobody would ever read those.
func (ld *loader) trim(r *reach) {
	w := window{more: r.more, horizon: r.horizon}
	for id, it := range ld.items {
		if it.delivery.Endpoint == r.endpoint && !it.placeholder && !it.delivery.Open && it.key().Compare(ld.after) > 0 &&
			!w.put(it) {
			delete(ld.items, id)
		}
	}
	if r.items = w.len(); r.items <= ld.limit {
		return
	}
	for _, it := range w.trim(ld.limit) {
		delete(ld.items, it.delivery.ID)
	}
	r.items, r.more, r.horizon = ld.limit, true, w.horizon
}

// itemOf makes an item of a row.
func itemOf(w *domain.WaitingDelivery) *item {
	it := &item{delivery: w.Delivery, position: w.Position}
	if it.delivery.Open {
		it.delivery.NextAttemptAt = time.Time{}
	}
	return it
}

// fold applies one entry.
func (ld *loader) fold(e *domain.Entry) error {
	ld.at = e.Position
	if known, err := understood(e); err != nil || !known {
		return err
	}
	switch e.Stream.Kind {
	case domain.StreamEvent:
		for _, delivery := range domain.Routed(e) {
			id := delivery.ID
			if ld.shards[shardOf(id)] != nil && ld.items[id] == nil && (ld.only.IsZero() || ld.only == delivery.Endpoint) {
				ld.add(&item{delivery: delivery, position: e.Position})
			}
		}
	case domain.StreamDelivery:
		if ld.shards[shardOf(e.Stream.ID)] == nil {
			return nil
		}
		it := ld.items[e.Stream.ID]
		if it == nil {
			it = newPlaceholder(e)
			ld.items[e.Stream.ID] = it
		}
		if err := it.fold(e); err != nil {
			return err
		}
		if it.gone() {
			delete(ld.items, e.Stream.ID)
		}
	}
	return nil
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
		if err := ld.fold(&entries[i]); err != nil {
			return &stopError{feedFollower, entries[i].Position, err}
		}
	}
	return nil
}

// catchUp folds until the feed is reached, and calls merge, with the feed stopped and mu held, when there both are.
func (ld *loader) catchUp(ctx context.Context, merge func()) error {
	d := ld.d
	if ld.newest > 0 {
		// The view may be ahead. Its rows may be of endpoints that the feed's configuration doesn't have yet, and would be
		// cancelled for that.
		if err := d.await(ctx, ld.newest-1); err != nil {
			return err
		}
	}
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
	// Some rows may be newer than others, and than ld.at: items skip entries that are in them already by their version.
	merge()
	return nil
}

// load brings in what is waiting in shards that were just taken, and sets them to work.
func (d *Dispatcher) load(shards []*shard) {
	began := time.Now()
	loaded := false
	err := d.persist(d.io, "load the deliveries of shards taken over", func() (err error) {
		loaded, err = d.unlessStopped(d.tryLoad(d.io, shards))
		return err
	})
	if err == nil && loaded {
		d.set.Logger.Info("shards loaded", slog.Int("shards", len(shards)), slog.Duration("took", time.Since(began)))
	}
}

// unlessStopped halts the dispatcher where an error is that an entry can't be folded, which trying again doesn't help.
func (d *Dispatcher) unlessStopped(err error) (done bool, again error) {
	var stop *stopError
	if !errors.As(err, &stop) {
		return err == nil, err
	}
	d.mu.Lock()
	defer d.unlock()
	d.halt(stop)
	return false, nil
}

func (d *Dispatcher) tryLoad(ctx context.Context, shards []*shard) error {
	ld := d.newLoader(d.set.Window, shards...)
	endpoints, as, err := d.set.State.Outstanding(ctx)
	if err != nil {
		return fmt.Errorf("read which endpoints have deliveries waiting: %w", err)
	}
	ld.reflect(as)
	for _, endpoint := range endpoints {
		if ld.shards[shardOf(endpoint)] == nil {
			continue
		}
		if len(ld.items) > d.set.Budget {
			ld.limit = min(smallWindow, ld.limit)
		}
		if err := ld.rows(ctx, domain.WaitingQuery{Endpoint: endpoint, Limit: ld.limit}); err != nil {
			return err
		}
	}
	return ld.catchUp(ctx, func() { d.mergeShards(ld) })
}

// mergeShards sets loaded shards to work.
func (d *Dispatcher) mergeShards(ld *loader) {
	items := ld.byShard()
	for _, r := range ld.reached {
		if sh := ld.shards[shardOf(r.endpoint)]; r.more && !sh.lost {
			l := d.laneOf(sh, r.tenant, r.endpoint)
			l.window.more, l.window.horizon = true, r.horizon
			d.touch(l)
		}
	}
	open := 0
	for _, sh := range ld.shards {
		if sh != nil && !sh.lost {
			sh.ready = true
			open += d.adoptItems(sh, items[sh.index])
		}
	}
	if open > 0 {
		d.set.Logger.Warn("attempts of another process have no end: they are closed as unknown", slog.Int("attempts", open))
	}
}

// byShard returns the items of each shard.
func (ld *loader) byShard() (items [Shards][]*item) {
	for id, it := range ld.items {
		items[shardOf(id)] = append(items[shardOf(id)], it)
	}
	return items
}

// adoptItems takes over a shard's items from a loader and returns how many had an attempt open.
func (d *Dispatcher) adoptItems(sh *shard, items []*item) int {
	var open []*item
	for _, it := range items {
		id := it.delivery.ID
		if sh.items[id] != nil {
			continue
		}
		if !it.placeholder {
			it.lane = d.laneOf(sh, it.delivery.Tenant, it.delivery.Endpoint)
		}
		sh.items[id] = it
		it.delivery.Node = domain.UUID{} // an attempt open now is a former owner's, which this node itself may have been
		switch {
		case it.placeholder:
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
		_ = d.persist(d.io, "read more waiting deliveries of an endpoint", func() error {
			_, err := d.unlessStopped(d.tryPageIn(d.io, l))
			return err
		})
	})
}

func (d *Dispatcher) tryPageIn(ctx context.Context, l *lane) error {
	d.mu.Lock()
	after, limit := l.window.horizon, d.windowLimit()
	d.unlock()
	ld := d.newLoader(limit, l.shard)
	ld.only, ld.after = l.endpoint, after
	if err := ld.rows(ctx, domain.WaitingQuery{Endpoint: l.endpoint, After: after, Limit: limit}); err != nil {
		return err
	}
	return ld.catchUp(ctx, func() {
		l.paging = false
		if l.shard.lost {
			return
		}
		// If the window was trimmed meanwhile, there would be a gap before what was read: it is read again.
		if l.window.horizon == after {
			r := ld.reach(l.tenant, l.endpoint)
			l.window.more, l.window.horizon = r.more, r.horizon
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
		if it.placeholder {
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
