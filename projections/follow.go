package projections

import (
	"context"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// pageEntries bounds how many entries one step of following takes.
const pageEntries = 1000

// noTime is the zero time: never, or not yet.
var noTime time.Time

// Follow hands the entries after a position to f, in order, page by page, until ctx ends (nil) or the log or f fails.
func Follow(ctx context.Context, log domain.Log, after domain.Position, f func([]domain.Entry) error) error {
	for ctx.Err() == nil {
		entries, err := log.Page(ctx, after, pageEntries)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			log.Await(ctx, after)
			continue
		}
		if err := f(entries); err != nil {
			return err
		}
		after = entries[len(entries)-1].Position
	}
	return nil
}
