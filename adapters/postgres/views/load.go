package views

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// load reads the rows of earlier pages that the entries will need: deliveries that they move on, and where
// configuration that they change was made.
func (p *viewsPage) load(ctx context.Context, q postgres.Querier, entries []domain.Entry) error {
	need := needed(entries)
	if len(need[domain.StreamDelivery]) > 0 {
		all, err := p.loadDeliveries(ctx, q, need[domain.StreamDelivery])
		if err == nil && !all {
			err = p.loadLost(ctx, q, entries)
		}
		if err != nil {
			return err
		}
	}
	return p.loadConfig(ctx, q, need)
}

// loadLost notes which of the events that led to steps of unknown deliveries have a routing that can't be read.
func (p *viewsPage) loadLost(ctx context.Context, q postgres.Querier, entries []domain.Entry) error {
	var tenants []string
	var sequences []int64
	for i := range entries {
		if e := &entries[i]; e.Stream.Kind == domain.StreamDelivery && p.byID[e.Stream.ID] == nil {
			tenants, sequences = append(tenants, string(e.Tenant)), append(sequences, int64(e.Cause))
		}
	}
	const sql = `
		SELECT DISTINCT e.tenant, e.sequence FROM unnest($1::text[], $2::bigint[]) AS step (tenant, cause)
		  JOIN events AS e ON e.tenant = step.tenant AND e.sequence = step.cause
		 WHERE e.damaged OR e.type = '' OR NOT e.whole`
	rows, err := q.Query(ctx, sql, tenants, sequences)
	if err != nil {
		return err
	}
	lost, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (at placeInLog, err error) {
		err = row.Scan(&at.tenant, &at.sequence)
		return at, err
	})
	for _, at := range lost {
		p.lost[at] = true
	}
	return err
}

// needed lists, by kind of stream, the things that the entries change and didn't make.
func needed(entries []domain.Entry) map[domain.StreamKind][]pgtype.UUID {
	need := make(map[domain.StreamKind][]pgtype.UUID)
	seen := make(map[domain.UUID]bool)
	for i := range entries {
		e := &entries[i]
		id := e.Stream.ID
		switch e.Stream.Kind {
		case domain.StreamEvent:
			for _, d := range domain.Routed(&entries[i]) {
				seen[d.ID] = true
			}
			continue
		case domain.StreamTenant, domain.StreamKey, domain.StreamEndpoint, domain.StreamSubscription, domain.StreamEventType:
			if e.StreamVersion == 1 {
				seen[id] = true
			}
		}
		if !seen[id] {
			seen[id] = true
			need[e.Stream.Kind] = append(need[e.Stream.Kind], idOf(id))
		}
	}
	return need
}

// deliveryColumns are those that scanDelivery expects.
const deliveryColumns = `id, event, endpoint, event_sequence, created_position, created_sequence, created_at,
	updated_position, updated_sequence, updated_at, ended_position, ended_sequence, ended_at, next_attempt_at,
	endpoint_version, attempts, schedule_base, version, open, node, tenant, status, cancel_reason, retention, subscriptions`

func scanDelivery(row pgx.CollectableRow) (d projections.Delivery, err error) {
	var id, event, endpoint, node pgtype.UUID
	var ended nullOrigin
	var next pgtype.Timestamptz
	var cancel, retention pgtype.Text
	var matches []byte
	err = row.Scan(&id, &event, &endpoint, &d.EventSequence, &d.Created.Position, &d.Created.Sequence, &d.Created.RecordedAt,
		&d.Updated.Position, &d.Updated.Sequence, &d.Updated.RecordedAt, &ended.position, &ended.sequence, &ended.at, &next,
		&d.EndpointVersion, &d.Attempts, &d.ScheduleBase, &d.Version, &d.Open, &node,
		&d.Tenant, &d.Status, &cancel, &retention, &matches)
	d.ID, d.Event, d.Endpoint, d.Node, d.Retention = id.Bytes, event.Bytes, endpoint.Bytes, node.Bytes, retention.String
	d.Created.RecordedAt, d.Updated.RecordedAt = d.Created.RecordedAt.UTC(), d.Updated.RecordedAt.UTC()
	d.Ended, d.NextAttemptAt, d.Cancel = ended.origin(), timeFrom(next), domain.CancelReason(cancel.String)
	d.Subscriptions = unpackMatches(matches)
	return d, err
}

func deliveriesByID(ctx context.Context, q postgres.Querier, ids []pgtype.UUID) ([]projections.Delivery, error) {
	const sql = `SELECT ` + deliveryColumns + ` FROM deliveries WHERE id = ANY ($1)`
	rows, err := q.Query(ctx, sql, ids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanDelivery)
}
