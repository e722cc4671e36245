package views

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// flush writes the page, one statement a table and kind of change, in one round trip.
func (p *viewsPage) flush(ctx context.Context, log Log, tx pgx.Tx) error {
	var b pgx.Batch
	if err := p.queueConfig(ctx, log, &b); err != nil {
		return err
	}
	if err := p.queueEvents(ctx, log, &b); err != nil {
		return err
	}
	if err := p.queueSkips(&b); err != nil {
		return err
	}
	p.queueProfiles(&b)
	p.queueExports(&b)
	p.queueDeliveries(&b)
	p.queueHealth(&b)
	if err := p.queueReplays(&b); err != nil {
		return err
	}
	p.queueReached(&b)
	return tx.SendBatch(ctx, &b).Close()
}

// whole refuses an update that didn't find all of its rows: the view and the log have come apart.
func whole(table string, want int) func(pgconn.CommandTag) error {
	return func(tag pgconn.CommandTag) error {
		if got := int(tag.RowsAffected()); got < want {
			return fmt.Errorf("update %s: %d of %d rows are missing (%w)", table, want-got, want, errViewsApart)
		}
		return nil
	}
}

const insertEventsSQL = `
	INSERT INTO events (position, sequence, recorded_at, data_size, whole, erased, damaged, id, tenant, leaf_hash, type, subject_hash)
	SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::timestamptz[]), unnest($4::integer[]), unnest($5::boolean[]),
	       unnest($6::boolean[]), unnest($7::boolean[]), unnest($8::uuid[]), unnest($9::text[]), unnest($10::bytea[]),
	       unnest($11::text[]), unnest($12::bytea[])`

func (p *viewsPage) queueEvents(ctx context.Context, log Log, b *pgx.Batch) error {
	rows := p.events
	if len(rows) == 0 {
		return nil
	}
	subjects := make([][]byte, len(rows))
	for i := range rows {
		var err error
		if subjects[i], err = subjectHash(ctx, log, rows[i].Tenant, rows[i].Attrs.Subject); err != nil {
			return fmt.Errorf("hash the subject of event %s: %w", rows[i].ID, err)
		}
	}
	type row = projections.Event
	b.Queue(insertEventsSQL,
		columnOf(rows, func(e *row) int64 { return int64(e.Created.Position) }),
		columnOf(rows, func(e *row) int64 { return int64(e.Created.Sequence) }),
		columnOf(rows, func(e *row) pgtype.Timestamptz { return timeOf(e.Created.RecordedAt) }),
		columnOf(rows, func(e *row) int32 { return int32(e.DataSize) }),
		columnOf(rows, func(e *row) bool { return e.Whole }),
		columnOf(rows, func(e *row) bool { return e.Erased }),
		columnOf(rows, func(e *row) bool { return e.Damaged }),
		columnOf(rows, func(e *row) pgtype.UUID { return idOf(e.ID) }),
		columnOf(rows, func(e *row) string { return string(e.Tenant) }),
		columnOf(rows, func(e *row) []byte { return e.LeafHash[:] }),
		columnOf(rows, func(e *row) string { return string(e.Attrs.Type) }),
		subjects,
	)
	return nil
}

// subjectHashBytes are kept of a subject's keyed hash: enough that two subjects of a tenant never share one by chance.
const subjectHashBytes = 16

// subjectHash represents a subject in the table of events, null for nobody.
func subjectHash(ctx context.Context, log Log, tenant domain.TenantID, subject string) ([]byte, error) {
	if subject == "" {
		return nil, nil
	}
	hash, err := log.Hash(ctx, tenant, purposeSubject, subject)
	return hash[:subjectHashBytes], err
}

// reachedSQL moves the tenants' cursors: the new rows in, the old ones out. Both halves see the table as it was before.
const reachedSQL = `
	WITH page AS (SELECT * FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS page (tenant, position, sequence)),
	     gone AS (DELETE FROM cursors USING page WHERE cursors.follower = $1 AND cursors.tenant = page.tenant)
	INSERT INTO cursors (follower, tenant, position, sequence) SELECT $1, tenant, position, sequence FROM page`

func (p *viewsPage) queueReached(b *pgx.Batch) {
	tenants := make([]domain.TenantID, 0, len(p.reached))
	for id := range p.reached {
		tenants = append(tenants, id)
	}
	b.Queue(reachedSQL, viewsFollower,
		columnOf(tenants, func(t *domain.TenantID) string { return string(*t) }),
		columnOf(tenants, func(t *domain.TenantID) int64 { return int64(p.reached[*t].Position) }),
		columnOf(tenants, func(t *domain.TenantID) int64 { return int64(p.reached[*t].Sequence) }),
	)
}
