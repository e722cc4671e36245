package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// Router is the log for everybody in this process who appends events: its Append puts into each event's entry where the
// event goes, and begins the first attempts that this node may begin at once. Everything else is the log's own. It is safe
// for concurrent use, before, during and after Dispatcher.Run.
//
// An event is routed by the configuration in force just before its entry, the group's own earlier drafts included. The
// decision is made in the caller's goroutine by the node's fold of the configuration (snapshots), and the group says by
// which one (domain.Basis). If that isn't the newest any more the log refuses the group; it is decided again when the fold
// has got there. A group that was refused twice is decided by the log itself, under its lock.
//
// All events of a group are of one tenant. Groups of a call are appended in order, but one that has to be decided again
// comes after the others. Entries that continue an event's routing are left out of the outcome: it has one entry for each
// draft of the caller. A repetition's *domain.ClaimedError counts them, where one of several events has any.
type Router struct {
	domain.Log
	d *Dispatcher
}

const (
	// configurationWait bounds how long an append waits for the node's fold of the configuration, which usually is some
	// milliseconds behind the log.
	configurationWait = time.Second
	// decideUnderLock is after how many refusals a group is decided by the log itself.
	decideUnderLock = 2
	// maxDecisions bounds how often a group is decided: far more than ever happens.
	maxDecisions = 10
)

// Append implements domain.Log.
func (r *Router) Append(ctx context.Context, groups ...domain.Group) []domain.Outcome {
	if !slices.ContainsFunc(groups, hasEvents) {
		return r.Log.Append(ctx, groups...)
	}
	outcomes := make([]domain.Outcome, len(groups))
	pending := make([]*routedGroup, len(groups))
	for i := range groups {
		pending[i] = &routedGroup{index: i, asked: groups[i]}
	}
	for len(pending) > 0 {
		var cost uint64 // of filters
		var decided []*routedGroup
		var submit []domain.Group
		for _, g := range pending {
			if err := r.decide(ctx, g, &cost); err != nil {
				outcomes[g.index].Err = err
				continue
			}
			decided = append(decided, g)
		}
		r.d.reserve(decided)
		for _, g := range decided {
			submit = append(submit, g.group)
		}
		submitted := time.Now()
		answers := r.Log.Append(ctx, submit...)
		pending = r.d.settleRouted(decided, answers, submitted, outcomes)
		r.awaitNewer(ctx, pending)
	}
	return outcomes
}

// hasEvents reports whether a group appends an event.
func hasEvents(g domain.Group) bool { return slices.ContainsFunc(g.Drafts, isEvent) }

func isEvent(d domain.Draft) bool {
	_, ok := d.Fact.(*domain.EventAppended)
	return ok
}

// routedGroup is one group on its way through the Router.
type routedGroup struct {
	index int                   // in the call
	asked domain.Group          // as the caller made it
	known *projections.Snapshot // the configuration by which it is decided; nil: nothing is known of the tenant

	group  domain.Group // as it is appended
	places []int        // of the caller's drafts in it
	// firsts are the attempts that begin with it. Each has a slot of its endpoint.
	firsts []*firstAttempt

	stale int  // how often it was refused as stale
	bare  bool // a lease was lost: it begins no attempts any more
}

// firstAttempt is an attempt that an event's entry begins.
type firstAttempt struct {
	*attempt
	eventAt int // the place of the event's draft in the group
	namedAt int // the place of the draft that names the delivery: the event's, or one that continues its routing
}

