package views

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// What dispatcher and authentication begin with. Every answer comes with the position that it reflects, from the
// same snapshot, and is about all tenants: the caller folds what came later itself.

// LoadConfig returns the configuration as it was at a position, or, when the views aren't there yet, as they have it;
// which one, its Cursor says. The caller owns it.
func (v *Views) LoadConfig(ctx context.Context, at domain.Position) (*projections.Config, error) {
	config := projections.NewConfig()
	err := v.snapshotOfAll(ctx, func(tx pgx.Tx, cursor domain.Position) error {
		config.SetCursor(min(at, cursor))
		return loadConfig(ctx, v.log, tx, config, config.Cursor())
	})
	if err != nil {
		return nil, fmt.Errorf("load the configuration: %w", err)
	}
	return config, nil
}

// heldAtSQL selects the versions that held at position $1.
const heldAtSQL = ` WHERE from_position <= $1 AND (to_position IS NULL OR to_position > $1) AND NOT deleted`

func loadConfig(ctx context.Context, log Log, tx pgx.Tx, into *projections.Config, at domain.Position) error {
	if err := putAll(ctx, log, tx, "tenants", at, configRow.asTenant, into.PutTenant); err != nil {
		return err
	}
	if err := putAll(ctx, log, tx, "endpoints", at, configRow.asEndpoint, into.PutEndpoint); err != nil {
		return err
	}
	if err := putAll(ctx, log, tx, "subscriptions", at, configRow.asSubscription, into.PutSubscription); err != nil {
		return err
	}
	// A deletion leaves no row that holds, and configures routing all the same.
	const lastSQL = `
		SELECT tenant, max(from_sequence) FROM (
			SELECT tenant, from_sequence, from_position FROM tenants
			UNION ALL SELECT tenant, from_sequence, from_position FROM endpoints
			UNION ALL SELECT tenant, from_sequence, from_position FROM subscriptions) AS versions
		 WHERE from_position <= $1 GROUP BY tenant`
	rows, err := tx.Query(ctx, lastSQL, int64(at))
	if err != nil {
		return postgres.DomainError("read configuration", err)
	}
	last, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (at placeInLog, err error) {
		err = row.Scan(&at.tenant, &at.sequence)
		return at, err
	})
	for _, at := range last {
		into.SetConfigured(at.tenant, at.sequence)
	}
	return postgres.DomainError("read configuration", err)
}

// putAll puts the rows of a table that held at a position, each checked against its MAC and against the log: an old
// version that was made to look like the newest is noticed by its stream's version. A thing of which no row is left
// isn't: VerifyViews finds that.
func putAll[T any](ctx context.Context, log Log, tx pgx.Tx, table string, at domain.Position, as func(configRow) (T, error), put func(T) error) error {
	rows, err := queryConfig(ctx, tx, `SELECT `+configColumns+` FROM `+table+heldAtSQL, int64(at))
	if err != nil {
		return err
	}
	if err := checkVersions(ctx, tx, table, rows, at); err != nil {
		return err
	}
	all, err := decodeAll(ctx, log, table, rows, as)
	for _, row := range all {
		if err == nil {
			err = put(row)
		}
	}
	return err
}

// checkVersions refuses rows that aren't the newest of their streams in the log as of a position.
func checkVersions(ctx context.Context, tx pgx.Tx, table string, rows []configRow, at domain.Position) error {
	if len(rows) == 0 {
		return nil
	}
	const newerSQL = `
		SELECT row.id FROM unnest($1::uuid[], $2::integer[]) AS row (id, version)
		 WHERE EXISTS (SELECT FROM entries AS e WHERE e.stream = row.id AND e.stream_version = row.version + 1 AND e.position <= $3)
		 LIMIT 1`
	var id pgtype.UUID
	err := tx.QueryRow(ctx, newerSQL,
		columnOf(rows, func(c *configRow) pgtype.UUID { return idOf(c.id) }),
		columnOf(rows, func(c *configRow) int32 { return int32(c.version) }), int64(at)).Scan(&id)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return postgres.DomainError("check configuration against the log", err)
	}
	return fmt.Errorf("the log has a newer version of %s %s than the views: somebody changed them (%w)",
		table, domain.UUID(id.Bytes), errViewsApart)
}

