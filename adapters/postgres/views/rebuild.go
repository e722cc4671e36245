package views

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
)

// viewTables are all tables that the fold writes.
func viewTables() []string {
	return []string{
		"tenants", "keys", "endpoints", "subscriptions", "event_types", "profiles",
		"events", "skips", "deliveries", "undelivered", "endpoint_health", "replays", "exports",
	}
}

// lockViewsSQL waits until no process folds, and keeps it so until the transaction ends.
const lockViewsSQL = `SELECT pg_advisory_xact_lock(hashtextextended('hooktrail/follower/' || $1, 0))`

// rebuiltFollower has a cursor while a rebuild isn't done: where the log ended when it began.
const rebuiltFollower = viewsFollower + "/rebuild"

// Rebuild empties the views and folds the whole log again. It commits page by page: readers see the views grow, and
// answer that they are behind for what isn't there yet. One that is broken off goes on where it was when Rebuild is
// called again; until then, running followers go on with it. It reports each page's last position to progress, which
// may be nil. What can't be folded is an error.
func (v *Views) Rebuild(ctx context.Context, progress func(domain.Position)) error {
	until, err := v.refold.empty(ctx)
	for done := false; err == nil && !done; {
		var at domain.Position
		if at, err = v.refold.next(ctx, until); err != nil {
			break
		}
		done = at >= until
		if progress != nil {
			progress(at)
		}
		if v.follower != nil {
			v.follower.notify()
		}
	}
	if err != nil {
		return fmt.Errorf("rebuild the views: %w", err)
	}
	return nil
}

// refold folds the log again from its first entry on.
type refold struct {
	pool    *pgxpool.Pool
	log     Log
	entries int // in a page
}

