package export

import (
	"context"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// What a step reads at most, and how long it rests afterwards, while others append.
const (
	gentleEntries    = 250
	gentleDeliveries = 250
	gentleRest       = 2 // times as long as the step took
	maxRest          = 2 * time.Second
)

// paceLook is how often it is looked whether others append.
const paceLook = 50 * time.Millisecond

// pacer keeps an export from slowing down appends. While others append, it has one step read at a time, each of them small,
// and a rest after each. It is safe for concurrent use.
type pacer struct {
	log domain.Log

	steps  sync.Mutex // held during a step, and the rest after it, while others append
	mu     sync.Mutex // guards all below
	head   domain.Position
	looked time.Time
	others bool
}

// busy reports whether others append.
func (p *pacer) busy(ctx context.Context) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.looked) < paceLook {
		return p.others
	}
	head, err := p.log.Head(ctx)
	p.others = err != nil || head != p.head
	p.head, p.looked = head, time.Now()
	return p.others
}

// pace runs a step. gentle tells it that others append.
func (p *pacer) pace(ctx context.Context, step func(gentle bool) error) error {
	if !p.busy(ctx) {
		return step(false)
	}
	p.steps.Lock()
	defer p.steps.Unlock()
	began := time.Now()
	err := step(true)
	timer := time.NewTimer(min(gentleRest*time.Since(began), maxRest))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return err
}

// pacedLog is a log that is read at a pace.
type pacedLog struct {
	Log
	pacer *pacer
}

// Scan implements domain.Log. A step that is made smaller tells where the next one begins, as every step does.
func (l pacedLog) Scan(ctx context.Context, q domain.Query) (found []domain.Entry, next *domain.Sequence, err error) {
	err = l.pacer.pace(ctx, func(gentle bool) (err error) {
		if gentle && !q.HeadersOnly {
			q.Limit = min(q.Limit, gentleEntries)
		}
		found, next, err = l.Log.Scan(ctx, q)
		return err
	})
	return found, next, err
}

// Entries implements Log.
func (l pacedLog) Entries(
	ctx context.Context, tenant domain.TenantID, at []domain.Sequence,
) (found []domain.Entry, err error) {
	err = l.pacer.pace(ctx, func(bool) (err error) {
		found, err = l.Log.Entries(ctx, tenant, at)
		return err
	})
	return found, err
}

// Streams implements Log.
func (l pacedLog) Streams(
	ctx context.Context, tenant domain.TenantID, streams []domain.Stream, upTo domain.Sequence,
) (found []domain.Entry, err error) {
	err = l.pacer.pace(ctx, func(bool) (err error) {
		found, err = l.Log.Streams(ctx, tenant, streams, upTo)
		return err
	})
	return found, err
}

// pageOf is how many deliveries a page has.
func (p *pacer) pageOf(ctx context.Context, most int) int {
	if p.busy(ctx) {
		return min(most, gentleDeliveries)
	}
	return most
}
