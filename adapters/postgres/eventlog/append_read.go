package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
)

// checked is what the database said under the lock for one batch.
type checked struct {
	clock      time.Time // whole microseconds, UTC
	keys       map[domain.UUID]bool
	heartbeats map[domain.UUID]time.Time
	versions   map[streamKey]int // of streams that the state didn't know; 0: doesn't exist
	claimed    map[[32]byte]claimed
}

// lockSQL takes the append lock until the transaction ends. Its clock is read when the lock is held: select lists are
// evaluated from left to right.
const lockSQL = `SELECT pg_advisory_xact_lock(hashtextextended('hooktrail/log', 0)), clock_timestamp()`

// lockAndCheck begins the transaction, takes the lock and reads what the batch is to be checked against: one round trip
// while nobody else appends, else two. Statements of one pipeline run one after the other, each with a snapshot of its
// own: those behind the lock's see all that was committed before it was granted.
func (a *appender) lockAndCheck(ctx context.Context, requests []*request) (pgx.Tx, *checked, error) {
	c := &checked{
		keys: make(map[domain.UUID]bool), heartbeats: make(map[domain.UUID]time.Time),
		versions: make(map[streamKey]int),
	}
	var batch pgx.Batch
	batch.BeginTx(pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	batch.Queue(lockSQL).QueryRow(func(row pgx.Row) error {
		var void any
		err := row.Scan(&void, &c.clock)
		c.clock = c.clock.UTC().Truncate(time.Microsecond)
		return err
	})
	var head domain.Position
	var recordedAt time.Time
	const headSQL = `SELECT position, recorded_at FROM heads WHERE tenant = '' ORDER BY position DESC LIMIT 1`
	batch.Queue(headSQL).QueryRow(func(row pgx.Row) error {
		err := row.Scan(&head, &recordedAt)
		if errors.Is(err, pgx.ErrNoRows) { // an empty log
			return nil
		}
		return err
	})
	if !a.state.known {
		a.queueFloor(&batch)
	}
	a.queueChecks(&batch, requests, c)
	results := a.conn.SendBatch(ctx, &batch)
	tx := results.Tx()
	if err := results.Close(); err != nil {
		return tx, nil, fmt.Errorf("take the append lock: %w", err)
	}
	if a.state.known && a.state.position == head {
		return tx, c, nil
	}
	return tx, c, a.catchUp(ctx, tx, requests, c, head, recordedAt)
}

// catchUp brings the state to a head that it isn't at: because others appended, or because nothing is known yet.
func (a *appender) catchUp(ctx context.Context, tx pgx.Tx, requests []*request, c *checked, head domain.Position, at time.Time) error {
	s := a.state
	from, wasKnown := s.position, s.known
	s.forgetHeads()
	if wasKnown && head < from {
		return fmt.Errorf("the log ends at position %d, but this process saw %d committed: an older backup was restored under it (hint: restart it)", head, from)
	}
	// Unknown until all is read: what there is of streams, and the floor, is about to change, so that none may pass for new
	// and every one is asked for.
	s.known = false
	var batch pgx.Batch
	switch {
	case wasKnown && head-from <= domain.Position(a.log.maxCatchUp):
		const sql = `
			SELECT tenant, stream_kind, stream, stream_version FROM entries
			 WHERE position > $1 AND position <= $2 ORDER BY position`
		batch.Queue(sql, int64(from), int64(head)).Query(func(rows pgx.Rows) error {
			return eachVersion(rows, s.versions.put)
		})
	case wasKnown:
		s.versions = newVersions()
		a.queueFloor(&batch)
	}
	clear(c.versions)
	a.queueChecks(&batch, requests, c)
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		*s = *newState() // half caught up is worth nothing
		return fmt.Errorf("catch up with the log: %w", err)
	}
	s.known, s.position, s.recordedAt = true, head, at.UTC()
	return nil
}

// queueFloor reads the greatest stream: whatever is above it doesn't exist.
func (a *appender) queueFloor(batch *pgx.Batch) {
	batch.Queue(`SELECT stream FROM entries ORDER BY stream DESC LIMIT 1`).QueryRow(func(row pgx.Row) error {
		var id [16]byte
		err := row.Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		a.state.versions.raise(id)
		return err
	})
}

