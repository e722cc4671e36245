package eventlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
)

// checked is what the database said under the lock for one batch.
type checked struct {
	clock      time.Time                     // whole microseconds, UTC
	keys       map[domain.UUID]bool          // secrets that exist
	free       map[*seal.Secret]bool         // candidates for whose purposes there is no secret
	existing   map[seal.Purpose]*seal.Secret // secrets that there are for purposes of candidates; nil: destroyed
	heartbeats map[domain.UUID]time.Time
	versions   map[streamKey]int // of streams that the state didn't know; 0: doesn't exist
	claimed    map[claimMAC]claimed
}

// holds reports whether content may be sealed under the keys: each exists or is about to be made.
func (c *checked) holds(keys *seal.Keys) bool {
	for _, s := range [...]*seal.Secret{keys.Tenant, keys.Period, keys.Subject} {
		if s != nil && !c.keys[s.ID] && !c.free[s] {
			return false
		}
	}
	return true
}

// lockSQL takes the append lock until the transaction ends. Its clock is read when the lock is held: select lists are
// evaluated from left to right.
const lockSQL = `SELECT pg_advisory_xact_lock(hashtextextended('hooktrail/log', 0)), clock_timestamp()`

// transaction is the one of a batch, from the lock on.
type transaction struct {
	log     *Log
	state   *state // of the session
	tx      pgx.Tx
	checked *checked
}

