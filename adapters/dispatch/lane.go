package dispatch

import (
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"golang.org/x/time/rate"
)

// lane is what one endpoint has in memory. Dispatcher.mu guards it.
type lane struct {
	shard    *shard
	tenant   domain.TenantID
	endpoint domain.UUID
	config   *domain.Endpoint // in force; nil when it is deleted. Replaced, never changed
	barred   bool             // by the tenant's rules: nothing begins, everything waits
	window   window
	running  int // attempts under way, at most config.Concurrency unless that was lowered meanwhile
	limiter  *rate.Limiter
	throttle throttle

	// disabling: an endpoint.disabled is on its way, so nothing begins any more. It ends when the fold sees a change.
	disabling bool
	examined  examination

	paging bool      // more is being read into the window
	dirty  bool      // is in Dispatcher.dirty
	wakeAt time.Time // when to look again; zero: not asked for
	wake   int       // index in Dispatcher.timers
}

// configure takes over a configuration, nil for a deleted endpoint.
func (l *lane) configure(c *domain.Endpoint) {
	if l.config != nil && c != nil && c.Moved(l.config.EndpointConfig) {
		l.throttle = throttle{} // it was another receiver's
	}
	l.config, l.disabling, l.examined.sound = c, false, time.Time{}
	switch {
	case c == nil || c.RateLimit == nil:
		l.limiter = nil
	case l.limiter == nil:
		l.limiter = rate.NewLimiter(rate.Limit(c.RateLimit.PerSecond), c.RateLimit.Burst)
	default:
		l.limiter.SetLimit(rate.Limit(c.RateLimit.PerSecond))
		l.limiter.SetBurst(c.RateLimit.Burst)
	}
}

// open reports whether one more attempt may be under way, whatever is due.
func (l *lane) open() bool {
	return l.shard.ready && !l.shard.giving && !l.shard.lost &&
		l.config != nil && l.config.Active() && !l.barred && !l.disabling && l.running < l.slots()
}

// slots is how many attempts may be under way at once.
func (l *lane) slots() int {
	if l.throttle.single {
		return 1
	}
	return l.config.Concurrency
}

// admit takes a token of the rate limit or says when to ask again.
func (l *lane) admit(now time.Time) (ok bool, again time.Time) {
	if l.throttle.until.After(now) {
		return false, l.throttle.until
	}
	if l.limiter == nil || l.limiter.AllowN(now, 1) {
		return true, now
	}
	missing := (1 - l.limiter.TokensAt(now)) / float64(l.limiter.Limit())
	// One more microsecond, lest rounding brings us back a moment too early, again and again.
	return false, now.Add(time.Duration(missing*float64(time.Second)) + time.Microsecond)
}

// readmit gives a token of the rate limit back that no attempt has used.
func (l *lane) readmit() {
	if l.limiter != nil {
		l.limiter.AllowN(time.Now(), -1)
	}
}

// laneOf returns the lane of an endpoint in a shard, made when there is none.
func (d *Dispatcher) laneOf(sh *shard, tenant domain.TenantID, endpoint domain.UUID) *lane {
	l := sh.lanes[endpoint]
	if l == nil {
		l = &lane{shard: sh, tenant: tenant, endpoint: endpoint, wake: -1}
		d.refresh(l)
		sh.lanes[endpoint] = l
		if l.config == nil {
			d.touch(l) // it goes again when what is here of it is cancelled
		}
	}
	return l
}

// refresh has a lane take over the configuration in force.
func (d *Dispatcher) refresh(l *lane) {
	l.configure(d.endpointNow(l.endpoint))
	d.bar(l)
}

// bar has a lane obey its tenant's rules in force.
func (d *Dispatcher) bar(l *lane) {
	tenant, ok := d.config.Tenant(l.tenant)
	l.barred = ok && l.config != nil && tenant.Bars(l.config.EndpointConfig) != ""
}

// endpointNow returns an endpoint's configuration in force, nil when it is deleted.
func (d *Dispatcher) endpointNow(id domain.UUID) *domain.Endpoint {
	row, ok := d.config.Endpoint(id)
	if !ok {
		return nil
	}
	return &row.Endpoint
}

