package dispatch

import (
	"slices"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// firsts are the first attempts that one group's append begins. Each has a slot of its endpoint, and its delivery is
// among its shard's items meanwhile, so that the feed, which may see the entry before the group's caller has the log's
// answer, leaves it alone.
type firsts struct {
	lanes    *lanes
	attempts []firstAttempt
}

// firstAttempt is an attempt that an event's entry begins.
type firstAttempt struct {
	*attempt
	eventAt int // the place of the event's draft in the group
	namedAt int // the place of the draft that names the delivery: the event's, or one that continues its routing
}

// reserve takes slots for the first attempts that may begin at once, and has the drafts of a tenant's group say so.
func (f *firsts) reserve(tenant domain.TenantID, drafts []domain.Draft, now time.Time) {
	f.lanes.mu.Lock()
	defer f.lanes.mu.Unlock()
	event := 0
	for i := range drafts {
		var routing *domain.Routing
		switch fact := drafts[i].Fact.(type) {
		case *domain.EventAppended:
			event, routing = i, &fact.Routing
		case *domain.EventRouted:
			routing = &fact.Routing
		default:
			continue
		}
		for k := range routing.Deliveries {
			if a := f.prepare(tenant, &routing.Deliveries[k], now); a != nil {
				routing.Deliveries[k].First = a.fact
				f.attempts = append(f.attempts, firstAttempt{attempt: a, eventAt: event, namedAt: i})
			}
		}
	}
}

// prepare occupies a slot for a delivery that is about to be made and prepares its first attempt. It returns nil when
// that can't begin at once: the shard is another node's, the endpoint has no free slot or something is due before;
// lanes.mu is held.
func (f *firsts) prepare(tenant domain.TenantID, r *domain.RoutedDelivery, now time.Time) *attempt {
	ls := f.lanes
	sh := ls.shards[shardOf(r.ID)]
	if sh == nil || !sh.ready || ls.slots.stopping {
		return nil
	}
	if c := ls.config.endpoint(r.Endpoint); c == nil || c.Version != r.EndpointVersion {
		return nil // another URL or key would be used, or a pause not be seen
	}
	l := sh.lane(tenant, r.Endpoint)
	if next := l.window.first(now); !ls.slots.vacant(l) || next != nil && next.due(now) {
		return nil
	}
	if ok, _ := l.takeToken(now); !ok {
		return nil
	}
	it := &item{phase: held, lane: l, delivery: domain.Delivery{
		ID: r.ID, Tenant: tenant, Endpoint: r.Endpoint, EndpointVersion: r.EndpointVersion, Subscriptions: r.Subscriptions,
		Status: domain.DeliveryPending,
	}}
	sh.items[r.ID] = it
	ls.slots.occupy(l)
	return prepare(it, ls.set.Node, now)
}

// fences returns fences with those of the shards on which attempts begin.
func (f *firsts) fences(asked []domain.Fence) []domain.Fence {
	if len(f.attempts) == 0 {
		return asked
	}
	fences := slices.Clone(asked)
	for i := range f.attempts {
		if fence := f.attempts[i].item.lane.shard.fences[0]; !slices.Contains(fences, fence) {
			fences = append(fences, fence)
		}
	}
	return fences
}

// launch sends what the group's append has begun. The feed may have folded the entries before.
func (f *firsts) launch(entries []domain.Entry, submitted, returned time.Time) {
	if len(f.attempts) == 0 {
		return
	}
	f.lanes.mu.Lock()
	defer f.lanes.mu.Unlock()
	deliveries, of := []domain.Delivery(nil), -1
	for _, a := range f.attempts {
		if of != a.namedAt {
			deliveries, of = domain.Routed(&entries[a.namedAt]), a.namedAt
		}
		at := slices.IndexFunc(deliveries, func(delivery domain.Delivery) bool { return delivery.ID == a.item.delivery.ID })
		a.delivery = deliveries[at]
		a.item.created(&entries[a.namedAt], &a.delivery)
		a.event = eventOf(&entries[a.eventAt])
		a.begun(submitted, returned, 0)
		f.lanes.launch(a.attempt)
	}
	f.attempts = nil
	f.lanes.pump()
}

// unreserve gives the slots and tokens of a group back whose append isn't known to be committed. The group may be in
// the log nevertheless, if only the answer was lost: then the fold finds that its attempts are open and closes them as
// not sent.
func (f *firsts) unreserve() {
	if len(f.attempts) == 0 {
		return
	}
	f.lanes.mu.Lock()
	defer f.lanes.mu.Unlock()
	for _, a := range f.attempts {
		l := a.item.lane
		l.returnToken()
		f.lanes.slots.vacate(l)
		switch {
		case l.shard.lost:
			delete(l.shard.items, a.item.delivery.ID)
		case a.item.position > 0:
			l.shard.settle(a.item)
		default:
			delete(l.shard.items, a.item.delivery.ID)
		}
	}
	f.attempts = nil
	f.lanes.pump()
}
