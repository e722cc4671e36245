package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// persist calls f until it succeeds, and fails only when ctx ends. It warns once of what is the matter.
func persist(ctx context.Context, logger *slog.Logger, what string, f func() error) error {
	pause, told := backoff{}, false
	for {
		err := f()
		if err == nil {
			if told {
				logger.Info("works again", slog.String("what", what))
			}
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !told {
			logger.Warn("failed and is tried again", slog.String("what", what), slog.Any("error", err))
			told = true
		}
		if err := pause.wait(ctx); err != nil {
			return err
		}
	}
}

// backoff spaces tries that fail because something else is unreachable. The zero value is ready.
type backoff struct{ tries int }

// wait blocks for 10 ms, 20 ms, … at most about 1 s, or until ctx ends.
func (b *backoff) wait(ctx context.Context) error {
	pause := 10 * time.Millisecond << min(b.tries, 7)
	b.tries++
	timer := time.NewTimer(min(pause, time.Second)/2 + time.Duration(rand.Int64N(int64(pause))))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// trouble warns that the log doesn't take what must go into it. Safe for concurrent use.
type trouble struct {
	logger *slog.Logger
	warned atomic.Int64 // when it last did, in Unix nanoseconds
}

// warn logs one failure, at most once a second whatever fails.
func (t *trouble) warn(what string, err error) {
	now := time.Now().UnixNano()
	last := t.warned.Load()
	if now-last < int64(time.Second) || !t.warned.CompareAndSwap(last, now) {
		return
	}
	t.logger.Warn("the log takes nothing for now; tried again until it does", slog.String("what", what), slog.Any("error", err))
}

// transient reports whether trying the same append again may help.
func transient(err error) bool {
	return errors.Is(err, domain.ErrUnavailable) || errors.Is(err, domain.ErrBusy) ||
		errors.Is(err, domain.ErrKeyDestroyed) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func random() float64 { return rand.Float64() }
