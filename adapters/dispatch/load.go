package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// reader reads what is waiting from the views and hands it over to the lanes: of shards that were taken, of an endpoint
// whose window runs empty, and of deliveries that lay beyond every window when they were touched.
type reader struct {
	set   *Settings
	feed  *feed
	lanes *lanes
}

// load brings in what is waiting in shards that were just taken, and sets them to work.
func (r *reader) load(ctx context.Context, shards []*shard) {
	began := time.Now()
	loaded := false
	err := persist(ctx, r.set.Logger, "load the deliveries of shards taken over", func() (err error) {
		loaded, err = r.unlessStopped(r.tryLoad(ctx, shards))
		return err
	})
	if err == nil && loaded {
		r.set.Logger.Info("shards loaded", slog.Int("shards", len(shards)), slog.Duration("took", time.Since(began)))
	}
}

func (r *reader) tryLoad(ctx context.Context, shards []*shard) error {
	ld := newLoader(r.set.Window, shards...)
	endpoints, as, err := r.set.State.Outstanding(ctx)
	if err != nil {
		return fmt.Errorf("read which endpoints have deliveries waiting: %w", err)
	}
	ld.reflect(as)
	for _, endpoint := range endpoints {
		if !ld.shards[shardOf(endpoint)] {
			continue
		}
		if len(ld.items) > r.set.Budget {
			ld.limit = min(smallWindow, ld.limit)
		}
		if err := ld.rows(ctx, r.set.State, domain.WaitingQuery{Endpoint: endpoint, Limit: ld.limit}); err != nil {
			return err
		}
	}
	return ld.catchUp(ctx, r.feed, func() { r.lanes.adopt(shards, ld.reached, ld.items) })
}

// readMore reads the next deliveries into a lane's window.
func (r *reader) readMore(ctx context.Context, l *lane) {
	// Its only error is that time is over.
	_ = persist(ctx, r.set.Logger, "read more waiting deliveries of an endpoint", func() error {
		_, err := r.unlessStopped(r.tryReadMore(ctx, l))
		return err
	})
}

func (r *reader) tryReadMore(ctx context.Context, l *lane) error {
	after, limit := l.shard.unread(l)
	ld := newLoader(limit, l.shard)
	ld.only, ld.after = l.endpoint, after
	if err := ld.rows(ctx, r.set.State, domain.WaitingQuery{Endpoint: l.endpoint, After: after, Limit: limit}); err != nil {
		return err
	}
	return ld.catchUp(ctx, r.feed, func() { l.shard.extend(l, after, ld.reach(l.tenant, l.endpoint), ld.items) })
}

// lookUp reads the rows of a shard's placeholders, until there are none left.
func (r *reader) lookUp(ctx context.Context, sh *shard) {
	for {
		ids := sh.takePlaceholders()
		if len(ids) == 0 {
			return
		}
		err := persist(ctx, r.set.Logger, "read deliveries that lay beyond the window", func() error {
			for len(ids) > 0 {
				n := min(len(ids), pendingBatch)
				rows, _, err := r.set.State.Deliveries(ctx, ids[:n])
				if err != nil {
					return fmt.Errorf("read deliveries: %w", err)
				}
				behind := sh.complete(ids[:n], rows)
				ids = append(behind, ids[n:]...)
				if len(behind) > 0 {
					return fmt.Errorf("the view doesn't have %d deliveries yet", len(behind))
				}
			}
			return nil
		})
		if err != nil {
			return // out of time
		}
	}
}

// unlessStopped halts the dispatcher where an error is that an entry can't be folded, which trying again doesn't help.
func (r *reader) unlessStopped(err error) (done bool, again error) {
	var stop *domain.FollowerStop
	if !errors.As(err, &stop) {
		return err == nil, err
	}
	r.lanes.halt(stop)
	return false, nil
}

// loader gathers what is waiting in some shards: the view's rows, and the fold of the entries after the position that
// they reflect. It does so beside the feed, on items of its own, and hands them over when it has caught up with it. A
// loader needs no memory of what was touched since: the log is that.
type loader struct {
	shards  [shardCount]bool  // that are loaded
	only    domain.UUID       // the one endpoint that is meant; zero: all of the shards
	after   domain.WaitingKey // behind which deliveries are meant: those up to it are in the window already
	limit   int               // of deliveries of one endpoint, about
	items   map[domain.UUID]*item
	reached map[domain.UUID]*reach // by endpoint
	at      domain.Position        // up to which items are folded
	begun   bool                   // at says something
	newest  domain.Position        // that any row reflects
}

func newLoader(limit int, shards ...*shard) *loader {
	ld := &loader{limit: limit, items: make(map[domain.UUID]*item), reached: make(map[domain.UUID]*reach)}
	for _, sh := range shards {
		ld.shards[sh.index] = true
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
func (ld *loader) rows(ctx context.Context, state State, q domain.WaitingQuery) error {
	rows, as, err := state.Waiting(ctx, q)
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

// catchUp folds until the feed is reached, and calls merge with the feed stopped when there both are. Some rows may be
// newer than others, and than the position from which the fold goes on: items skip entries that are in them already by
// their version.
func (ld *loader) catchUp(ctx context.Context, f *feed, merge func()) error {
	if ld.newest > 0 {
		// The view may be ahead. Its rows may be of endpoints that the feed's configuration doesn't have yet, and would
		// be cancelled for that.
		if err := f.progress.await(ctx, ld.newest-1); err != nil {
			return err
		}
	}
	for to := f.progress.at(); ld.at+pageEntries < to; to = f.progress.at() {
		if err := ld.follow(ctx, f.log, to); err != nil {
			return err
		}
	}
	f.turn.Lock()
	defer f.turn.Unlock()
	for to := f.progress.at(); ld.at < to; {
		if err := ld.follow(ctx, f.log, to); err != nil {
			return err
		}
	}
	merge()
	return nil
}

// follow folds the entries up to a position at most, a page of them.
func (ld *loader) follow(ctx context.Context, log domain.Log, to domain.Position) error {
	entries, err := log.Page(ctx, ld.at, pageEntries)
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	for i := range entries {
		if entries[i].Position > to {
			return nil
		}
		if err := ld.fold(&entries[i]); err != nil {
			return &domain.FollowerStop{Follower: feedFollower, At: entries[i].Position, Err: err}
		}
	}
	return nil
}

// fold applies one entry.
func (ld *loader) fold(e *domain.Entry) error {
	ld.at = e.Position
	if known, err := understood(e); err != nil || !known {
		return err
	}
	switch e.Stream.Kind {
	case domain.StreamEvent:
		ld.create(e)
	case domain.StreamDelivery:
		switch {
		case !ld.shards[shardOf(e.Stream.ID)]:
			return nil
		case e.Kind == domain.KindDeliveryCreated: // one that can't be read makes none, as an event's
			ld.create(e)
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

// create adds the deliveries that an entry makes.
func (ld *loader) create(e *domain.Entry) {
	for _, delivery := range domain.Routed(e) {
		id := delivery.ID
		if ld.shards[shardOf(id)] && ld.items[id] == nil && (ld.only.IsZero() || ld.only == delivery.Endpoint) {
			ld.add(&item{delivery: delivery, position: e.Position})
		}
	}
}

// add inserts a delivery that was routed after the rows were read, unless it sorts after the horizon. Deliveries before
// the requested range are kept: they may have been rescheduled into it.
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

// trim leaves the first deliveries of an endpoint, so that a view that is far behind costs no more memory. What has
// been rescheduled beyond the horizon goes too: counted in, it could move the horizon outward, past deliveries that
// were left to the view before, and nobody would ever read those.
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