// LoadDirectory returns what is in force of keys and tenants, and all event types and added profiles, to be kept up to
// date by its Follow.
func (v *Views) LoadDirectory(ctx context.Context) (*projections.Directory, error) {
	var directory *projections.Directory
	err := v.snapshotOfAll(ctx, func(tx pgx.Tx, cursor domain.Position) error {
		rows, err := loadDirectory(ctx, v.log, tx, cursor)
		directory = projections.NewDirectory(rows, cursor)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load the directory of keys, event types and profiles: %w", err)
	}
	return directory, nil
}

func loadDirectory(
	ctx context.Context, log Log, tx pgx.Tx, at domain.Position,
) (rows projections.DirectoryRows, err error) {
	err = putAll(ctx, log, tx, "tenants", at, configRow.asTenant, into(&rows.Tenants))
	if err != nil {
		return rows, err
	}
	if err = putAll(ctx, log, tx, "keys", at, configRow.asKey, into(&rows.Keys)); err != nil {
		return rows, err
	}
	if err = nameKeys(ctx, log, rows.Keys); err != nil {
		return rows, err
	}
	types, err := queryConfig(ctx, tx, `SELECT `+configColumns+` FROM event_types ORDER BY from_position`)
	if err != nil {
		return rows, err
	}
	if rows.EventTypes, err = decodeAll(ctx, log, "event_types", types, configRow.asEventType); err != nil {
		return rows, err
	}
	if rows.Profiles, err = loadProfiles(ctx, log, tx); err != nil {
		return rows, err
	}
	if err = putAll(ctx, log, tx, "endpoints", at, configRow.asEndpoint, into(&rows.Endpoints)); err != nil {
		return rows, err
	}
	err = putAll(ctx, log, tx, "subscriptions", at, configRow.asSubscription, into(&rows.Subscriptions))
	return rows, err
}

// nameKeys adds what keys of all tenants are called.
func nameKeys(ctx context.Context, log Log, keys []projections.Key) error {
	slices.SortStableFunc(keys, func(a, b projections.Key) int { return strings.Compare(string(a.Tenant), string(b.Tenant)) })
	for begin := 0; begin < len(keys); {
		end := begin
		for end < len(keys) && keys[end].Tenant == keys[begin].Tenant {
			end++
		}
		if err := addNames(ctx, log, keys[begin].Tenant, keys[begin:end]); err != nil {
			return err
		}
		begin = end
	}
	return nil
}

func into[T any](list *[]T) func(T) error {
	return func(row T) error {
		*list = append(*list, row)
		return nil
	}
}

// Outstanding returns the endpoints that have unfinished deliveries, or deliveries with an open attempt.
func (v *Views) Outstanding(ctx context.Context) (endpoints []domain.UUID, as domain.Position, err error) {
	// One step down the index an endpoint, however many deliveries wait.
	const sql = `
		WITH RECURSIVE waiting (endpoint) AS (
			(SELECT endpoint FROM undelivered WHERE waits ORDER BY endpoint LIMIT 1)
			UNION ALL
			SELECT (SELECT u.endpoint FROM undelivered AS u WHERE u.waits AND u.endpoint > w.endpoint ORDER BY u.endpoint LIMIT 1)
			  FROM waiting AS w WHERE w.endpoint IS NOT NULL
		)
		SELECT endpoint FROM waiting WHERE endpoint IS NOT NULL`
	err = v.snapshotOfAll(ctx, func(tx pgx.Tx, cursor domain.Position) error {
		as = cursor
		rows, err := tx.Query(ctx, sql)
		if err != nil {
			return postgres.DomainError("read deliveries", err)
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[pgtype.UUID])
		for _, id := range ids {
			endpoints = append(endpoints, id.Bytes)
		}
		return postgres.DomainError("read deliveries", err)
	})
	if err != nil {
		return nil, 0, fmt.Errorf("find the endpoints with waiting deliveries: %w", err)
	}
	return endpoints, as, nil
}

// waitingSQL selects waiting deliveries of endpoint $1 behind a key.
const waitingSQL = `
	SELECT delivery FROM undelivered
	 WHERE waits AND endpoint = $1 AND (next_attempt_at, created_position) > ($2::timestamptz, $3)
	 ORDER BY next_attempt_at, created_position LIMIT $4`

// Waiting returns deliveries of one endpoint in the order of their keys: those that aren't ended, and those that have
// an open attempt whatever their status.
func (v *Views) Waiting(
	ctx context.Context, q domain.WaitingQuery,
) (rows []domain.WaitingDelivery, as domain.Position, err error) {
	const sql = `
		SELECT ` + deliveryColumns + ` FROM deliveries WHERE id = ANY (ARRAY(` + waitingSQL + `))
		 ORDER BY next_attempt_at, created_position`
	return v.waiting(ctx, sql, idOf(q.Endpoint), dueOf(q.After.Due), int64(q.After.Position), q.Limit)
}

// Deliveries returns deliveries by id, ended or not, in any order. An unknown id is left out.
func (v *Views) Deliveries(
	ctx context.Context, ids []domain.UUID,
) (rows []domain.WaitingDelivery, as domain.Position, err error) {
	const sql = `SELECT ` + deliveryColumns + ` FROM deliveries WHERE id = ANY ($1)`
	return v.waiting(ctx, sql, columnOf(ids, func(id *domain.UUID) pgtype.UUID { return idOf(*id) }))
}

func (v *Views) waiting(
	ctx context.Context, sql string, args ...any,
) (waiting []domain.WaitingDelivery, as domain.Position, err error) {
	err = v.snapshotOfAll(ctx, func(tx pgx.Tx, cursor domain.Position) error {
		as = cursor
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return postgres.DomainError("read deliveries", err)
		}
		deliveries, err := pgx.CollectRows(rows, scanDelivery)
		for _, d := range deliveries {
			waiting = append(waiting, domain.WaitingDelivery{Delivery: d.Delivery, Position: d.Created.Position})
		}
		return postgres.DomainError("read deliveries", err)
	})
	if err != nil {
		return nil, 0, fmt.Errorf("load waiting deliveries: %w", err)
	}
	return waiting, as, nil
}

// snapshotOfAll calls f in a read-only transaction that sees every tenant's rows, with the position that they reflect.
func (v *Views) snapshotOfAll(ctx context.Context, f func(tx pgx.Tx, cursor domain.Position) error) error {
	return v.snapshot(ctx, everyTenant, func(tx pgx.Tx, at reached) error { return f(tx, at.position) })
}

// viewsCursor is the position that the views reflect, 0 for none yet.
func viewsCursor(ctx context.Context, q postgres.Querier) (domain.Position, error) {
	const sql = `SELECT coalesce((SELECT position FROM cursors WHERE follower = $1 AND tenant = '' ORDER BY position DESC LIMIT 1), 0)`
	var cursor domain.Position
	err := q.QueryRow(ctx, sql, viewsFollower).Scan(&cursor)
	return cursor, err
}
