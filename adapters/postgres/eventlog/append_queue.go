package eventlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

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
