package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// Delivery implements projections.Reader.
func (r *viewReader) Delivery(ctx context.Context, id domain.UUID, as projections.AsOf) (projections.Delivery, error) {
	rows, err := r.deliveries(ctx, as, ` AND id = $3`, idOf(id))
	if err == nil && len(rows) == 0 {
		err = domain.ErrNotFound
	}
	if err != nil {
		return projections.Delivery{}, err
	}
	return rows[0], nil
}

// statusThenSQL is the status that a delivery had as of sequence $2. Its row tells where nothing happened since; else the
// last end of an attempt or change before does, and before any it was pending.
const statusThenSQL = `
	CASE WHEN updated_sequence <= $2 THEN status ELSE coalesce((
		SELECT past.status FROM (
			SELECT a.status, a.finished_sequence AS sequence FROM attempts AS a WHERE a.delivery = deliveries.id AND a.finished_sequence <= $2
			UNION ALL
			SELECT c.status, c.sequence FROM delivery_changes AS c WHERE c.delivery = deliveries.id AND c.sequence <= $2
		) AS past ORDER BY past.sequence DESC LIMIT 1), CASE WHEN event IS NULL THEN 'cancelled' ELSE 'pending' END) END`

// Deliveries implements projections.Reader.
func (r *viewReader) Deliveries(ctx context.Context, f projections.DeliveryFilter, page projections.Page, as projections.AsOf) ([]projections.Delivery, error) {
	behind, order := pageSQL(page, "created_sequence", 3)
	sequence, id := pageArgs(page)
	c := conditions{args: []any{sequence, id, page.Limit}, before: 2}
	switch {
	case f.Status == "":
	case r.at(as) == r.last: // as it stands: the partial indexes serve
		c.add(`status = $%d`, string(f.Status))
	default:
		c.add(statusThenSQL+` = $%d`, string(f.Status))
	}
	if !f.From.IsZero() {
		c.add(`created_at >= $%d`, f.From)
	}
	if !f.To.IsZero() {
		c.add(`created_at < $%d`, f.To)
	}
	if !f.Endpoint.IsZero() {
		c.add(`endpoint = $%d`, idOf(f.Endpoint))
	}
	if err := r.bySubscription(ctx, &c, f.Subscription); err != nil {
		return nil, err
	}
	if err := r.byEvent(ctx, &c, f.Event); err != nil {
		return nil, err
	}
	return r.deliveries(ctx, as, behind+c.sql()+order, c.args...)
}

// bySubscription restricts to deliveries that a subscription matched. It goes to one endpoint, which has an index.
func (r *viewReader) bySubscription(ctx context.Context, c *conditions, subscription domain.UUID) error {
	if subscription.IsZero() {
		return nil
	}
	c.add(`position(uuid_send($%d::uuid) IN subscriptions) %% 20 = 1`, idOf(subscription))
	const sql = `SELECT endpoint FROM subscriptions WHERE id = $1 AND tenant = $2 AND version = 1`
	rows, err := r.tx.Query(ctx, sql, idOf(subscription), string(r.tenant))
	if err != nil {
		return domainError("read a subscription", err)
	}
	endpoints, err := pgx.CollectRows(rows, pgx.RowTo[pgtype.UUID])
	if err != nil {
		return domainError("read a subscription", err)
	}
	if len(endpoints) == 1 {
		c.add(`endpoint = $%d`, endpoints[0])
	}
	return nil
}

// byEvent restricts to an event's deliveries. There is no index by event: its routing made them, between the event's
// sequence and that of the routing's last entry.
func (r *viewReader) byEvent(ctx context.Context, c *conditions, event domain.UUID) error {
	if event.IsZero() {
		return nil
	}
	c.add(`event = $%d`, idOf(event))
	e, err := r.Event(ctx, event)
	switch {
	case err == nil:
		c.add(`created_sequence > $%d`, int64(e.Created.Sequence))
		if e.Routed != (projections.Origin{}) {
			c.add(`created_sequence <= $%d`, int64(e.Routed.Sequence))
		}
	case !isNotFound(err):
		return err
	}
	return nil
}

// deliveries reads rows and takes those that moved on since back to how they were.
func (r *viewReader) deliveries(ctx context.Context, as projections.AsOf, more string, args ...any) ([]projections.Delivery, error) {
	at := r.at(as)
	sql := `SELECT ` + deliveryColumns + ` FROM deliveries WHERE tenant = $1 AND created_sequence <= $2` + more
	rows, err := r.tx.Query(ctx, sql, append([]any{string(r.tenant), int64(at)}, args...)...)
	if err != nil {
		return nil, domainError("read deliveries", err)
	}
	all, err := pgx.CollectRows(rows, scanDelivery)
	if err != nil {
		return nil, domainError("read deliveries", err)
	}
	if err := r.takeBack(ctx, all, at); err != nil {
		return nil, fmt.Errorf("read deliveries as of sequence %d: %w", at, err)
	}
	if len(all) == 0 {
		return nil, nil
	}
	return all, nil
}

// Attempts implements projections.Reader. What was sent and received stands in the log, under the delivery's stream.
func (r *viewReader) Attempts(ctx context.Context, delivery domain.UUID, as projections.AsOf) ([]projections.Attempt, error) {
	d, err := r.Delivery(ctx, delivery, as)
	if err != nil {
		return nil, err
	}
	if d.Version == 0 {
		return nil, nil
	}
	after := r.at(as) + 1
	entries, err := r.log.Select(ctx, domain.Query{
		Tenant: r.tenant, Stream: domain.Stream{Kind: domain.StreamDelivery, ID: delivery}, To: &after, Limit: d.Version,
	})
	if err != nil {
		return nil, fmt.Errorf("read the attempts of delivery %s: %w", delivery, err)
	}
	return projections.AttemptsOf(entries), nil
}
