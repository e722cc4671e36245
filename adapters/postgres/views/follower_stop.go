package views

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// errFoldStopped wraps what a fold failed with. The follower goes no further in this process.
var errFoldStopped = errors.New("the fold stopped")

// stopError says at which entry a fold stopped.
type stopError struct {
	at  domain.Position
	err error
}

func (e *stopError) Error() string {
	return fmt.Sprintf("%v at position %d: %v", errFoldStopped, e.at, e.err)
}
func (e *stopError) Unwrap() error { return e.err }

// sayStopped tells of a stop: by log line, metric, and once for each entry by a fact, whichever process comes first.
func (f *Follower) sayStopped(ctx context.Context, stop *stopError) {
	f.metrics.stopped.Set(1)
	f.config.Logger.LogAttrs(ctx, slog.LevelError, "a follower stopped at an entry that it can't fold (hint: upgrade or repair this program and start it again)",
		slog.String("follower", viewsFollower), slog.Int64("position", int64(stop.at)), slog.String("error", stop.err.Error()))
	fact := &domain.FollowerStopped{Follower: viewsFollower, Position: stop.at, Problem: stop.err.Error()}
	group := domain.Group{
		Drafts: []domain.Draft{{
			Tenant: domain.InstanceTenant, Stream: domain.Stream{Kind: domain.StreamServer, ID: domain.NewUUID()},
			Expected: domain.AnyVersion, Fact: fact,
		}},
		Claims: []domain.Claim{{
			Tenant: domain.InstanceTenant, Scope: "follower.stopped/" + viewsFollower, Key: fmt.Sprint(stop.at), Count: 1,
		}},
	}
	for wait := time.Second; ctx.Err() == nil; wait = min(2*wait, time.Minute) {
		_, err := domain.AppendOne(ctx, f.config.Log, group)
		var said *domain.ClaimedError
		if err == nil || errors.As(err, &said) {
			return
		}
		f.config.Logger.LogAttrs(ctx, slog.LevelWarn, "a follower's stop isn't logged yet", slog.String("error", err.Error()))
		pause(ctx, wait)
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
