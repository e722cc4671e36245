package eventlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// request is one group on its way through the appender.
type request struct {
	group   domain.Group
	drafts  []prepared
	macs    []claimMAC // of the claims
	digests [][32]byte // of the claims' requests, keyed
	given   *given     // what was replaced by a decision under the lock; nil: nothing
	bytes   int
	began   time.Time
	call    *call
	index   int // of the group in its call

	// The rest belongs to the appender.

	rejected error
	same     *duplicate // claims what an earlier group of the same batch claims
}

// given is what a group was given with.
type given struct {
	group  domain.Group
	drafts []prepared
}

// restore takes back what a decision under the lock has replaced.
func (r *request) restore() {
	if r.given != nil {
		r.group, r.drafts, r.given = r.given.group, r.given.drafts, nil
	}
}

// duplicate says which claim of an earlier group of the batch a group repeats.
type duplicate struct {
	earlier        *request
	earlierClaim   int
	repeatingClaim int
}

// call is one Append: it is done when each of its groups has an outcome.
type call struct {
	done chan struct{}

	mu         sync.Mutex // guards all below
	outcomes   []domain.Outcome
	unanswered int  // groups
	abandoned  bool // nobody waits any more
}

func newCall(groups int) *call {
	return &call{done: make(chan struct{}), outcomes: make([]domain.Outcome, groups), unanswered: groups}
}

func (c *call) answer(index int, outcome domain.Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.abandoned {
		return
	}
	c.outcomes[index] = outcome
	if c.unanswered--; c.unanswered == 0 {
		close(c.done)
	}
}

// abandon ends the waiting: what has no outcome gets the error.
func (c *call) abandon(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.abandoned = c.unanswered > 0; !c.abandoned {
		return
	}
	for i := range c.outcomes {
		if c.outcomes[i].Entries == nil && c.outcomes[i].Err == nil {
			c.outcomes[i].Err = err
		}
	}
}

func (c *call) isAbandoned() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.abandoned
}

func (r *request) answer(outcome domain.Outcome) { r.call.answer(r.index, outcome) }

func (r *request) fail(err error) { r.answer(domain.Outcome{Err: err}) }

// Append implements domain.Log. It encodes and seals in the caller's goroutine and hands the groups to the appender
// (Run). The drafts' facts, with all that they point to, are the log's from then on: readers in this process share
// them.
//
// Errors: those of package domain; ErrBusy when the queue is full, ErrUnavailable when the appender doesn't run or the
// database doesn't commit, within a few seconds.
func (l *Log) Append(ctx context.Context, groups ...domain.Group) []domain.Outcome {
	if len(groups) == 0 {
		return nil
	}
	outcomes := l.appendOnce(ctx, groups)
	var again []int
	for i := range outcomes {
		if errors.Is(outcomes[i].Err, domain.ErrKeyDestroyed) {
			again = append(again, i)
		}
	}
	if len(again) > 0 {
		destroyed := make([]domain.Group, len(again)) // their keys; they are sealed under new ones, or without
		for n, i := range again {
			destroyed[n] = groups[i]
		}
		for n, outcome := range l.appendOnce(ctx, destroyed) {
			outcomes[again[n]] = outcome
		}
	}
	for i := range outcomes {
		if taken := (*takenError)(nil); errors.As(outcomes[i].Err, &taken) {
			answers, err := l.compare(ctx, taken.request.Tenant, []*takenError{taken})
			if err == nil {
				err = answers[0]
			}
			outcomes[i].Err = err
		}
	}
	return outcomes
}

func (l *Log) appendOnce(ctx context.Context, groups []domain.Group) []domain.Outcome {
	c := newCall(len(groups))
	requests := l.prepare(ctx, c, groups)
	if len(requests) > 0 {
		if err := l.queue.put(requests); err != nil {
			for _, r := range requests {
				r.fail(err)
			}
		}
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		c.abandon(fmt.Errorf("append: %w", context.Cause(ctx)))
	}
	return c.outcomes
}
