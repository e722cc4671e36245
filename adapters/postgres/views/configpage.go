package views

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// configPage gathers the versions of configuration that a page makes.
type configPage struct {
	tenants       []configRow
	keys          []configRow
	endpoints     []configRow
	subscriptions []configRow
	eventTypes    []configRow
	created       map[domain.UUID]projections.Origin // of things made before the page, or in it
}

// PutTenant implements projections.Store.
func (p *configPage) PutTenant(t projections.Tenant) (err error) {
	row := configRow{id: t.Stream, tenant: t.ID, version: t.Version, deleted: t.Deleted, created: t.Created, from: t.Updated}
	p.tenants, err = p.putConfig(p.tenants, row, t.TenantConfig)
	return err
}

// PutKey implements projections.Store.
func (p *configPage) PutKey(k projections.Key) (err error) {
	row := configRow{id: k.ID, tenant: k.Tenant, version: k.Version, deleted: k.Revoked, created: k.Created, from: k.Updated}
	p.keys, err = p.putConfig(p.keys, row, k.KeyRights)
	return err
}

// PutEndpoint implements projections.Store.
func (p *configPage) PutEndpoint(e projections.Endpoint) (err error) {
	row := configRow{id: e.ID, tenant: e.Tenant, version: e.Version, deleted: e.Deleted, created: e.Created, from: e.Updated}
	p.endpoints, err = p.putConfig(p.endpoints, row, e.EndpointConfig)
	return err
}

// PutSubscription implements projections.Store.
func (p *configPage) PutSubscription(s projections.Subscription) (err error) {
	row := configRow{
		id: s.ID, endpoint: s.Endpoint, tenant: s.Tenant, version: s.Version, deleted: s.Deleted, created: s.Created, from: s.Updated,
	}
	p.subscriptions, err = p.putConfig(p.subscriptions, row, s.SubscriptionConfig)
	return err
}

// PutEventType implements projections.Store.
func (p *configPage) PutEventType(t projections.EventType) (err error) {
	row := configRow{id: t.ID, name: t.Name, tenant: t.Tenant, version: t.Version, deleted: t.Deleted, created: t.Created, from: t.Updated}
	p.eventTypes, err = p.putConfig(p.eventTypes, row, t.EventTypeConfig)
	return err
}

func (p *configPage) putConfig(rows []configRow, row configRow, config any) ([]configRow, error) {
	if row.version == 1 {
		p.created[row.id] = row.created
	}
	first, ok := p.created[row.id]
	if !ok {
		return nil, fmt.Errorf("version %d follows none: %w", row.version, domain.ErrNotFound)
	}
	row.created = first
	var err error
	row.config, err = json.Marshal(config, asInTheLog)
	return append(rows, row), err
}

// loadConfig reads when the things were made that the page changes, by kind of stream.
func (p *configPage) loadConfig(
	ctx context.Context, q postgres.Querier, need map[domain.StreamKind][]pgtype.UUID,
) error {
	for kind, sql := range map[domain.StreamKind]string{
		domain.StreamTenant:       `SELECT id, created_position, created_sequence, created_at FROM tenants WHERE version = 1 AND id = ANY ($1)`,
		domain.StreamKey:          `SELECT id, created_position, created_sequence, created_at FROM keys WHERE version = 1 AND id = ANY ($1)`,
		domain.StreamEndpoint:     `SELECT id, created_position, created_sequence, created_at FROM endpoints WHERE version = 1 AND id = ANY ($1)`,
		domain.StreamEventType:    `SELECT id, created_position, created_sequence, created_at FROM event_types WHERE version = 1 AND id = ANY ($1)`,
		domain.StreamSubscription: `SELECT id, created_position, created_sequence, created_at FROM subscriptions WHERE version = 1 AND id = ANY ($1)`,
	} {
		if len(need[kind]) == 0 {
			continue
		}
		if err := p.loadCreated(ctx, q, sql, need[kind]); err != nil {
			return err
		}
	}
	return nil
}

func (p *configPage) loadCreated(ctx context.Context, q postgres.Querier, sql string, ids []pgtype.UUID) error {
	rows, err := q.Query(ctx, sql, ids)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id pgtype.UUID
		var at projections.Origin
		if err := rows.Scan(&id, &at.Position, &at.Sequence, &at.RecordedAt); err != nil {
			return err
		}
		at.RecordedAt = at.RecordedAt.UTC()
		p.created[id.Bytes] = at
	}
	return rows.Err()
}

func (p *configPage) queueConfig(ctx context.Context, log Log, b *pgx.Batch) error {
	for table, rows := range map[string][]configRow{
		"tenants": p.tenants, "keys": p.keys, "endpoints": p.endpoints, "subscriptions": p.subscriptions,
		"event_types": p.eventTypes,
	} {
		if err := queueConfig(ctx, log, b, table, rows); err != nil {
			return err
		}
	}
	return nil
}
