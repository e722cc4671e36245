package main

import (
	"context"
	"sync"
	"time"
)

// readiness answers whoever asks, without a key, whether this node can append. The check waits for the append lock, so
// it is made once a second at most, however many ask. Safe for concurrent use.
type readiness struct {
	check func(context.Context) error

	mu  sync.Mutex // guards the two below, and is held while a check runs
	at  time.Time
	err error
}

const (
	readyFor   = time.Second     // how long an answer serves
	readyBound = 5 * time.Second // of a check
)

// Ready answers from the last check, or makes one.
func (r *readiness) Ready(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.at) < readyFor {
		return r.err
	}
	// Not bound to the asker's context: the others wait for the same answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyBound)
	defer cancel()
	r.err = r.check(ctx)
	r.at = time.Now()
	return r.err
}
