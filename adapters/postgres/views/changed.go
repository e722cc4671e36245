package views

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// changedSQL groups the versions of one table that began after sequence $2 and up to $3 in tenant $1. No index has the
// sequence: a tenant's versions are few beside its events.
func changedSQL(kind domain.StreamKind, table string) string {
	return `SELECT '` + string(kind) + `' AS kind, id, min(from_sequence) AS first, count(*) AS versions FROM ` + table +
		` WHERE tenant = $1 AND from_sequence > $2 AND from_sequence <= $3 GROUP BY id`
}

// Changed implements projections.Reader.
func (r configReader) Changed(
	ctx context.Context, after, upTo domain.Sequence, page projections.Page,
) ([]projections.Changed, error) {
	behind, order := pageSQL(page, "first", "id", 4)
	sequence, id := pageArgs(page)
	sql := `SELECT kind, id, first, versions FROM (` +
		changedSQL(domain.StreamTenant, "tenants") + ` UNION ALL ` + changedSQL(domain.StreamKey, "keys") + ` UNION ALL ` +
		changedSQL(domain.StreamEndpoint, "endpoints") + ` UNION ALL ` +
		changedSQL(domain.StreamSubscription, "subscriptions") + ` UNION ALL ` +
		changedSQL(domain.StreamEventType, "event_types") + `) AS things WHERE true` + behind + order
	rows, err := r.tx.Query(ctx, sql, string(r.tenant), int64(after), int64(min(upTo, r.last)), sequence, id, page.Limit)
	if err != nil {
		return nil, postgres.DomainError("read what changed", err)
	}
	changed, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c projections.Changed, err error) {
		var id pgtype.UUID
		err = row.Scan(&c.Stream.Kind, &id, &c.First, &c.Versions)
		c.Stream.ID = id.Bytes
		return c, err
	})
	if err != nil {
		return nil, postgres.DomainError("read what changed", err)
	}
	if len(changed) == 0 {
		return nil, nil
	}
	return changed, nil
}
