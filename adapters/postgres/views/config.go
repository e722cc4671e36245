package views

import (
	"context"
	"crypto/hmac"
	"encoding/binary"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// configRow is one version in any of the five tables of configuration.
type configRow struct {
	id       domain.UUID
	endpoint domain.UUID      // of a subscription
	name     domain.EventType // of an event type
	tenant   domain.TenantID
	version  int
	deleted  bool
	created  projections.Origin
	from     projections.Origin
	config   []byte
	mac      []byte
}

// asInTheLog has rows encoded as facts are: the same, whether an entry was read from the log or is still in memory as
// it was appended. (Where one has no list and the other an empty one, both have an empty one here.)
var asInTheLog = json.JoinOptions(json.Deterministic(true), jsontext.AllowInvalidUTF8(true))

// macBytes are kept of a row's MAC.
const macBytes = 16

// seal is the MAC of a row under its tenant's own secret: the server's database role can write rows, and what the
// server acts by must come from the log.
func (c *configRow) seal(ctx context.Context, log Log, table string) ([]byte, error) {
	numbers := make([]byte, 0, 64)
	for _, n := range []int64{
		int64(c.version), int64(c.created.Sequence), int64(c.from.Position), int64(c.from.Sequence), c.from.RecordedAt.UnixMicro(),
	} {
		numbers = binary.BigEndian.AppendUint64(numbers, uint64(n))
	}
	if c.deleted {
		numbers = append(numbers, 1)
	}
	mac, err := log.Hash(ctx, c.tenant, purposeRow, table, string(c.id[:]), string(numbers), string(c.config))
	return mac[:macBytes], err
}

// check refuses a row that the fold didn't write.
func (c *configRow) check(ctx context.Context, log Log, table string) error {
	mac, err := c.seal(ctx, log, table)
	if err != nil {
		return fmt.Errorf("check a row of %s: %w", table, err)
	}
	if !hmac.Equal(mac, c.mac) {
		return fmt.Errorf("version %d of %s %s isn't what the fold wrote: somebody changed the views (%w)",
			c.version, table, c.id, errViewsApart)
	}
	return nil
}

// The statements of the five tables differ only in names. Every version that another follows gets its end: those of
// earlier pages and those just inserted alike.
const (
	insertConfigSQL = `
		INSERT INTO %[1]s (id, %[2]s created_position, created_sequence, created_at, from_position, from_sequence, from_at, version, deleted, tenant, config, mac)
		SELECT id, %[2]s created_position, created_sequence, created_at, from_position, from_sequence, from_at, version, deleted, tenant, config, mac
		  FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::bigint[], $7::bigint[], $8::timestamptz[],
		              $9::integer[], $10::boolean[], $11::text[], $12::bytea[], $13::text[], $14::bytea[])
		    AS page (id, endpoint, created_position, created_sequence, created_at, from_position, from_sequence, from_at,
		             version, deleted, tenant, config, name, mac)`
	endConfigSQL = `
		UPDATE %[1]s AS old SET to_position = page.to_position, to_sequence = page.to_sequence
		  FROM unnest($1::uuid[], $2::integer[], $3::bigint[], $4::bigint[], $5::text[])
		    AS page (id, version, to_position, to_sequence, tenant)
		 WHERE old.%[2]s = page.%[2]s AND old.version = page.version - 1`
)

// queueConfig adds the statements for one table.
func queueConfig(ctx context.Context, log Log, b *pgx.Batch, table string, rows []configRow) error {
	if len(rows) == 0 {
		return nil
	}
	for i := range rows {
		var err error
		if rows[i].mac, err = rows[i].seal(ctx, log, table); err != nil {
			return fmt.Errorf("seal a row of %s: %w", table, err)
		}
	}
	extra, key := "", "id"
	switch table {
	case "subscriptions":
		extra = "endpoint,"
	case "event_types":
		extra = "name,"
	case "tenants":
		key = "tenant" // its primary key
	}
	b.Queue(fmt.Sprintf(insertConfigSQL, table, extra),
		columnOf(rows, func(r *configRow) pgtype.UUID { return idOf(r.id) }),
		columnOf(rows, func(r *configRow) pgtype.UUID { return pgtype.UUID{Bytes: r.endpoint, Valid: true} }),
		columnOf(rows, func(r *configRow) int64 { return int64(r.created.Position) }),
		columnOf(rows, func(r *configRow) int64 { return int64(r.created.Sequence) }),
		columnOf(rows, func(r *configRow) pgtype.Timestamptz { return timeOf(r.created.RecordedAt) }),
		columnOf(rows, func(r *configRow) int64 { return int64(r.from.Position) }),
		columnOf(rows, func(r *configRow) int64 { return int64(r.from.Sequence) }),
		columnOf(rows, func(r *configRow) pgtype.Timestamptz { return timeOf(r.from.RecordedAt) }),
		columnOf(rows, func(r *configRow) int32 { return int32(r.version) }),
		columnOf(rows, func(r *configRow) bool { return r.deleted }),
		columnOf(rows, func(r *configRow) string { return string(r.tenant) }),
		columnOf(rows, func(r *configRow) []byte { return r.config }),
		columnOf(rows, func(r *configRow) string { return string(r.name) }),
		columnOf(rows, func(r *configRow) []byte { return r.mac }),
	)
	b.Queue(fmt.Sprintf(endConfigSQL, table, key),
		columnOf(rows, func(r *configRow) pgtype.UUID { return idOf(r.id) }),
		columnOf(rows, func(r *configRow) int32 { return int32(r.version) }),
		columnOf(rows, func(r *configRow) int64 { return int64(r.from.Position) }),
		columnOf(rows, func(r *configRow) int64 { return int64(r.from.Sequence) }),
		columnOf(rows, func(r *configRow) string { return string(r.tenant) }),
	)
	return nil
}

// configColumns are those that scanConfig expects. The subscriptions' endpoint is in their configuration, and so
// does an event type's name.
const configColumns = `id, tenant, version, deleted, created_position, created_sequence, created_at, from_position, from_sequence, from_at, config, mac`

func scanConfig(row pgx.CollectableRow) (c configRow, err error) {
	var id pgtype.UUID
	err = row.Scan(&id, &c.tenant, &c.version, &c.deleted, &c.created.Position, &c.created.Sequence, &c.created.RecordedAt,
		&c.from.Position, &c.from.Sequence, &c.from.RecordedAt, &c.config, &c.mac)
	c.id = id.Bytes
	c.created.RecordedAt, c.from.RecordedAt = c.created.RecordedAt.UTC(), c.from.RecordedAt.UTC()
	return c, err
}

func (c configRow) asTenant() (t projections.Tenant, err error) {
	t = projections.Tenant{Created: c.created, Updated: c.from}
	t.Stream, t.Version, t.Deleted = c.id, c.version, c.deleted
	return t, c.decode(&t.TenantConfig)
}

func (c configRow) asKey() (k projections.Key, err error) {
	k = projections.Key{Created: c.created, Updated: c.from}
	k.Tenant, k.Version, k.Revoked = c.tenant, c.version, c.deleted
	return k, c.decode(&k.KeyRights)
}

func (c configRow) asEndpoint() (e projections.Endpoint, err error) {
	e = projections.Endpoint{Created: c.created, Updated: c.from}
	e.ID, e.Tenant, e.Version, e.Deleted = c.id, c.tenant, c.version, c.deleted
	return e, c.decode(&e.EndpointConfig)
}

func (c configRow) asSubscription() (s projections.Subscription, err error) {
	s = projections.Subscription{Created: c.created, Updated: c.from}
	s.ID, s.Tenant, s.Version, s.Deleted = c.id, c.tenant, c.version, c.deleted
	return s, c.decode(&s.SubscriptionConfig)
}

func (c configRow) asEventType() (t projections.EventType, err error) {
	t = projections.EventType{Created: c.created, Updated: c.from}
	t.ID, t.Tenant, t.Version, t.Deleted = c.id, c.tenant, c.version, c.deleted
	return t, c.decode(&t.EventTypeConfig)
}

func (c configRow) decode(into any) error {
	if err := json.Unmarshal(c.config, into, asInTheLog); err != nil {
		return fmt.Errorf("decode a configuration of the views: %w (%w)", err, errViewsApart)
	}
	return nil
}

// decodeOne turns a scanned row, once it is checked, into a row of the projections.
func decodeOne[T any](
	ctx context.Context, log Log, table string, row configRow, as func(configRow) (T, error),
) (T, error) {
	if err := row.check(ctx, log, table); err != nil {
		var none T
		return none, err
	}
	return as(row)
}

// decodeAll does so with all rows.
func decodeAll[T any](
	ctx context.Context, log Log, table string, rows []configRow, as func(configRow) (T, error),
) ([]T, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	all := make([]T, len(rows))
	for i, row := range rows {
		var err error
		if all[i], err = decodeOne(ctx, log, table, row, as); err != nil {
			return nil, err
		}
	}
	return all, nil
}
