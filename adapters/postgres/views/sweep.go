package views

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
)

// SweepSecrets destroys those of endpoints' secrets that no attempt can need any more and returns their number: stored
// longer ago than the grace, and named by no configuration that was in force within it. Such are replaced ones, signing
// keys whose overlap has ended, and those of endpoints that were never appended, that are deleted, or whose tenant is.
//
// The grace must be longer than any attempt and any request lives, and than clocks differ. What the views don't reflect
// yet counts as if it were still to come. Any number of processes may sweep at the same time.
func (v *Views) SweepSecrets(ctx context.Context, grace time.Duration) (destroyed int, err error) {
	var idle []pgtype.UUID
	err = v.snapshotOfAll(ctx, func(tx pgx.Tx, cursor domain.Position) (err error) {
		idle, err = idleSecrets(ctx, v.log, tx, cursor, grace)
		return postgres.DomainError("look for secrets that nothing names", err)
	})
	if err != nil || len(idle) == 0 {
		return 0, err
	}
	tag, err := v.pool.Exec(ctx, `DELETE FROM secrets WHERE id = ANY ($1)`, idle)
	return int(tag.RowsAffected()), postgres.DomainError("destroy secrets", err)
}

// idleSecrets lists the secrets of endpoints that nothing names.
func idleSecrets(
	ctx context.Context, log Log, tx pgx.Tx, cursor domain.Position, grace time.Duration,
) (idle []pgtype.UUID, err error) {
	// All that was recorded before the first entry beyond the cursor is folded.
	const sinceSQL = `
		SELECT least(now(), (SELECT recorded_at FROM entries WHERE position > $1 ORDER BY position LIMIT 1)) - $2::interval`
	var since time.Time
	if err := tx.QueryRow(ctx, sinceSQL, int64(cursor), grace).Scan(&since); err != nil {
		return nil, err
	}
	const storedSQL = `
		SELECT id FROM secrets
		 WHERE created_at < $1 AND purpose IN ('endpoint.signing_key', 'endpoint.auth', 'endpoint.header', 'endpoint.query')`
	rows, err := tx.Query(ctx, storedSQL, since)
	if err != nil {
		return nil, err
	}
	stored, err := pgx.CollectRows(rows, pgx.RowTo[pgtype.UUID])
	if err != nil || len(stored) == 0 {
		return nil, err
	}
	named, err := namedSecrets(ctx, log, tx, since)
	for _, id := range stored {
		if !named[id.Bytes] {
			idle = append(idle, id)
		}
	}
	return idle, err
}

// namedSecrets are those that a version names which was in force at a time or later.
func namedSecrets(ctx context.Context, log Log, tx pgx.Tx, since time.Time) (map[domain.UUID]bool, error) {
	const sql = `
		SELECT ` + configColumns + ` FROM endpoints AS e
		 WHERE NOT deleted
		   AND (to_position IS NULL
		        OR EXISTS (SELECT FROM endpoints AS next WHERE next.id = e.id AND next.version = e.version + 1 AND next.from_at >= $1))
		   AND NOT EXISTS (SELECT FROM tenants AS t WHERE t.tenant = e.tenant AND t.deleted AND t.from_at < $1)`
	rows, err := queryConfig(ctx, tx, sql, since)
	if err != nil {
		return nil, err
	}
	named := make(map[domain.UUID]bool)
	for _, row := range rows {
		e, err := decodeOne(ctx, log, "endpoints", row, configRow.asEndpoint)
		if err != nil {
			return nil, fmt.Errorf("read endpoint %s: %w", row.id, err)
		}
		for _, key := range e.SigningKeys(since) {
			named[key.ID] = true
		}
		for _, header := range e.Headers {
			named[header.Secret] = true
		}
		if e.Auth != nil {
			named[e.Auth.Secret] = true
		}
		if e.Query != nil {
			named[e.Query.Secret] = true
		}
	}
	return named, nil
}
