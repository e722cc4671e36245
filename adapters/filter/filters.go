package filter

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"cel.dev/cel-go/cel"
	"github.com/hooktrail/hooktrail/domain"
)

const (
	// generation is how many compiled filters are kept before the older half may go, generationBytes how long they are
	// together. A program takes about 15 KiB, and 75 bytes for each byte of a long expression: at most 55 MiB in all.
	generation      = 512
	generationBytes = 256 << 10
	// deadline is far beyond what costLimit lets an evaluation take.
	deadline = 2 * time.Second
)

// Filters compiles filters and evaluates them. It keeps the compiled form of the last 512 to 1024 of them (fewer if they
// are long) and the decoded data of the last event. It is safe for concurrent use.
type Filters struct {
	env  *cel.Env
	last atomic.Pointer[content]

	mu           sync.Mutex
	recent, past map[string]compiled // by expression
	bytes        int                 // of the expressions in recent
}

// compiled is what became of an expression: one of the two is set.
type compiled struct {
	program *program
	err     error
}

// New makes filters of the variables and functions that the package comment lists. It fails only if those contradict one
// another, which no configuration can cause.
func New() (*Filters, error) {
	env, err := newEnv()
	if err != nil {
		return nil, fmt.Errorf("declare what filters may use: %w", err)
	}
	return &Filters{env: env, recent: make(map[string]compiled)}, nil
}

// Check refuses an expression that can't be a filter with a *domain.InvalidError on "filter" that names line and column.
// An expression that passes can still fail on an event, such as for a missing member.
func (f *Filters) Check(src string) error {
	_, err := compile(f.env, src)
	return err
}

// Match evaluates a subscription's filter on an event, whose data mustn't change afterwards. An error means that it can't
// be said whether the filter matches: it doesn't compile, or failed on this event for good. The empty filter matches.
func (f *Filters) Match(s domain.Subscription, e *domain.EventAppended) (bool, error) {
	if s.Filter == "" {
		return true, nil
	}
	p, err := f.program(s.Filter)
	if err != nil {
		return false, fmt.Errorf("compile the filter of subscription %s: %w", s.ID, err)
	}
	matches, err := f.eval(p, e)
	if err != nil {
		return false, fmt.Errorf("evaluate the filter of subscription %s: %w", s.ID, err)
	}
	return matches, nil
}

// eval makes no timer for what can't loop: the time of that is bounded by the expression's length.
func (f *Filters) eval(p *program, e *domain.EventAppended) (bool, error) {
	vars := &variables{event: e}
	if p.data {
		var err error
		if vars.data, err = f.content(e.Data).value(); err != nil {
			return false, err
		}
	}
	ctx := context.Background()
	if p.loops {
		limited, cancel := context.WithTimeout(ctx, deadline)
		defer cancel()
		out, _, err := p.prog.ContextEval(limited, vars)
		return p.result(out, err)
	}
	out, _, err := p.prog.Eval(vars)
	return p.result(out, err)
}

// content returns the decoded form of an event's data, the same one as long as the events are the same.
func (f *Filters) content(data []byte) *content {
	if c := f.last.Load(); c != nil && c.of(data) {
		return c
	}
	c := &content{data: data}
	f.last.Store(c)
	return c
}

// program compiles an expression or finds it. What doesn't compile is kept as well.
func (f *Filters) program(src string) (*program, error) {
	f.mu.Lock()
	c, ok := f.recent[src]
	if !ok {
		if c, ok = f.past[src]; ok {
			f.keep(src, c)
		}
	}
	f.mu.Unlock()
	if ok {
		return c.program, c.err
	}
	c.program, c.err = compile(f.env, src)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keep(src, c)
	return c.program, c.err
}

// keep adds a filter to the recent ones. It wants the lock.
func (f *Filters) keep(src string, c compiled) {
	if _, ok := f.recent[src]; ok {
		return
	}
	if len(f.recent) >= generation || f.bytes+len(src) > generationBytes {
		f.recent, f.past, f.bytes = make(map[string]compiled), f.recent, 0
	}
	f.recent[src] = c
	f.bytes += len(src)
}
