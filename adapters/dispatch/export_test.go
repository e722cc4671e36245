package dispatch

import (
	"context"

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
