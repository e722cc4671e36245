package eventlog

import (
	"context"
	"fmt"
	"sort"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
)

// resolveTimes turns a query's times into sequences.
func (r *reader) resolveTimes(ctx context.Context, q *domain.Query) error {
	if !q.Since.IsZero() {
		from, err := r.firstSince(ctx, q.Tenant, ceilMicrosecond(q.Since))
		if err != nil {
			return err
		}
		if q.From == nil || *q.From < from {
			q.From = &from
		}
	}
	if !q.Until.IsZero() {
		to, err := r.firstSince(ctx, q.Tenant, ceilMicrosecond(q.Until))
		if err != nil {
			return err
		}
		if q.To == nil || *q.To > to {
			q.To = &to
		}
	}
	return nil
}

const timeSQL = `SELECT recorded_at FROM entries WHERE tenant = $1 AND sequence = $2 AND position > $3 AND position <= $4`

// firstSince is the first sequence that was recorded at a time or later, the log's size if there is none yet.
func (r *reader) firstSince(ctx context.Context, tenant domain.TenantID, at time.Time) (domain.Sequence, error) {
	size, err := sizeOf(ctx, r.pool, tenant)
	if err != nil {
		return 0, err
	}
	return r.bisect(ctx, tenant, size, func(recorded time.Time) bool { return !recorded.Before(at) })
}

// SequenceAt returns the last of a tenant's sequences up to one that was recorded at a time or before, -1 for none.
func (r *reader) SequenceAt(
	ctx context.Context, tenant domain.TenantID, upTo domain.Sequence, at time.Time,
) (domain.Sequence, error) {
	next, err := r.bisect(ctx, tenant, upTo+1, func(recorded time.Time) bool { return recorded.After(at) })
	return next - 1, postgres.DomainError("find the sequence at a time", err)
}

// bisect returns the first of so many sequences whose time is past what is looked for, their number if none is.
// recorded_at grows with the sequence, so no index on time is needed.
func (r *reader) bisect(
	ctx context.Context, tenant domain.TenantID, size domain.Sequence, past func(recorded time.Time) bool,
) (domain.Sequence, error) {
	var failed error
	first := sort.Search(int(size), func(i int) bool {
		var recorded time.Time
		if failed == nil {
			after, upTo, err := r.span(ctx, tenant, int64(i), int64(i)+1)
			if err == nil {
				err = r.pool.QueryRow(ctx, timeSQL, string(tenant), int64(i), int64(after), int64(upTo)).Scan(&recorded)
			}
			if err != nil {
				failed = fmt.Errorf("sequence %d: %w", i, err)
			}
		}
		return failed == nil && past(recorded)
	})
	return domain.Sequence(first), failed
}

// sizeOf is how many entries a tenant's log has.
func sizeOf(ctx context.Context, db postgres.Querier, tenant domain.TenantID) (size domain.Sequence, err error) {
	const sql = `SELECT coalesce((SELECT size FROM heads WHERE tenant = $1 ORDER BY position DESC LIMIT 1), 0)`
	err = db.QueryRow(ctx, sql, string(tenant)).Scan(&size)
	return size, err
}

// ceilMicrosecond is the first whole microsecond not before t: what the log's times compare with equally.
func ceilMicrosecond(t time.Time) time.Time {
	whole := t.Truncate(time.Microsecond)
	if whole.Before(t) {
		whole = whole.Add(time.Microsecond)
	}
	return whole
}
