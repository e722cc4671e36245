package postgres

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
	group  domain.Group
	drafts []prepared
	macs   [][32]byte // of the claims
	bytes  int
	began  time.Time
	call   *call
	index  int // of the group in its call

	// The rest belongs to the appender.

	rejected error
	same     *duplicate // claims what an earlier group of the same batch claims
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

	mu        sync.Mutex // guards all below
	outcomes  []domain.Outcome
	open      int  // groups without an outcome
	abandoned bool // nobody waits any more
}

func newCall(groups int) *call {
	return &call{done: make(chan struct{}), outcomes: make([]domain.Outcome, groups), open: groups}
}

func (c *call) answer(index int, outcome domain.Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.abandoned {
		return
	}
	c.outcomes[index] = outcome
	if c.open--; c.open == 0 {
		close(c.done)
	}
}

// abandon ends the waiting: what has no outcome gets the error.
func (c *call) abandon(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.abandoned = c.open > 0; !c.abandoned {
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

// Append implements domain.Log. It encodes and seals in the caller's goroutine and hands the groups to the appender (Run).
// The drafts' facts, with all that they point to, are the log's from then on: readers in this process share them.
//
// Errors: those of package domain; ErrBusy when the queue is full, ErrUnavailable when the appender doesn't run or the database
// doesn't commit, within a few seconds.
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
	if len(again) == 0 {
		return outcomes
	}
	destroyed := make([]domain.Group, len(again)) // their keys; they are sealed under new ones
	for n, i := range again {
		destroyed[n] = groups[i]
	}
	for n, outcome := range l.appendOnce(ctx, destroyed) {
		outcomes[again[n]] = outcome
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

// queue holds the requests that wait for the appender, in order. Safe for concurrent use.
type queue struct {
	maxEntries, maxBytes int
	filled               chan struct{} // holds one when something may be there to take

	mu             sync.Mutex // guards all below
	waiting        []*request
	entries, bytes int
	open           bool
	begun          chan struct{} // closed by begin
	down           error         // set while the database can't be reached
}

func newQueue(maxEntries, maxBytes int) *queue {
	return &queue{maxEntries: maxEntries, maxBytes: maxBytes, filled: make(chan struct{}, 1), begun: make(chan struct{})}
}

var errNotRunning = fmt.Errorf("the appender doesn't run: %w", domain.ErrUnavailable)

// put appends all of the requests or none. What is larger than the queue passes an empty one.
func (q *queue) put(requests []*request) error {
	entries, bytes := 0, 0
	for _, r := range requests {
		entries += len(r.drafts)
		bytes += r.bytes
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.down != nil:
		return q.down
	case !q.open:
		return errNotRunning
	case q.entries > 0 && (q.entries+entries > q.maxEntries || q.bytes+bytes > q.maxBytes):
		return domain.ErrBusy
	}
	q.waiting = append(q.waiting, requests...)
	q.entries += entries
	q.bytes += bytes
	q.signal()
	return nil
}

func (q *queue) signal() {
	select {
	case q.filled <- struct{}{}:
	default:
	}
}

// take waits for requests and returns those of the next batch. Nil: the queue is closed and empty.
func (q *queue) take(maxEntries, maxBytes int) []*request {
	for {
		q.mu.Lock()
		batch := q.cut(maxEntries, maxBytes)
		open := q.open
		q.mu.Unlock()
		if len(batch) > 0 || !open {
			return batch
		}
		<-q.filled
	}
}

// cut removes the requests at the head that make up a batch: at least one, not more than the bounds otherwise.
func (q *queue) cut(maxEntries, maxBytes int) []*request {
	n, entries, bytes := 0, 0, 0
	for _, r := range q.waiting {
		if n > 0 && (entries+len(r.drafts) > maxEntries || bytes+r.bytes > maxBytes) {
			break
		}
		n++
		entries += len(r.drafts)
		bytes += r.bytes
	}
	batch := q.waiting[:n:n]
	if q.waiting = q.waiting[n:]; len(q.waiting) == 0 {
		q.waiting = nil
	}
	q.entries -= entries
	q.bytes -= bytes
	return batch
}

// drain removes and returns everything.
func (q *queue) drain() []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := q.waiting
	q.waiting, q.entries, q.bytes = nil, 0, 0
	return all
}

// begin opens the queue, once.
func (q *queue) begin() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-q.begun:
		return errors.New("run the log: it runs or ran already")
	default:
	}
	close(q.begun)
	q.open = true
	return nil
}

// end has put fail from now on; take still returns what waits.
func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open = false
	q.signal()
}

// setDown has put fail with err until it is called with nil.
func (q *queue) setDown(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.down = err
}

func (q *queue) isOpen() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.open
}

func (q *queue) depth() (entries, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.entries, q.bytes
}

// awaitBegin gives a program that starts Run in another goroutine the time to get there.
func (q *queue) awaitBegin(ctx context.Context) {
	select {
	case <-q.begun:
		return
	default:
	}
	timer := time.NewTimer(beginTimeout)
	defer timer.Stop()
	select {
	case <-q.begun:
	case <-timer.C:
	case <-ctx.Done():
	}
}
