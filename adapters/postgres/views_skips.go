package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

const insertSkipsSQL = `
	INSERT INTO skips (event, event_sequence, position, sequence, recorded_at, tenant, skipped)
	SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::text[], $7::bytea[])`

func (p *viewsPage) queueSkips(b *pgx.Batch) error {
	rows := p.skips
	if len(rows) == 0 {
		return nil
	}
	skipped := make([][]byte, len(rows))
	for i := range rows {
		var err error
		if skipped[i], err = json.Marshal(rows[i].Skipped); err != nil {
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
		columnOf(rows, func(r *row) string { return string(r.Tenant) }),
		skipped,
	)
	return nil
}

func scanSkips(row pgx.CollectableRow) (s projections.Skips, err error) {
	var event pgtype.UUID
	var skipped []byte
	err = row.Scan(&event, &s.EventSequence, &s.At.Position, &s.At.Sequence, &s.At.RecordedAt, &s.Tenant, &skipped)
	if err != nil {
		return s, err
	}
	s.Event, s.At.RecordedAt = event.Bytes, s.At.RecordedAt.UTC()
	if err := json.Unmarshal(skipped, &s.Skipped); err != nil {
		return s, fmt.Errorf("decode skips of the views: %w (%w)", err, errViewsApart)
	}
	return s, nil
}

// Skips implements projections.Reader. A UUID stands in the text of a row only where the row is about its thing; that an
// endpoint and a subscription are passed over together only its JSON says.
func (r *viewReader) Skips(ctx context.Context, f projections.SkipFilter, page projections.Page) ([]projections.Skips, error) {
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
			c.add(`position($%d::bytea IN skipped) > 0`, []byte(id.String()))
		}
	}
	if !f.Endpoint.IsZero() && !f.Subscription.IsZero() {
		c.add(`convert_from(skipped, 'UTF8')::jsonb @> $%d::jsonb`, fmt.Sprintf(`[{"endpoint":%q,"subscription":%q}]`, f.Endpoint, f.Subscription))
	}
	if !f.From.IsZero() {
		c.add(`recorded_at >= $%d`, f.From)
	}
	if !f.To.IsZero() {
		c.add(`recorded_at < $%d`, f.To)
	}
	sql := `SELECT event, event_sequence, position, sequence, recorded_at, tenant, skipped FROM skips
		WHERE tenant = $1 AND sequence ` + compare + ` $2` + c.sql() + ` ORDER BY sequence ` + direction + ` LIMIT $3`
	rows, err := r.tx.Query(ctx, sql, c.args...)
	if err != nil {
		return nil, domainError("read skips", err)
	}
	skips, err := pgx.CollectRows(rows, scanSkips)
	return skips, domainError("read skips", err)
}
