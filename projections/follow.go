package projections

import (
	"context"
	"errors"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// pageEntries bounds how many entries one step of following takes.
const pageEntries = 1000

// unavailablePause is how long a log that can't be read is left alone.
const unavailablePause = 200 * time.Millisecond

// Follow hands the entries after a position to f, in order, page by page, until ctx ends (nil), f fails, or the log
// contains what can't be read. A log that is unavailable is retried until it is back; it reports that itself.
func Follow(ctx context.Context, log domain.Log, after domain.Position, f func([]domain.Entry) error) error {
	for ctx.Err() == nil {
		entries, err := log.Page(ctx, after, pageEntries)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, domain.ErrUnavailable) {
			pause(ctx)
			continue
		}
		if err != nil {
			return err
		}
		if n := len(entries); n > 0 {
			if err := f(entries); err != nil {
				return err
			}
			after = entries[n-1].Position
		}
		if len(entries) < pageEntries {
			log.Await(ctx, after) // not another look first: while little is appended, each would be a query for nothing
		}
	}
	return nil
}

func pause(ctx context.Context) {
	timer := time.NewTimer(unavailablePause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
