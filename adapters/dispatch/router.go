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

// Router is the log for all of this process that appends events: its Append puts into each event's entry where the
// event goes, and begins the first attempts that this node may begin at once. Everything else is the log's own. It is
// safe for concurrent use, before, during and after Dispatcher.Run.
//
// An event is routed by the configuration in force just before its entry, the group's own earlier drafts included. The
// decision is made in the caller's goroutine by the node's fold of the configuration (snapshots), and the group says by
// which one (domain.Basis). If that isn't the newest any more the log refuses the group; it is decided again when the
// fold has got there. A group that was refused twice is decided by the log itself, under its lock.
//
// All events of a group are of one tenant. Groups of a call are appended in order, but one that has to be decided again
// comes after the others. Entries that continue an event's routing are left out of the outcome: it has one entry for
// each draft of the caller. A repetition's *domain.ClaimedError counts them, where one of several events has any.
type Router struct {
	domain.Log
	lanes     *lanes
	snapshots *snapshots
	metrics   *metrics
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
		pending[i] = &routedGroup{index: i, asked: groups[i], firsts: firsts{lanes: r.lanes}}
	}
	for len(pending) > 0 {
		// Decide to whom the events go, each group by the newest configuration that this node has. Groups are decided
		// one by one, and one that can't be routed doesn't keep the others out of the log.
		var cost uint64 // of filters
		var decided []*routedGroup
		for _, g := range pending {
			if err := r.decide(ctx, g, &cost); err != nil {
				outcomes[g.index].Err = err
				continue
			}
			decided = append(decided, g)
		}

		// Reserve slots for the first attempts that may begin at once: the commit of the events is their intent. It is
		// fenced by the leases of their shards, for this node may have been deposed without knowing.
		now := time.Now()
		submit := make([]domain.Group, len(decided))
		for i, g := range decided {
			if g.group.Basis != nil && g.stale < decideUnderLock && !g.bare {
				g.firsts.reserve(g.group.Basis.Tenant, g.group.Drafts, now)
				g.group.Fences = g.firsts.fences(g.asked.Fences)
			}
			submit[i] = g.group
		}

		submitted := time.Now()
		answers := r.Log.Append(ctx, submit...)
		returned := time.Now()

		// Launch what is known to have begun, and give everything else back. A group that was refused because this node
		// was behind is decided again.
		pending = nil
		for i, g := range decided {
			o := answers[i]
			if o.Err == nil {
				r.metrics.routed(g.events(), len(g.firsts.attempts))
				g.firsts.launch(o.Entries, submitted, returned)
				o.Entries = g.own(o.Entries)
				outcomes[g.index] = o
				continue
			}
			outcomes[g.index] = o
			switch {
			case errors.Is(o.Err, domain.ErrStale) && g.group.Basis != nil:
				r.metrics.stale.Inc()
				if g.stale++; g.stale >= maxDecisions {
					outcomes[g.index].Err = fmt.Errorf("%w: the tenant's configuration changes too fast", domain.ErrBusy)
				} else {
					pending = append(pending, g)
				}
			case errors.Is(o.Err, domain.ErrFenced) && len(g.firsts.attempts) > 0:
				// One of the leases is lost. If it is a shard's, the event is appended without beginning anything.
				g.bare = true
				pending = append(pending, g)
			}
			g.firsts.unreserve()
		}
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
	firsts firsts       // that begin with it

	stale int  // how often it was refused as stale
	bare  bool // a lease was lost: it begins no attempts any more
}

// events returns how many events the group appends.
func (g *routedGroup) events() (n int) {
	for i := range g.asked.Drafts {
		if isEvent(g.asked.Drafts[i]) {
			n++
		}
	}
	return n
}

// own returns the entries of the caller's own drafts.
func (g *routedGroup) own(entries []domain.Entry) []domain.Entry {
	if len(entries) <= len(g.asked.Drafts) {
		return entries
	}
	own := make([]domain.Entry, len(g.places))
	for i, place := range g.places {
		own[i] = entries[place]
	}
	return own
}

// decide routes a group's events by the newest configuration that the node has. What their filters cost is added to
// cost.
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
	config, _, err := r.snapshots.get(tenant)
	if errors.Is(err, errNotLoaded) { // the process has just started
		wait, cancel := context.WithTimeout(ctx, configurationWait)
		defer cancel()
		r.snapshots.await(wait, tenant, nil)
		config, _, err = r.snapshots.get(tenant)
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

// decideBy is how many drafts there are to be for each event: as many as its routing needs, and some to spare for when
// the log decides; or, where room isn't nil, as many as that has for the event's draft.
type decideBy struct {
	spare int
	room  []int
}

// routeDrafts returns drafts with where each event goes, and the places of the given ones among them. What the drafts
// before an event configure holds for it. Where an event needs more drafts than there is room it fails with
// domain.ErrStale: the caller decides once more. What filters cost is added to cost, and more than one request may
// spend fails with domain.ErrFilterBudget: what is said of an event mustn't depend on others.
func routeDrafts(
	ctx context.Context, drafts []domain.Draft, config *projections.Snapshot, by decideBy, cost *uint64,
) (routed []domain.Draft, places []int, err error) {
	now := time.Now().UTC().Truncate(time.Microsecond)
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
		fact := *event // the caller's own may be appended again
		if fact.Event.OccurredAt.IsZero() {
			fact.Event.OccurredAt = now // the log keeps what the filters see
		}
		parts := []domain.EventRouted{{Routing: domain.Routing{Complete: true, Retention: draft.Retention}}}
		if config != nil {
			run := &domain.FilterRun{Event: &fact, Now: now}
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

// awaitNewer returns when the node has newer configurations for groups that were refused as stale, or after a bounded
// time. A group for which there is none by then is decided by the log next time.
func (r *Router) awaitNewer(ctx context.Context, groups []*routedGroup) {
	wait, cancel := context.WithTimeout(ctx, configurationWait)
	defer cancel()
	for _, g := range groups {
		if g.stale == 0 {
			continue
		}
		r.snapshots.await(wait, g.group.Basis.Tenant, g.known)
		if wait.Err() != nil {
			g.stale = max(g.stale, decideUnderLock)
		}
	}
}
