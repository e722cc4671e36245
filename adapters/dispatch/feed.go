package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// pageEntries bounds how many entries are folded before others get at the state.
const pageEntries = 1000

// feed folds the log, this process's own appends included, into the lanes and the configuration. It alone moves the
// position.
type feed struct {
	log       domain.Log
	logger    *slog.Logger
	lanes     *lanes
	contents  *contents
	snapshots *snapshots
	progress  progress

	// turn is held while the fold must keep still: by the feed for a page, and by a loader for the rest of its way, so
	// that what it hands over is as of the feed's position.
	turn sync.Mutex
}

// begin takes over the configuration from which the fold goes on: that at its cursor.
func (f *feed) begin(config *projections.Config) {
	f.snapshots.publish(f.lanes.begin(config))
	f.progress.advance(config.Cursor())
}

// run folds until ctx ends or the configuration can't be folded any more.
func (f *feed) run(ctx context.Context) {
	var pause backoff
	for ctx.Err() == nil {
		n, err := f.fold(ctx)
		var stop *domain.FollowerStop
		switch {
		case ctx.Err() != nil:
			return
		case errors.As(err, &stop):
			return
		case err != nil:
			f.logger.Warn("the log can't be read and is tried again", slog.Any("error", err))
			if pause.wait(ctx) != nil {
				return
			}
		case n < pageEntries:
			pause = backoff{}
			f.log.Await(ctx, f.progress.at())
		}
	}
}

// fold folds one page and returns how many entries it had. It fails with a *domain.FollowerStop where the configuration
// can't be folded.
func (f *feed) fold(ctx context.Context) (int, error) {
	f.turn.Lock()
	defer f.turn.Unlock()
	entries, err := f.log.Page(ctx, f.progress.at(), pageEntries)
	if err != nil {
		return 0, fmt.Errorf("read the log: %w", err)
	}
	if len(entries) == 0 {
		return 0, nil
	}
	// Events are kept before their deliveries can be claimed, so that these find them in memory.
	for i := range entries {
		if event := eventOf(&entries[i]); event != nil {
			f.contents.put(entries[i].Tenant, event)
		}
	}
	n, newer, stop := f.lanes.fold(entries)
	// Who routes by an older configuration, before this, is refused as stale by the log, and waits for it.
	if len(newer) > 0 {
		f.snapshots.publish(newer)
	}
	if n > 0 {
		f.progress.advance(entries[n-1].Position)
	}
	if stop != nil {
		f.snapshots.fail(stop)
		return n, stop
	}
	return n, nil
}
