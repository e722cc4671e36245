package dispatch

import "sync"

// slots counts what is under way, and knows whether more may begin: it is the one place that bounds how many attempts
// are made at once. A bound for the whole instance would be one more condition in vacant, and vacate would touch a lane that
// waits for it. lanes.mu guards it, except tasks.
type slots struct {
	running  int  // attempts under way on this node
	stopping bool // nothing begins any more
	// tasks is everything that works on items: attempts, and what is spawned beside them.
	tasks sync.WaitGroup
	// freed has a shard handed over as soon as nothing is under way on it any more, while the node stops. Its capacity
	// is 1.
	freed chan struct{}
}

// vacant reports whether one more attempt may be under way at a lane's endpoint, whatever is due.
func (s *slots) vacant(l *lane) bool {
	sh := l.shard
	return !s.stopping && sh.ready && !sh.giving && !sh.lost &&
		l.config != nil && l.config.Active() && !l.barred && !l.disabling && l.running < l.concurrency()
}

// occupy takes a slot of a lane.
func (s *slots) occupy(l *lane) {
	s.enter(l.shard)
	l.running++
	s.running++
}

// vacate gives a slot back, in which the lane may begin another attempt.
func (s *slots) vacate(l *lane) {
	l.running--
	s.running--
	s.leave(l.shard)
	l.touch()
}

// enter counts a task that works on a shard's items.
func (s *slots) enter(sh *shard) {
	sh.running++
	s.tasks.Add(1)
}

// leave counts it off again.
func (s *slots) leave(sh *shard) {
	sh.running--
	s.tasks.Done()
	s.signal()
}

// stop has nothing begin any more.
func (s *slots) stop() {
	s.stopping = true
	s.signal()
}

// signal says that a shard may have become free, while the node stops.
func (s *slots) signal() {
	if !s.stopping {
		return
	}
	select {
	case s.freed <- struct{}{}:
	default:
	}
}