// decide routes a group's events by the newest configuration that the node has. What their filters cost is added to cost.
func (r *Router) decide(ctx context.Context, g *routedGroup, cost *uint64) error {
	g.group = g.asked
	at := slices.IndexFunc(g.asked.Drafts, isEvent)
	if at < 0 {
		return nil
	}
	tenant := g.asked.Drafts[at].Tenant
	if slices.ContainsFunc(g.asked.Drafts, func(d domain.Draft) bool { return isEvent(d) && d.Tenant != tenant }) {
		return errors.New("append: the events of a group are of one tenant")
	}
	config, _, err := r.d.snapshots.get(tenant)
	if errors.Is(err, errNotLoaded) { // the process has just started
		wait, cancel := context.WithTimeout(ctx, configurationWait)
		defer cancel()
		r.d.snapshots.await(wait, tenant, nil)
		config, _, err = r.d.snapshots.get(tenant)
	}
	if err != nil {
		return err
	}
	g.known = config
	routed, places, err := routeDrafts(ctx, g.asked.Drafts, config, decideBy{spare: max(0, g.stale-decideUnderLock)}, cost)
	if err != nil {
		return err
	}
	g.group.Drafts, g.places = routed, places
	g.group.Claims = movedClaims(g.asked.Claims, places)
	basis := &domain.Basis{Tenant: tenant}
	if config != nil {
		basis.Configuration = config.Configured()
	}
	if g.stale >= decideUnderLock {
		basis.Decide = underLock(g.asked, config, places, len(routed))
	}
	g.group.Basis = basis
	return nil
}

// underLock returns a function that decides a group again by newer entries than a configuration knows. What it captures
// never changes, since it may be called after its caller has gone.
func underLock(
	asked domain.Group, config *projections.Snapshot, places []int, drafts int,
) func([]domain.Entry) ([]domain.Draft, []domain.Fence, error) {
	room := make([]int, len(places)) // how many drafts there are for each of the caller's: claims go by their places
	for i := range places {
		end := drafts
		if i+1 < len(places) {
			end = places[i+1]
		}
		room[i] = end - places[i]
	}
	return func(newer []domain.Entry) ([]domain.Draft, []domain.Fence, error) {
		if config == nil {
			return nil, nil, fmt.Errorf("this node knows nothing of the tenant yet: %w", domain.ErrStale)
		}
		newest, err := config.After(newer)
		if err != nil {
			return nil, nil, err
		}
		var cost uint64
		routed, _, err := routeDrafts(context.Background(), asked.Drafts, newest, decideBy{room: room}, &cost)
		return routed, asked.Fences, err
	}
}

// decideBy is how many drafts there are to be for each event: as many as its routing needs, and some to spare for when the log
// decides; or, where room isn't nil, as many as that has for the event's draft.
type decideBy struct {
	spare int
	room  []int
}

// routeDrafts returns drafts with where each event goes, and the places of the given ones among them. What the drafts
// before an event configure holds for it. Where an event needs more drafts than there is room it fails with domain.ErrStale:
// the caller decides once more. What filters cost is added to cost, and more than one
// request may spend fails with domain.ErrFilterBudget: what is said of an event mustn't depend on others.
func routeDrafts(
	ctx context.Context, drafts []domain.Draft, config *projections.Snapshot, by decideBy, cost *uint64,
) (routed []domain.Draft, places []int, err error) {
	now := time.Now().UTC()
	routed, places = make([]domain.Draft, 0, len(drafts)), make([]int, len(drafts))
	for i, draft := range drafts {
		places[i] = len(routed)
		event, ok := draft.Fact.(*domain.EventAppended)
		if !ok {
			routed = append(routed, draft)
			if config != nil && draft.Tenant == config.ID() && slices.ContainsFunc(drafts[i:], isEvent) {
				if config, err = config.After(uncommitted(draft)); err != nil {
					return nil, nil, err
				}
			}
			continue
		}
		parts := []domain.EventRouted{{Routing: domain.Routing{Complete: true, Retention: draft.Retention}}}
		if config != nil {
			run := &domain.FilterRun{Event: event, Now: now}
			if parts, err = routesOf(ctx, config, run, draft.Retention); err != nil {
				return nil, nil, err
			}
			if *cost += run.Spent; *cost > domain.RequestFilterBudget {
				return nil, nil, fmt.Errorf("route the events of one call: %w (hint: append fewer at once)", domain.ErrFilterBudget)
			}
		}
		want := len(parts) + by.spare
		if by.room != nil {
			want = by.room[i]
		}
		if len(parts) > want {
			return nil, nil, fmt.Errorf("an event goes to many more endpoints than before: %w", domain.ErrStale)
		}
		for len(parts) < want {
			last := parts[len(parts)-1].Routing
			parts[len(parts)-1].Routing.Complete = false
			parts = append(parts, domain.EventRouted{Routing: domain.Routing{
				Configuration: last.Configuration, Retention: last.Retention, Complete: true,
			}})
		}
		fact := *event // the caller's own may be appended again
		fact.Routing, fact.Verdicts = parts[0].Routing, parts[0].Verdicts
		draft.Fact = &fact
		routed = append(routed, draft)
		for k := 1; k < len(parts); k++ {
			routed = append(routed, domain.Draft{
				Tenant: draft.Tenant, Stream: draft.Stream, Expected: draft.Expected + k,
				Subject: draft.Subject, SubjectKey: draft.SubjectKey, Retention: draft.Retention, Fact: &parts[k],
			})
		}
	}
	return routed, places, nil
}

