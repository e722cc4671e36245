package dispatch

import (
	"container/heap"
	"slices"
)

// smallWindow is what an endpoint keeps in memory when the budget of all is used up.
const smallWindow = 64

// window holds the first of an endpoint's waiting deliveries in the order of their keys. The rest is left to the view.
type window struct {
	items itemHeap
	// more says that deliveries with keys behind horizon are, or may be, waiting beyond. Those up to horizon are all here.
	more    bool
	horizon Key
}

// put adds an item unless it lies beyond, and says whether it did.
func (w *window) put(it *item) bool {
	if w.more && it.key().compare(w.horizon) > 0 {
		return false
	}
	heap.Push(&w.items, it)
	return true
}

// first returns the next item without taking it, nil when there is none in memory.
func (w *window) first() *item {
	if len(w.items) == 0 {
		return nil
	}
	return w.items[0]
}

// remove takes an item out.
func (w *window) remove(it *item) { heap.Remove(&w.items, it.index) }

// trim leaves the first n items, at least one, and returns the others, which now lie beyond.
func (w *window) trim(n int) []*item {
	// A sorted slice is a heap.
	slices.SortFunc(w.items, func(a, b *item) int { return a.key().compare(b.key()) })
	for i, it := range w.items {
		it.index = i
	}
	beyond := slices.Clone(w.items[n:])
	clear(w.items[n:])
	w.items = w.items[:n]
	w.more, w.horizon = true, w.items[n-1].key()
	return beyond
}

// itemHeap is a container/heap in the order of keys. An item's key must not change while it is in.
type itemHeap []*item

func (h itemHeap) Len() int           { return len(h) }
func (h itemHeap) Less(i, j int) bool { return h[i].key().compare(h[j].key()) < 0 }
func (h itemHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
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
