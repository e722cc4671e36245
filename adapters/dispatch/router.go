package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// routedEntries bounds how many entries the router reads before it appends. Half of them are its own when much is appended,
// and it waits for each append: with small pages it falls behind, and the views write an event a second time, with all of
// its indexes, when its routing comes in a later page of theirs.
const routedEntries = 4000

// lead is one time of leading the routing, under one epoch of its lease.
type lead struct {
	fence domain.Fence
	at    domain.Position // of the fact that gave it: events behind it are routed by nobody else
	ctx   context.Context // ends when the lease is lost
	end   context.CancelFunc
}

// applyRouterLease follows who leads the routing; mu is held.
func (d *Dispatcher) applyRouterLease(at domain.Position, fence domain.Fence) {
	if d.leading != nil {
		d.leading.end()
		d.leading = nil
	}
	if fence.Owner != d.set.Node || d.stopping {
		return
	}
	l := lead{fence: fence, at: at}
	l.ctx, l.end = context.WithCancel(d.io)
	d.leading = &l
	select {
	case <-d.router: // an earlier one that wasn't begun
	default:
	}
	d.router <- l
}

// route routes events whenever this node leads, until stop ends.
func (d *Dispatcher) route(ctx, stop context.Context) error {
	for {
		select {
		case l := <-d.router:
			undo := context.AfterFunc(stop, l.end)
			d.set.Logger.Info("routing begins", slog.Any("epoch", l.fence.Epoch))
			err := d.lead(l)
			undo()
			l.end()
			if err != nil {
				return err
			}
			d.set.Logger.Info("routing ends", slog.Any("epoch", l.fence.Epoch))
		case <-stop.Done():
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// router is the state of one lead.
type router struct {
	d      *Dispatcher
	lead   lead
	config *projections.Config // at the position of the entry that is routed
	first  domain.Position     // events before it are routed

	batch []*routedEvent // of the page, to be appended together
}

// routedEvent is one event on its way through routing.
type routedEvent struct {
	entry    *domain.Entry
	facts    []domain.EventRouted
	attempts []*attempt // first attempts that are started with it
}

// lead routes until the lease is lost (nil) or something can't be understood.
func (d *Dispatcher) lead(l lead) error {
	r := &router{d: d, lead: l}
	err := d.persist(l.ctx, "find the first event that isn't routed", func() error { return r.begin(l.ctx) })
	if err != nil {
		return nil // the lease is lost
	}
	for l.ctx.Err() == nil {
		var entries []domain.Entry
		err := d.persist(l.ctx, "read the log to route", func() (err error) {
			entries, err = d.set.Log.Page(l.ctx, r.config.Cursor(), routedEntries)
			return err
		})
		if err != nil {
			return nil
		}
		if len(entries) == 0 {
			d.set.Log.Await(l.ctx, r.config.Cursor())
			continue
		}
		if err := r.page(entries); err != nil {
			return err
		}
	}
	return nil
}

// begin finds out where to go on. There is no cursor: it is behind the last event that is routed.
func (r *router) begin(ctx context.Context) error {
	first, as, err := r.d.set.State.FirstUnrouted(ctx)
	if err != nil {
		return fmt.Errorf("find the first event that isn't routed: %w", err)
	}
	r.first = as + 1
	if first > 0 {
		r.first = first
	}
	r.config, err = r.d.set.State.LoadConfig(ctx, r.first-1)
	if err != nil {
		return fmt.Errorf("load the configuration at position %d: %w", r.first-1, err)
	}
	return nil
}

// page routes the events of a page with one append.
func (r *router) page(entries []domain.Entry) error {
	r.batch = r.batch[:0]
	for i := range entries {
		e := &entries[i]
		switch e.Stream.Kind {
		case domain.StreamTenant, domain.StreamEndpoint, domain.StreamSubscription:
			if err := projections.Apply(r.config, *e); err != nil {
				return &stopError{routerFollower, e.Position, err}
			}
		case domain.StreamEvent:
			if err := r.add(e); err != nil {
				return &stopError{routerFollower, e.Position, err}
			}
		}
		r.config.SetCursor(e.Position)
	}
	r.append()
	return nil
}

// add decides on one event.
func (r *router) add(e *domain.Entry) error {
	if e.Kind != domain.KindEventAppended || e.Position < r.first {
		return nil
	}
	if e.Fact == nil && !e.Erased {
		return errors.New("the event can't be read although it wasn't erased: check the key-encryption key")
	}
	if _, ok := r.config.Tenant(e.Tenant); !ok {
		return nil // deleted: nothing is routed for it any more
	}
	r.batch = append(r.batch, &routedEvent{entry: e, facts: routesOf(r.config, r.d.set.Match, e)})
	return nil
}

// append puts the batch into the log, again and again until it is known what became of each event, or the lease is lost.
func (r *router) append() {
	if len(r.batch) == 0 {
		return
	}
	r.reserve()
	var pause backoff
	for {
		groups := make([]domain.Group, len(r.batch))
		for i, ev := range r.batch {
			groups[i] = r.group(ev)
		}
		submitted := time.Now()
		outcomes := r.d.set.Log.Append(r.d.io, groups...)
		r.batch = r.settle(outcomes, submitted)
		if len(r.batch) == 0 {
			return
		}
		if r.lead.ctx.Err() != nil || pause.wait(r.lead.ctx) != nil {
			r.abandon()
			return
		}
	}
}

// reserve takes slots for the attempts that can begin at once: of endpoints whose shard this node holds, that have
// nothing due before. What former leaders may have routed already isn't begun.
func (r *router) reserve() {
	d, now := r.d, time.Now()
	d.mu.Lock()
	defer d.unlock()
	for _, ev := range r.batch {
		if ev.entry.Position < r.lead.at || ev.entry.Erased || len(ev.facts) > 1 {
			continue
		}
		event := eventOf(ev.entry)
		for i := range ev.facts[0].Deliveries {
			if a := d.reserve(ev.entry, &ev.facts[0].Deliveries[i], event, now); a != nil {
				ev.attempts = append(ev.attempts, a)
			}
		}
	}
}

// reserve takes a slot for a delivery that is about to be routed and prepares its attempt, or returns nil; mu is held.
func (d *Dispatcher) reserve(e *domain.Entry, r *domain.RoutedDelivery, event *Event, now time.Time) *attempt {
	sh := d.shards[shardOf(r.ID)]
	if sh == nil || !sh.ready || d.stopping {
		return nil
	}
	l := sh.lanes[r.Endpoint]
	if l == nil {
		if d.endpointNow(r.Endpoint) == nil {
			return nil // the feed isn't there yet
		}
		l = d.laneOf(sh, e.Tenant, r.Endpoint)
	}
	if l.config != nil && l.config.Version < r.EndpointVersion {
		return nil // the feed isn't there yet: an older URL or key would be used, or a pause not be seen
	}
	if next := l.window.first(now); !l.open() || next != nil && next.due(now) {
		return nil
	}
	if ok, _ := l.admit(now); !ok {
		return nil
	}
	it := &item{delivery: routed(e, r), phase: held, lane: l, event: event}
	it.delivery.Event, it.delivery.EventSequence = e.Stream.ID, e.Sequence
	sh.items[r.ID] = it
	d.occupy(l)
	return d.prepare(it, now)
}

// group is what is appended for one event.
func (r *router) group(ev *routedEvent) domain.Group {
	e := ev.entry
	subject := ""
	if f, ok := e.Fact.(*domain.EventAppended); ok {
		subject = f.Event.Subject
	}
	g := domain.Group{
		Drafts: make([]domain.Draft, 0, len(ev.facts)+len(ev.attempts)),
		Fences: []domain.Fence{r.lead.fence},
	}
	for i := range ev.facts {
		g.Drafts = append(g.Drafts, domain.Draft{
			Tenant: e.Tenant, Stream: e.Stream, Expected: 1 + i, Cause: e.Sequence, Subject: subject, Fact: &ev.facts[i],
		})
	}
	for _, a := range ev.attempts {
		g.Drafts = append(g.Drafts, a.draft())
		g.Fences = withFence(g.Fences, a.item.lane.shard.fences[0])
	}
	return g
}

// withFence adds a fence that isn't there yet.
func withFence(fences []domain.Fence, f domain.Fence) []domain.Fence {
	for i := range fences {
		if fences[i] == f {
			return fences
		}
	}
	return append(fences, f)
}

// settle notes what became of the batch and returns what must be tried again.
func (r *router) settle(outcomes []domain.Outcome, submitted time.Time) []*routedEvent {
	d, returned := r.d, time.Now()
	again := r.batch[:0]
	d.mu.Lock()
	defer d.unlock()
	for i, o := range outcomes {
		ev := r.batch[i]
		switch {
		case o.Err == nil:
			d.metrics.routed(ev, o.Entries[0].RecordedAt)
			for k, a := range ev.attempts {
				started := &o.Entries[len(ev.facts)+k]
				a.item.position = o.Entries[0].Position
				a.commenced(submitted, returned, started.StreamVersion)
				d.launch(a)
			}
		case errors.Is(o.Err, domain.ErrConflict), errors.Is(o.Err, domain.ErrUnknownTenant):
			// Routed already, by a former leader or an earlier try of this one; or the tenant is gone.
			d.unreserve(ev)
		case errors.Is(o.Err, domain.ErrFenced) && len(ev.attempts) > 0:
			// One of the leases is lost. If it was a shard's, the event is routed without starting anything.
			d.unreserve(ev)
			again = append(again, ev)
		case errors.Is(o.Err, domain.ErrFenced):
			r.lead.end()
		default:
			d.trouble("route events", o.Err)
			again = append(again, ev)
		}
	}
	return again
}

// abandon gives up what couldn't be appended before the lease was lost.
func (r *router) abandon() {
	r.d.mu.Lock()
	defer r.d.unlock()
	for _, ev := range r.batch {
		r.d.unreserve(ev)
	}
}

// unreserve gives back the slots that were taken for an event; mu is held. If the fold has seen the deliveries, an
// earlier try was committed after all; if it comes to them later, it finds them unknown and makes them again.
func (d *Dispatcher) unreserve(ev *routedEvent) {
	for _, a := range ev.attempts {
		l := a.item.lane
		d.vacate(l)
		switch {
		case l.shard.lost:
		case a.item.position > 0:
			d.settle(a.item)
		default:
			delete(l.shard.items, a.item.delivery.ID)
		}
	}
	ev.attempts = nil
}
