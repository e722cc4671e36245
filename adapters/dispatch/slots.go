package dispatch

import (
	"container/heap"
	"slices"
	"sync"

	"github.com/hooktrail/hooktrail/domain"
)

// slots counts what is under way, and knows whether more may begin: it is the one place that bounds how many attempts
// are made at once. lanes.mu guards it, except tasks.
//
// Nobody takes more than three times what is left to others. A tenant begins another attempt while it has fewer under
// way than three times the slots that are free: alone it has three quarters of them, and a tenant that has nothing under
// way finds a slot unless there are more busy tenants than slots. So does an endpoint while it has fewer than three
// times what its tenant may still begin: alone it has three quarters of three quarters. A lane that has something due
// and is refused waits; a slot that comes free goes to the tenant with the fewest under way, and there to the lane with
// the fewest.
type slots struct {
	limit    int  // of attempts under way on this node
	running  int  // attempts under way on this node
	stopping bool // nothing begins any more
	shares   map[domain.TenantID]*share
	ticket   uint64 // of the lane that came last to wait
	// tasks is everything that works on items: attempts, and what is spawned beside them.
	tasks sync.WaitGroup
	// stopped has the shards handed over at once when the node stops. Its capacity is 1.
	stopped chan struct{}
}

// greed is how many slots a tenant may have for each that is free.
const greed = 3

// share is what a tenant has of the slots, while it has any or waits for one.
type share struct {
	running int
	waiting queue
}

func newSlots(limit int) slots {
	return slots{limit: limit, shares: make(map[domain.TenantID]*share), stopped: make(chan struct{}, 1)}
}

// vacant reports whether one more attempt may be under way at a lane's endpoint, whatever is due.
func (s *slots) vacant(l *lane) bool { return s.wanted(l) && s.affords(l) }

// wanted reports whether a lane's endpoint may have one more attempt under way, as far as it alone goes.
func (s *slots) wanted(l *lane) bool {
	sh := l.shard
	return !s.stopping && sh.ready && !sh.giving && !sh.lost &&
		l.config != nil && l.config.Active() && !l.barred && !l.disabling && l.running+len(l.parted) < l.concurrency()
}

// affords reports whether the node has a slot for a lane beside what others have or are to find.
func (s *slots) affords(l *lane) bool {
	short := greed*(s.limit-s.running) - s.runningOf(l.tenant) // of what is too much for the tenant
	left := (short + greed) / (greed + 1)                      // that it may begin: each takes a free slot as well
	return short > 0 && l.running < greed*left
}

// yields reports whether a lane that has just given a slot back leaves it to one that waits, since that has no more.
func (s *slots) yields(l *lane) bool {
	next := s.next()
	switch {
	case next == nil:
		return false
	case next.tenant == l.tenant:
		return next.running <= l.running
	default:
		return s.runningOf(next.tenant) <= s.runningOf(l.tenant)
	}
}

// next returns the lane that is to have the next slot of those that wait, nil when none of them can have one.
func (s *slots) next() (next *lane) {
	if s.running >= s.limit {
		return nil
	}
	least := 0
	for _, sh := range s.shares {
		if len(sh.waiting) == 0 {
			continue
		}
		l := sh.waiting[0]
		fewer := next == nil || sh.running < least || sh.running == least && l.ticket < next.ticket
		if fewer && s.affords(l) {
			next, least = l, sh.running
		}
	}
	return next
}

// wait has a lane get a slot when there is one for it.
func (s *slots) wait(l *lane) {
	if l.place < 0 {
		s.ticket++
		l.ticket = s.ticket
		heap.Push(&s.share(l.tenant).waiting, l)
	}
}

// leaveQueue has a lane wait no more.
func (s *slots) leaveQueue(l *lane) {
	if l.place >= 0 {
		heap.Remove(&s.share(l.tenant).waiting, l.place)
		s.prune(l.tenant)
	}
}

// occupy takes a slot of a lane.
func (s *slots) occupy(l *lane) {
	s.enter(l.shard)
	s.add(l, 1)
}

// vacate gives a slot back, in which this lane may begin another attempt, or one that waits.
func (s *slots) vacate(l *lane) {
	s.add(l, -1)
	s.leave(l.shard)
	l.touch()
}

// add counts attempts of a lane.
func (s *slots) add(l *lane, n int) {
	sh := s.share(l.tenant)
	l.running += n
	sh.running += n
	s.running += n
	if l.place >= 0 {
		heap.Fix(&sh.waiting, l.place)
	}
	s.prune(l.tenant)
}

// share returns a tenant's share, made when there is none.
func (s *slots) share(tenant domain.TenantID) *share {
	sh := s.shares[tenant]
	if sh == nil {
		sh = new(share)
		s.shares[tenant] = sh
	}
	return sh
}

// prune drops a share with nothing in it.
func (s *slots) prune(tenant domain.TenantID) {
	if sh := s.shares[tenant]; sh.running == 0 && len(sh.waiting) == 0 {
		delete(s.shares, tenant)
	}
}

// runningOf is how many attempts of a tenant are under way.
func (s *slots) runningOf(tenant domain.TenantID) int {
	if sh := s.shares[tenant]; sh != nil {
		return sh.running
	}
	return 0
}

// waiting is how many lanes wait for a slot.
func (s *slots) waiting() int {
	n := 0
	for _, sh := range s.shares {
		n += len(sh.waiting)
	}
	return n
}

// enter counts a task that works on a shard's items.
func (s *slots) enter(sh *shard) {
	sh.running++
	s.tasks.Add(1)
}

// leave counts it off again.
func (s *slots) leave(sh *shard) {
	sh.running--
	if sh.lost && sh.running == 0 {
		sh.lanes.left = slices.DeleteFunc(sh.lanes.left, func(other *shard) bool { return other == sh })
	}
	s.tasks.Done()
}

// stop has nothing begin any more.
func (s *slots) stop() {
	s.stopping = true
	select {
	case s.stopped <- struct{}{}:
	default: // it has stopped before
	}
}

// queue is a container/heap of lanes that wait for a slot: the one with the fewest attempts under way first, of those
// the one that has waited longest.
type queue []*lane

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if q[i].running != q[j].running {
		return q[i].running < q[j].running
	}
	return q[i].ticket < q[j].ticket
}

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

// Push implements heap.Interface.
func (q *queue) Push(x any) {
	l := x.(*lane)
	l.place = len(*q)
	*q = append(*q, l)
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(*q) - 1
	l := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	l.place = -1
	return l
}
