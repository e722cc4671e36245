package eventlog

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
)

// Scan implements domain.Log. It goes along the tenant's sequences, or along one stream. Times become sequences first.
func (r *reader) Scan(ctx context.Context, q domain.Query) (found []domain.Entry, next *domain.Sequence, err error) {
	if q.Limit < 1 {
		return nil, nil, errors.New("select: the limit must be positive")
	}
	if err := r.resolveTimes(ctx, &q); err != nil {
		return nil, nil, postgres.DomainError("select from the log", err)
	}
	var step *domain.Sequence
	filters := q.Kind != "" || !q.Actor.IsZero() // without, what is examined is found
	if (filters || q.Examine > 0) && !q.OneStep() {
		size, err := sizeOf(ctx, r.pool, q.Tenant)
		if err != nil {
			return nil, nil, postgres.DomainError("select from the log", err)
		}
		step = q.Step(size)
	}
	after, upTo := r.firstOf(q.Stream.ID)-1, domain.Position(math.MaxInt64)
	if q.Stream == (domain.Stream{}) {
		from, to := int64(0), int64(math.MaxInt64)
		if q.From != nil {
			from = int64(*q.From)
		}
		if q.To != nil {
			to = int64(*q.To)
		}
		if after, upTo, err = r.span(ctx, q.Tenant, from, to); err != nil {
			return nil, nil, postgres.DomainError("select from the log", err)
		}
	}
	db := r.pool
	if isLookup(&q) {
		db = r.vital
	}
	sql, args := selectSQL(q, after, upTo)
	rows, err := db.Query(ctx, sql, args)
	if err != nil {
		return nil, nil, postgres.DomainError("select from the log", err)
	}
	sealed, err := readRows(rows)
	if err != nil {
		return nil, nil, postgres.DomainError("select from the log", err)
	}
	if q.HeadersOnly {
		found = headers(sealed)
		return found, q.After(found, step, false), nil
	}
	size := 0
	for i := range sealed {
		size += len(sealed[i].content)
	}
	if found, err = r.openFirst(ctx, r.pool, sealed, q.ScanBytes()); err != nil {
		return nil, nil, fmt.Errorf("select from the log: %w", err)
	}
	cut := len(found) < len(sealed) || len(found) > 0 && size >= q.ScanBytes()
	return found, q.After(found, step, cut), nil
}

// isLookup reports whether a query asks for the end of a log or of a stream: what decides, waits and answers asks that all
// the time, and mustn't wait for the pages of others.
func isLookup(q *domain.Query) bool {
	return q.HeadersOnly && q.Limit == 1 && q.Kind == "" && q.Actor.IsZero() && q.Since.IsZero() && q.Until.IsZero()
}

func headers(sealed []sealedEntry) []domain.Entry {
	entries := make([]domain.Entry, len(sealed))
	for i := range sealed {
		sealed[i].Damaged, sealed[i].Critical = sealed[i].wrong != nil, sealed[i].leaf.Critical
		entries[i] = sealed[i].Entry
	}
	return entries
}

const entriesSQL = `
	SELECT ` + entryColumnsSQL + ` FROM entries
	 WHERE tenant = $1 AND sequence = ANY ($2) AND position > $3 AND position <= $4 ORDER BY sequence`

// Entries returns a tenant's entries at sequences, opened, in order of sequence; those that there aren't are left out.
func (r *reader) Entries(
	ctx context.Context, tenant domain.TenantID, sequences []domain.Sequence,
) ([]domain.Entry, error) {
	if len(sequences) == 0 {
		return nil, nil
	}
	list := make([]int64, len(sequences))
	for i, s := range sequences {
		list[i] = int64(s)
	}
	after, upTo, err := r.span(ctx, tenant, slices.Min(list), slices.Max(list)+1)
	if err != nil {
		return nil, postgres.DomainError("read entries", err)
	}
	rows, err := r.pool.Query(ctx, entriesSQL, string(tenant), list, int64(after), int64(upTo))
	if err != nil {
		return nil, postgres.DomainError("read entries", err)
	}
	sealed, err := readRows(rows)
	if err != nil {
		return nil, postgres.DomainError("read entries", err)
	}
	entries, err := r.openEntries(ctx, r.pool, sealed)
	if err != nil {
		return nil, fmt.Errorf("read entries: %w", err)
	}
	return entries, nil
}

// selectSQL writes a query's statement. Only what the query restricts is in it, so that the planner sees it plainly.
// The entries are behind one position and not behind the other.
func selectSQL(q domain.Query, after, upTo domain.Position) (string, pgx.NamedArgs) {
	args := pgx.NamedArgs{"tenant": string(q.Tenant), "limit": q.Limit, "after": int64(after), "up_to": int64(upTo)}
	where := []string{"tenant = @tenant", "position > @after", "position <= @up_to"}
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
		columns = headerColumnsSQL
	}
	from := " FROM entries WHERE " + strings.Join(where, " AND ") + " ORDER BY sequence " + order + " LIMIT @limit"
	if q.HeadersOnly || q.Limit == 1 {
		return "SELECT " + columns + from, args
	}
	// Contents are read until they have as many bytes. The sizes of those that are kept apart are known without them.
	args["bytes"] = q.ScanBytes()
	return "SELECT " + columns + " FROM (SELECT *, sum(coalesce(octet_length(content), 0)) OVER (ORDER BY sequence " + order +
		" ROWS UNBOUNDED PRECEDING) - coalesce(octet_length(content), 0) AS before" + from +
		") AS sized WHERE before < @bytes ORDER BY sequence " + order, args
}
