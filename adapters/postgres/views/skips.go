package views

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

const insertSkipsSQL = `
	INSERT INTO skips (event, event_sequence, position, sequence, recorded_at, verdicts, tenant, skipped)
	SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::boolean[], $7::text[], $8::bytea[])`

func (p *viewsPage) queueSkips(b *pgx.Batch) error {
	rows := p.skips
	if len(rows) == 0 {
		return nil
	}
	skipped := make([][]byte, len(rows))
	for i := range rows {
		var err error
		if skipped[i], err = json.Marshal(rows[i].Skipped, asInTheLog); err != nil {
			return fmt.Errorf("encode what the routing of event %s passed over: %w", rows[i].Event, err)
		}
	}
	type row = projections.Skips
	b.Queue(insertSkipsSQL,
		columnOf(rows, func(r *row) pgtype.UUID { return idOf(r.Event) }),
		columnOf(rows, func(r *row) int64 { return int64(r.EventSequence) }),
		columnOf(rows, func(r *row) int64 { return int64(r.At.Position) }),
		columnOf(rows, func(r *row) int64 { return int64(r.At.Sequence) }),
		columnOf(rows, func(r *row) pgtype.Timestamptz { return timeOf(r.At.RecordedAt) }),
		columnOf(rows, func(r *row) bool { return len(r.Verdicts) > 0 }),
		columnOf(rows, func(r *row) string { return string(r.Tenant) }),
		skipped,
	)
	return nil
}

// skipsRow is a row with the word whether filters skipped more, which only the log says.
type skipsRow struct {
	projections.Skips
	verdicts bool
}

func scanSkips(row pgx.CollectableRow) (s skipsRow, err error) {
	var event pgtype.UUID
	var skipped []byte
	err = row.Scan(&event, &s.EventSequence, &s.At.Position, &s.At.Sequence, &s.At.RecordedAt, &s.verdicts, &s.Tenant, &skipped)
	if err != nil {
		return s, err
	}
	s.Event, s.At.RecordedAt = event.Bytes, s.At.RecordedAt.UTC()
	if err := json.Unmarshal(skipped, &s.Skipped, asInTheLog); err != nil {
		return s, fmt.Errorf("decode skips of the views: %w (%w)", err, errViewsApart)
	}
	if len(s.Skipped) == 0 {
		s.Skipped = nil
	}
	return s, nil
}

// Skips implements projections.Reader. Verdicts of filters tell something of an event's content, so the rows don't have
// them: with a filter, the rows that might be chosen for them are read from the log, page by page.
func (r eventReader) Skips(
	ctx context.Context, f projections.SkipFilter, page projections.Page,
) ([]projections.Skips, error) {
	var found []projections.Skips
	for {
		rows, err := r.skipsPage(ctx, f, page)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if f.Chooses(&row) && len(found) < page.Limit {
				found = append(found, row)
			}
		}
		if len(rows) < page.Limit || len(found) == page.Limit {
			return found, nil
		}
		page.After = &rows[len(rows)-1].At.Sequence
	}
}

// skipsPage reads rows that may be chosen. A UUID is in the text of a row only where the row is about its thing.
func (r eventReader) skipsPage(
	ctx context.Context, f projections.SkipFilter, page projections.Page,
) ([]projections.Skips, error) {
	compare, direction, after := ">", "ASC", int64(-1)
	if page.Descending {
		compare, direction, after = "<", "DESC", int64(r.last)+1
	}
	if page.After != nil {
		after = int64(*page.After)
	}
	c := conditions{args: []any{string(r.tenant), after, page.Limit}}
	for _, id := range []domain.UUID{f.Endpoint, f.Subscription} {
		if !id.IsZero() {
			c.add(`(verdicts OR position($%d::bytea IN skipped) > 0)`, []byte(id.String()))
		}
	}
	if !f.From.IsZero() {
		c.add(`recorded_at >= $%d`, f.From)
	}
	if !f.To.IsZero() {
		c.add(`recorded_at < $%d`, f.To)
	}
	sql := `SELECT event, event_sequence, position, sequence, recorded_at, verdicts, tenant, skipped FROM skips
		WHERE tenant = $1 AND sequence ` + compare + ` $2` + c.sql() + ` ORDER BY sequence ` + direction + ` LIMIT $3`
	rows, err := r.tx.Query(ctx, sql, c.args...)
	if err != nil {
		return nil, postgres.DomainError("read skips", err)
	}
	skips, err := pgx.CollectRows(rows, scanSkips)
	if err != nil {
		return nil, postgres.DomainError("read skips", err)
	}
	return r.withVerdicts(ctx, skips)
}

// withVerdicts adds what filters skipped.
func (r eventReader) withVerdicts(ctx context.Context, rows []skipsRow) ([]projections.Skips, error) {
	skips := make([]projections.Skips, len(rows))
	var sequences []domain.Sequence
	at := make(map[domain.Sequence]int)
	for i := range rows {
		skips[i] = rows[i].Skips
		if rows[i].verdicts {
			sequences = append(sequences, rows[i].At.Sequence)
			at[rows[i].At.Sequence] = i
		}
	}
	if len(sequences) == 0 {
		return skips, nil
	}
	entries, err := r.log.Entries(ctx, r.tenant, sequences)
	if err != nil {
		return nil, fmt.Errorf("read what filters skipped: %w", err)
	}
	for _, e := range entries {
		switch f := e.Fact.(type) {
		case *domain.EventAppended:
			skips[at[e.Sequence]].Verdicts = f.Verdicts.Skipped
		case *domain.EventRouted:
			skips[at[e.Sequence]].Verdicts = f.Verdicts.Skipped
		}
	}
	return skips, nil
}
