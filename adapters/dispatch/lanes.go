package dispatch

import (
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// lanes is a node's working state, the fold of the log in memory: the shards that the node holds, with a lane for each
// of their endpoints, the deliveries that wait in the lanes' windows, and what is under way. It decides what begins
// when, and has a crew do it.
//
// Its methods, and those of shard and lane that say so, take the lock and give it back. Each that changes something
// ends with pump, which begins whatever the change lets begin. No I/O takes place and nothing blocks while the lock is
// held.
type lanes struct {
	set   *Settings
	crew  crew
	stops chan *domain.FollowerStop // folds that stopped, each at most once; its capacity is their number

	mu      sync.Mutex // guards all below, and all of shards, lanes and items
	config  configuration
	shards  [shardCount]*shard // that this node holds; nil: it doesn't
	budget  budget
	left    []*shard // that were lost with tasks under way, until these are over
	slots   slots
	timers  timers
	touched []*lane // to be pumped before mu is released
	halted  bool    // deliveries can't be folded any more: only the configuration is
}

// crew does what the lanes find to be done. Each method is called in a goroutine of its own, without the lock, and
// returns when the work is over or may not go on.
type crew interface {
	// attempt makes an attempt, whose slot is occupied, and others of the same endpoint after it as long as there are
	// any due.
	attempt(first *attempt)
	// load reads what is waiting in shards that were just taken.
	load(shards []*shard)
	// readMore reads more waiting deliveries into a lane's window.
	readMore(l *lane)
	// lookUp completes a shard's placeholders.
	lookUp(sh *shard)
	// record appends a shard's pending facts.
	record(sh *shard)
	// examine judges whether an endpoint has failed for too long.
	examine(l *lane)
}

// budget bounds how many waiting deliveries are in memory.
type budget struct {
	waiting int // in windows
	set     *Settings
}

// limit returns how many deliveries an endpoint keeps in memory for now.
func (b *budget) limit() int {
	if b.waiting > b.set.Budget {
		return min(smallWindow, b.set.Window)
	}
	return b.set.Window
}

func newLanes(set *Settings, crew crew) *lanes {
	return &lanes{
		set: set, crew: crew, stops: make(chan *domain.FollowerStop, 2),
		budget: budget{set: set},
		slots:  newSlots(set.Attempts),
		timers: timers{sooner: make(chan struct{}, 1)},
	}
}

// begin takes over a configuration, and returns all tenants' as it has them.
func (ls *lanes) begin(config *projections.Config) (all []*projections.Snapshot) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.config = configuration{config}
	for _, id := range config.Tenants() {
		all = append(all, config.Snapshot(id))
	}
	return all
}

// pump starts everything that may begin in the lanes that were touched; mu is held.
func (ls *lanes) pump() {
	for {
		for l := ls.slots.next(); l != nil; l = ls.slots.next() { // before those that would take what they gave back
			ls.slots.leaveQueue(l)
			l.takeTurn(time.Now())
		}
		if len(ls.touched) == 0 {
			return
		}
		l := ls.touched[len(ls.touched)-1]
		ls.touched = ls.touched[:len(ls.touched)-1]
		l.touched = false
		l.pump(time.Now()) // which may touch further lanes
	}
}

// launch has the crew begin with an attempt, in a slot that was occupied for it; mu is held.
func (ls *lanes) launch(first *attempt) {
	go func() {
		ls.crew.attempt(first)
		ls.mu.Lock()
		defer ls.mu.Unlock()
		ls.slots.vacate(first.item.lane)
		ls.pump()
	}()
}

// pumpDue pumps the lanes whose time has come and returns how long the next one has.
func (ls *lanes) pumpDue() time.Duration {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	now := time.Now()
	for {
		l, pause := ls.timers.due(now)
		if l == nil {
			ls.pump()
			return pause
		}
		l.touch()
	}
}

// fate is what the fold says about an attempt whose end conflicts with what the log has.
type fate int

const (
	fateUnseen    fate = iota // the fold hasn't got there yet
	fateEnded                 // an earlier try of the same append was committed after all
	fateCancelled             // the delivery was cancelled meanwhile, and the end now says so
	fateLost                  // the shard is another node's, who tells the log
)

// reconcile compares an attempt's end with the fold. An attempt that has ended is given back to its lane, and its death
// is as of the fold.
func (ls *lanes) reconcile(e *ending) (fate, death) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	it := e.item
	switch {
	case it.lane.shard.items[it.delivery.ID] != it: // such as after a halt
		return fateLost, death{}
	case it.delivery.Version <= e.version:
		return fateUnseen, death{}
	case it.delivery.Open && it.delivery.Attempts <= e.fact.Result.Number:
		e.overtake(it.delivery.Version)
		return fateCancelled, death{}
	}
	it.lane.shard.release(it, it.delivery.Version)
	ls.pump()
	return fateEnded, death{ls.config.Cursor(), e.delivery.EventSequence, time.Now()}
}

