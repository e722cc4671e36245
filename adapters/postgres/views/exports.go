package views

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// exportPage gathers what a page of the fold changes in the table of exports.
type exportPage struct {
	made, moved []projections.Export // each export once
}

// PutExport implements projections.Store.
func (p *exportPage) PutExport(row projections.Export) error {
	if row.Created != (projections.Origin{}) {
		p.made = append(p.made, row)
		return nil
	}
	for _, rows := range [][]projections.Export{p.made, p.moved} {
		for i := range rows {
			if rows[i].ID == row.ID {
				row.Created = rows[i].Created
				rows[i] = row
				return nil
			}
		}
	}
	p.moved = append(p.moved, row)
	return nil
}

const (
	insertExportsSQL = `
		INSERT INTO exports (id, kept_until, unfinished, created_position, created_sequence, created_at, tenant)
		SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::boolean[], $4::bigint[], $5::bigint[], $6::timestamptz[], $7::text[])`
	updateExportsSQL = `
		UPDATE exports SET kept_until = page.kept_until, unfinished = page.unfinished
		  FROM unnest($1::uuid[], $2::timestamptz[], $3::boolean[]) AS page (id, kept_until, unfinished)
		 WHERE exports.id = page.id`
)

func (p *exportPage) queueExports(b *pgx.Batch) {
	type row = projections.Export
	moving := func(rows []row) []any {
		return []any{
			columnOf(rows, func(x *row) pgtype.UUID { return idOf(x.ID) }),
			columnOf(rows, func(x *row) pgtype.Timestamptz { return timeOf(x.KeptUntil) }),
			columnOf(rows, func(x *row) bool { return x.Unfinished }),
		}
	}
	if len(p.made) > 0 {
		b.Queue(insertExportsSQL, append(moving(p.made),
			columnOf(p.made, func(x *row) int64 { return int64(x.Created.Position) }),
			columnOf(p.made, func(x *row) int64 { return int64(x.Created.Sequence) }),
			columnOf(p.made, func(x *row) pgtype.Timestamptz { return timeOf(x.Created.RecordedAt) }),
			columnOf(p.made, func(x *row) string { return string(x.Tenant) }),
		)...)
	}
	if len(p.moved) > 0 {
		b.Queue(updateExportsSQL, moving(p.moved)...).Exec(whole("exports", len(p.moved)))
	}
}

const exportColumns = `id, tenant, created_position, created_sequence, created_at, unfinished, kept_until`

func scanExport(row pgx.CollectableRow) (x projections.Export, err error) {
	var id pgtype.UUID
	var until pgtype.Timestamptz
	err = row.Scan(&id, &x.Tenant, &x.Created.Position, &x.Created.Sequence, &x.Created.RecordedAt, &x.Unfinished, &until)
	x.ID, x.KeptUntil, x.Created.RecordedAt = id.Bytes, timeFrom(until), x.Created.RecordedAt.UTC()
	return x, err
}

// Exports implements projections.Reader.
func (r *viewReader) Exports(ctx context.Context, page projections.Page) ([]projections.Export, error) {
	behind, order := pageSQL(page, "created_sequence", "id", 2)
	sequence, id := pageArgs(page)
	rows, err := r.tx.Query(ctx, `SELECT `+exportColumns+` FROM exports WHERE tenant = $1`+behind+order,
		string(r.tenant), sequence, id, page.Limit)
	if err != nil {
		return nil, postgres.DomainError("read exports", err)
	}
	exports, err := pgx.CollectRows(rows, scanExport)
	return exports, postgres.DomainError("read exports", err)
}

// LiveExports returns the exports of all tenants that aren't finished or have a file, as the views have them, in the order
// in which they were created.
func (v *Views) LiveExports(ctx context.Context) (exports []projections.Export, err error) {
	const sql = `SELECT ` + exportColumns + ` FROM exports WHERE unfinished OR kept_until IS NOT NULL ORDER BY created_position`
	err = v.snapshotOfAll(ctx, func(tx pgx.Tx, _ domain.Position) error {
		rows, err := tx.Query(ctx, sql)
		if err != nil {
			return postgres.DomainError("read exports", err)
		}
		exports, err = pgx.CollectRows(rows, scanExport)
		return postgres.DomainError("read exports", err)
	})
	if err != nil {
		return nil, fmt.Errorf("find the exports that are live: %w", err)
	}
	return exports, nil
}
