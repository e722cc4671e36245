package views

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// configReader reads the five tables of configuration, which have every version with the sequences between which it
// held.
type configReader struct{ *tenantSnapshot }

// heldSQL selects the versions that held as of sequence $2 in tenant $1.
const heldSQL = ` WHERE tenant = $1 AND from_sequence <= $2 AND (to_sequence IS NULL OR to_sequence > $2) AND NOT deleted`

// one reads the version of one thing that held as of a moment.
func (r configReader) one(ctx context.Context, table string, id domain.UUID, as projections.AsOf) (configRow, error) {
	rows, err := queryConfig(ctx, r.tx, `SELECT `+configColumns+` FROM `+table+heldSQL+` AND id = $3`, string(r.tenant), int64(r.at(as)), idOf(id))
	if err == nil && len(rows) == 0 {
		err = domain.ErrNotFound
	}
	if err != nil {
		return configRow{}, err
	}
	return rows[0], nil
}

// list reads a page of the versions that held as of a moment. more restricts it further, from $6 on.
func (r configReader) list(
	ctx context.Context, table string, page projections.Page, as projections.AsOf, more string, args ...any,
) ([]configRow, error) {
	behind, order := pageSQL(page, "created_sequence", "id", 3)
	sql := `SELECT ` + configColumns + ` FROM ` + table + heldSQL + behind + more + order
	sequence, id := pageArgs(page)
	return queryConfig(ctx, r.tx, sql, append([]any{string(r.tenant), int64(r.at(as)), sequence, id, page.Limit}, args...)...)
}

// Tenant implements projections.Reader.
func (r configReader) Tenant(ctx context.Context, as projections.AsOf) (t projections.Tenant, err error) {
	rows, err := queryConfig(ctx, r.tx, `SELECT `+configColumns+` FROM tenants`+heldSQL, string(r.tenant), int64(r.at(as)))
	if err != nil {
		return t, err
	}
	if len(rows) == 0 {
		return t, domain.ErrNotFound
	}
	return decodeOne(ctx, r.log, "tenants", rows[0], configRow.asTenant)
}

// Key implements projections.Reader.
func (r configReader) Key(ctx context.Context, id domain.UUID, as projections.AsOf) (k projections.Key, err error) {
	row, err := r.one(ctx, "keys", id, as)
	if err != nil {
		return k, err
	}
	keys, err := r.named(ctx, []configRow{row})
	if err != nil {
		return k, err
	}
	return keys[0], nil
}

// Keys implements projections.Reader.
func (r configReader) Keys(ctx context.Context, page projections.Page, as projections.AsOf) ([]projections.Key, error) {
	rows, err := r.list(ctx, "keys", page, as, "")
	if err != nil {
		return nil, err
	}
	return r.named(ctx, rows)
}

// named decodes keys and adds what they and their principals are called, which only the log has.
func (r configReader) named(ctx context.Context, rows []configRow) ([]projections.Key, error) {
	keys, err := decodeAll(ctx, r.log, "keys", rows, configRow.asKey)
	if err != nil {
		return nil, err
	}
	return keys, addNames(ctx, r.log, r.tenant, keys)
}

// addNames reads from the log what keys of one tenant are called. Those of an erased principal have no names any more.
func addNames(ctx context.Context, log Log, tenant domain.TenantID, keys []projections.Key) error {
	sequences := make([]domain.Sequence, len(keys))
	for i := range keys {
		sequences[i] = keys[i].Updated.Sequence
	}
	entries, err := log.Entries(ctx, tenant, sequences)
	if err != nil {
		return fmt.Errorf("read what keys are called: %w", err)
	}
	names := make(map[domain.Sequence]domain.KeyNames, len(entries))
	for _, e := range entries {
		switch f := e.Fact.(type) {
		case *domain.KeyCreated:
			names[e.Sequence] = f.Key.KeyNames
		case *domain.KeyRevoked:
			names[e.Sequence] = f.Key.KeyNames
		case *domain.RegistrationUsed:
			names[e.Sequence] = f.Key.KeyNames
		}
	}
	for i := range keys {
		keys[i].KeyNames = names[keys[i].Updated.Sequence]
	}
	return nil
}

