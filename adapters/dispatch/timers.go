package dispatch

import (
	"container/heap"
	"time"
)

// longestSleep bounds what a jump of the wall clock, by which deliveries are due, can delay.
const longestSleep = time.Minute

// timers holds the lanes that are to be looked at again at some time. One timer of the runtime serves all of them
// (Dispatcher.watchClock). lanes.mu guards it, except sooner.
type timers struct {
	lanes  timerHeap
	sooner chan struct{} // a timer earlier than all others was set. Its capacity is 1
}

// set has a lane looked at again at a time, or before.
func (t *timers) set(l *lane, at time.Time) {
	if l.timer >= 0 {
		if !at.Before(l.wakeAt) {
			return
		}
		l.wakeAt = at
		heap.Fix(&t.lanes, l.timer)
	} else {
		l.wakeAt = at
		heap.Push(&t.lanes, l)
	}
	if l.timer == 0 {
		select {
		case t.sooner <- struct{}{}:
		default:
		}
	}
}

// clear undoes set.
func (t *timers) clear(l *lane) {
	if l.timer >= 0 {
		heap.Remove(&t.lanes, l.timer)
	}
}

// due takes out a lane whose time has come. If there is none, it returns nil and how long it is until the next one's.
func (t *timers) due(now time.Time) (*lane, time.Duration) {
	switch {
	case len(t.lanes) == 0:
		return nil, longestSleep
	case t.lanes[0].wakeAt.After(now):
		return nil, min(t.lanes[0].wakeAt.Sub(now), longestSleep)
	}
	return heap.Pop(&t.lanes).(*lane), 0
}

// timerHeap is a container/heap of lanes, the earliest first.
type timerHeap []*lane

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].wakeAt.Before(h[j].wakeAt) }
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].timer, h[j].timer = i, j
}

// Push implements heap.Interface.
func (h *timerHeap) Push(x any) {
	l := x.(*lane)
	l.timer = len(*h)
	*h = append(*h, l)
}

// Pop implements heap.Interface.
func (h *timerHeap) Pop() any {
	last := len(*h) - 1
	l := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	l.timer = -1
	return l
}
