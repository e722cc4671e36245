package main

import (
	"context"
	"log/slog"
	"time"
)

const (
	// sweepEach is how often secrets are looked for that nothing needs any more.
	sweepEach = time.Hour
	// sweepGrace is for how long a secret must not have been needed: longer than any attempt and any request lives.
	sweepGrace = time.Hour
)

// sweeper destroys endpoints' secrets that were replaced, have ended, or never came into force. Each process does so: a
// second one finds nothing left to do.
type sweeper struct {
	sweep func(ctx context.Context, grace time.Duration) (destroyed int, err error)
	log   *slog.Logger
}

// run sweeps now and every hour until ctx ends. A failure is no reason to stop: the next time is as good.
func (s sweeper) run(ctx context.Context) error {
	ticker := time.NewTicker(sweepEach)
	defer ticker.Stop()
	for {
		destroyed, err := s.sweep(ctx, sweepGrace)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			s.log.Warn("secrets that nothing needs any more stay sealed for now", slog.Any("error", err))
		case destroyed > 0:
			s.log.Info("secrets that nothing needed any more are destroyed", slog.Int("secrets", destroyed))
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}