// queueChecks asks for what the batch needs and the state doesn't know.
func (a *appender) queueChecks(batch *pgx.Batch, requests []*request, c *checked) {
	need := a.needs(requests)
	if len(need.tenants) > 0 {
		const sql = `
			SELECT h.tenant, h.position, h.size, h.deleted, h.origin, h.frontier
			  FROM unnest($1::text[]) AS w (tenant),
			       LATERAL (SELECT * FROM heads WHERE tenant = w.tenant ORDER BY position DESC LIMIT 1) h`
		batch.Queue(sql, need.tenants).Query(a.readHeads)
	}
	if n := len(need.streams); n > 0 {
		tenants, kinds, ids := make([]string, n), make([]string, n), make([][16]byte, n)
		for i, key := range need.streams {
			tenants[i], kinds[i], ids[i] = string(key.tenant), string(key.stream.Kind), key.stream.ID
			c.versions[key] = 0
		}
		const sql = `
			SELECT w.tenant, w.kind, w.id, v.stream_version
			  FROM unnest($1::text[], $2::text[], $3::uuid[]) AS w (tenant, kind, id),
			       LATERAL (SELECT stream_version FROM entries e
			                 WHERE e.stream = w.id AND e.tenant = w.tenant AND e.stream_kind = w.kind
			                 ORDER BY stream_version DESC LIMIT 1) v`
		batch.Queue(sql, tenants, kinds, ids).Query(func(rows pgx.Rows) error {
			return eachVersion(rows, func(key streamKey, version int) { c.versions[key] = version })
		})
	}
	if len(need.keys) > 0 {
		batch.Queue(`SELECT id FROM data_keys WHERE id = ANY ($1)`, need.keys).Query(func(rows pgx.Rows) error {
			ids, err := pgx.CollectRows(rows, pgx.RowTo[[16]byte])
			for _, id := range ids {
				c.keys[id] = true
			}
			return err
		})
	}
	if len(need.leases) > 0 {
		const sql = `SELECT l.name, l.owner, l.epoch, h.at FROM leases l LEFT JOIN heartbeats h ON h.node = l.owner WHERE l.name = ANY ($1)`
		batch.Queue(sql, need.leases).Query(func(rows pgx.Rows) error { return a.readLeases(rows, c) })
	}
}

// needs is what must be asked for a batch.
type needs struct {
	tenants, leases []string
	streams         []streamKey
	keys            [][16]byte
}

func (a *appender) needs(requests []*request) needs {
	var n needs
	tenants, leases := make(map[domain.TenantID]bool), make(map[string]bool)
	streams, keys := make(map[streamKey]bool), make(map[domain.UUID]bool)
	for _, r := range requests {
		for i := range r.drafts {
			d := &r.drafts[i]
			if _, known := a.state.heads[d.Tenant]; !known && !tenants[d.Tenant] {
				tenants[d.Tenant] = true
				n.tenants = append(n.tenants, string(d.Tenant))
			}
			key := streamKey{d.Tenant, d.Stream}
			if _, known := a.state.versions.get(key); (!known || !a.state.known) && !streams[key] {
				streams[key] = true
				n.streams = append(n.streams, key)
			}
			if !d.key.IsZero() && !keys[d.key] {
				keys[d.key] = true
				n.keys = append(n.keys, d.key)
			}
		}
		for _, f := range r.group.Fences {
			if _, known := a.state.leases[f.Lease]; !known && !leases[f.Lease] {
				leases[f.Lease] = true
				n.leases = append(n.leases, f.Lease)
			}
		}
		for _, t := range r.group.Takes { // heartbeats are never known beforehand
			if !leases[t.Lease] {
				leases[t.Lease] = true
				n.leases = append(n.leases, t.Lease)
			}
		}
	}
	return n
}

func (a *appender) readHeads(rows pgx.Rows) error {
	for rows.Next() {
		var tenant domain.TenantID
		h := new(tenantHead)
		if err := rows.Scan(&tenant, &h.position, &h.size, &h.deleted, &h.origin, &h.frontier); err != nil {
			return err
		}
		a.state.heads[tenant] = h
	}
	return rows.Err()
}

func (a *appender) readLeases(rows pgx.Rows, c *checked) error {
	for rows.Next() {
		var name string
		var owner [16]byte
		var epoch int64
		var beat *time.Time
		if err := rows.Scan(&name, &owner, &epoch, &beat); err != nil {
			return err
		}
		a.state.leases[name] = leaseRow{owner, epoch}
		if beat != nil {
			c.heartbeats[owner] = *beat
		}
	}
	return rows.Err()
}

func eachVersion(rows pgx.Rows, f func(streamKey, int)) error {
	for rows.Next() {
		var key streamKey
		var id [16]byte
		var version int
		if err := rows.Scan(&key.tenant, &key.stream.Kind, &id, &version); err != nil {
			return err
		}
		key.stream.ID = id
		f(key, version)
	}
	return rows.Err()
}