// uncommitted is a draft as an entry, as far as a fold of the configuration asks.
func uncommitted(d domain.Draft) []domain.Entry {
	return []domain.Entry{{
		Tenant: d.Tenant, Stream: d.Stream, StreamVersion: d.Expected + 1,
		Kind: d.Fact.Kind(), KindVersion: d.Fact.Kind().Version(), Fact: d.Fact,
	}}
}

// movedClaims returns claims that name the same drafts at their new places.
func movedClaims(claims []domain.Claim, places []int) []domain.Claim {
	if len(claims) == 0 || places[len(places)-1] == len(places)-1 {
		return claims
	}
	moved := slices.Clone(claims)
	for i := range moved {
		c := &moved[i]
		if c.First < 0 || c.Count < 1 || c.First+c.Count > len(places) {
			continue // the log refuses it
		}
		first, last := places[c.First], places[c.First+c.Count-1]
		c.First, c.Count = first, last-first+1
	}
	return moved
}

// awaitNewer returns when the node has newer configurations for groups that were refused as stale, or after a bounded time.
// A group for which there is none by then is decided by the log next time.
func (r *Router) awaitNewer(ctx context.Context, groups []*routedGroup) {
	wait, cancel := context.WithTimeout(ctx, configurationWait)
	defer cancel()
	for _, g := range groups {
		if g.stale == 0 {
			continue
		}
		r.d.snapshots.await(wait, g.group.Basis.Tenant, g.known)
		if wait.Err() != nil {
			g.stale = max(g.stale, decideUnderLock)
		}
	}
}

// reserve takes slots for the first attempts that may begin at once, and has the groups say so.
func (d *Dispatcher) reserve(groups []*routedGroup) {
	now := time.Now()
	d.mu.Lock()
	defer d.unlock()
	for _, g := range groups {
		g.firsts = nil
		if g.bare || g.stale >= decideUnderLock || g.group.Basis == nil {
			continue
		}
		event := 0
		for i := range g.group.Drafts {
			var routing *domain.Routing
			switch f := g.group.Drafts[i].Fact.(type) {
			case *domain.EventAppended:
				event, routing = i, &f.Routing
			case *domain.EventRouted:
				routing = &f.Routing
			default:
				continue
			}
			for k := range routing.Deliveries {
				a := d.reserveSlot(g.group.Basis.Tenant, &routing.Deliveries[k], now)
				if a == nil {
					continue
				}
				routing.Deliveries[k].First = a.fact
				g.firsts = append(g.firsts, &firstAttempt{attempt: a, eventAt: event, namedAt: i})
			}
		}
		g.fence()
	}
}

// fence has the group appended under the leases of the shards on which it begins attempts.
func (g *routedGroup) fence() {
	if len(g.firsts) == 0 {
		return
	}
	g.group.Fences = slices.Clone(g.asked.Fences)
	for _, a := range g.firsts {
		if f := a.item.lane.shard.fences[0]; !slices.Contains(g.group.Fences, f) {
			g.group.Fences = append(g.group.Fences, f)
		}
	}
}

