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

// deliveryReader reads the tables of deliveries and of endpoints' health. What a delivery was before, and its attempts,
// the log has under the delivery's stream.
type deliveryReader struct{ *tenantSnapshot }

// Delivery implements projections.Reader.
func (r deliveryReader) Delivery(
	ctx context.Context, id domain.UUID, as projections.AsOf,
) (projections.Delivery, error) {
	rows, err := r.deliveries(ctx, as, ` AND id = $3`, idOf(id))
	if err == nil && len(rows) == 0 {
		err = domain.ErrNotFound
	}
	if err != nil {
		return projections.Delivery{}, err
	}
	return rows[0], nil
}

// Deliveries implements projections.Reader.
func (r deliveryReader) Deliveries(
	ctx context.Context, f projections.DeliveryFilter, page projections.Page, as projections.AsOf,
) ([]projections.Delivery, error) {
	then := f.Status != "" && r.at(as) < r.last // where rows have moved on since, only the log knows their status of then
	var found []projections.Delivery
	for {
		rows, err := r.deliveriesPage(ctx, f, page, as, then)
		if err != nil || !then {
			return rows, err
		}
		for _, d := range rows {
			if d.Status == f.Status && len(found) < page.Limit {
				found = append(found, d)
			}
		}
		if len(rows) < page.Limit || len(found) == page.Limit {
			return found, nil
		}
		last := &rows[len(rows)-1]
		page.After, page.AfterID = &last.Created.Sequence, last.ID
	}
}

func (r deliveryReader) deliveriesPage(
	ctx context.Context, f projections.DeliveryFilter, page projections.Page, as projections.AsOf, then bool,
) ([]projections.Delivery, error) {
	behind, order := pageSQL(page, "created_sequence", "id", 3)
	sequence, id := pageArgs(page)
	c := conditions{args: []any{sequence, id, page.Limit}, before: 2}
	switch {
	case then:
		c.add(`(status = $%d OR updated_sequence > $2)`, string(f.Status))
	case f.Status == domain.DeliverySucceeded:
		c.add(`status = $%d`, string(f.Status))
	case f.Status != "":
		r.byStatus(&c, f, page)
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

// byStatus restricts to deliveries of one status of those that undelivered has. When nothing else restricts them, that
// they are enough of the list is decided there.
func (r deliveryReader) byStatus(c *conditions, f projections.DeliveryFilter, page projections.Page) {
	sql := `id = ANY (ARRAY(SELECT delivery FROM undelivered WHERE tenant = $1 AND status = $%d`
	if f.Event.IsZero() && f.Endpoint.IsZero() && f.Subscription.IsZero() && f.From.IsZero() && f.To.IsZero() {
		behind, order := pageSQL(page, "created_sequence", "delivery", 3)
		sql += behind + order
	}
	c.add(sql+`))`, string(f.Status))
}

// bySubscription restricts to deliveries that a subscription matched. It goes to one endpoint, which has an index.
func (r deliveryReader) bySubscription(ctx context.Context, c *conditions, subscription domain.UUID) error {
	if subscription.IsZero() {
		return nil
	}
	c.add(`position(uuid_send($%d::uuid) IN subscriptions) %% 20 = 1`, idOf(subscription))
	const sql = `SELECT endpoint FROM subscriptions WHERE id = $1 AND tenant = $2 AND version = 1`
	rows, err := r.tx.Query(ctx, sql, idOf(subscription), string(r.tenant))
	if err != nil {
		return postgres.DomainError("read a subscription", err)
	}
	endpoints, err := pgx.CollectRows(rows, pgx.RowTo[pgtype.UUID])
	if err != nil {
		return postgres.DomainError("read a subscription", err)
	}
	if len(endpoints) == 1 {
		c.add(`endpoint = $%d`, endpoints[0])
	}
	return nil
}

// byEvent restricts to an event's deliveries. There is no index by event: they were made by its entry or by those right
// behind it.
func (r deliveryReader) byEvent(ctx context.Context, c *conditions, event domain.UUID) error {
	if event.IsZero() {
		return nil
	}
	c.add(`event = $%d`, idOf(event))
	e, err := eventReader(r).Event(ctx, event)
	if isNotFound(err) {
		c.add(`created_sequence < $%d`, 0)
		return nil
	}
	if err != nil {
		return err
	}
	last := e.Created.Sequence
	if !e.Whole {
		last += maxRoutingEntries
	}
	c.add(`created_sequence >= $%d`, int64(e.Created.Sequence))
	c.add(`created_sequence <= $%d`, int64(last))
	return nil
}

// deliveries reads rows and takes those that moved on since back to how they were.
func (r deliveryReader) deliveries(
	ctx context.Context, as projections.AsOf, more string, args ...any,
) ([]projections.Delivery, error) {
	at := r.at(as)
	sql := `SELECT ` + deliveryColumns + ` FROM deliveries WHERE tenant = $1 AND created_sequence <= $2` + more
	rows, err := r.tx.Query(ctx, sql, append([]any{string(r.tenant), int64(at)}, args...)...)
	if err != nil {
		return nil, postgres.DomainError("read deliveries", err)
	}
	all, err := pgx.CollectRows(rows, scanDelivery)
	if err != nil {
		return nil, postgres.DomainError("read deliveries", err)
	}
	if err := r.takeBack(ctx, all, at); err != nil {
		return nil, fmt.Errorf("read deliveries as of sequence %d: %w", at, err)
	}
	if len(all) == 0 {
		return nil, nil
	}
	return all, nil
}

// Attempts implements projections.Reader. The log has them: in the entry that made the delivery and in those of its
// stream.
func (r deliveryReader) Attempts(
	ctx context.Context, delivery domain.UUID, as projections.AsOf,
) ([]projections.Attempt, error) {
	d, err := r.Delivery(ctx, delivery, as)
	if err != nil {
		return nil, err
	}
	if d.Attempts == 0 {
		return nil, nil
	}
	entries, err := r.history(ctx, []projections.Delivery{d}, r.at(as))
	if err != nil {
		return nil, fmt.Errorf("read the attempts of delivery %s: %w", delivery, err)
	}
	return projections.AttemptsOf(delivery, entries), nil
}
