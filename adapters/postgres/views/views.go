package views

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// pollViews is how often a waiting reader looks for what another process folded.
const pollViews = 20 * time.Millisecond

// Views are the tables that the Follower writes, as projections.Views. Safe for concurrent use.
type Views struct {
	pool     *pgxpool.Pool
	log      Log
	follower *Follower
	refold   refold
}

var _ projections.Views = (*Views)(nil)

// NewViews makes Views. The pool must not be the one that log uses: a Reader holds a connection while it, or who reads,
// asks the log. follower is this process's, which is asked to hurry when a reader waits; it may be nil.
func NewViews(pool *pgxpool.Pool, log Log, follower *Follower) *Views {
	return &Views{pool: pool, log: log, follower: follower, refold: refold{pool, log, maxFolded}}
}

// errViewBehind has Read wait.
var errViewBehind = errors.New("not there yet")

// Read implements projections.Views.
func (v *Views) Read(
	ctx context.Context, tenant domain.TenantID, atLeast domain.Sequence, f func(projections.Reader) error,
) error {
	read := func() error {
		return v.snapshot(ctx, tenant, func(tx pgx.Tx, at reached) error {
			if at.sequence < atLeast {
				return errViewBehind
			}
			return f(newViewReader(&tenantSnapshot{tx: tx, log: v.log, tenant: tenant, last: at.sequence}))
		})
	}
	err := read()
	if !errors.Is(err, errViewBehind) {
		return err
	}
	var moved <-chan struct{}
	if v.follower != nil {
		var done func()
		moved, done = v.follower.want()
		defer done()
	}
	for {
		// Look again first: it may have moved before want. A look that ctx's end breaks off says nothing new.
		if err := read(); err == nil || !errors.Is(err, errViewBehind) && ctx.Err() == nil {
			return err
		}
		timer := time.NewTimer(pollViews)
		select {
		case <-moved:
			moved = v.follower.next()
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return fmt.Errorf("read sequence %d of tenant %s: %w", atLeast, tenant, projections.ErrBehind)
		}
	}
}

// reached is how far a snapshot's rows reflect the log: a tenant's, or, for all tenants, the whole.
type reached struct {
	position domain.Position // 0: nothing yet
	sequence domain.Sequence // -1: nothing yet
}

// snapshot calls f in a read-only transaction with one snapshot that sees one tenant's rows, or everyTenant's.
func (v *Views) snapshot(ctx context.Context, tenant domain.TenantID, f func(pgx.Tx, reached) error) error {
	conn, err := v.pool.Acquire(ctx)
	if err != nil {
		return postgres.DomainError("read the views", err)
	}
	defer conn.Release()
	tx, at, err := beginSnapshot(ctx, conn.Conn(), tenant)
	if tx != nil {
		defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // it changed nothing
	}
	switch {
	case errors.Is(err, ErrAhead):
		return fmt.Errorf("read the views: %w", err)
	case err != nil:
		return postgres.DomainError("read the views", err)
	}
	return f(tx, at)
}

// beginSnapshot takes one round trip: the statements of a pipeline run one after the other.
func beginSnapshot(ctx context.Context, conn *pgx.Conn, tenant domain.TenantID) (pgx.Tx, reached, error) {
	const cursorSQL = `
		SELECT position, sequence, coalesce((SELECT position FROM heads WHERE tenant = $2 ORDER BY position DESC LIMIT 1), 0)
		  FROM cursors WHERE follower = $1 AND tenant = $2 ORDER BY position DESC LIMIT 1`
	at, whose := reached{0, -1}, tenant
	if tenant == everyTenant {
		whose = ""
	}
	var b pgx.Batch
	b.BeginTx(pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	b.Queue(`SELECT set_config('hooktrail.tenant', $1, true)`, string(tenant))
	b.Queue(cursorSQL, viewsFollower, string(whose)).QueryRow(func(row pgx.Row) error {
		var head domain.Position
		err := row.Scan(&at.position, &at.sequence, &head)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return nil
		case err == nil && at.position > head:
			return aheadError(at.position, head)
		}
		return err
	})
	results := conn.SendBatch(ctx, &b)
	tx := results.Tx()
	return tx, at, results.Close()
}

// everyTenant is the setting under which rows of all tenants are seen.
const everyTenant domain.TenantID = "*"

// Tenants implements projections.Views.
func (v *Views) Tenants(
	ctx context.Context, after domain.TenantID, limit int,
) (tenants []projections.Tenant, err error) {
	const sql = `SELECT ` + configColumns + ` FROM tenants
		WHERE tenant COLLATE "C" > $1 COLLATE "C" AND tenant <> $2 AND to_sequence IS NULL AND NOT deleted
		ORDER BY tenant COLLATE "C" LIMIT $3`
	err = v.snapshot(ctx, everyTenant, func(tx pgx.Tx, _ reached) error {
		rows, err := queryConfig(ctx, tx, sql, string(after), string(domain.InstanceTenant), limit)
		if err != nil {
			return err
		}
		tenants, err = decodeAll(ctx, v.log, "tenants", rows, configRow.asTenant)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the tenants: %w", err)
	}
	return tenants, nil
}

func queryConfig(ctx context.Context, q postgres.Querier, sql string, args ...any) ([]configRow, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, postgres.DomainError("read configuration", err)
	}
	all, err := pgx.CollectRows(rows, scanConfig)
	return all, postgres.DomainError("read configuration", err)
}
