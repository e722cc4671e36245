package views

import (
	"context"
	"log/slog"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// sayStopped tells of a stop: by log line, metric, and once for each entry by a fact, whichever process comes first.
func (f *Follower) sayStopped(ctx context.Context, stop *domain.FollowerStop) {
	f.metrics.stopped.Set(1)
	f.config.Logger.LogAttrs(ctx, slog.LevelError, "a follower stopped at an entry that it can't fold (hint: upgrade or repair this program and start it again)",
		slog.String("follower", stop.Follower), slog.Int64("position", int64(stop.At)), slog.String("error", stop.Err.Error()))
	for wait := time.Second; ctx.Err() == nil; wait = min(2*wait, time.Minute) {
		err := stop.Record(ctx, f.config.Log)
		if err == nil {
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
