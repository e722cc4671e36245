package dispatch

import (
	"slices"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"golang.org/x/time/rate"
)

// lane is what one endpoint has in memory. lanes.mu guards it: next and what is above it take the lock themselves,
// everything below next is for those who hold it.
type lane struct {
	shard    *shard
	tenant   domain.TenantID
	endpoint domain.UUID
	config   *domain.Endpoint // in force; nil when it is deleted. Replaced, never changed
	barred   bool             // by the tenant's rules: nothing begins, everything waits
	window   window
	running  int       // attempts under way, at most concurrency unless that was lowered meanwhile
	parted   []*item   // whose attempts former owners have under way; they count like running
	deadline time.Time // by which those under way have ended
	limiter  *rate.Limiter
	throttle throttle
	refused  refusal // what holds deliveries that are due

	// disabling: an endpoint.disabled is on its way, so nothing begins any more. It ends when the fold sees a change.
	disabling bool
	examined  examination

	reading bool      // more is being read into the window
	touched bool      // is in lanes.touched
	wakeAt  time.Time // when to look again, while timer isn't -1
	timer   int       // index in timers; -1: none
	place   int       // among those of its tenant that wait for a slot; -1: it doesn't
	ticket  uint64    // when it came to wait
}

// examination is of an endpoint that may have failed for too long. It takes place when a delivery's schedule has ended
// without success, in the background, and one at a time for an endpoint.
type examination struct {
	because *death // what makes the next one necessary; nil: nothing does
	running bool
	// sound is until when the endpoint can't have failed for too long, whatever fails.
	sound time.Time
}

// disable drafts the endpoint's disabling as of the fold, and has nothing begin any more until the fold sees a change.
// It returns nil, and lets attempts begin again, if the endpoint isn't to be disabled.
func (l *lane) disable(judge judgement, cause domain.Sequence) []domain.Draft {
	ls := l.shard.lanes
	ls.mu.Lock()
	defer ls.mu.Unlock()
	var drafts []domain.Draft
	if !l.shard.lost {
		drafts = disablingOf(ls.config, l.tenant, l.endpoint, judge, cause)
	}
	l.disabling = drafts != nil
	l.touch()
	ls.pump()
	return drafts
}

// resume lets attempts begin again after the log has refused the endpoint's disabling.
func (l *lane) resume() {
	ls := l.shard.lanes
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l.disabling = false
	l.touch()
	ls.pump()
}

// changed reports whether the fold has the endpoint in another version than one.
func (l *lane) changed(version int) bool {
	ls := l.shard.lanes
	ls.mu.Lock()
	defer ls.mu.Unlock()
	row, ok := ls.config.Endpoint(l.endpoint)
	return !ok || row.Version != version
}

// died has the endpoint examined after the end of a delivery's schedule.
func (l *lane) died(of death) {
	ls := l.shard.lanes
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l.config == nil || l.config.DisableAfter == 0 || time.Now().Before(l.examined.sound) || ls.slots.stopping {
		return
	}
	l.examined.because = &of
	if l.examined.running {
		return
	}
	l.examined.running = true
	ls.slots.tasks.Add(1) // none of the shard's tasks: views that are far behind must not keep the shard here
	go func() {
		defer ls.slots.tasks.Done()
		ls.crew.examine(l)
	}()
}

// nextExamination returns what makes another examination necessary, nil when nothing does.
func (l *lane) nextExamination() *death {
	ls := l.shard.lanes
	ls.mu.Lock()
	defer ls.mu.Unlock()
	because := l.examined.because
	l.examined.because = nil
	l.examined.running = because != nil && !l.shard.lost && !ls.slots.stopping
	if !l.examined.running {
		return nil
	}
	return because
}

// next has the lane observe how its worker's last attempt ended, which may be nil, and claims the next delivery for the
// same slot. It drafts what goes into the log with the end, and returns nil when no attempt is to be made now.
func (l *lane) next(last *ending) *attempt {
	ls, now := l.shard.lanes, time.Now()
	ls.mu.Lock()
	defer ls.mu.Unlock()
	var next *attempt
	if last != nil {
		l.observe(last, now)
	}
	ls.slots.add(l, -1) // this worker's own slot, for the next one
	vacant := ls.slots.vacant(l) && !ls.slots.yields(l)
	ls.slots.add(l, 1)
	if vacant {
		if it := l.claim(now); it != nil {
			next = prepare(it, ls.set.Node, now)
		}
	}
	ls.pump()
	return next
}

// observe takes in what the end of an attempt says about the endpoint, and drafts what is to be appended with it.
func (l *lane) observe(e *ending, now time.Time) {
	ls, single := l.shard.lanes, l.throttle.single
	l.throttle.observe(e.seen, now)
	if single && !l.throttle.single {
		l.touch() // the other slots may be taken again
	}
	if e.fact.Result.Status == domain.DeliveryDead && ls.config.wants(l.tenant, domain.EventDeliveryDead) {
		e.deadLetter = deadLetterEvent(&e.item.delivery, e.event, &e.fact.Result, e.deadBecause())
	}
	if e.gone && !l.disabling {
		e.disabled = disablingOf(ls.config, l.tenant, l.endpoint, gone(e.asked), e.delivery.EventSequence)
		e.disables = e.disabled != nil
		l.disabling = e.disables
	}
}