// wants reports whether a subscription of a tenant asks for operational events of a type.
func (ls *lanes) wants(tenant domain.TenantID, typ domain.EventType) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.config.wants(tenant, typ)
}

// fold applies a page of the log. It returns how many of its entries were folded, the tenants' configurations that
// changed by them, and why it stopped before the others, which it does only at one that configures routing. One about
// deliveries that can't be folded halts the node's dispatching, and the fold of the configuration goes on.
func (ls *lanes) fold(entries []domain.Entry) (n int, newer []*projections.Snapshot, stop *domain.FollowerStop) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	changed := make(map[domain.TenantID]bool)
	for ; n < len(entries); n++ {
		e := &entries[n]
		known, err := understood(e)
		if e.Kind.Configures() {
			if err := ls.config.fold(e, known, err); err != nil {
				stop = &domain.FollowerStop{Follower: configurationFollower, At: e.Position, Err: err}
				ls.haltLocked(stop)
				break
			}
			changed[e.Tenant] = true
		}
		if err == nil && known && !ls.halted {
			switch e.Stream.Kind {
			case domain.StreamEvent:
				ls.foldEvent(e)
			case domain.StreamDelivery:
				if it := ls.inHand(e.Stream.ID); it != nil {
					err = it.fold(e)
				}
				if sh := ls.shards[shardOf(e.Stream.ID)]; sh != nil && sh.ready && err == nil {
					err = sh.foldDelivery(e)
				}
			case domain.StreamTenant, domain.StreamEndpoint, domain.StreamSubscription:
				ls.reconfigure(e)
			case domain.StreamLease:
				ls.foldLease(e)
			}
		}
		if err != nil {
			ls.haltLocked(&domain.FollowerStop{Follower: feedFollower, At: e.Position, Err: err})
		}
		ls.config.SetCursor(e.Position)
	}
	for id := range changed {
		newer = append(newer, ls.config.Snapshot(id))
	}
	ls.pump()
	return n, newer, stop
}

// foldEvent takes in the deliveries that an event's entry, or one that continues its routing, makes; mu is held.
func (ls *lanes) foldEvent(e *domain.Entry) {
	if e.Damaged {
		ls.set.Logger.Error("an event's content is damaged: this node doesn't know where it goes, and sends it nowhere",
			slog.Any("tenant", e.Tenant), slog.Any("sequence", e.Sequence))
		return
	}
	for _, delivery := range domain.Routed(e) {
		if it := ls.inHand(delivery.ID); it != nil {
			it.created(e, &delivery)
		}
		sh := ls.shards[shardOf(delivery.ID)]
		if sh == nil || !sh.ready {
			continue // not ours, or the loader sees it
		}
		if known := sh.items[delivery.ID]; known != nil { // its first attempt is in hand: reserved, or under way
			known.created(e, &delivery)
			continue
		}
		sh.admit(&item{delivery: delivery, position: e.Position})
	}
}

// inHand returns the item of a delivery that a task of a lost shard has in hand, nil if none has; mu is held.
func (ls *lanes) inHand(delivery domain.UUID) *item {
	for _, sh := range ls.left {
		if it := sh.items[delivery]; it != nil {
			return it
		}
	}
	return nil
}

// reconfigure has lanes follow the configuration, which has just been folded; mu is held.
func (ls *lanes) reconfigure(e *domain.Entry) {
	switch e.Stream.Kind {
	case domain.StreamEndpoint:
		if l := ls.lane(e.Stream.ID); l != nil {
			l.obey()
			if l.config == nil {
				l.sift()
			}
			l.touch()
		}
	case domain.StreamSubscription:
		if f, ok := e.Fact.(*domain.SubscriptionDeleted); ok {
			if l := ls.lane(f.Subscription.Endpoint); l != nil {
				l.sift()
			}
		}
	case domain.StreamTenant:
		_, lives := ls.config.Tenant(e.Tenant)
		for l := range ls.all() {
			switch {
			case l.tenant != e.Tenant:
			case lives:
				l.obeyTenant()
				l.touch()
			default:
				l.obey()
				l.sift()
			}
		}
	}
}

// foldLease folds who holds what; mu is held. It is the only way in which this node comes to hold a shard, whoever took
// it for it.
func (ls *lanes) foldLease(e *domain.Entry) {
	f, ok := e.Fact.(*domain.LeaseTaken)
	if !ok {
		return
	}
	var taken []*shard
	for _, l := range f.Leases {
		index, ok := shardIndex(l.Name)
		if !ok {
			continue
		}
		if sh := ls.shards[index]; sh != nil {
			sh.drop()
		}
		if f.Node != ls.set.Node {
			continue
		}
		sh := newShard(ls, index, domain.Fence{Lease: l.Name, Owner: f.Node, Epoch: l.Epoch})
		sh.partings = slices.Clone(l.Partings)
		ls.shards[index] = sh
		if !ls.slots.stopping { // else it is passed on at the next beat
			taken = append(taken, sh)
		}
	}
	if len(taken) > 0 {
		ls.set.Logger.Info("shards taken", slog.Int("shards", len(taken)), slog.Any("position", e.Position))
		ls.slots.tasks.Add(1)
		go func() {
			defer ls.slots.tasks.Done()
			ls.crew.load(taken)
		}()
	}
}

