package rest

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// Turns serialises the changes of one thing in this process: a mutex per thing. Concurrent changes of a thing conflict
// in the log and are decided again; with n of them that is O(n²) decisions. Between processes the log alone decides. It
// is safe for concurrent use.
type Turns struct {
	mu    sync.Mutex // guards locks
	locks map[domain.UUID]*turn
}

// turn is the mutex of one thing.
type turn struct {
	free  chan struct{} // holds one value while the mutex is free
	users int           // those who hold it or wait for it; guarded by Turns.mu
}

// NewTurns returns turns that nobody has.
func NewTurns() *Turns { return &Turns{locks: make(map[domain.UUID]*turn)} }

// Take waits for the turn to change a thing and holds it until leave is called.
func (t *Turns) Take(ctx context.Context, thing domain.UUID) (leave func(), err error) {
	t.mu.Lock()
	l := t.locks[thing]
	if l == nil {
		l = &turn{free: make(chan struct{}, 1)}
		l.free <- struct{}{}
		t.locks[thing] = l
	}
	l.users++
	t.mu.Unlock()
	select {
	case <-l.free:
		return func() { l.free <- struct{}{}; t.leave(thing, l) }, nil
	case <-ctx.Done():
		t.leave(thing, l)
		return nil, ctx.Err()
	}
}

// leave forgets a mutex that nobody uses any more.
func (t *Turns) leave(thing domain.UUID, l *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(t.locks, thing)
	}
}

// Bounds of deciding a change again.
const (
	decideFor   = 30 * time.Second
	firstPause  = 2 * time.Millisecond
	longestWait = 200 * time.Millisecond
)

// Decide calls try, which loads, decides and appends, until no concurrent change of the same thing comes between: from
// the second time on one after the other in this process, and with growing pauses for what other processes change. try
// returns the thing that it wanted to change, and whether such a change came first.
func Decide(ctx context.Context, r *Request, try func(ctx context.Context) (domain.UUID, bool, error)) error {
	thing, again, err := try(ctx)
	if !again {
		return err
	}
	bound, cancel := context.WithTimeout(ctx, decideFor)
	defer cancel()
	leave, err := r.turns.Take(bound, thing)
	if err != nil {
		return contended(ctx)
	}
	defer leave()
	for pause := firstPause; ; pause = min(2*pause, longestWait) {
		if !r.StillOpens() {
			return unauthorized(opensNothing)
		}
		if _, again, err = try(ctx); !again {
			return err
		}
		timer := time.NewTimer(rand.N(pause)) //nolint:gosec // jitter, no secret
		select {
		case <-timer.C:
		case <-bound.Done():
			timer.Stop()
			return contended(ctx)
		}
	}
}

// contended refuses a change that others came before for as long as it was decided again.
func contended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return Refuse(http.StatusServiceUnavailable, "busy",
		"Too many concurrent changes of the same thing were made first. Nothing was changed: try again later.")
}
