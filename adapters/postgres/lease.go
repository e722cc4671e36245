package postgres

import (
	"context"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
)

// Lease is who may act for a shard, the router or a follower. It changes only by an append (domain.Take).
type Lease struct {
	Name  string
	Owner domain.UUID
	Epoch int64
	// SinceBeat is how long ago, by the database's clock, the owner said that it lives. Negative: it never did.
	SinceBeat time.Duration
}

// heartbeatsKept is how long a node that beats no more is remembered. Its leases have expired long before.
const heartbeatsKept = "1 day"

// Heartbeat says, on the database's clock, that a node lives. Its first one also forgets nodes that are long gone.
func (l *Log) Heartbeat(ctx context.Context, node domain.UUID) error {
	const beat = `
		INSERT INTO heartbeats (node, at) VALUES ($1, clock_timestamp())
		ON CONFLICT (node) DO UPDATE SET at = EXCLUDED.at RETURNING xmax = 0`
	var first bool
	if err := l.pool.QueryRow(ctx, beat, [16]byte(node)).Scan(&first); err != nil {
		return domainError("beat", err)
	}
	if !first {
		return nil
	}
	_, err := l.pool.Exec(ctx, `DELETE FROM heartbeats WHERE at < clock_timestamp() - $1::interval`, heartbeatsKept)
	return domainError("forget old heartbeats", err)
}

// Leases returns every lease that was ever taken, by name.
func (l *Log) Leases(ctx context.Context) ([]Lease, error) {
	const sql = `
		SELECT l.name, l.owner, l.epoch,
		       coalesce((extract(epoch FROM clock_timestamp() - h.at) * 1000000)::bigint, -1)
		  FROM leases l LEFT JOIN heartbeats h ON h.node = l.owner ORDER BY l.name`
	rows, err := l.pool.Query(ctx, sql)
	if err != nil {
		return nil, domainError("read the leases", err)
	}
	leases, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Lease, error) {
		var lease Lease
		var owner [16]byte
		var micros int64
		err := row.Scan(&lease.Name, &owner, &lease.Epoch, &micros)
		lease.Owner = owner
		lease.SinceBeat = time.Duration(micros) * time.Microsecond
		return lease, err
	})
	return leases, domainError("read the leases", err)
}

// Retire forgets a node's heartbeat, so that what it still holds is free at once.
func (l *Log) Retire(ctx context.Context, node domain.UUID) error {
	_, err := l.pool.Exec(ctx, `DELETE FROM heartbeats WHERE node = $1`, [16]byte(node))
	return domainError("retire", err)
}
