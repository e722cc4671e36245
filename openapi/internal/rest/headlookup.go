package rest

import (
	"context"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// DefaultWait is how long a request waits for the views or the directory.
const DefaultWait = 5 * time.Second

// headLookups shares look-ups of the log's end. Unauthenticated requests must not cost one query each, so at most one
// look-up runs; requests that arrive meanwhile share the next one, which is therefore at least as new as they are.
type headLookups struct {
	running chan struct{} // holds a value while a look-up runs

	mu   sync.Mutex  // guards next
	next *headLookup // the one that hasn't begun; nil for none
}

// headLookup is one look-up. position and err are set before done is closed.
type headLookup struct {
	done     chan struct{}
	position domain.Position
	err      error
}

func newHeadLookups() *headLookups { return &headLookups{running: make(chan struct{}, 1)} }

// after returns the log's end at a moment after the call. The first caller looks it up for all that share the look-up,
// also when its own client has gone.
func (h *headLookups) after(
	ctx context.Context, look func(context.Context) (domain.Position, error),
) (domain.Position, error) {
	h.mu.Lock()
	l := h.next
	first := l == nil
	if first {
		l = &headLookup{done: make(chan struct{})}
		h.next = l
	}
	h.mu.Unlock()
	if !first {
		select {
		case <-l.done:
			return l.position, l.err
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	h.running <- struct{}{}
	defer func() { <-h.running }()
	h.mu.Lock()
	h.next = nil // what arrives from here on is newer than this look-up
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), DefaultWait)
	defer cancel()
	defer close(l.done)
	l.position, l.err = look(ctx)
	return l.position, l.err
}
