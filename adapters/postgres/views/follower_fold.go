package views

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// beginFoldSQL reads the cursor again, in a statement that begins when the lock is held: the one that took it may have
// seen a cursor that another process was just moving. The views' rows needn't be on disk when the transaction ends:
// what a crash loses goes with its cursor and is folded again.
const beginFoldSQL = `
	SELECT set_config('hooktrail.tenant', '*', true), set_config('synchronous_commit', 'off', true),
	       (SELECT position FROM cursors WHERE follower = $1 AND tenant = '' ORDER BY position DESC LIMIT 1),
	       (SELECT position FROM heads WHERE tenant = '' ORDER BY position DESC LIMIT 1)`

// fold folds one page in its message's transaction. It leaves the new cursor in f.page.next.
func (f *Follower) fold(ctx context.Context, tx pgx.Tx) error {
	ctx, cancel := context.WithTimeout(ctx, foldTimeout)
	defer cancel()
	began := time.Now()
	f.page.next = 0
	var ignored string
	var position, head pgtype.Int8
	if err := tx.QueryRow(ctx, beginFoldSQL, viewsFollower).Scan(&ignored, &ignored, &position, &head); err != nil {
		return fmt.Errorf("fold a page: read the cursor: %w", err)
	}
	cursor := domain.Position(position.Int64)
	if position.Int64 > head.Int64 {
		return &domain.FollowerStop{Follower: viewsFollower, At: cursor, Err: aheadError(cursor, domain.Position(head.Int64))}
	}
	if cursor >= f.page.head {
		return nil // another process was quicker
	}
	entries, err := gatherEntries(ctx, f.config.Log, cursor, f.page.head, maxFolded)
	if err != nil {
		return fmt.Errorf("fold a page: %w", err)
	}
	if len(entries) == 0 {
		return nil
	}
	page, err := writePage(ctx, f.config.Log, tx, cursor, entries)
	if err != nil {
		return err
	}
	f.page.next = page.last
	f.metrics.entries.Add(float64(page.last - cursor))
	f.metrics.duration.Observe(time.Since(began).Seconds())
	return nil
}

// gatherEntries reads what follows a position until it has reached another, limit or maxFoldedBytes.
func gatherEntries(
	ctx context.Context, log domain.Log, after, to domain.Position, limit int,
) (entries []domain.Entry, err error) {
	for size := 0; after < to && len(entries) < limit && size < maxFoldedBytes; {
		page, err := log.Page(ctx, after, limit-len(entries))
		if err != nil || len(page) == 0 {
			return entries, err
		}
		size += sizeOf(page)
		after = page[len(page)-1].Position
		entries = append(entries[:len(entries):len(entries)], page...)
	}
	return entries, nil
}

// sizeOf is about what entries take in memory.
func sizeOf(entries []domain.Entry) (size int) {
	for i := range entries {
		size += 512 + len(entries[i].Leaf)
		switch f := entries[i].Fact.(type) {
		case *domain.EventAppended:
			size += len(f.Data) + 256*len(f.Routing.Deliveries)
		case *domain.EventRouted:
			size += 256 * len(f.Routing.Deliveries)
		case *domain.AttemptFinished:
			size += len(f.Body) + 1024
		}
	}
	return size
}

// writePage folds entries and writes what they change. What the database will never take is cut off by halves, until it
// is one entry: then it fails with a *domain.FollowerStop. Each try is under a savepoint.
func writePage(
	ctx context.Context, log Log, tx pgx.Tx, after domain.Position, entries []domain.Entry,
) (page *viewsPage, err error) {
	for {
		err = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
			if page, err = foldPage(ctx, tx, after, entries); err != nil {
				return err
			}
			return page.flush(ctx, log, tx)
		})
		switch {
		case err == nil:
			return page, nil
		case !permanent(err):
			return nil, fmt.Errorf("write a page of the views: %w", err)
		case len(entries) == 1:
			return nil, &domain.FollowerStop{Follower: viewsFollower, At: entries[0].Position, Err: withoutValues(err)}
		}
		entries = entries[:len(entries)/2]
	}
}

// errViewsApart wraps what shows that the views and the log have come apart.
var errViewsApart = errors.New("hint: rebuild the views")

// ErrAhead wraps what is returned while the views reflect entries that the log doesn't have.
var ErrAhead = errors.New("the views reflect entries that the log doesn't have")

func aheadError(cursor, head domain.Position) error {
	return fmt.Errorf("%w: they are at position %d, it ends at %d (hint: an older copy of the database was put back, or "+
		"somebody changed the views; see hooktrail recover, then rebuild the views)", ErrAhead, cursor, head)
}

// permanent reports whether trying again can't help.
func permanent(err error) bool { return postgres.Refused(err) || errors.Is(err, errViewsApart) }

// withoutValues keeps what the server quotes of contents out of what is logged.
func withoutValues(err error) error {
	if postgres.Refused(err) {
		return postgres.DomainError("write to the views", err)
	}
	return err
}

// foldPage folds entries up to the first that can't be folded. When that is the very first, it fails with a
// *domain.FollowerStop.
func foldPage(
	ctx context.Context, q postgres.Querier, after domain.Position, entries []domain.Entry,
) (*viewsPage, error) {
pages:
	for {
		page := newViewsPage(after)
		if err := page.load(ctx, q, entries); err != nil {
			return nil, fmt.Errorf("read what a page of the views goes on from: %w", err)
		}
		for i, e := range entries {
			err := projections.Apply(page, e)
			if err == nil {
				continue
			}
			if i == 0 {
				return nil, &domain.FollowerStop{Follower: viewsFollower, At: e.Position, Err: err}
			}
			entries = entries[:i] // again without it: it may have left something in the page
			continue pages
		}
		return page, nil
	}
}
