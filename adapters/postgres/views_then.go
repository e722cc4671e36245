package postgres

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

func isNotFound(err error) bool { return errors.Is(err, domain.ErrNotFound) }

// deliveryStep is one step of a delivery, as attempts and delivery_changes have it.
type deliveryStep struct {
	delivery domain.UUID
	at       projections.Origin
	apply    func(*projections.Delivery) error
}

// takeBack replaces the rows that changed after a sequence by what they were as of it: their first state, and the steps
// up to the sequence again, by the fold's own transitions.
func (r *viewReader) takeBack(ctx context.Context, rows []projections.Delivery, at domain.Sequence) error {
	byID := make(map[domain.UUID]*projections.Delivery)
	var ids []pgtype.UUID
	for i := range rows {
		if d := &rows[i]; d.Updated.Sequence > at {
			*d = firstState(*d)
			byID[d.ID] = d
			ids = append(ids, idOf(d.ID))
		}
	}
	if len(ids) == 0 {
		return nil
	}
	steps, err := r.attemptSteps(ctx, ids)
	if err != nil {
		return domainError("read attempts", err)
	}
	changes, err := r.changeSteps(ctx, ids)
	if err != nil {
		return domainError("read changes of deliveries", err)
	}
	steps = append(steps, changes...)
	slices.SortFunc(steps, func(a, b deliveryStep) int { return cmp.Compare(a.at.Sequence, b.at.Sequence) })
	for _, s := range steps {
		if s.at.Sequence > at {
			continue
		}
		if err := s.apply(byID[s.delivery]); err != nil {
			return err
		}
	}
	return nil
}

// firstState is the delivery as its routing made it, or, when that was destroyed, as the first erased entry did.
func firstState(d projections.Delivery) projections.Delivery {
	if d.Event.IsZero() {
		return projections.ErasedDelivery(d.Tenant, d.ID, d.Created)
	}
	first := projections.Delivery{Delivery: d.Delivery, Created: d.Created, Updated: d.Created}
	first.Status, first.NextAttemptAt = domain.DeliveryPending, d.Created.RecordedAt
	first.Attempts, first.ScheduleBase, first.Open = 0, 0, false
	return first
}

func (r *viewReader) attemptSteps(ctx context.Context, ids []pgtype.UUID) (steps []deliveryStep, err error) {
	const sql = `
		SELECT delivery, number, begun_position, begun_sequence, begun_at,
		       finished_position, finished_sequence, finished_at, next_attempt_at, status
		  FROM attempts WHERE delivery = ANY ($1)`
	rows, err := r.tx.Query(ctx, sql, ids)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var delivery pgtype.UUID
		var number int
		var begun projections.Origin
		var finished nullOrigin
		var next pgtype.Timestamptz
		var status pgtype.Text
		err := rows.Scan(&delivery, &number, &begun.Position, &begun.Sequence, &begun.RecordedAt,
			&finished.position, &finished.sequence, &finished.at, &next, &status)
		if err != nil {
			return nil, err
		}
		begun.RecordedAt = begun.RecordedAt.UTC()
		steps = append(steps, deliveryStep{delivery.Bytes, begun, func(d *projections.Delivery) error {
			return d.AttemptStarted(projections.Attempt{Begun: begun, Started: domain.AttemptStarted{Number: number}})
		}})
		if end := finished.origin(); end != (projections.Origin{}) {
			result := domain.AttemptResult{Number: number, Status: domain.DeliveryStatus(status.String), NextAttemptAt: timeFrom(next)}
			steps = append(steps, deliveryStep{delivery.Bytes, end, func(d *projections.Delivery) error {
				return d.AttemptFinished(result, end)
			}})
		}
	}
	return steps, rows.Err()
}

func (r *viewReader) changeSteps(ctx context.Context, ids []pgtype.UUID) (steps []deliveryStep, err error) {
	const sql = `
		SELECT delivery, position, sequence, recorded_at, next_attempt_at, schedule_base, cancel_reason, change
		  FROM delivery_changes WHERE delivery = ANY ($1)`
	rows, err := r.tx.Query(ctx, sql, ids)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var delivery pgtype.UUID
		var at projections.Origin
		var next pgtype.Timestamptz
		var base int
		var reason pgtype.Text
		var change string
		if err := rows.Scan(&delivery, &at.Position, &at.Sequence, &at.RecordedAt, &next, &base, &reason, &change); err != nil {
			return nil, err
		}
		at.RecordedAt = at.RecordedAt.UTC()
		steps = append(steps, deliveryStep{delivery.Bytes, at, func(d *projections.Delivery) error {
			switch change {
			case "redriven":
				d.Redriven(domain.DeliveryRedriven{Attempts: base, NextAttemptAt: timeFrom(next)}, at)
			case "cancelled":
				d.Cancelled(domain.CancelReason(reason.String), at)
			default:
				d.ContentErased(at)
			}
			return nil
		}})
	}
	return steps, rows.Err()
}
