package openapi

import (
	"context"
	"sync"

	"github.com/hooktrail/hooktrail/domain"
)

// heads shares look-ups of the log's end among requests whose key or tenant isn't known yet: strangers come as often as
// they like and must not cost a query each. At most one look-up is under way; who comes meanwhile shares the next, which
// begins after all of them have come and so sees all that was committed before.
type heads struct {
	busy chan struct{} // holds a token while a look-up is under way

	mu   sync.Mutex  // guards next
	next *headLookUp // that hasn't begun; nil for none
}

// headLookUp is one look-up; position and err stand once done is closed.
type headLookUp struct {
	done     chan struct{}
	position domain.Position
	err      error
}

func newHeads() *heads { return &heads{busy: make(chan struct{}, 1)} }

// after returns the log's end at a moment after the call. Its first caller looks up for all that share it, also when that
// one's client is gone.
func (h *heads) after(ctx context.Context, look func(context.Context) (domain.Position, error)) (domain.Position, error) {
	l, first := h.join()
	if !first {
		select {
		case <-l.done:
			return l.position, l.err
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	h.busy <- struct{}{}
	defer func() { <-h.busy }()
	h.mu.Lock()
	h.next = nil // from here on it is too late to share
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), defaultWait)
	defer cancel()
	defer close(l.done)
	l.position, l.err = look(ctx)
	return l.position, l.err
}

// join returns the look-up that hasn't begun yet, and whether the caller is to make it.
func (h *heads) join() (l *headLookUp, first bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.next != nil {
		return h.next, false
	}
	h.next = &headLookUp{done: make(chan struct{})}
	return h.next, true
}
