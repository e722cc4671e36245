package postgres

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
)

// openBatch is how long ago an entry that isn't committed yet may be recorded: no append transaction lives longer.
const openBatch = 15 * time.Second

// SequenceAsOf returns the last entry of a tenant's log that was recorded at a time or before, -1 when there is none. The
// answer is final: no later entry will fall before the time. A time that the database's clock hasn't reached is refused
// with a *domain.InvalidError.
func (l *Log) SequenceAsOf(ctx context.Context, tenant domain.TenantID, at time.Time) (domain.Sequence, error) {
	var sequence domain.Sequence
	err := pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		var now time.Time
		if err := tx.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now); err != nil {
			return err
		}
		if at.After(now) {
			return domain.Invalid("as_of", "must not lie in the future")
		}
		if at.After(now.Add(-openBatch)) {
			// Whoever holds the lock may still commit an entry of an earlier time.
			const wait = `SELECT pg_advisory_xact_lock_shared(hashtextextended('hooktrail/log', 0))`
			if _, err := tx.Exec(ctx, wait); err != nil {
				return err
			}
		}
		var err error
		sequence, err = firstSince(ctx, tx, tenant, at.Truncate(time.Microsecond).Add(time.Microsecond))
		return err
	})
	var invalid *domain.InvalidError
	if errors.As(err, &invalid) {
		return 0, err
	}
	return sequence - 1, domainError("find the sequence as of a time", err)
}

// resolveTimes turns a query's times into sequences.
func (l *Log) resolveTimes(ctx context.Context, q *domain.Query) error {
	if !q.Since.IsZero() {
		from, err := firstSince(ctx, l.pool, q.Tenant, ceilMicrosecond(q.Since))
		if err != nil {
			return err
		}
		if q.From == nil || *q.From < from {
			q.From = &from
		}
	}
	if !q.Until.IsZero() {
		to, err := firstSince(ctx, l.pool, q.Tenant, ceilMicrosecond(q.Until))
		if err != nil {
			return err
		}
		if q.To == nil || *q.To > to {
			q.To = &to
		}
	}
	return nil
}

// firstSince is the first sequence that was recorded at a time or later, the log's size if there is none yet. It bisects:
// recorded_at grows with the sequence, so no index on time is needed.
func firstSince(ctx context.Context, db querier, tenant domain.TenantID, at time.Time) (domain.Sequence, error) {
	const sizeSQL = `SELECT coalesce((SELECT size FROM heads WHERE tenant = $1 ORDER BY position DESC LIMIT 1), 0)`
	var size int
	if err := db.QueryRow(ctx, sizeSQL, string(tenant)).Scan(&size); err != nil {
		return 0, err
	}
	const timeSQL = `SELECT recorded_at FROM entries WHERE tenant = $1 AND sequence = $2`
	var failed error
	first := sort.Search(size, func(i int) bool {
		var recordedAt time.Time
		if failed == nil {
			if err := db.QueryRow(ctx, timeSQL, string(tenant), int64(i)).Scan(&recordedAt); err != nil {
				failed = fmt.Errorf("sequence %d: %w", i, err)
			}
		}
		return !recordedAt.Before(at)
	})
	return domain.Sequence(first), failed
}

// ceilMicrosecond is the first whole microsecond not before t: what the log's times compare with equally.
func ceilMicrosecond(t time.Time) time.Time {
	whole := t.Truncate(time.Microsecond)
	if whole.Before(t) {
		whole = whole.Add(time.Microsecond)
	}
	return whole
}