// pump starts everything that may begin now.
func (l *lane) pump(now time.Time) {
	sh, ls := l.shard, l.shard.lanes
	if sh.lost {
		return
	}
	l.closeParted(now)
	if l.window.more && !l.reading && sh.ready && l.window.len() <= ls.budget.limit()/2 &&
		len(sh.pending) < maxPending { // else what is read only to be cancelled would pile up; takePending comes back
		l.reading = true
		sh.spawn(func() { ls.crew.readMore(l) })
	}
	for ls.slots.vacant(l) {
		if !l.begin(now) {
			return
		}
	}
	l.queue(now)
	if l.idle() {
		ls.timers.clear(l)
		ls.slots.leaveQueue(l)
		delete(sh.byEndpoint, l.endpoint)
	}
}

// part leaves the attempt of an item to the former owner that makes it.
func (l *lane) part(it *item) {
	it.phase = parted
	l.parted = append(l.parted, it)
	l.touch()
}

// unpart undoes part.
func (l *lane) unpart(it *item) {
	l.parted = slices.DeleteFunc(l.parted, func(other *item) bool { return other == it })
	l.touch()
}

// closeParted closes the attempts that former owners had under way and whose time is over, and has the lane looked at
// again when that of others is.
func (l *lane) closeParted(now time.Time) {
	for _, it := range slices.Clone(l.parted) {
		until := l.shard.partedUntil(it.delivery.Node)
		if until.After(now) {
			l.shard.lanes.timers.set(l, until)
			continue
		}
		l.unpart(it)
		it.delivery.Node = domain.UUID{} // no attempt that this node itself has in hand
		l.shard.settle(it)
	}
}

// takeTurn begins one attempt in a slot that the lane has waited for, and has it wait for the next one.
func (l *lane) takeTurn(now time.Time) {
	if l.shard.lanes.slots.vacant(l) && l.begin(now) {
		l.queue(now)
	}
}

// begin starts the next attempt that is due, and reports whether there was one; a slot is vacant.
func (l *lane) begin(now time.Time) bool {
	ls := l.shard.lanes
	it := l.claim(now)
	if it == nil {
		return false
	}
	ls.slots.occupy(l)
	ls.launch(prepare(it, ls.set.Node, now))
	return true
}

// queue has the lane wait for a slot if that is all that an attempt lacks.
func (l *lane) queue(now time.Time) {
	if s := &l.shard.lanes.slots; s.wanted(l) {
		if it := l.window.first(now); it != nil && it.due(now) {
			s.wait(l)
		}
	}
}

// claim takes the next delivery that is due out of the window, nil when there is none now, and has the lane looked at
// again when there will be. It doesn't ask for a slot.
func (l *lane) claim(now time.Time) *item {
	ls := l.shard.lanes
	for {
		it := l.window.first(now)
		if it == nil {
			l.refused = refusal{}
			return nil
		}
		if !it.due(now) {
			l.refused = refusal{}
			ls.timers.set(l, it.delivery.NextAttemptAt)
			return nil
		}
		reason := ls.config.doom(&it.delivery, l.config)
		if reason == "" {
			if ok, again := l.takeToken(now); !ok {
				ls.timers.set(l, again)
				l.refused.note(l.throttle.until.After(now), now)
				return nil
			}
			if l.limiter == nil || l.limiter.TokensAt(now) >= 1 || l.refused.by == domain.HeldByReceiver {
				l.refused = refusal{} // else the next one is refused as this one was
			}
		}
		l.remove(it)
		if reason == "" {
			it.phase = held
			return it
		}
		l.shard.cancel(it, reason)
	}
}

// ahead returns the events of deliveries that are about to be claimed, roughly.
func (l *lane) ahead() []domain.Sequence {
	ls := l.shard.lanes
	ls.mu.Lock()
	defer ls.mu.Unlock()
	var sequences []domain.Sequence
	for _, h := range []itemHeap{l.window.fresh, l.window.retries} {
		for _, it := range h[:min(len(h), 2*contentPage)] { // the first ones of a heap are among the next
			sequences = append(sequences, it.delivery.EventSequence)
		}
	}
	return sequences
}

// remove takes an item out of the window.
func (l *lane) remove(it *item) {
	l.window.remove(it)
	l.shard.lanes.budget.waiting--
}

// sift cancels those in the window that will not be tried any more.
func (l *lane) sift() {
	if !l.shard.ready {
		return // its loader sifts
	}
	for _, it := range l.window.all() {
		if reason := l.shard.lanes.config.doom(&it.delivery, l.config); reason != "" {
			l.remove(it)
			l.shard.cancel(it, reason)
		}
	}
	l.touch()
}

// touch has the lane pumped before the lock is given back.
func (l *lane) touch() {
	if !l.touched {
		l.touched = true
		l.shard.lanes.touched = append(l.shard.lanes.touched, l)
	}
}

// obey takes over the configuration in force.
func (l *lane) obey() {
	c := l.shard.lanes.config.endpoint(l.endpoint)
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
	l.obeyTenant()
}

// obeyTenant takes over the rules in force of the endpoint's tenant.
func (l *lane) obeyTenant() { l.barred = l.shard.lanes.config.bars(l.tenant, l.config) }

// concurrency is how many attempts may be under way at once.
func (l *lane) concurrency() int {
	if l.throttle.single {
		return 1
	}
	return l.config.Concurrency
}

// takeToken takes a token of the rate limit, or returns when to ask again.
func (l *lane) takeToken(now time.Time) (ok bool, again time.Time) {
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

// returnToken gives a token of the rate limit back that no attempt has used.
func (l *lane) returnToken() {
	if l.limiter != nil {
		l.limiter.AllowN(time.Now(), -1)
	}
}

// idle reports whether the lane can go: its endpoint is deleted, and no delivery of it is left in memory or in the
// view. Items in hand may still refer to it, but will only be cancelled.
func (l *lane) idle() bool {
	return l.config == nil && l.shard.ready && !l.window.more && !l.reading && l.running == 0 && len(l.parted) == 0 &&
		l.window.len() == 0
}
