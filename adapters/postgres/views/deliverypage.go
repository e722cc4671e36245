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

// deliveryPage gathers what a page changes of deliveries, and with them of endpoints' health.
type deliveryPage struct {
	byID   map[domain.UUID]*deliveryRow
	order  []*deliveryRow // in which they were first touched
	health map[domain.UUID]*endpointHealth
}

// endpointHealth is how an endpoint's attempts of the page went.
type endpointHealth struct {
	tenant domain.TenantID
	health domain.Health // as after the page's attempts alone
}

type deliveryRow struct {
	projections.Delivery
	made    bool // in this page
	touched bool
	undone  bool // it was undelivered before the page
}

// PutDelivery implements projections.Store. Attempts have no rows: the log has them.
func (p *deliveryPage) PutDelivery(row projections.Delivery, _ *domain.AttemptStarted) error {
	d := &deliveryRow{Delivery: row, made: true}
	p.byID[row.ID] = d
	p.order = append(p.order, d)
	return nil
}

// FoldDelivery implements projections.Store.
func (p *deliveryPage) FoldDelivery(e *domain.Entry) error {
	d, ok := p.byID[e.Stream.ID]
	if !ok {
		return fmt.Errorf("delivery %s: %w", e.Stream.ID, domain.ErrNotFound)
	}
	if !d.made && !d.touched {
		p.order = append(p.order, d)
	}
	d.touched = true
	if f, ok := e.Fact.(*domain.AttemptFinished); ok {
		p.recordHealth(d, f.Result.Outcome, projections.OriginOf(*e))
	}
	return d.Fold(e)
}

// recordHealth notes the outcome of an attempt at a delivery's endpoint.
func (p *deliveryPage) recordHealth(d *deliveryRow, outcome domain.AttemptOutcome, at projections.Origin) {
	if outcome == domain.OutcomeUnknown {
		return
	}
	h, ok := p.health[d.Endpoint]
	if !ok {
		h = &endpointHealth{tenant: d.Tenant}
		p.health[d.Endpoint] = h
	}
	h.health = h.health.After(outcome, at.RecordedAt)
}

// loadDeliveries reads deliveries of earlier pages and reports whether all of them are there.
func (p *deliveryPage) loadDeliveries(
	ctx context.Context, q postgres.Querier, ids []pgtype.UUID,
) (all bool, err error) {
	rows, err := deliveriesByID(ctx, q, ids)
	for _, d := range rows {
		p.byID[d.ID] = &deliveryRow{Delivery: d, undone: undelivered(&d)}
	}
	return len(rows) == len(ids), err
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

func (p *deliveryPage) queueDeliveries(b *pgx.Batch) {
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
