package eventlog

import (
	"context"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Lease is who may act for a shard, the router or a follower. It changes only by an append (domain.Take).
type Lease struct {
	Name  string
	Owner domain.UUID
	Epoch int64
}

// Node is a process that has said that it lives.
type Node struct {
	ID  domain.UUID
	Age time.Duration // of its last heartbeat, by the database's clock
}

// Leases are the leases and heartbeats in the log's database. Heartbeats stand apart from the log: nothing is appended for one.
type Leases struct{ pool *pgxpool.Pool }

// Leases returns those of the log's database.
func (l *Log) Leases() Leases { return Leases{l.pool} }

// heartbeatsKept is how long a node that beats no more is remembered. Its leases have expired long before.
const heartbeatsKept = "1 day"

// Heartbeat says, on the database's clock, that a node lives. Its first one also forgets nodes that are long gone.
func (l Leases) Heartbeat(ctx context.Context, node domain.UUID) error {
	const beat = `
		INSERT INTO heartbeats (node, at) VALUES ($1, clock_timestamp())
		ON CONFLICT (node) DO UPDATE SET at = EXCLUDED.at RETURNING xmax = 0`
	var first bool
	if err := l.pool.QueryRow(ctx, beat, [16]byte(node)).Scan(&first); err != nil {
		return postgres.DomainError("beat", err)
	}
	if !first {
		return nil
	}
	_, err := l.pool.Exec(ctx, `DELETE FROM heartbeats WHERE at < clock_timestamp() - $1::interval`, heartbeatsKept)
	return postgres.DomainError("forget old heartbeats", err)
}

// Standing returns every lease that was ever taken and every node that is remembered, from one snapshot.
func (l Leases) Standing(ctx context.Context) (leases []Lease, nodes []Node, err error) {
	const sql = `
		SELECT name, owner, epoch, 0::bigint FROM leases
		UNION ALL
		SELECT '', node, 0, (extract(epoch FROM clock_timestamp() - at) * 1000000)::bigint FROM heartbeats`
	rows, err := l.pool.Query(ctx, sql) //nolint:rowserrcheck // pgx.ForEachRow checks it
	if err != nil {
		return nil, nil, postgres.DomainError("read the leases", err)
	}
	var name string
	var id [16]byte
	var epoch, micros int64
	_, err = pgx.ForEachRow(rows, []any{&name, &id, &epoch, &micros}, func() error {
		if name == "" {
			nodes = append(nodes, Node{ID: id, Age: time.Duration(micros) * time.Microsecond})
		} else {
			leases = append(leases, Lease{Name: name, Owner: id, Epoch: epoch})
		}
		return nil
	})
	return leases, nodes, postgres.DomainError("read the leases", err)
}

// Retire forgets a node's heartbeat, so that what it still holds is free at once.
func (l Leases) Retire(ctx context.Context, node domain.UUID) error {
	_, err := l.pool.Exec(ctx, `DELETE FROM heartbeats WHERE node = $1`, [16]byte(node))
	return postgres.DomainError("retire", err)
}
