package dispatch

import (
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// maxPending is how many facts of a shard may wait to be appended before no more deliveries are read into its windows,
// all of which may have to be cancelled.
const maxPending = 4 * pendingBatch

// pendingBatch is how many facts about deliveries that nobody sends are appended at once, and how many placeholders are
// looked up.
const pendingBatch = 250

// shard is one shard that this node holds, in one epoch. Taken again, it is a new one. lanes.mu guards it: lose and
// what is above it take the lock themselves, everything below lose is for those who hold it.
type shard struct {
	lanes      *lanes
	index      int
	fences     []domain.Fence // the one of its lease; read only
	ends       []domain.Fence // the same for ends of attempts, which holds on for them when the shard is given away; read only
	byEndpoint map[domain.UUID]*lane
	items      map[domain.UUID]*item // every delivery known here, by id

	ready bool // loaded: entries are folded into it and work may start
	// lost: no longer held. Nothing starts any more; items that tasks have in hand are kept and folded (lanes.left) until
	// the last task is over, since this node ends its attempts by itself.
	lost   bool
	giving bool // it is about to be handed over. Nothing starts any more
	// announced is, once it is given away, by when the attempts under way have ended, as its next owner is told.
	announced time.Time
	running   int // tasks: attempts, closings, cancellations
	// partings are former owners that end attempts here by themselves, until a time.
	partings []domain.Parting

	pending   []pendingFact // to be appended
	recording bool          // a task is at it

	placeholders []domain.UUID // deliveries whose rows are to be read
	looking      bool          // a task is at it
}

func newShard(ls *lanes, index int, fence domain.Fence) *shard {
	ending := fence
	ending.Ending = true
	return &shard{
		lanes: ls, index: index, fences: []domain.Fence{fence}, ends: []domain.Fence{ending},
		byEndpoint: make(map[domain.UUID]*lane), items: make(map[domain.UUID]*item),
	}
}

// takePending returns the next facts to be appended. When there are none, it returns nil and the task that asks is
// over.
func (sh *shard) takePending() []pendingFact {
	sh.lanes.mu.Lock()
	defer sh.lanes.mu.Unlock()
	if len(sh.pending) > 0 && !sh.lost {
		n := min(pendingBatch, len(sh.pending))
		batch := sh.pending[:n:n]
		sh.pending = sh.pending[n:]
		return batch
	}
	sh.recording, sh.pending = false, nil
	for _, l := range sh.byEndpoint {
		if l.window.more {
			l.touch() // it may have been held up; see lane.pump
		}
	}
	sh.lanes.pump()
	return nil
}

// takePlaceholders returns the ids of deliveries whose rows are to be read. When there are none, the task that asks is
// over.
func (sh *shard) takePlaceholders() []domain.UUID {
	sh.lanes.mu.Lock()
	defer sh.lanes.mu.Unlock()
	ids := sh.placeholders
	sh.placeholders = nil
	sh.looking = len(ids) > 0 && !sh.lost
	if !sh.looking {
		return nil
	}
	return ids
}

// complete gives placeholders their rows, and returns the ids of those for which the view is too far behind.
func (sh *shard) complete(ids []domain.UUID, rows []domain.WaitingDelivery) (behind []domain.UUID) {
	sh.lanes.mu.Lock()
	defer sh.lanes.mu.Unlock()
	byID := make(map[domain.UUID]*domain.WaitingDelivery, len(rows))
	for i := range rows {
		byID[rows[i].Delivery.ID] = &rows[i]
	}
	for _, id := range ids {
		it := sh.items[id] // none is left when the shard is lost
		if it == nil || !it.placeholder {
			continue
		}
		first, row := &it.entries[0], byID[id]
		if row == nil || row.Delivery.Version < first.StreamVersion-1 {
			behind = append(behind, id)
			continue
		}
		if err := it.complete(row); err != nil {
			sh.lanes.haltLocked(&domain.FollowerStop{Follower: feedFollower, At: first.Position, Err: err})
			continue
		}
		it.lane = sh.lane(it.delivery.Tenant, it.delivery.Endpoint)
		sh.settle(it)
	}
	sh.lanes.pump()
	return behind
}

// unread returns behind which key more is to be read into a lane's window, and how much.
func (sh *shard) unread(l *lane) (after domain.WaitingKey, limit int) {
	sh.lanes.mu.Lock()
	defer sh.lanes.mu.Unlock()
	return l.window.horizon, sh.lanes.budget.limit()
}

// extend takes over what was read behind a key into a lane's window, as far as r says. What is known here already is
// newer.
func (sh *shard) extend(l *lane, after domain.WaitingKey, r *reach, items map[domain.UUID]*item) {
	sh.lanes.mu.Lock()
	defer sh.lanes.mu.Unlock()
	l.reading = false
	if sh.lost {
		return
	}
	// If the window was trimmed meanwhile, there would be a gap before what was read: it is read again.
	if l.window.horizon == after {
		l.window.more, l.window.horizon = r.more, r.horizon
		for id, it := range items {
			// A placeholder is of whatever lane of this shard: it lay beyond a window when it was touched.
			if sh.items[id] == nil && (it.placeholder || it.delivery.Endpoint == l.endpoint) {
				sh.admit(it)
			}
		}
	}
	l.touch()
	sh.lanes.pump()
}

// background has a task work on the shard's items; see spawn.
func (sh *shard) background(task func()) {
	sh.lanes.mu.Lock()
	defer sh.lanes.mu.Unlock()
	sh.spawn(task)
}

// lose drops a shard that the log says isn't held any more.
func (sh *shard) lose() {
	sh.lanes.mu.Lock()
	defer sh.lanes.mu.Unlock()
	sh.drop()
}

// drop forgets everything that is here but what tasks have in hand. What is under way finds out by lost.
func (sh *shard) drop() {
	if sh.lost {
		return
	}
	ls := sh.lanes
	sh.lost = true
	if ls.shards[sh.index] == sh {
		ls.shards[sh.index] = nil
	}
	for _, l := range sh.byEndpoint {
		ls.timers.clear(l)
		ls.slots.leaveQueue(l)
		ls.budget.waiting -= l.window.len()
	}
	maps.DeleteFunc(sh.items, func(_ domain.UUID, it *item) bool { return it.phase != held || it.placeholder })
	sh.byEndpoint = nil
	if sh.running > 0 {
		ls.left = append(ls.left, sh)
	}
	ls.set.Logger.Info("shard given up", slog.String("lease", sh.fences[0].Lease), slog.Any("epoch", sh.fences[0].Epoch))
}

// spawn has a task work on the shard's items in the background. While the dispatcher stops nothing new begins: the next
// owner of the shard finds the same to do.
func (sh *shard) spawn(task func()) {
	ls := sh.lanes
	if ls.slots.stopping || sh.lost {
		return
	}
	ls.slots.enter(sh)
	go func() {
		task()
		ls.mu.Lock()
		defer ls.mu.Unlock()
		ls.slots.leave(sh)
	}()
}

// lane returns the lane of an endpoint, made when there is none.
func (sh *shard) lane(tenant domain.TenantID, endpoint domain.UUID) *lane {
	l := sh.byEndpoint[endpoint]
	if l == nil {
		l = &lane{shard: sh, tenant: tenant, endpoint: endpoint, timer: -1, place: -1}
		l.obey()
		sh.byEndpoint[endpoint] = l
		if l.config == nil {
			l.touch() // it goes again when what is here of it is cancelled
		}
	}
	return l
}

// foldDelivery folds an entry of a delivery's stream.
func (sh *shard) foldDelivery(e *domain.Entry) error {
	it := sh.items[e.Stream.ID]
	if it == nil {
		made := domain.Routed(e)
		switch {
		case len(made) > 0:
			sh.admit(&item{delivery: made[0], position: e.Position})
			return nil
		case e.Fact == nil || !e.Kind.SetsOff():
			return nil // it lies beyond a window and was ended by somebody else
		}
		it = newPlaceholder(e)
		sh.admit(it)
	}
	if e.Damaged {
		sh.lanes.set.Logger.Error("what became of a delivery is damaged in the log: this node sends it no more",
			slog.Any("tenant", e.Tenant), slog.Any("sequence", e.Sequence), slog.Any("delivery", e.Stream.ID))
	}
	switch {
	case it.placeholder:
	case it.phase == waiting:
		it.lane.remove(it)
		it.phase = stale
	case it.phase == parted:
		it.lane.unpart(it)
		it.phase = stale
	}
	if err := it.fold(e); err != nil {
		return err
	}
	if it.phase == stale && !it.placeholder && it.delivery.Version >= it.awaits {
		sh.settle(it)
	}
	return nil
}

// admit takes in an item of which nothing was known here.
func (sh *shard) admit(it *item) {
	id := it.delivery.ID
	sh.items[id] = it
	if it.placeholder {
		sh.lookUp(id)
		return
	}
	it.lane = sh.lane(it.delivery.Tenant, it.delivery.Endpoint)
	sh.settle(it)
}

// release takes an item back that a task has had in hand; see item.release.
func (sh *shard) release(it *item, version int) {
	switch {
	case sh.lost:
		delete(sh.items, it.delivery.ID)
	case it.delivery.Version >= version:
		sh.settle(it)
	default:
		it.phase, it.awaits = stale, version
	}
}

// settle puts an item that no task has in hand where it belongs.
func (sh *shard) settle(it *item) {
	ls, l := sh.lanes, it.lane
	switch {
	case it.gone():
		delete(sh.items, it.delivery.ID)
		return
	case it.delivery.Open:
		// No task has the attempt in hand: it is a former owner's, or the answer to its start was lost.
		now := time.Now().UTC().Truncate(time.Microsecond)
		if sh.partedUntil(it.delivery.Node).After(now) {
			l.part(it)
			return
		}
		own := it.delivery.Node == ls.set.Node
		sh.enqueue(it, closing(&it.delivery, l.config, own, now, ls.set.Random))
		return
	}
	if reason := ls.config.doom(&it.delivery, l.config); reason != "" {
		sh.cancel(it, reason)
		return
	}
	it.phase = waiting
	if !l.window.put(it) {
		delete(sh.items, it.delivery.ID)
		return
	}
	ls.budget.waiting++
	if limit := ls.budget.limit(); l.window.len() > 2*limit {
		for _, beyond := range l.window.trim(limit) {
			delete(sh.items, beyond.delivery.ID)
			ls.budget.waiting--
		}
	}
	l.touch()
}

// partedUntil returns until when a former owner ends its attempts here by itself; zero: it doesn't.
func (sh *shard) partedUntil(node domain.UUID) (until time.Time) {
	for _, p := range sh.partings {
		if p.Node == node && p.Until.After(until) {
			until = p.Until
		}
	}
	return until
}

// part returns the shard's lease as it is to be given away: with this node among those that part with it, if it has
// attempts under way, and the others whose time isn't over.
func (sh *shard) part(now time.Time) domain.Lease {
	fence := sh.fences[0]
	l := domain.Lease{Name: fence.Lease, Owner: fence.Owner, Epoch: fence.Epoch, Partings: slices.Clone(sh.partings)}
	var last time.Time // by which the attempts under way have ended
	for _, lane := range sh.byEndpoint {
		if lane.running > 0 && lane.deadline.After(last) {
			last = lane.deadline
		}
	}
	if last.IsZero() {
		return l
	}
	if stopped := now.Add(sh.lanes.set.Grace); sh.lanes.slots.stopping && stopped.Before(last) {
		last = stopped
	}
	sh.announced = last
	until := last.Add(recordGrace).UTC().Truncate(time.Microsecond)
	l.Partings = append(l.Partings, domain.Parting{Node: fence.Owner, Epoch: fence.Epoch, Until: until})
	return l
}

// forsake has attempts of nodes that part with the shard closed that have retired: what they could record is recorded.
func (sh *shard) forsake(s domain.Standing) {
	n := len(sh.partings)
	sh.partings = slices.DeleteFunc(sh.partings, func(p domain.Parting) bool { return retired(s, p.Node) })
	if len(sh.partings) == n {
		return
	}
	for _, l := range sh.byEndpoint {
		l.touch()
	}
}

// cancel ends a delivery that will not be tried any more.
func (sh *shard) cancel(it *item, reason domain.CancelReason) {
	sh.enqueue(it, &domain.DeliveryCancelled{Reason: reason})
}

// enqueue has a fact about a delivery appended in the background. One task a shard does so, in order.
func (sh *shard) enqueue(it *item, fact domain.Fact) {
	it.phase = held
	if sh.lost {
		return
	}
	sh.pending = append(sh.pending, pendingFact{item: it, version: it.delivery.Version, fact: fact})
	if !sh.recording {
		sh.recording = true
		sh.spawn(func() { sh.lanes.crew.record(sh) })
	}
}

// lookUp has a placeholder completed in the background. What comes together is read together.
func (sh *shard) lookUp(id domain.UUID) {
	sh.placeholders = append(sh.placeholders, id)
	if !sh.looking {
		sh.looking = true
		sh.spawn(func() { sh.lanes.crew.lookUp(sh) })
	}
}