// lockAndCheck begins the transaction, takes the lock and reads what the batch is to be checked against: one round trip
// while nobody else appends, else two. Statements of one pipeline run one after the other, each with a snapshot of its
// own: those behind the lock's see all that was committed before it was granted.
func (t *transaction) lockAndCheck(ctx context.Context, conn *pgx.Conn, requests []*request) error {
	c := &checked{
		keys: make(map[domain.UUID]bool), heartbeats: make(map[domain.UUID]time.Time),
		versions: make(map[streamKey]int),
		free:     make(map[*seal.Secret]bool), existing: make(map[seal.Purpose]*seal.Secret),
	}
	t.checked = c
	var batch pgx.Batch
	batch.BeginTx(pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	batch.Queue(lockSQL).QueryRow(func(row pgx.Row) error {
		var void any
		err := row.Scan(&void, &c.clock)
		c.clock = c.clock.UTC().Truncate(time.Microsecond)
		return err
	})
	head := new(tenantHead) // of an empty log
	const headSQL = `SELECT ` + headColumns + ` FROM heads h WHERE tenant = '' ORDER BY position DESC LIMIT 1`
	batch.Queue(headSQL).QueryRow(func(row pgx.Row) error {
		_, found, err := t.log.heads.scan(row)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		head = found
		return err
	})
	if !t.state.known {
		t.queueFloor(&batch)
	}
	t.queueChecks(&batch, requests)
	results := conn.SendBatch(ctx, &batch)
	t.tx = results.Tx()
	if err := results.Close(); err != nil {
		return fmt.Errorf("take the append lock: %w", err)
	}
	if err := t.log.checkClock(c.clock); err != nil {
		return err
	}
	if !t.state.known || t.state.position != head.position {
		if err := t.catchUp(ctx, requests, head); err != nil {
			return err
		}
	}
	return t.adopt(ctx, requests)
}

// adopt seals again what was sealed under candidates that lost: for whose purposes another process, or an earlier
// batch, has made a secret.
func (t *transaction) adopt(ctx context.Context, requests []*request) error {
	c := t.checked
	for range 3 { // the tenant's secret decides on the purposes of its subjects'
		lost := slices.DeleteFunc(slices.Clone(requests), func(r *request) bool { return !c.lost(r) })
		if len(lost) == 0 {
			return nil
		}
		if err := t.log.drafter.findKeys(ctx, t.tx, lost, c.clock); err != nil {
			return fmt.Errorf("adopt data keys: %w", err)
		}
		for _, r := range lost {
			if r.rejected = t.log.drafter.prepareGroup(r); r.rejected != nil {
				return fmt.Errorf("adopt data keys: %w", r.rejected)
			}
		}
		var batch pgx.Batch
		t.queueKeys(&batch, lost)
		if err := t.tx.SendBatch(ctx, &batch).Close(); err != nil {
			return fmt.Errorf("adopt data keys: %w", err)
		}
	}
	return nil // what is still not settled is refused with domain.ErrKeyDestroyed, and prepared again
}

// lost reports whether the request uses a candidate in whose place there is a secret.
func (c *checked) lost(r *request) bool {
	for i := range r.drafts {
		keys := &r.drafts[i].keys
		for _, s := range [...]*seal.Secret{keys.Tenant, keys.Period, keys.Subject} {
			if s == nil || s.Stored() {
				continue
			}
			if there := c.existing[s.Purpose]; there != nil && there.ID != s.ID {
				return true
			}
		}
	}
	return false
}

// catchUp brings the state to a head that it isn't at: because others appended, or because nothing is known yet.
func (t *transaction) catchUp(ctx context.Context, requests []*request, to *tenantHead) error {
	s, head := t.state, to.position
	from, wasKnown := s.position, s.known
	s.forgetHeads()
	if wasKnown && head < from {
		return fmt.Errorf("the log ends at position %d, but this process saw %d committed: %w", head, from, ErrReplaced)
	}
	// Unknown until all is read: what there is of streams, and the floor, is about to change, so that none may pass for
	// new and every one is asked for.
	s.known = false
	var batch pgx.Batch
	switch {
	case wasKnown && head-from <= domain.Position(t.log.maxCatchUp):
		const sql = `
			SELECT tenant, stream_kind, stream, stream_version FROM entries
			 WHERE position > $1 AND position <= $2 ORDER BY position`
		batch.Queue(sql, int64(from), int64(head)).Query(func(rows pgx.Rows) error {
			return eachVersion(rows, s.versions.put)
		})
	case wasKnown:
		s.versions = newVersions()
		t.queueFloor(&batch)
	}
	clear(t.checked.versions)
	last := head
	if !wasKnown { // the head isn't taken as it is
		const sql = `SELECT coalesce((SELECT position FROM entries ORDER BY position DESC LIMIT 1), 0)`
		batch.Queue(sql).QueryRow(func(row pgx.Row) error { return row.Scan(&last) })
	}
	t.queueChecks(&batch, requests)
	if err := t.tx.SendBatch(ctx, &batch).Close(); err != nil {
		*s = *newState() // half caught up is worth nothing
		return fmt.Errorf("catch up with the log: %w", err)
	}
	if last != head {
		*s = *newState()
		return fmt.Errorf("the instance's head says position %d, the last entry is %d: %w", head, last, errHead)
	}
	var err error
	if s.starts, err = s.starts.extend(ctx, t.tx, head); err != nil {
		*s = *newState()
		return fmt.Errorf("catch up with the log: %w", err)
	}
	known := s.starts
	t.log.starts.Store(&known)
	s.known, s.position, s.recordedAt = true, head, to.recordedAt
	return nil
}

// queueFloor reads the greatest stream: whatever is above it doesn't exist.
func (t *transaction) queueFloor(batch *pgx.Batch) {
	batch.Queue(`SELECT stream FROM entries ORDER BY stream DESC LIMIT 1`).QueryRow(func(row pgx.Row) error {
		var id [16]byte
		err := row.Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		t.state.versions.raise(id)
		return err
	})
}

// versionsSQL reads the versions of streams, each from the first position on that can be of it.
const versionsSQL = `
	SELECT w.tenant, w.kind, w.id, v.stream_version
	  FROM unnest($1::text[], $2::text[], $3::uuid[], $4::bigint[]) AS w (tenant, kind, id, first),
	       LATERAL (SELECT stream_version FROM entries e
	                 WHERE e.stream = w.id AND e.tenant = w.tenant AND e.stream_kind = w.kind AND e.position >= w.first
	                 ORDER BY stream_version DESC LIMIT 1) v`

// queueChecks asks for what the batch needs and the state doesn't know.
func (t *transaction) queueChecks(batch *pgx.Batch, requests []*request) {
	c := t.checked
	need := t.needs(requests)
	if len(need.tenants) > 0 {
		const sql = `
			SELECT ` + headColumns + `
			  FROM unnest($1::text[]) AS w (tenant),
			       LATERAL (SELECT * FROM heads WHERE tenant = w.tenant ORDER BY position DESC LIMIT 1) h`
		batch.Queue(sql, need.tenants).Query(t.readHeads)
	}
	if n := len(need.streams); n > 0 {
		tenants, kinds, ids, from := make([]string, n), make([]string, n), make([][16]byte, n), make([]int64, n)
		for i, key := range need.streams {
			tenants[i], kinds[i], ids[i] = string(key.tenant), string(key.stream.Kind), key.stream.ID
			from[i] = int64(t.state.starts.from(key.stream.ID))
			c.versions[key] = 0
		}
		batch.Queue(versionsSQL, tenants, kinds, ids, from).Query(func(rows pgx.Rows) error {
			return eachVersion(rows, func(key streamKey, version int) { c.versions[key] = version })
		})
	}
	t.queueKeys(batch, requests)
	if len(need.leases) > 0 {
		const sql = `
			SELECT l.name, l.owner, l.epoch, l.partings, h.at
			  FROM leases l LEFT JOIN heartbeats h ON h.node = l.owner WHERE l.name = ANY ($1)`
		batch.Queue(sql, need.leases).Query(t.readLeases)
	}
}

// queueKeys asks which of the secrets there are under which the requests are sealed, and whether the purposes of
// candidates are free.
func (t *transaction) queueKeys(batch *pgx.Batch, requests []*request) {
	c := t.checked
	var ids [][16]byte
	var candidates []*seal.Secret
	seen := make(map[*seal.Secret]bool)
	for _, r := range requests {
		for i := range r.drafts {
			keys := &r.drafts[i].keys
			for _, s := range [...]*seal.Secret{keys.Tenant, keys.Period, keys.Subject} {
				switch {
				case s == nil || seen[s]:
				case s.Stored():
					ids = append(ids, s.ID)
				default:
					candidates = append(candidates, s)
				}
				seen[s] = true
			}
		}
	}
	if len(ids) > 0 {
		const sql = `SELECT id FROM data_keys WHERE id = ANY ($1) AND destroyed_at IS NULL`
		batch.Queue(sql, ids).Query(func(rows pgx.Rows) error {
			ids, err := pgx.CollectRows(rows, pgx.RowTo[[16]byte])
			for _, id := range ids {
				c.keys[id] = true
			}
			return err
		})
	}
	if len(candidates) > 0 {
		sql, args := seal.ExistingSQL(candidates)
		batch.Queue(sql, args...).Query(func(rows pgx.Rows) error {
			if err := t.log.keys.ReadExisting(rows, candidates, c.existing); err != nil {
				return err
			}
			for _, s := range candidates {
				there, taken := c.existing[s.Purpose]
				switch {
				case !taken:
					c.free[s] = true
				case there != nil:
					c.keys[there.ID] = true
				}
			}
			return nil
		})
	}
}

// needs is what must be asked for a batch.
type needs struct {
	tenants, leases []string
	streams         []streamKey
}

func (t *transaction) needs(requests []*request) needs {
	var n needs
	tenants, leases := make(map[domain.TenantID]bool), make(map[string]bool)
	streams := make(map[streamKey]bool)
	needTenant := func(tenant domain.TenantID) {
		if _, known := t.state.heads[tenant]; !known && !tenants[tenant] {
			tenants[tenant] = true
			n.tenants = append(n.tenants, string(tenant))
		}
	}
	for _, r := range requests {
		if r.group.Basis != nil {
			needTenant(r.group.Basis.Tenant)
		}
		for i := range r.drafts {
			d := &r.drafts[i]
			needTenant(d.Tenant)
			key := streamKey{d.Tenant, d.Stream}
			if _, known := t.state.versions.get(key); (!known || !t.state.known) && !streams[key] {
				streams[key] = true
				n.streams = append(n.streams, key)
			}
		}
		for _, f := range r.group.Fences {
			if _, known := t.state.leases[f.Lease]; !known && !leases[f.Lease] {
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

func (t *transaction) readHeads(rows pgx.Rows) error {
	for rows.Next() {
		tenant, h, err := t.log.heads.scan(rows)
		if err != nil {
			return err
		}
		t.state.heads[tenant] = h
	}
	return rows.Err()
}

func (t *transaction) readLeases(rows pgx.Rows) error {
	for rows.Next() {
		var name string
		var owner [16]byte
		var epoch int64
		var partings []domain.Parting
		var beat *time.Time
		if err := rows.Scan(&name, &owner, &epoch, &partings, &beat); err != nil {
			return err
		}
		t.state.leases[name] = domain.Lease{Name: name, Owner: owner, Epoch: epoch, Partings: partings}
		if beat != nil {
			t.checked.heartbeats[owner] = *beat
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
