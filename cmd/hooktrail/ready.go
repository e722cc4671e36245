package main

import (
	"context"
	"sync"
	"time"
)

// readiness answers whoever asks, without a key, whether this node can append. The check waits for the append lock, so
// it is made once a second at most, however many ask, and nobody waits for it longer than they want. Safe for
// concurrent use.
type readiness struct {
	check func(context.Context) error

	mu   sync.Mutex // guards last
	last *readyCheck
}

// readyCheck is one check, under way until done is closed.
type readyCheck struct {
	done chan struct{}
	at   time.Time // when it had ended; as err, not to be read before
	err  error
}

const (
	readyFor   = time.Second     // how long an answer serves
	readyBound = 5 * time.Second // of a check
)

// Ready answers from the last check, or waits for one that is under way or that it begins, until ctx ends.
func (r *readiness) Ready(ctx context.Context) error {
	last := r.current(ctx)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-last.done:
		return last.err
	}
}

// current returns the check that answers for now.
func (r *readiness) current(ctx context.Context) *readyCheck {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last != nil {
		select {
		case <-r.last.done:
			if time.Since(r.last.at) < readyFor {
				return r.last
			}
		default:
			return r.last
		}
	}
	c := &readyCheck{done: make(chan struct{})}
	r.last = c
	// Not bound to the asker's context: the others wait for the same answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyBound)
	go func() {
		defer cancel()
		c.err = r.check(ctx)
		c.at = time.Now()
		close(c.done)
	}()
	return c
}
