package views

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
)

// upsertHealthSQL puts a page's attempts behind those before: after a success only what followed it counts.
const upsertHealthSQL = `
	INSERT INTO endpoint_health AS old (endpoint, tenant, last_success, failing_since, failures)
	SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::bigint[])
	ON CONFLICT (endpoint) DO UPDATE SET
		last_success = coalesce(excluded.last_success, old.last_success),
		failing_since = CASE WHEN excluded.last_success IS NULL THEN coalesce(old.failing_since, excluded.failing_since) ELSE excluded.failing_since END,
		failures = CASE WHEN excluded.last_success IS NULL THEN old.failures ELSE 0 END + excluded.failures`

func (p *deliveryPage) queueHealth(b *pgx.Batch) {
	if len(p.health) == 0 {
		return
	}
	ids := make([]domain.UUID, 0, len(p.health))
	for id := range p.health {
		ids = append(ids, id)
	}
	of := func(id *domain.UUID) domain.Health { return p.health[*id].health }
	b.Queue(upsertHealthSQL,
		columnOf(ids, func(id *domain.UUID) pgtype.UUID { return idOf(*id) }),
		columnOf(ids, func(id *domain.UUID) string { return string(p.health[*id].tenant) }),
		columnOf(ids, func(id *domain.UUID) pgtype.Timestamptz { return timeOf(of(id).LastSuccess) }),
		columnOf(ids, func(id *domain.UUID) pgtype.Timestamptz { return timeOf(of(id).FailingSince) }),
		columnOf(ids, func(id *domain.UUID) int64 { return of(id).Failures }),
	)
}

// Health implements projections.Reader.
func (r deliveryReader) Health(ctx context.Context, endpoint domain.UUID) (domain.Health, error) {
	h, err := health(ctx, r.tx, ` AND tenant = $2`, idOf(endpoint), string(r.tenant))
	return h, postgres.DomainError("read an endpoint's health", err)
}

func health(ctx context.Context, q postgres.Querier, more string, args ...any) (h domain.Health, err error) {
	var success, since pgtype.Timestamptz
	err = q.QueryRow(ctx, `SELECT last_success, failing_since, failures FROM endpoint_health WHERE endpoint = $1`+more, args...).
		Scan(&success, &since, &h.Failures)
	if errors.Is(err, pgx.ErrNoRows) {
		return h, nil
	}
	h.LastSuccess, h.FailingSince = timeFrom(success), timeFrom(since)
	return h, err
}

// Health returns how the attempts at an endpoint went of late, as of the position that it returns. It waits until that
// is at least a position, or until ctx ends.
func (v *Views) Health(
	ctx context.Context, endpoint domain.UUID, atLeast domain.Position,
) (h domain.Health, as domain.Position, err error) {
	for {
		err = v.snapshotOfAll(ctx, func(tx pgx.Tx, cursor domain.Position) (err error) {
			as = cursor
			h, err = health(ctx, tx, "", idOf(endpoint))
			return postgres.DomainError("read an endpoint's health", err)
		})
		if err != nil || as >= atLeast {
			return h, as, err
		}
		timer := time.NewTimer(healthPause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return h, as, ctx.Err()
		case <-timer.C:
		}
	}
}

// healthPause is between two looks at a view that is behind: nobody waits for the answer.
const healthPause = 250 * time.Millisecond
