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
	for table, rows := range map[string][]configRow{
		"tenants": p.tenants, "keys": p.keys, "endpoints": p.endpoints, "subscriptions": p.subscriptions,
		"event_types": p.eventTypes,
	} {
		if err := queueConfig(ctx, log, &b, table, rows); err != nil {
			return err
		}
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

// subjectHash stands for a subject in the table of events, null for nobody.
func subjectHash(ctx context.Context, log Log, tenant domain.TenantID, subject string) ([]byte, error) {
	if subject == "" {
		return nil, nil
	}
	hash, err := log.Hash(ctx, tenant, purposeSubject, subject)
	return hash[:subjectHashBytes], err
}

const (
	insertDeliveriesSQL = `
		INSERT INTO deliveries (id, updated_position, updated_sequence, updated_at, ended_position, ended_sequence, ended_at,
		                        next_attempt_at, attempts, schedule_base, version, open, node, status, cancel_reason,
		                        event, endpoint, event_sequence, created_position, created_sequence, created_at, endpoint_version,
		                        tenant, retention, subscriptions)
		SELECT unnest($1::uuid[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::timestamptz[]), unnest($5::bigint[]),
		       unnest($6::bigint[]), unnest($7::timestamptz[]), unnest($8::timestamptz[]), unnest($9::integer[]),
		       unnest($10::integer[]), unnest($11::integer[]), unnest($12::boolean[]), unnest($13::uuid[]), unnest($14::text[]),
		       unnest($15::text[]), unnest($16::uuid[]), unnest($17::uuid[]), unnest($18::bigint[]), unnest($19::bigint[]),
		       unnest($20::bigint[]), unnest($21::timestamptz[]), unnest($22::integer[]), unnest($23::text[]),
		       unnest($24::text[]), unnest($25::bytea[])`
	updateDeliveriesSQL = `
		UPDATE deliveries SET updated_position = page.updated_position, updated_sequence = page.updated_sequence, updated_at = page.updated_at,
		       ended_position = page.ended_position, ended_sequence = page.ended_sequence, ended_at = page.ended_at,
		       next_attempt_at = page.next_attempt_at, attempts = page.attempts, schedule_base = page.schedule_base,
		       version = page.version, open = page.open, node = page.node, status = page.status, cancel_reason = page.cancel_reason
		  FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::bigint[], $6::bigint[], $7::timestamptz[],
		              $8::timestamptz[], $9::integer[], $10::integer[], $11::integer[], $12::boolean[], $13::uuid[], $14::text[], $15::text[])
		    AS page (id, updated_position, updated_sequence, updated_at, ended_position, ended_sequence, ended_at,
		             next_attempt_at, attempts, schedule_base, version, open, node, status, cancel_reason)
		 WHERE deliveries.id = page.id`
)

func (p *viewsPage) queueDeliveries(b *pgx.Batch) {
	var made, moved []*deliveryRow
	for _, d := range p.order {
		if d.made {
			made = append(made, d)
		} else {
			moved = append(moved, d)
		}
	}
	if len(made) > 0 {
		type row = *deliveryRow
		b.Queue(insertDeliveriesSQL, append(movingColumns(made),
			columnOf(made, func(d *row) pgtype.UUID { return idOf((*d).Event) }),
			columnOf(made, func(d *row) pgtype.UUID { return idOf((*d).Endpoint) }),
			columnOf(made, func(d *row) int64 { return int64((*d).EventSequence) }),
			columnOf(made, func(d *row) int64 { return int64((*d).Created.Position) }),
			columnOf(made, func(d *row) int64 { return int64((*d).Created.Sequence) }),
			columnOf(made, func(d *row) pgtype.Timestamptz { return timeOf((*d).Created.RecordedAt) }),
			columnOf(made, func(d *row) int32 { return int32((*d).EndpointVersion) }),
			columnOf(made, func(d *row) string { return string((*d).Tenant) }),
			columnOf(made, func(d *row) pgtype.Text { return textOf((*d).Retention) }),
			columnOf(made, func(d *row) []byte { return packMatches((*d).Subscriptions) }),
		)...)
	}
	p.queueUndelivered(b)
	if len(moved) > 0 {
		b.Queue(updateDeliveriesSQL, movingColumns(moved)...).Exec(whole("deliveries", len(moved)))
	}
}

// movingColumns are the id and those columns of a delivery that change while it lives.
func movingColumns(rows []*deliveryRow) []any {
	type row = *deliveryRow
	return []any{
		columnOf(rows, func(d *row) pgtype.UUID { return idOf((*d).ID) }),
		columnOf(rows, func(d *row) int64 { return int64((*d).Updated.Position) }),
		columnOf(rows, func(d *row) int64 { return int64((*d).Updated.Sequence) }),
		columnOf(rows, func(d *row) pgtype.Timestamptz { return timeOf((*d).Updated.RecordedAt) }),
		columnOf(rows, func(d *row) pgtype.Int8 { return ofOrigin((*d).Ended, int64((*d).Ended.Position)) }),
		columnOf(rows, func(d *row) pgtype.Int8 { return ofOrigin((*d).Ended, int64((*d).Ended.Sequence)) }),
		columnOf(rows, func(d *row) pgtype.Timestamptz { return timeOf((*d).Ended.RecordedAt) }),
		columnOf(rows, func(d *row) pgtype.Timestamptz { return dueOf((*d).NextAttemptAt) }),
		columnOf(rows, func(d *row) int32 { return int32((*d).Attempts) }),
		columnOf(rows, func(d *row) int32 { return int32((*d).ScheduleBase) }),
		columnOf(rows, func(d *row) int32 { return int32((*d).Version) }),
		columnOf(rows, func(d *row) bool { return (*d).Open }),
		columnOf(rows, func(d *row) pgtype.UUID { return idOf((*d).Node) }),
		columnOf(rows, func(d *row) string { return string((*d).Status) }),
		columnOf(rows, func(d *row) pgtype.Text { return textOf(string((*d).Cancel)) }),
	}
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
