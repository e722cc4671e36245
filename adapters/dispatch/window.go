package dispatch

import (
	"container/heap"
	"slices"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// smallWindow is what an endpoint keeps in memory when the budget of all is used up.
const smallWindow = 64

// window holds the first of an endpoint's waiting deliveries in the order of their keys. The rest is left to the view.
type window struct {
	// Deliveries that no attempt was made for are kept apart: they are due whatever their time (item.due), and must not
	// wait behind a retry that isn't.
	fresh, retries itemHeap
	// What a replay has in hand is apart, too: it goes when nothing else is due.
	replayed itemHeap
	// more: deliveries with keys behind horizon are, or may be, waiting beyond. Those up to horizon are all here.
	more    bool
	horizon domain.WaitingKey
}

// len is how many there are.
func (w *window) len() int { return len(w.fresh) + len(w.retries) + len(w.replayed) }

// heapOf is the heap of an item. What it goes by doesn't change while the item is there.
func (w *window) heapOf(it *item) *itemHeap {
	switch {
	case it.replayed():
		return &w.replayed
	case it.fresh():
		return &w.fresh
	}
	return &w.retries
}

// put adds an item unless it lies beyond, and reports whether it did.
func (w *window) put(it *item) bool {
	if w.more && it.key().Compare(w.horizon) > 0 {
		return false
	}
	heap.Push(w.heapOf(it), it)
	return true
}

// first returns the next item that is due without taking it: the first in the order of keys, and one that a replay has in
// hand only when no other is due. When none is, it returns the one that will be due next, and nil when there is none in
// memory.
func (w *window) first(now time.Time) *item {
	it := w.ownFirst(now)
	if len(w.replayed) == 0 || it != nil && it.due(now) {
		return it
	}
	if r := w.replayed[0]; it == nil || r.due(now) || r.key().Compare(it.key()) < 0 {
		return r
	}
	return it
}

// ownFirst is first without what replays have in hand.
func (w *window) ownFirst(now time.Time) *item {
	switch {
	case len(w.fresh)+len(w.retries) == 0:
		return nil
	case len(w.fresh) == 0:
		return w.retries[0]
	case len(w.retries) > 0 && w.retries[0].due(now) && w.retries[0].key().Compare(w.fresh[0].key()) < 0:
		return w.retries[0]
	}
	return w.fresh[0]
}

// due counts the items that are due. Below one that isn't due in a heap, none is.
func (w *window) due(now time.Time) int {
	return len(w.fresh) + w.retries.due(0, now) + w.replayed.due(0, now)
}

// remove takes an item out.
func (w *window) remove(it *item) { heap.Remove(w.heapOf(it), it.index) }

// all returns the items, in no order.
func (w *window) all() []*item { return slices.Concat(w.fresh, w.retries, w.replayed) }

// trim leaves the first n items, at least one, and returns the others, which now lie beyond.
func (w *window) trim(n int) []*item {
	items := w.all()
	slices.SortFunc(items, func(a, b *item) int { return a.key().Compare(b.key()) })
	w.fresh, w.retries, w.replayed = nil, nil, nil
	for _, it := range items[:n] {
		heap.Push(w.heapOf(it), it) // at the end, and there it stays: they come in order
	}
	w.more, w.horizon = true, items[n-1].key()
	return items[n:]
}

// reach is how far an endpoint's waiting deliveries were read.
type reach struct {
	tenant   domain.TenantID
	endpoint domain.UUID
	more     bool // others are, or may be, waiting behind horizon
	horizon  domain.WaitingKey
	items    int // gathered, at most
}

// itemHeap is a container/heap in the order of keys. An item's key must not change while it is in.
type itemHeap []*item

func (h itemHeap) Len() int           { return len(h) }
func (h itemHeap) Less(i, j int) bool { return h[i].key().Compare(h[j].key()) < 0 }
func (h itemHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// due counts the items from one downwards that are due.
func (h itemHeap) due(i int, now time.Time) int {
	if i >= len(h) || !h[i].due(now) {
		return 0
	}
	return 1 + h.due(2*i+1, now) + h.due(2*i+2, now)
}

// Push implements heap.Interface.
func (h *itemHeap) Push(x any) {
	it := x.(*item)
	it.index = len(*h)
	*h = append(*h, it)
}

// Pop implements heap.Interface.
func (h *itemHeap) Pop() any {
	last := len(*h) - 1
	it := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return it
}
