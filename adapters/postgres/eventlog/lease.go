package eventlog

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Leases are the leases and heartbeats in the log's database. Heartbeats stand apart from the log: nothing is appended for
// one. It is safe for concurrent use.
type Leases struct {
	pool       *pgxpool.Pool
	neighbours *neighbours
}

// Leases returns those of the log's database.
func (l *Log) Leases() Leases { return Leases{l.vital, &l.neighbours} }

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
	l.neighbours.own.Store(&node)
	if !first {
		return nil
	}
	_, err := l.pool.Exec(ctx, `DELETE FROM heartbeats WHERE at < clock_timestamp() - $1::interval`, heartbeatsKept)
	return postgres.DomainError("forget old heartbeats", err)
}

// Standing returns every lease that was ever taken and every node that is remembered, from one snapshot.
func (l Leases) Standing(ctx context.Context) (domain.Standing, error) {
	const sql = `
		SELECT name, owner, epoch, partings, 0::bigint FROM leases
		UNION ALL
		SELECT '', node, 0, NULL, (extract(epoch FROM clock_timestamp() - at) * 1000000)::bigint FROM heartbeats`
	rows, err := l.pool.Query(ctx, sql) //nolint:rowserrcheck // pgx.ForEachRow checks it
	var standing domain.Standing
	if err != nil {
		return standing, postgres.DomainError("read the leases", err)
	}
	var name string
	var id [16]byte
	var epoch, micros int64
	var partings []domain.Parting
	_, err = pgx.ForEachRow(rows, []any{&name, &id, &epoch, &partings, &micros}, func() error {
		if name == "" {
			standing.Nodes = append(standing.Nodes, domain.Node{ID: id, Age: time.Duration(micros) * time.Microsecond})
		} else {
			standing.Leases = append(standing.Leases, domain.Lease{
				Name: name, Owner: id, Epoch: epoch, Partings: slices.Clone(partings),
			})
		}
		return nil
	})
	if err != nil {
		return standing, postgres.DomainError("read the leases", err)
	}
	l.neighbours.look(standing.Nodes)
	return standing, nil
}

// Retire forgets a node's heartbeat, so that what it still holds is free at once.
func (l Leases) Retire(ctx context.Context, node domain.UUID) error {
	_, err := l.pool.Exec(ctx, `DELETE FROM heartbeats WHERE node = $1`, [16]byte(node))
	return postgres.DomainError("retire", err)
}

const (
	// neighbourAge is how old a heartbeat may be of a node that is still told of what is appended.
	neighbourAge = 10 * time.Second
	// aloneFor is how long a look at the nodes holds. A node that comes meanwhile reads once a second by itself.
	aloneFor = 3 * time.Second
)

// neighbours knows whether another node than this process's may be following the log. The zero value doesn't know, so there may
// be some. It is safe for concurrent use.
type neighbours struct {
	own        atomic.Pointer[domain.UUID] // the node that beats through this process's Leases; nil: none has
	aloneUntil atomic.Int64                // in Unix nanoseconds
}

func (n *neighbours) look(nodes []domain.Node) {
	own := n.own.Load()
	if slices.ContainsFunc(nodes, func(node domain.Node) bool {
		return node.Age < neighbourAge && (own == nil || node.ID != *own)
	}) {
		n.aloneUntil.Store(0)
		return
	}
	n.aloneUntil.Store(time.Now().Add(aloneFor).UnixNano())
}

// none reports whether nobody else needs to be told of what this process appends: a notification wakes a backend of Postgres and
// the process behind it, for nothing.
func (n *neighbours) none() bool { return time.Now().UnixNano() < n.aloneUntil.Load() }
