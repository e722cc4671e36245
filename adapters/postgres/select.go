package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
)

// Select implements domain.Log. Members of the query that aren't sequences become a range of sequences first where they
// can (times, by bisection: recorded_at grows with the sequence), so that each query runs along one index.
func (l *Log) Select(ctx context.Context, q domain.Query) ([]domain.Entry, error) {
	if q.Limit < 1 {
		return nil, errors.New("select: the limit must be positive")
	}
	sql, args := selectSQL(q)
	rows, err := l.pool.Query(ctx, sql, args)
	if err != nil {
		return nil, domainError("select from the log", err)
	}
	sealed, err := readRows(rows)
	if err != nil {
		return nil, domainError("select from the log", err)
	}
	if q.HeadersOnly {
		return headers(sealed), nil
	}
	entries, err := l.openEntries(ctx, sealed)
	if err != nil {
		return nil, fmt.Errorf("select from the log: %w", err)
	}
	return entries, nil
}

func headers(sealed []sealedEntry) []domain.Entry {
	entries := make([]domain.Entry, len(sealed))
	for i := range sealed {
		entries[i] = sealed[i].Entry
	}
	return entries
}

// selectSQL writes a query's statement. Only what the query restricts stands in it, so that the planner sees it plainly.
func selectSQL(q domain.Query) (string, pgx.NamedArgs) {
	args := pgx.NamedArgs{"tenant": string(q.Tenant), "limit": q.Limit}
	where := []string{"tenant = @tenant"}
	add := func(condition, name string, value any) {
		where = append(where, condition)
		args[name] = value
	}
	if q.From != nil {
		add("sequence >= @from", "from", int64(*q.From))
	}
	if q.To != nil {
		add("sequence < @to", "to", int64(*q.To))
	}
	if !q.Since.IsZero() {
		add("recorded_at >= @since", "since", ceilMicrosecond(q.Since))
	}
	if !q.Until.IsZero() {
		add("recorded_at < @until", "until", ceilMicrosecond(q.Until))
	}
	if prefix, ok := strings.CutSuffix(string(q.Kind), "*"); ok && strings.HasSuffix(prefix, ".") {
		add("starts_with(kind, @kind)", "kind", prefix)
	} else if q.Kind != "" {
		add("kind = @kind", "kind", string(q.Kind))
	}
	if q.Stream != (domain.Stream{}) {
		add("stream_kind = @stream_kind", "stream_kind", string(q.Stream.Kind))
		add("stream = @stream", "stream", [16]byte(q.Stream.ID))
	}
	if !q.Actor.IsZero() {
		add("(principal = @actor OR credential = @actor)", "actor", [16]byte(q.Actor))
	}
	order := "ASC"
	if q.Descending {
		order = "DESC"
	}
	columns := entryColumnsSQL
	if q.HeadersOnly {
		columns = strings.Replace(columns, "content", "NULL::bytea", 1)
	}
	return "SELECT " + columns + " FROM entries WHERE " + strings.Join(where, " AND ") +
		" ORDER BY sequence " + order + " LIMIT @limit", args
}

// ceilMicrosecond is the first whole microsecond not before t: what the log's times compare with equally.
func ceilMicrosecond(t time.Time) time.Time {
	whole := t.Truncate(time.Microsecond)
	if whole.Before(t) {
		whole = whole.Add(time.Microsecond)
	}
	return whole
}
