package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// fault is what goes wrong with one append.
type fault int

const (
	none   fault = iota
	busy         // refused, nothing is appended
	refuse       // unavailable, nothing is appended
	lose         // appended, but the answer says unavailable
	half         // only the first group is appended, and the answer says unavailable of all
	die          // nothing is appended, and nothing works any more
	vanish       // appended, and nothing works any more
)

// faulty is one process's way to the log.
type faulty struct {
	domain.Log

	mu    sync.Mutex
	plan  func(call int) fault
	calls int
	dead  bool
	blind bool // reads find nothing new

	conflicts int
}

// shut has reads find nothing new.
func (l *faulty) shut(blind bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.blind = blind
}

// Append implements domain.Log.
func (l *faulty) Append(ctx context.Context, groups ...domain.Group) []domain.Outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := none
	l.calls++
	if l.plan != nil {
		f = l.plan(l.calls)
	}
	if f == die || l.dead {
		l.dead = true
		return refused(len(groups), domain.ErrUnavailable)
	}
	switch f {
	case busy:
		return refused(len(groups), domain.ErrBusy)
	case refuse:
		return refused(len(groups), domain.ErrUnavailable)
	case half:
		l.Log.Append(ctx, groups[0])
		return refused(len(groups), domain.ErrUnavailable)
	}
	outcomes := l.Log.Append(ctx, groups...)
	for _, o := range outcomes {
		if errors.Is(o.Err, domain.ErrConflict) {
			l.conflicts++
		}
	}
	if f == lose || f == vanish {
		l.dead = f == vanish
		return refused(len(groups), domain.ErrUnavailable)
	}
	return outcomes
}

func refused(n int, err error) []domain.Outcome {
	outcomes := make([]domain.Outcome, n)
	for i := range outcomes {
		outcomes[i].Err = fmt.Errorf("append: %w", err)
	}
	return outcomes
}

func (l *faulty) gone() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return domain.ErrUnavailable
	}
	return nil
}

func (l *faulty) kill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
}

// Page implements domain.Log.
func (l *faulty) Page(ctx context.Context, after domain.Position, limit int) ([]domain.Entry, error) {
	if err := l.gone(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	blind := l.blind
	l.mu.Unlock()
	if blind {
		return nil, nil
	}
	return l.Log.Page(ctx, after, limit)
}

// Await implements domain.Log.
func (l *faulty) Await(ctx context.Context, after domain.Position) {
	l.mu.Lock()
	blind := l.blind
	l.mu.Unlock()
	if !blind {
		l.Log.Await(ctx, after)
		return
	}
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Scan implements domain.Log.
func (l *faulty) Scan(ctx context.Context, q domain.Query) ([]domain.Entry, *domain.Sequence, error) {
	if err := l.gone(); err != nil {
		return nil, nil, err
	}
	return l.Log.Scan(ctx, q)
}

// failures notes what a test has to say, where testing.T and rapid.T can't be used: within another's bubble.
type failures struct {
	mu     sync.Mutex
	faults []string
}

// Helper implements fatal.
func (r *failures) Helper() {}

// Errorf implements fatal.
func (r *failures) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

// Fatalf implements fatal.
func (r *failures) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}
