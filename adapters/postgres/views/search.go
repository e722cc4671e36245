package views

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// EventsAmong implements projections.Reader: by the events' primary key, and by the subject's keyed hash.
func (r eventReader) EventsAmong(
	ctx context.Context, sequences []domain.Sequence, typ domain.EventType, subject string,
) ([]domain.Sequence, error) {
	if len(sequences) == 0 {
		return nil, nil
	}
	c := conditions{args: []any{string(r.tenant), sequences}}
	if typ != "" {
		c.add(`type = $%d`, string(typ))
	}
	if subject != "" {
		hash, err := subjectHash(ctx, r.log, r.tenant, subject)
		if err != nil {
			return nil, fmt.Errorf("choose events: %w", err)
		}
		c.add(`subject_hash = $%d`, hash)
	}
	sql := `SELECT sequence FROM events WHERE tenant = $1 AND sequence = ANY ($2::bigint[])` + c.sql() + ` ORDER BY sequence`
	rows, err := r.tx.Query(ctx, sql, c.args...)
	if err != nil {
		return nil, postgres.DomainError("choose events", err)
	}
	chosen, err := pgx.CollectRows(rows, pgx.RowTo[domain.Sequence])
	return chosen, postgres.DomainError("choose events", err)
}

// Ends implements projections.Reader. Only the log has them, in the deliveries' streams.
func (r deliveryReader) Ends(
	ctx context.Context, deliveries []projections.Delivery, as projections.AsOf,
) ([][]domain.AttemptEnd, error) {
	ends := make([][]domain.AttemptEnd, len(deliveries))
	place := make(map[domain.UUID]int, len(deliveries))
	var streams []domain.Stream
	for i := range deliveries {
		if deliveries[i].Version > 0 {
			place[deliveries[i].ID] = i
			streams = append(streams, domain.Stream{Kind: domain.StreamDelivery, ID: deliveries[i].ID})
		}
	}
	if len(streams) == 0 {
		return ends, nil
	}
	entries, err := r.log.Streams(ctx, r.tenant, streams, r.at(as))
	if err != nil {
		return nil, fmt.Errorf("read the ends of attempts: %w", err)
	}
	for i := range entries {
		if f, ok := entries[i].Fact.(*domain.AttemptFinished); ok {
			at := place[entries[i].Stream.ID]
			ends[at] = append(ends[at], f.Result.AttemptEnd)
		}
	}
	return ends, nil
}
