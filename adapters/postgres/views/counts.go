package views

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// countedAtOnce is how many deliveries that have moved on since are folded again at a time.
const countedAtOnce = 1000

// DeliveryCounts implements projections.Reader. As of the newest sequence it goes by indexes: all deliveries, less those
// that haven't succeeded. As of an earlier one, deliveries that haven't changed since are counted as they are, and the
// others, mostly few, are folded again.
func (r deliveryReader) DeliveryCounts(ctx context.Context, as projections.AsOf) (projections.DeliveryCounts, error) {
	at := r.at(as)
	if at == r.last {
		return r.counted(ctx, `
			SELECT 'succeeded', (SELECT count(*) FROM deliveries WHERE tenant = $1)
			     - (SELECT count(*) FROM undelivered WHERE tenant = $1 AND status <> 'succeeded')
			 UNION ALL
			SELECT status, count(*) FROM undelivered WHERE tenant = $1 AND status <> 'succeeded' GROUP BY status`,
			string(r.tenant))
	}
	counts, err := r.counted(ctx, `
		SELECT status, count(*) FROM deliveries
		 WHERE tenant = $1 AND created_sequence <= $2 AND updated_sequence <= $2 GROUP BY status`,
		string(r.tenant), int64(at))
	if err != nil {
		return nil, err
	}
	page := projections.Page{Limit: countedAtOnce}
	for {
		behind, order := pageSQL(page, "created_sequence", "id", 3)
		sequence, id := pageArgs(page)
		moved, err := r.deliveries(ctx, projections.AsOf{Sequence: at, Set: true},
			` AND updated_sequence > $2`+behind+order, sequence, id, page.Limit)
		if err != nil {
			return nil, err
		}
		for i := range moved {
			counts[moved[i].Status]++
		}
		if len(moved) < page.Limit {
			return counts, nil
		}
		last := &moved[len(moved)-1]
		page.After, page.AfterID = &last.Created.Sequence, last.ID
	}
}

// counted runs a query for statuses and numbers.
func (r deliveryReader) counted(ctx context.Context, sql string, args ...any) (projections.DeliveryCounts, error) {
	type count struct {
		Status domain.DeliveryStatus
		Number int64
	}
	rows, err := r.tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, postgres.DomainError("count deliveries", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[count])
	if err != nil {
		return nil, postgres.DomainError("count deliveries", err)
	}
	counts := make(projections.DeliveryCounts)
	for _, c := range list {
		if c.Number > 0 {
			counts[c.Status] = c.Number
		}
	}
	return counts, nil
}