// reserveSlot takes a slot for a delivery that is about to be made and prepares its first attempt. It returns nil when that
// can't begin at once: the shard is another node's, the endpoint has no free slot or something is due before; mu is held.
func (d *Dispatcher) reserveSlot(tenant domain.TenantID, r *domain.RoutedDelivery, now time.Time) *attempt {
	sh := d.shards[shardOf(r.ID)]
	if sh == nil || !sh.ready || d.stopping {
		return nil
	}
	if c := d.endpointNow(r.Endpoint); c == nil || c.Version != r.EndpointVersion {
		return nil // another URL or key would be used, or a pause not be seen
	}
	l := d.laneOf(sh, tenant, r.Endpoint)
	if next := l.window.first(now); !l.open() || next != nil && next.due(now) {
		return nil
	}
	if ok, _ := l.admit(now); !ok {
		return nil
	}
	it := &item{phase: held, lane: l, delivery: domain.Delivery{
		ID: r.ID, Tenant: tenant, Endpoint: r.Endpoint, EndpointVersion: r.EndpointVersion, Subscriptions: r.Subscriptions,
		Status: domain.DeliveryPending,
	}}
	sh.items[r.ID] = it
	d.occupy(l)
	return d.prepare(it, now)
}

// settleRouted notes what became of groups, launches the attempts of those that are in the log and returns those that are to
// be decided again.
func (d *Dispatcher) settleRouted(
	groups []*routedGroup, answers []domain.Outcome, submitted time.Time, outcomes []domain.Outcome,
) (again []*routedGroup) {
	returned := time.Now()
	d.mu.Lock()
	defer d.unlock()
	for i, g := range groups {
		o := answers[i]
		outcomes[g.index] = o
		switch {
		case o.Err == nil:
			d.metrics.routed(g)
			d.launchFirsts(g, o.Entries, submitted, returned)
			if len(o.Entries) > len(g.asked.Drafts) {
				kept := make([]domain.Entry, len(g.places))
				for k, place := range g.places {
					kept[k] = o.Entries[place]
				}
				outcomes[g.index].Entries = kept
			}
			continue
		case errors.Is(o.Err, domain.ErrStale) && g.group.Basis != nil:
			d.metrics.stale.Inc()
			if g.stale++; g.stale >= maxDecisions {
				outcomes[g.index].Err = fmt.Errorf("%w: the tenant's configuration changes too fast", domain.ErrBusy)
			} else {
				again = append(again, g)
			}
		case errors.Is(o.Err, domain.ErrFenced) && len(g.firsts) > 0:
			// One of the leases is lost. If it is a shard's, the event is appended without beginning anything.
			g.bare = true
			again = append(again, g)
		}
		d.unreserve(g)
	}
	return again
}

// launchFirsts sends what an append has begun; mu is held. The feed may have folded the entries before.
func (d *Dispatcher) launchFirsts(g *routedGroup, entries []domain.Entry, submitted, returned time.Time) {
	deliveries, of := []domain.Delivery(nil), -1
	for _, a := range g.firsts {
		if a.item.lane.shard.lost { // its new owner closes the attempt
			d.vacate(a.item.lane)
			continue
		}
		if of != a.namedAt {
			deliveries, of = domain.Routed(&entries[a.namedAt]), a.namedAt
		}
		at := slices.IndexFunc(deliveries, func(delivery domain.Delivery) bool { return delivery.ID == a.item.delivery.ID })
		a.delivery = deliveries[at]
		d.adopt(a.item, &entries[a.namedAt], &a.delivery)
		a.event = eventOf(&entries[a.eventAt])
		a.commenced(submitted, returned, 0)
		d.launch(a.attempt)
	}
	g.firsts = nil
}

// adopt completes the item of an attempt that was reserved by the entry that begins it, unless that is done; mu is held.
func (d *Dispatcher) adopt(it *item, e *domain.Entry, delivery *domain.Delivery) {
	if it.position == 0 {
		it.position, it.delivery = e.Position, *delivery
	}
}

// unreserve gives back the slots that were taken for a group that isn't in the log, as far as is known; mu is held. If it
// is all the same, the fold finds attempts that this node has begun and doesn't have in hand.
func (d *Dispatcher) unreserve(g *routedGroup) {
	for _, a := range g.firsts {
		l := a.item.lane
		l.readmit()
		d.vacate(l)
		switch {
		case l.shard.lost:
		case a.item.position > 0:
			d.settle(a.item)
		default:
			delete(l.shard.items, a.item.delivery.ID)
		}
	}
	g.firsts = nil
}
