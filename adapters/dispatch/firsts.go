package dispatch

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// firstAttempt is an attempt that an event's entry begins.
type firstAttempt struct {
	*attempt
	eventAt int // the place of the event's draft in the group
	namedAt int // the place of the draft that names the delivery: the event's, or one that continues its routing
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

// unreserve gives back the slots of a group whose append failed; mu is held. The group may be in the log nevertheless, if only
// the answer was lost: then the fold finds that its attempts are open and closes them as not sent.
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
