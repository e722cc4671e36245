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

// loadProfiles reads all added profiles, in the order in which they were, as the log has them: the rows say only where.
func loadProfiles(ctx context.Context, log Log, tx pgx.Tx) ([]projections.Profile, error) {
	rows, err := tx.Query(ctx, `SELECT sequence FROM profiles ORDER BY position`)
	if err != nil {
		return nil, postgres.DomainError("read profiles", err)
	}
	sequences, err := pgx.CollectRows(rows, pgx.RowTo[domain.Sequence])
	if err != nil || len(sequences) == 0 {
		return nil, postgres.DomainError("read profiles", err)
	}
	entries, err := log.Entries(ctx, domain.InstanceTenant, sequences)
	if err != nil {
		return nil, fmt.Errorf("read profiles: %w", err)
	}
	var profiles []projections.Profile
	for _, e := range entries {
		f, ok := e.Fact.(*domain.ProfileAdded)
		if !ok {
			return nil, fmt.Errorf("sequence %d of the instance's log is no profile, as the views have it (%w)", e.Sequence, errViewsApart)
		}
		profiles = append(profiles, projections.Profile{
			ProfileName: f.Profile, ID: e.Stream.ID, Document: f.Document, Added: projections.OriginOf(e),
		})
	}
	return profiles, nil
}
