package views

import (
	"context"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
)

// viewTables are all tables that the fold writes.
func viewTables() []string {
	return []string{
		"tenants", "keys", "endpoints", "subscriptions", "event_types", "profiles",
		"events", "skips", "deliveries", "endpoint_health",
	}
}

// lockViewsSQL waits until no process folds, and keeps it so until the transaction ends.
const lockViewsSQL = `SELECT pg_advisory_xact_lock(hashtextextended('hooktrail/follower/' || $1, 0))`

// Rebuild empties the views and folds the whole log again, in one transaction: readers see the old rows until the new
// ones are there, and followers wait. It reports each page's last position to progress, which may be nil. The old
// rows' space is free for reuse after the next vacuum.
func (v *Views) Rebuild(ctx context.Context, progress func(domain.Position)) error {
	err := pgx.BeginFunc(ctx, v.pool, func(tx pgx.Tx) error {
		if err := v.beginRefold(ctx, tx); err != nil {
			return err
		}
		for _, table := range append(viewTables(), "cursors") {
			sql := `DELETE FROM ` + table
			if table == "cursors" {
				sql += ` WHERE follower = '` + viewsFollower + `'`
			}
			if _, err := tx.Exec(ctx, sql); err != nil {
				return fmt.Errorf("empty %s: %w", table, err)
			}
		}
		return v.refold(ctx, tx, math.MaxInt64, progress)
	})
	if err != nil {
		return fmt.Errorf("rebuild the views: %w", err)
	}
	if v.follower != nil {
		v.follower.notify()
	}
	return nil
}

// beginRefold gives the transaction all the time it needs, whatever the pool's settings are, and makes followers wait.
func (v *Views) beginRefold(ctx context.Context, tx pgx.Tx) error {
	if err := postgres.NoTimeout(ctx, tx); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, lockViewsSQL, viewsFollower); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `SELECT set_config('hooktrail.tenant', '*', true)`)
	return err
}

// refold folds the log into empty tables, up to its end or a position. What can't be folded is an error.
func (v *Views) refold(ctx context.Context, tx pgx.Tx, until domain.Position, progress func(domain.Position)) error {
	var at domain.Position
	for at < until {
		entries, err := gatherEntries(ctx, v.log, at, int(min(maxFolded, until-at)))
		if err != nil || len(entries) == 0 {
			return err
		}
		page, err := foldPage(ctx, tx, at, entries)
		if err != nil {
			return err
		}
		if err := page.flush(ctx, v.log, tx); err != nil {
			return err
		}
		at = page.last
		if _, err := tx.Exec(ctx, moveCursorSQL, viewsFollower, int64(at)); err != nil {
			return err
		}
		if progress != nil {
			progress(at)
		}
	}
	return nil
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
		if err := v.beginRefold(ctx, tx); err != nil {
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
		if err := v.refold(ctx, tx, cursor, progress); err != nil {
			return err
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
	for _, table := range viewTables() {
		d := Difference{Table: table}
		sql := `SELECT (SELECT count(*) FROM (TABLE public.` + table + ` EXCEPT ALL TABLE pg_temp.` + table + `) AS x),
		               (SELECT count(*) FROM (TABLE pg_temp.` + table + ` EXCEPT ALL TABLE public.` + table + `) AS x)`
		if err := tx.QueryRow(ctx, sql).Scan(&d.Wrong, &d.Missing); err != nil {
			return nil, fmt.Errorf("compare %s: %w", table, err)
		}
		if d.Wrong+d.Missing > 0 {
			differences = append(differences, d)
		}
	}
	return differences, nil
}
