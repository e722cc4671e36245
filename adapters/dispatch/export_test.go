package dispatch

import (
	"context"
	"fmt"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// What tests from outside look up.
const (
	DefaultWindow     = defaultWindow
	DefaultGrace      = defaultGrace
	ContentOverhead   = contentOverhead
	ConfigurationWait = configurationWait
)

// Inform has a dispatcher that isn't running know a configuration, so that it routes.
func (d *Dispatcher) Inform(config *projections.Config) { d.feed.begin(config) }

// InHand returns how many slots are taken, and how many deliveries and facts to be looked at or appended are in memory.
func (d *Dispatcher) InHand() (slots, deliveries, waiting, touched int) {
	d.lanes.mu.Lock()
	defer d.lanes.mu.Unlock()
	slots = d.lanes.slots.running
	for l := range d.lanes.all() {
		slots = max(slots, l.running, l.shard.running)
	}
	for _, sh := range d.lanes.shards {
		if sh != nil {
			deliveries += len(sh.items)
		}
	}
	return slots, deliveries, d.lanes.budget.waiting, len(d.lanes.touched)
}

// Imbalance says where the counts of slots contradict each other or their limit, or where a lane that could have a slot
// waits; "" if they don't.
func (d *Dispatcher) Imbalance() string {
	d.lanes.mu.Lock()
	defer d.lanes.mu.Unlock()
	s := &d.lanes.slots
	total, waiting := 0, 0
	for tenant, sh := range s.shares {
		total += sh.running
		waiting += len(sh.waiting)
		if sh.running < 0 || sh.running == 0 && len(sh.waiting) == 0 {
			return fmt.Sprintf("tenant %s has a share of %d slots", tenant, sh.running)
		}
		for i, l := range sh.waiting {
			if l.place != i || l.shard.lost {
				return fmt.Sprintf("a lane that waits at %d says %d; lost: %t", i, l.place, l.shard.lost)
			}
		}
	}
	lanes, queued := 0, 0
	for l := range d.lanes.all() {
		lanes += l.running
		if l.place >= 0 {
			queued++
		}
		if l.running < 0 {
			return fmt.Sprintf("%d attempts of an endpoint are under way", l.running)
		}
	}
	switch { // attempts of lost shards are in no lane that is held
	case total != s.running || lanes > s.running || s.running < 0 || s.running > s.limit:
		return fmt.Sprintf("%d attempts under way of at most %d: %d of tenants, %d of endpoints", s.running, s.limit, total, lanes)
	case queued != waiting:
		return fmt.Sprintf("%d lanes wait, %d are queued", queued, waiting)
	case s.next() != nil && !s.stopping:
		return "a lane waits for a slot that is vacant"
	}
	return ""
}

// HasLane reports whether a dispatcher has a lane of an endpoint.
func (d *Dispatcher) HasLane(endpoint domain.UUID) bool {
	d.lanes.mu.Lock()
	defer d.lanes.mu.Unlock()
	return d.lanes.lane(endpoint) != nil
}

// RouteDrafts decides the routing of drafts as an append does.
func RouteDrafts(ctx context.Context, drafts []domain.Draft, config *projections.Snapshot) ([]domain.Draft, error) {
	var cost uint64
	routed, _, err := routeDrafts(ctx, drafts, config, decideBy{}, &cost)
	return routed, err
}
