package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

const insertProfilesSQL = `
	INSERT INTO profiles (id, position, sequence, added_at, version, tenant, name, digest, document)
	SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::integer[], $6::text[], $7::text[], $8::text[], $9::bytea[])`

func (p *viewsPage) queueProfiles(b *pgx.Batch) {
	rows := p.profiles
	if len(rows) == 0 {
		return
	}
	type row = projections.Profile
	b.Queue(insertProfilesSQL,
		columnOf(rows, func(r *row) pgtype.UUID { return idOf(r.ID) }),
		columnOf(rows, func(r *row) int64 { return int64(r.Added.Position) }),
		columnOf(rows, func(r *row) int64 { return int64(r.Added.Sequence) }),
		columnOf(rows, func(r *row) pgtype.Timestamptz { return timeOf(r.Added.RecordedAt) }),
		columnOf(rows, func(r *row) int32 { return int32(r.Version) }),
		columnOf(rows, func(*row) string { return string(domain.InstanceTenant) }),
		columnOf(rows, func(r *row) string { return r.Name }),
		columnOf(rows, func(r *row) string { return r.Digest }),
		columnOf(rows, func(r *row) []byte { return r.Document }),
	)
}

func scanProfile(row pgx.CollectableRow) (p projections.Profile, err error) {
	var id pgtype.UUID
	err = row.Scan(&id, &p.Added.Position, &p.Added.Sequence, &p.Added.RecordedAt, &p.Version, &p.Name, &p.Digest, &p.Document)
	p.ID, p.Added.RecordedAt = id.Bytes, p.Added.RecordedAt.UTC()
	return p, err
}

// loadProfiles reads all added profiles, in the order in which they were.
func loadProfiles(ctx context.Context, tx pgx.Tx) ([]projections.Profile, error) {
	const sql = `SELECT id, position, sequence, added_at, version, name, digest, document FROM profiles ORDER BY position`
	rows, err := tx.Query(ctx, sql)
	if err != nil {
		return nil, domainError("read profiles", err)
	}
	profiles, err := pgx.CollectRows(rows, scanProfile)
	return profiles, domainError("read profiles", err)
}
