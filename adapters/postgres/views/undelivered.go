package views

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// What hasn't been delivered has a row more, by which dispatchers and lists find it. So what is delivered at the first
// try, nearly everything, costs no index entry for that, and an attempt that fails changes no indexed column of
// deliveries.

// undelivered reports whether a delivery has such a row.
func undelivered(d *projections.Delivery) bool { return d.Open || d.Status != domain.DeliverySucceeded }

const (
	insertUndeliveredSQL = `
		INSERT INTO undelivered (delivery, endpoint, next_attempt_at, created_position, created_sequence, waits, tenant, status)
		SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::bigint[], $5::bigint[], $6::boolean[], $7::text[], $8::text[])`
	updateUndeliveredSQL = `
		UPDATE undelivered AS u SET next_attempt_at = page.next_attempt_at, waits = page.waits, status = page.status
		  FROM unnest($1::uuid[], $2::timestamptz[], $3::boolean[], $4::text[]) AS page (delivery, next_attempt_at, waits, status)
		 WHERE u.delivery = page.delivery`
	deleteUndeliveredSQL = `DELETE FROM undelivered WHERE delivery = ANY ($1)`
)

func (p *deliveryPage) queueUndelivered(b *pgx.Batch) {
	var in, moved, out []*deliveryRow
	for _, d := range p.order {
		switch now := undelivered(&d.Delivery); {
		case now && !d.undone:
			in = append(in, d)
		case now:
			moved = append(moved, d)
		case d.undone:
			out = append(out, d)
		}
	}
	type row = *deliveryRow
	id := func(d *row) pgtype.UUID { return idOf((*d).ID) }
	next := func(d *row) pgtype.Timestamptz { return dueOf((*d).NextAttemptAt) }
	waits := func(d *row) bool { return (*d).Open || !(*d).Status.Ended() }
	status := func(d *row) string { return string((*d).Status) }
	if len(in) > 0 {
		b.Queue(insertUndeliveredSQL, columnOf(in, id),
			columnOf(in, func(d *row) pgtype.UUID { return idOf((*d).Endpoint) }), columnOf(in, next),
			columnOf(in, func(d *row) int64 { return int64((*d).Created.Position) }),
			columnOf(in, func(d *row) int64 { return int64((*d).Created.Sequence) }), columnOf(in, waits),
			columnOf(in, func(d *row) string { return string((*d).Tenant) }), columnOf(in, status),
		)
	}
	if len(moved) > 0 {
		b.Queue(updateUndeliveredSQL, columnOf(moved, id), columnOf(moved, next), columnOf(moved, waits), columnOf(moved, status)).
			Exec(whole("undelivered", len(moved)))
	}
	if len(out) > 0 {
		b.Queue(deleteUndeliveredSQL, columnOf(out, id)).Exec(whole("undelivered", len(out)))
	}
}