// Endpoint implements projections.Reader.
func (r configReader) Endpoint(
	ctx context.Context, id domain.UUID, as projections.AsOf,
) (e projections.Endpoint, err error) {
	row, err := r.one(ctx, "endpoints", id, as)
	if err != nil {
		return e, err
	}
	return decodeOne(ctx, r.log, "endpoints", row, configRow.asEndpoint)
}

// Endpoints implements projections.Reader.
func (r configReader) Endpoints(
	ctx context.Context, page projections.Page, as projections.AsOf,
) ([]projections.Endpoint, error) {
	rows, err := r.list(ctx, "endpoints", page, as, "")
	if err != nil {
		return nil, err
	}
	return decodeAll(ctx, r.log, "endpoints", rows, configRow.asEndpoint)
}

// EndpointVersion implements projections.Reader.
func (r configReader) EndpointVersion(
	ctx context.Context, id domain.UUID, version int,
) (e projections.Endpoint, err error) {
	const sql = `SELECT ` + configColumns + ` FROM endpoints WHERE tenant = $1 AND id = $2 AND version = $3`
	rows, err := queryConfig(ctx, r.tx, sql, string(r.tenant), idOf(id), version)
	if err != nil {
		return e, err
	}
	if len(rows) == 0 {
		return e, domain.ErrNotFound
	}
	return decodeOne(ctx, r.log, "endpoints", rows[0], configRow.asEndpoint)
}

// EndpointVersions implements projections.Reader.
func (r configReader) EndpointVersions(
	ctx context.Context, ids []domain.UUID, limit int, as projections.AsOf,
) ([]projections.Endpoint, error) {
	const sql = `
		SELECT v.*
		  FROM unnest($2::uuid[]) WITH ORDINALITY AS w (endpoint, place),
		       LATERAL (SELECT ` + configColumns + ` FROM endpoints
		                 WHERE tenant = $1 AND id = w.endpoint AND from_sequence <= $3
		                 ORDER BY version DESC LIMIT $4) v
		 ORDER BY w.place, v.version DESC`
	wanted := make([]pgtype.UUID, len(ids))
	for i, id := range ids {
		wanted[i] = idOf(id)
	}
	rows, err := queryConfig(ctx, r.tx, sql, string(r.tenant), wanted, int64(r.at(as)), limit)
	if err != nil {
		return nil, err
	}
	return decodeAll(ctx, r.log, "endpoints", rows, configRow.asEndpoint)
}

// Subscription implements projections.Reader.
func (r configReader) Subscription(
	ctx context.Context, id domain.UUID, as projections.AsOf,
) (s projections.Subscription, err error) {
	row, err := r.one(ctx, "subscriptions", id, as)
	if err != nil {
		return s, err
	}
	return decodeOne(ctx, r.log, "subscriptions", row, configRow.asSubscription)
}

// Subscriptions implements projections.Reader.
func (r configReader) Subscriptions(
	ctx context.Context, endpoint domain.UUID, page projections.Page, as projections.AsOf,
) ([]projections.Subscription, error) {
	more, args := "", []any(nil)
	if !endpoint.IsZero() {
		more, args = " AND endpoint = $6", []any{idOf(endpoint)}
	}
	rows, err := r.list(ctx, "subscriptions", page, as, more, args...)
	if err != nil {
		return nil, err
	}
	return decodeAll(ctx, r.log, "subscriptions", rows, configRow.asSubscription)
}

// EventType implements projections.Reader.
func (r configReader) EventType(
	ctx context.Context, name domain.EventType, as projections.AsOf,
) (t projections.EventType, err error) {
	sql := `SELECT ` + configColumns + ` FROM event_types` + heldSQL + ` AND name = $3 ORDER BY created_sequence LIMIT 1`
	rows, err := queryConfig(ctx, r.tx, sql, string(r.tenant), int64(r.at(as)), string(name))
	if err != nil {
		return t, err
	}
	if len(rows) == 0 {
		return t, domain.ErrNotFound
	}
	return decodeOne(ctx, r.log, "event_types", rows[0], configRow.asEventType)
}

// EventTypes implements projections.Reader.
func (r configReader) EventTypes(
	ctx context.Context, page projections.Page, as projections.AsOf,
) ([]projections.EventType, error) {
	rows, err := r.list(ctx, "event_types", page, as, "")
	if err != nil {
		return nil, err
	}
	return decodeAll(ctx, r.log, "event_types", rows, configRow.asEventType)
}
