package filter

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// Match evaluates a subscription's filter for a caller that keeps no compiled ones. The empty filter matches. An error
// means that it can't be said whether the filter matches: it doesn't compile, or failed on this event for good. Each
// call has a budget of its own; the data of the last event is kept decoded. For an event without a time, occurred_at is
// the present.
func (f *Filters) Match(s domain.Subscription, e *domain.EventAppended) (bool, error) {
	if s.Filter == "" {
		return true, nil
	}
	p, err := f.cache.program(s.Filter, func() (*program, error) { return compile(f.env, s.Filter) })
	if err != nil {
		return false, fmt.Errorf("compile the filter of subscription %s: %w", s.ID, err)
	}
	run := &domain.FilterRun{Event: e, Now: time.Now()}
	if last := f.last.Load(); last != nil && sameData(last.data, e.Data) {
		run.Decoded = last.content
	} else if p.data {
		f.last.Store(&decoded{e.Data, contentOf(run)})
	}
	matches, err := p.match(context.Background(), run)
	if err != nil {
		return false, fmt.Errorf("evaluate the filter of subscription %s: %w", s.ID, err)
	}
	return matches, nil
}

// Evaluate asks a subscription's filter about the event of a run, as the run's next one. The empty filter matches. It keeps
// compiled filters in a bounded cache; errors are those of domain.Filter.
func (f *Filters) Evaluate(ctx context.Context, src string, run *domain.FilterRun) (bool, error) {
	if src == "" {
		return true, nil
	}
	p, err := f.cache.program(src, func() (*program, error) { return compile(f.env, src) })
	if err != nil {
		return false, err
	}
	return p.match(ctx, run)
}

// decoded is an event's data and what became of it.
type decoded struct {
	data    []byte
	content *content
}

// sameData reports whether two slices are the same bytes in memory; it doesn't compare them. As long as one is held, no
// other data can lie at its place.
func sameData(a, b []byte) bool { return len(a) > 0 && len(a) == len(b) && &a[0] == &b[0] }

// generation is how many compiled filters are kept before the older half may go, generationBytes how long they are
// together.
const (
	generation      = 512
	generationBytes = 256 << 10
)

// cache keeps the compiled form of the last 512 to 1024 filters, fewer if they are long: at most 30 MiB.
type cache struct {
	mu           sync.Mutex
	recent, past map[string]compiled // by expression
	bytes        int                 // of the expressions in recent
}

// compiled is what became of an expression: one of the two is set.
type compiled struct {
	program *program
	err     error
}

// program compiles an expression or finds it. What doesn't compile is kept as well.
func (c *cache) program(src string, compile func() (*program, error)) (*program, error) {
	c.mu.Lock()
	kept, ok := c.recent[src]
	if !ok {
		if kept, ok = c.past[src]; ok {
			c.keep(src, kept)
		}
	}
	c.mu.Unlock()
	if ok {
		return kept.program, kept.err
	}
	kept.program, kept.err = compile()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(src, kept)
	return kept.program, kept.err
}

// keep adds a filter to the recent ones. The caller holds the lock.
func (c *cache) keep(src string, kept compiled) {
	if _, ok := c.recent[src]; ok {
		return
	}
	if c.recent == nil || len(c.recent) >= generation || c.bytes+len(src) > generationBytes {
		c.recent, c.past, c.bytes = make(map[string]compiled), c.recent, 0
	}
	c.recent[src] = kept
	c.bytes += len(src)
}