// adopt takes over what a loader has gathered of shards, and sets them to work. Those that were lost meanwhile are
// passed over.
func (ls *lanes) adopt(shards []*shard, reached map[domain.UUID]*reach, items map[domain.UUID]*item) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	var kept [shardCount]*shard
	for _, sh := range shards {
		if !sh.lost {
			sh.ready, kept[sh.index] = true, sh
		}
	}
	for _, r := range reached {
		if sh := kept[shardOf(r.endpoint)]; sh != nil && r.more {
			l := sh.lane(r.tenant, r.endpoint)
			l.window.more, l.window.horizon = true, r.horizon
			l.touch()
		}
	}
	open, now := 0, time.Now()
	for id, it := range items {
		sh := kept[shardOf(id)]
		if sh == nil || sh.items[id] != nil {
			continue
		}
		if it.delivery.Open && !sh.partedUntil(it.delivery.Node).After(now) {
			open++
			it.delivery.Node = domain.UUID{} // it is a former owner's, which this node itself may have been
		}
		sh.admit(it)
	}
	if open > 0 {
		ls.set.Logger.Warn("attempts of another process have no end: they are closed as unknown", slog.Int("attempts", open))
	}
	ls.pump()
}

// yield has nothing begin any more on shards that are to go, by their leases' names, and returns their leases by the
// node that gets them. Attempts that are under way go on, and are ended by this node.
func (ls *lanes) yield(give map[string]domain.UUID) map[domain.UUID][]domain.Lease {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	going, now := make(map[domain.UUID][]domain.Lease), time.Now()
	for _, sh := range ls.shards {
		if sh == nil {
			continue
		}
		to, gives := give[sh.fences[0].Lease]
		if sh.giving && !gives { // the plan has changed: go on
			for _, l := range sh.byEndpoint {
				l.touch()
			}
		}
		sh.giving = gives
		if gives && (sh.ready || ls.slots.stopping) {
			going[to] = append(going[to], sh.part(now))
		}
	}
	ls.pump()
	return going
}

// forsake has attempts closed that a retired node had under way on shards that it has given away.
func (ls *lanes) forsake(s domain.Standing) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, sh := range ls.shards {
		if sh != nil {
			sh.forsake(s)
		}
	}
	ls.pump()
}

// stop has nothing begin any more, and returns how many attempts are under way.
func (ls *lanes) stop() int {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.slots.stop()
	return ls.slots.running
}

// stopping reports whether nothing begins any more.
func (ls *lanes) stopping() bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.slots.stopping
}

// halt ends this node's dispatching for good since its fold can't go on. What is under way ends as usual.
func (ls *lanes) halt(stop *domain.FollowerStop) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.haltLocked(stop)
}

// haltLocked is halt for those who hold mu.
func (ls *lanes) haltLocked(stop *domain.FollowerStop) {
	ls.halted, ls.slots.stopping = true, true // what is folded halfway must not be acted upon
	select {
	case ls.stops <- stop:
	default: // both followers have stopped already
	}
}

// clear forgets everything but the configuration, once nothing is under way any more.
func (ls *lanes) clear() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for l := range ls.all() {
		ls.slots.leaveQueue(l)
	}
	ls.shards, ls.budget.waiting = [shardCount]*shard{}, 0
}

// measure returns what value says of the lanes. It is for metrics.
func (ls *lanes) measure(value func(ls *lanes) int) int {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return value(ls)
}

// held returns what holds an endpoint's due deliveries; see Dispatcher.Held.
func (ls *lanes) held(endpoint domain.UUID) (by string, since time.Time) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.lane(endpoint)
	if l == nil {
		return "", time.Time{}
	}
	return l.refused.by, l.refused.since
}

// lane returns the lane of an endpoint, nil when there is none; mu is held.
func (ls *lanes) lane(endpoint domain.UUID) *lane {
	if sh := ls.shards[shardOf(endpoint)]; sh != nil {
		return sh.byEndpoint[endpoint]
	}
	return nil
}

// all iterates over the lanes; mu is held.
func (ls *lanes) all() iter.Seq[*lane] {
	return func(yield func(*lane) bool) {
		for _, sh := range ls.shards {
			if sh == nil {
				continue
			}
			for _, l := range sh.byEndpoint {
				if !yield(l) {
					return
				}
			}
		}
	}
}