// empty empties the views, unless a rebuild is under way, and returns up to where it goes.
func (r *refold) empty(ctx context.Context) (until domain.Position, err error) {
	head, err := r.log.Head(ctx)
	if err != nil {
		return 0, err
	}
	err = pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		if err := r.begin(ctx, tx); err != nil {
			return err
		}
		var begun bool
		err := tx.QueryRow(ctx, `SELECT count(*) > 0, coalesce(max(position), 0) FROM cursors WHERE follower = $1`, rebuiltFollower).
			Scan(&begun, &until)
		if err != nil {
			return err
		}
		cursor, err := viewsCursor(ctx, tx)
		if err != nil || begun && until <= head && cursor <= head {
			return err
		}
		until = head
		if _, err := tx.Exec(ctx, `TRUNCATE `+strings.Join(viewTables(), ", ")); err != nil {
			return fmt.Errorf("empty the views: %w", err)
		}
		if _, err := tx.Exec(ctx, `DELETE FROM cursors WHERE follower IN ($1, $2)`, viewsFollower, rebuiltFollower); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO cursors (follower, tenant, position, sequence) VALUES ($1, '', $2, -1)`, rebuiltFollower, int64(head))
		return err
	})
	return until, postgres.DomainError("empty the views", err)
}

// next folds the next page, or returns where a follower has gone on to meanwhile.
func (r *refold) next(ctx context.Context, until domain.Position) (at domain.Position, err error) {
	err = pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		if err := r.begin(ctx, tx); err != nil {
			return err
		}
		if at, err = viewsCursor(ctx, tx); err != nil {
			return err
		}
		if at < until {
			before := at
			if at, err = r.step(ctx, tx, at, until); err == nil && at == before {
				err = fmt.Errorf("the log ends at position %d, which was at %d", at, until)
			}
		}
		if err == nil && at >= until {
			_, err = tx.Exec(ctx, `DELETE FROM cursors WHERE follower = $1`, rebuiltFollower)
		}
		return err
	})
	return at, err
}

// begin gives the transaction all the time it needs, whatever the pool's settings are, and makes followers wait.
func (r *refold) begin(ctx context.Context, tx pgx.Tx) error {
	if err := postgres.NoTimeout(ctx, tx); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, lockViewsSQL, viewsFollower); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `SELECT set_config('hooktrail.tenant', '*', true)`)
	return err
}

// all folds the log into empty tables up to a position. What can't be folded is an error.
func (r *refold) all(ctx context.Context, tx pgx.Tx, until domain.Position, progress func(domain.Position)) error {
	for at := domain.Position(0); at < until; {
		next, err := r.step(ctx, tx, at, until)
		if err != nil || next == at {
			return err
		}
		if at = next; progress != nil {
			progress(at)
		}
	}
	return nil
}

// step folds a page and moves the cursor to where it ends, which it returns.
func (r *refold) step(ctx context.Context, tx pgx.Tx, at, until domain.Position) (domain.Position, error) {
	entries, err := gatherEntries(ctx, r.log, at, until, min(r.entries, int(until-at)))
	if err != nil || len(entries) == 0 {
		return at, err
	}
	folded, err := foldPage(ctx, tx, at, entries)
	if err != nil {
		return at, err
	}
	if err := folded.flush(ctx, r.log, tx); err != nil {
		return at, err
	}
	_, err = tx.Exec(ctx, moveCursorSQL, viewsFollower, int64(folded.last))
	return folded.last, err
}

// Difference says by how many rows a table of the views differs from a fresh fold of the log.
type Difference struct {
	Table   string
	Wrong   int64 // rows that the log doesn't yield
	Missing int64 // rows that the log yields and the table lacks
}

// VerifyViews compares the views with a fresh fold of the log up to where they are, and returns the tables that differ.
// It folds into temporary tables. Followers wait meanwhile; readers don't.
func (v *Views) VerifyViews(ctx context.Context, progress func(domain.Position)) ([]Difference, error) {
	// A connection of its own: the temporary tables hide the real ones, and plans made before wouldn't notice.
	conn, err := pgx.ConnectConfig(ctx, v.pool.Config().ConnConfig)
	if err != nil {
		return nil, postgres.DomainError("verify the views", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // the tables go with it
	var differences []Difference
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if err := v.refold.begin(ctx, tx); err != nil {
			return err
		}
		cursor, err := viewsCursor(ctx, tx)
		if err != nil {
			return err
		}
		for _, table := range append(viewTables(), "cursors") {
			if _, err := tx.Exec(ctx, `CREATE TEMPORARY TABLE `+table+` (LIKE public.`+table+` INCLUDING INDEXES) ON COMMIT DROP`); err != nil {
				return fmt.Errorf("make a temporary table: %w", err)
			}
		}
		if err := v.refold.all(ctx, tx, cursor, progress); err != nil {
			return err
		}
		// What was erased since it was folded can't be known any more.
		const erasedSQL = `
			UPDATE pg_temp.events AS fresh SET erased = old.erased, data_size = old.data_size, subject_hash = old.subject_hash
			  FROM public.events AS old
			 WHERE old.tenant = fresh.tenant AND old.sequence = fresh.sequence AND fresh.erased AND NOT old.erased`
		if _, err := tx.Exec(ctx, erasedSQL); err != nil {
			return fmt.Errorf("leave out what was erased: %w", err)
		}
		differences, err = compareTables(ctx, tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("verify the views: %w", err)
	}
	return differences, nil
}

func compareTables(ctx context.Context, tx pgx.Tx) ([]Difference, error) {
	var differences []Difference
	for _, table := range append(viewTables(), "cursors") {
		d := Difference{Table: table}
		kept, fresh := `SELECT * FROM public.`+table, `SELECT * FROM pg_temp.`+table
		if table == "cursors" {
			const own = ` WHERE follower = '` + viewsFollower + `'`
			kept, fresh = kept+own, fresh+own
		}
		sql := `SELECT (SELECT count(*) FROM (` + kept + ` EXCEPT ALL ` + fresh + `) AS x),
		               (SELECT count(*) FROM (` + fresh + ` EXCEPT ALL ` + kept + `) AS x)`
		if err := tx.QueryRow(ctx, sql).Scan(&d.Wrong, &d.Missing); err != nil {
			return nil, fmt.Errorf("compare %s: %w", table, err)
		}
		if d.Wrong+d.Missing > 0 {
			differences = append(differences, d)
		}
	}
	return differences, nil
}