// doom returns why a delivery is to be cancelled, "" when it isn't.
func (d *Dispatcher) doom(it *item) domain.CancelReason {
	if _, ok := d.config.Tenant(it.delivery.Tenant); !ok {
		return domain.CancelTenantDeleted
	}
	if it.lane.config == nil {
		return domain.CancelEndpointDeleted
	}
	for _, s := range it.delivery.Subscriptions {
		if _, ok := d.config.Subscription(it.delivery.Tenant, s.ID); ok {
			return ""
		}
	}
	if len(it.delivery.Subscriptions) == 0 { // a test, which no subscription asked for
		return ""
	}
	return domain.CancelSubscriptionsDeleted
}

// settle puts an item that no task has in hand where it belongs.
func (d *Dispatcher) settle(it *item) {
	l := it.lane
	switch {
	case it.gone():
		delete(l.shard.items, it.delivery.ID)
		return
	case it.delivery.Open:
		// No task has the attempt in hand: it is a former owner's, or the answer to its start was lost.
		result := unknown
		if it.delivery.Node == d.set.Node {
			result = notSent
		}
		d.closeOpen(l.shard, []*item{it}, result)
		return
	}
	it.phase = waiting
	if reason := d.doom(it); reason != "" {
		d.cancel(it, reason)
		return
	}
	if !l.window.put(it) {
		delete(l.shard.items, it.delivery.ID)
		return
	}
	d.waiting++
	if limit := d.windowLimit(); l.window.len() > 2*limit {
		d.forget(l.window.trim(limit))
	}
	d.touch(l)
}

// forget drops items that were taken out of a window.
func (d *Dispatcher) forget(items []*item) {
	for _, it := range items {
		delete(it.lane.shard.items, it.delivery.ID)
	}
	d.waiting -= len(items)
}

// windowLimit is how many deliveries an endpoint keeps in memory for now.
func (d *Dispatcher) windowLimit() int {
	if d.waiting > d.set.Budget {
		return min(smallWindow, d.set.Window)
	}
	return d.set.Window
}

// touch has a lane pumped before mu is released.
func (d *Dispatcher) touch(l *lane) {
	if !l.dirty {
		l.dirty = true
		d.dirty = append(d.dirty, l)
	}
}

// unlock pumps the lanes that were touched and releases mu. It is the only way to release it after a change.
func (d *Dispatcher) unlock() {
	for len(d.dirty) > 0 { // pumping may touch further lanes
		l := d.dirty[len(d.dirty)-1]
		d.dirty = d.dirty[:len(d.dirty)-1]
		l.dirty = false
		d.pump(l, time.Now())
	}
	d.mu.Unlock()
}

// pump starts as many attempts as may be.
func (d *Dispatcher) pump(l *lane, now time.Time) {
	if l.shard.lost {
		return
	}
	if l.window.more && !l.paging && l.shard.ready && l.window.len() <= d.windowLimit()/2 &&
		len(l.shard.pending) < maxPending { // else what is paged in to be cancelled would pile up; appendPending comes back
		d.pageIn(l)
	}
	for l.open() {
		it := d.claim(l, now)
		if it == nil {
			return
		}
		d.occupy(l)
		d.launch(d.prepare(it, now))
	}
	if l.idle() {
		d.sleepLane(l)
		delete(l.shard.lanes, l.endpoint)
	}
}

// idle reports whether the lane can go: its endpoint is deleted, and no delivery of it is left in memory or in the view. Items
// in hand may still refer to it, but will only be cancelled.
func (l *lane) idle() bool {
	return l.config == nil && l.shard.ready && !l.window.more && !l.paging && l.running == 0 && l.window.len() == 0
}

// claim takes the next delivery that is due out of a lane's window, nil when there is none now. It doesn't ask for the
// lane's concurrency.
func (d *Dispatcher) claim(l *lane, now time.Time) *item {
	for !d.stopping {
		it := l.window.first(now)
		if it == nil {
			return nil
		}
		if !it.due(now) {
			d.wakeLane(l, it.delivery.NextAttemptAt)
			return nil
		}
		reason := d.doom(it)
		if reason == "" {
			if ok, again := l.admit(now); !ok {
				d.wakeLane(l, again)
				return nil
			}
		}
		l.window.remove(it)
		d.waiting--
		if reason == "" {
			it.phase = held
			return it
		}
		d.cancel(it, reason)
	}
	return nil
}

// release returns an item to its lane once its worker is done; mu is held. version is the stream version that the append
// reached: until the fold has caught up with it the item is stale and can't be claimed.
func (d *Dispatcher) release(it *item, version int) {
	if it.lane.shard.lost {
		return
	}
	if it.delivery.Version >= version {
		d.settle(it)
		return
	}
	it.phase, it.awaits = stale, version
}
