package dispatch

import (
	"container/heap"
	"context"
	"time"
)

// timerHeap holds the lanes that are to be looked at again at some time, the earliest first.
type timerHeap []*lane

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].wakeAt.Before(h[j].wakeAt) }
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].wake, h[j].wake = i, j
}

// Push implements heap.Interface.
func (h *timerHeap) Push(x any) {
	l := x.(*lane)
	l.wake = len(*h)
	*h = append(*h, l)
}

// Pop implements heap.Interface.
func (h *timerHeap) Pop() any {
	last := len(*h) - 1
	l := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	l.wake = -1
	return l
}

// wakeLane has a lane looked at again at a time, or before; mu is held.
func (d *Dispatcher) wakeLane(l *lane, at time.Time) {
	if l.wake >= 0 {
		if !at.Before(l.wakeAt) {
			return
		}
		l.wakeAt = at
		heap.Fix(&d.timers, l.wake)
	} else {
		l.wakeAt = at
		heap.Push(&d.timers, l)
	}
	if l.wake == 0 {
		select {
		case d.sooner <- struct{}{}:
		default:
		}
	}
}

// sleepLane undoes wakeLane; mu is held.
func (d *Dispatcher) sleepLane(l *lane) {
	if l.wake >= 0 {
		heap.Remove(&d.timers, l.wake)
	}
}

// longestSleep bounds what a jump of the wall clock, by which deliveries are due, can delay.
const longestSleep = time.Minute

// watchClock pumps lanes when their time comes. One timer serves all of them.
func (d *Dispatcher) watchClock(ctx context.Context) error {
	timer := time.NewTimer(longestSleep)
	defer timer.Stop()
	for {
		timer.Reset(d.pumpDue())
		select {
		case <-timer.C:
		case <-d.sooner:
		case <-ctx.Done():
			return nil
		}
	}
}

// pumpDue pumps the lanes whose time has come and returns how long the next one has.
func (d *Dispatcher) pumpDue() time.Duration {
	d.mu.Lock()
	defer d.unlock()
	now := time.Now()
	for len(d.timers) > 0 && !d.timers[0].wakeAt.After(now) {
		d.touch(heap.Pop(&d.timers).(*lane))
	}
	if len(d.timers) == 0 {
		return longestSleep
	}
	return min(d.timers[0].wakeAt.Sub(now), longestSleep)
}
