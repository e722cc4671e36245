package postgres

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
func (p *viewsPage) flush(ctx context.Context, tx pgx.Tx) error {
	var b pgx.Batch
	queueConfig(&b, "tenants", p.tenants)
	queueConfig(&b, "keys", p.keys)
	queueConfig(&b, "endpoints", p.endpoints)
	queueConfig(&b, "subscriptions", p.subscriptions)
	queueConfig(&b, "event_types", p.eventTypes)
	if err := p.queueEvents(&b); err != nil {
		return err
	}
	if err := p.queueSkips(&b); err != nil {
		return err
	}
	p.queueProfiles(&b)
	p.queueDeliveries(&b)
	p.queueAttempts(&b)
	p.queueChanges(&b)
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

const (
	insertEventsSQL = `
		INSERT INTO events (id, position, sequence, recorded_at, routed_position, routed_sequence, routed_at, data_size, erased,
		                    tenant, leaf_hash, type, subject, source, producer_id, more)
		SELECT unnest($1::uuid[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::timestamptz[]), unnest($5::bigint[]),
		       unnest($6::bigint[]), unnest($7::timestamptz[]), unnest($8::integer[]), unnest($9::boolean[]), unnest($10::text[]),
		       unnest($11::bytea[]), unnest($12::text[]), unnest($13::text[]), unnest($14::text[]), unnest($15::text[]),
		       unnest($16::bytea[])`
	routeEventsSQL = `
		UPDATE events SET routed_position = page.position, routed_sequence = page.sequence, routed_at = page.at
		  FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::timestamptz[]) AS page (id, position, sequence, at)
		 WHERE events.id = page.id`
)

func (p *viewsPage) queueEvents(b *pgx.Batch) error {
	if rows := p.events; len(rows) > 0 {
		attributes := make([]eventColumns, len(rows))
		for i, e := range rows {
			var err error
			if attributes[i], err = attributeColumns(e); err != nil {
				return fmt.Errorf("encode event %s: %w", e.ID, err)
			}
		}
		type row = *projections.Event
		b.Queue(insertEventsSQL,
			columnOf(rows, func(e *row) pgtype.UUID { return idOf((*e).ID) }),
			columnOf(rows, func(e *row) int64 { return int64((*e).Created.Position) }),
			columnOf(rows, func(e *row) int64 { return int64((*e).Created.Sequence) }),
			columnOf(rows, func(e *row) pgtype.Timestamptz { return timeOf((*e).Created.RecordedAt) }),
			columnOf(rows, func(e *row) pgtype.Int8 { return ofOrigin((*e).Routed, int64((*e).Routed.Position)) }),
			columnOf(rows, func(e *row) pgtype.Int8 { return ofOrigin((*e).Routed, int64((*e).Routed.Sequence)) }),
			columnOf(rows, func(e *row) pgtype.Timestamptz { return timeOf((*e).Routed.RecordedAt) }),
			columnOf(rows, func(e *row) int32 { return int32((*e).DataSize) }),
			columnOf(rows, func(e *row) bool { return (*e).Erased }),
			columnOf(rows, func(e *row) string { return string((*e).Tenant) }),
			columnOf(rows, func(e *row) []byte { return (*e).LeafHash[:] }),
			columnOf(rows, func(e *row) string { return string((*e).Attrs.Type) }),
			columnOf(attributes, func(c *eventColumns) pgtype.Text { return c.subject }),
			columnOf(attributes, func(c *eventColumns) pgtype.Text { return c.source }),
			columnOf(attributes, func(c *eventColumns) pgtype.Text { return c.producerID }),
			columnOf(attributes, func(c *eventColumns) []byte { return c.more }),
		)
	}
	if rows := p.routed; len(rows) > 0 {
		b.Queue(routeEventsSQL,
			columnOf(rows, func(r *routedEvent) pgtype.UUID { return idOf(r.id) }),
			columnOf(rows, func(r *routedEvent) int64 { return int64(r.at.Position) }),
			columnOf(rows, func(r *routedEvent) int64 { return int64(r.at.Sequence) }),
			columnOf(rows, func(r *routedEvent) pgtype.Timestamptz { return timeOf(r.at.RecordedAt) }),
		).Exec(whole("events", len(rows)))
	}
	return nil
}

const (
	insertDeliveriesSQL = `
		INSERT INTO deliveries (id, updated_position, updated_sequence, updated_at, ended_position, ended_sequence, ended_at,
		                        next_attempt_at, attempts, schedule_base, version, open, status, cancel_reason,
		                        event, endpoint, event_sequence, created_position, created_sequence, created_at, endpoint_version,
		                        tenant, subscriptions)
		SELECT unnest($1::uuid[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::timestamptz[]), unnest($5::bigint[]),
		       unnest($6::bigint[]), unnest($7::timestamptz[]), unnest($8::timestamptz[]), unnest($9::integer[]),
		       unnest($10::integer[]), unnest($11::integer[]), unnest($12::boolean[]), unnest($13::text[]), unnest($14::text[]),
		       unnest($15::uuid[]), unnest($16::uuid[]), unnest($17::bigint[]), unnest($18::bigint[]), unnest($19::bigint[]),
		       unnest($20::timestamptz[]), unnest($21::integer[]), unnest($22::text[]), unnest($23::bytea[])`
	updateDeliveriesSQL = `
		UPDATE deliveries SET updated_position = page.updated_position, updated_sequence = page.updated_sequence, updated_at = page.updated_at,
		       ended_position = page.ended_position, ended_sequence = page.ended_sequence, ended_at = page.ended_at,
		       next_attempt_at = page.next_attempt_at, attempts = page.attempts, schedule_base = page.schedule_base,
		       version = page.version, open = page.open, status = page.status, cancel_reason = page.cancel_reason
		  FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::bigint[], $6::bigint[], $7::timestamptz[],
		              $8::timestamptz[], $9::integer[], $10::integer[], $11::integer[], $12::boolean[], $13::text[], $14::text[])
		    AS page (id, updated_position, updated_sequence, updated_at, ended_position, ended_sequence, ended_at,
		             next_attempt_at, attempts, schedule_base, version, open, status, cancel_reason)
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
			columnOf(made, func(d *row) []byte { return packMatches((*d).Subscriptions) }),
		)...)
	}
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
		columnOf(rows, func(d *row) string { return string((*d).Status) }),
		columnOf(rows, func(d *row) pgtype.Text { return textOf(string((*d).Cancel)) }),
	}
}

const (
	insertAttemptsSQL = `
		INSERT INTO attempts (delivery, number, finished_position, finished_sequence, finished_at, next_attempt_at, status,
		                      begun_position, begun_sequence, begun_at, tenant)
		SELECT unnest($1::uuid[]), unnest($2::integer[]), unnest($3::bigint[]), unnest($4::bigint[]), unnest($5::timestamptz[]),
		       unnest($6::timestamptz[]), unnest($7::text[]), unnest($8::bigint[]), unnest($9::bigint[]),
		       unnest($10::timestamptz[]), unnest($11::text[])`
	finishAttemptsSQL = `
		UPDATE attempts SET finished_position = page.position, finished_sequence = page.sequence, finished_at = page.at,
		       next_attempt_at = page.next, status = page.status
		  FROM unnest($1::uuid[], $2::integer[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::timestamptz[], $7::text[])
		    AS page (delivery, number, position, sequence, at, next, status)
		 WHERE attempts.delivery = page.delivery AND attempts.number = page.number`
)

func (p *viewsPage) queueAttempts(b *pgx.Batch) {
	var begun, finished []*attemptRow
	missing := 0 // an erased delivery may lack an attempt's start
	for _, a := range p.attempted {
		switch {
		case a.begun != projections.Origin{}:
			begun = append(begun, a)
		case p.deliveries[a.key.delivery].Erased():
			missing++
			fallthrough
		default:
			finished = append(finished, a)
		}
	}
	type row = *attemptRow
	if len(begun) > 0 {
		b.Queue(insertAttemptsSQL, append(finishColumns(begun),
			columnOf(begun, func(a *row) int64 { return int64((*a).begun.Position) }),
			columnOf(begun, func(a *row) int64 { return int64((*a).begun.Sequence) }),
			columnOf(begun, func(a *row) pgtype.Timestamptz { return timeOf((*a).begun.RecordedAt) }),
			columnOf(begun, func(a *row) string { return string((*a).tenant) }),
		)...)
	}
	if len(finished) > 0 {
		b.Queue(finishAttemptsSQL, finishColumns(finished)...).Exec(whole("attempts", len(finished)-missing))
	}
}

func finishColumns(rows []*attemptRow) []any {
	type row = *attemptRow
	return []any{
		columnOf(rows, func(a *row) pgtype.UUID { return idOf((*a).key.delivery) }),
		columnOf(rows, func(a *row) int32 { return int32((*a).key.number) }),
		columnOf(rows, func(a *row) pgtype.Int8 { return ofOrigin((*a).finished, int64((*a).finished.Position)) }),
		columnOf(rows, func(a *row) pgtype.Int8 { return ofOrigin((*a).finished, int64((*a).finished.Sequence)) }),
		columnOf(rows, func(a *row) pgtype.Timestamptz { return timeOf((*a).finished.RecordedAt) }),
		columnOf(rows, func(a *row) pgtype.Timestamptz { return timeOf((*a).next) }),
		columnOf(rows, func(a *row) pgtype.Text { return textOf(string((*a).status)) }),
	}
}

const insertChangesSQL = `
	INSERT INTO delivery_changes (delivery, position, sequence, recorded_at, next_attempt_at, schedule_base, tenant, status, cancel_reason, change)
	SELECT unnest($1::uuid[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::timestamptz[]), unnest($5::timestamptz[]),
	       unnest($6::integer[]), unnest($7::text[]), unnest($8::text[]), unnest($9::text[]), unnest($10::text[])`

func (p *viewsPage) queueChanges(b *pgx.Batch) {
	rows := p.changes
	if len(rows) == 0 {
		return
	}
	b.Queue(insertChangesSQL,
		columnOf(rows, func(c *deliveryChange) pgtype.UUID { return idOf(c.ID) }),
		columnOf(rows, func(c *deliveryChange) int64 { return int64(c.Updated.Position) }),
		columnOf(rows, func(c *deliveryChange) int64 { return int64(c.Updated.Sequence) }),
		columnOf(rows, func(c *deliveryChange) pgtype.Timestamptz { return timeOf(c.Updated.RecordedAt) }),
		columnOf(rows, func(c *deliveryChange) pgtype.Timestamptz { return timeOf(c.NextAttemptAt) }),
		columnOf(rows, func(c *deliveryChange) int32 { return int32(c.ScheduleBase) }),
		columnOf(rows, func(c *deliveryChange) string { return string(c.Tenant) }),
		columnOf(rows, func(c *deliveryChange) string { return string(c.Status) }),
		columnOf(rows, func(c *deliveryChange) pgtype.Text { return textOf(string(c.Cancel)) }),
		columnOf(rows, func(c *deliveryChange) string { return c.change }),
	)
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
