package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"
)

// CheckLog reads the whole log, as it is when the check begins, and computes everything again: positions, sequences, stream
// versions, times, leaves, contents against their commitments, tiles, roots. The error names the first thing that is wrong. It returns
// the position of the last entry that it checked.
func (l *Log) CheckLog(ctx context.Context) (domain.Position, error) {
	tx, err := l.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return 0, postgres.DomainError("check the log", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // it only read
	c := &logCheck{log: l, tx: tx, trees: make(map[domain.TenantID]*treeCheck), versions: make(map[streamKey]int)}
	if err := c.all(ctx); err != nil {
		return c.last.Position, fmt.Errorf("check the log: %w", err)
	}
	return c.last.Position, nil
}

func (c *logCheck) all(ctx context.Context) error {
	if err := postgres.NoTimeout(ctx, c.tx); err != nil {
		return err
	}
	if err := c.entries(ctx); err != nil {
		return err
	}
	if err := c.heads(ctx); err != nil {
		return err
	}
	return c.tiles(ctx)
}

// logCheck is one run over the log. It uses package tlog's own storage of hashes, not the frontier it checks.
type logCheck struct {
	log      *Log
	tx       pgx.Tx
	last     domain.Entry
	trees    map[domain.TenantID]*treeCheck
	versions map[streamKey]int
}

type treeCheck struct {
	origin string
	size   int64
	hashes []tlog.Hash // by tlog.StoredHashIndex
	tiles  int
}

// ReadHashes implements tlog.HashReader.
func (t *treeCheck) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index >= int64(len(t.hashes)) {
			return nil, fmt.Errorf("no hash %d", index)
		}
		hashes[i] = t.hashes[index]
	}
	return hashes, nil
}

const checkPage = 5_000

func (c *logCheck) entries(ctx context.Context) error {
	for {
		rows, err := c.tx.Query(ctx, logPageSQL, int64(c.last.Position), checkPage, maxPageBytes)
		if err != nil {
			return err
		}
		sealed, err := readRows(rows)
		if err != nil || len(sealed) == 0 {
			return err
		}
		ids := make(map[domain.UUID]bool)
		for i := range sealed {
			ids[sealed[i].key] = true
		}
		keys, err := c.log.keys.forOpening(ctx, ids)
		if err != nil {
			return err
		}
		for i := range sealed {
			if err := c.entry(&sealed[i], keys[sealed[i].key]); err != nil {
				return fmt.Errorf("entry at position %d: %w", sealed[i].Position, err)
			}
		}
	}
}

func (c *logCheck) entry(e *sealedEntry, key *dataKey) error {
	if e.Position != c.last.Position+1 {
		return fmt.Errorf("comes after position %d", c.last.Position)
	}
	if !e.RecordedAt.After(c.last.RecordedAt) {
		return errors.New("isn't recorded later than the one before")
	}
	leaf, err := domain.ParseLeaf(e.Leaf)
	if err != nil {
		return err
	}
	if err := e.matches(leaf); err != nil {
		return err
	}
	stream := streamKey{e.Tenant, e.Stream}
	if c.versions[stream]++; e.StreamVersion != c.versions[stream] {
		return fmt.Errorf("stream %s: version %d, expected %d", e.Stream, e.StreamVersion, c.versions[stream])
	}
	if err := c.leaf(e, leaf.Origin); err != nil {
		return err
	}
	c.last = e.Entry
	switch {
	case e.content == nil && len(leaf.Commitments) > 0:
		return errors.New("its content is missing, to which the leaf commits")
	case e.content == nil, key == nil: // a destroyed key: erased
		return nil
	}
	return c.content(e, key, leaf.Commitments)
}

// matches compares a row's columns with its leaf.
func (e *sealedEntry) matches(leaf domain.Leaf) error {
	switch {
	case leaf.Sequence != e.Sequence, leaf.Kind != e.Kind, leaf.KindVersion != e.KindVersion, leaf.Stream != e.Stream,
		leaf.StreamVersion != e.StreamVersion, leaf.By != e.By, !leaf.RecordedAt.Equal(e.RecordedAt), leaf.Cause != e.Cause,
		leaf.DataKey != e.key:
		return errors.New("the columns differ from the leaf")
	}
	return nil
}

func (c *logCheck) leaf(e *sealedEntry, origin string) error {
	t := c.trees[e.Tenant]
	if t == nil {
		t = &treeCheck{origin: origin}
		c.trees[e.Tenant] = t
	}
	if origin != t.origin {
		return fmt.Errorf("origin %s, expected %s", origin, t.origin)
	}
	if int64(e.Sequence) != t.size {
		return fmt.Errorf("sequence %d of tenant %s, expected %d", e.Sequence, e.Tenant, t.size)
	}
	if e.Sequence == 0 && e.Kind != domain.KindTenantCreated {
		return fmt.Errorf("the log of tenant %s begins with %s", e.Tenant, e.Kind)
	}
	hashes, err := tlog.StoredHashes(t.size, e.Leaf, t)
	t.hashes = append(t.hashes, hashes...)
	t.size++
	return err
}

func (c *logCheck) content(e *sealedEntry, key *dataKey, commitments []domain.Commitment) error {
	parts, salts, err := c.log.codec.open(key.aead, e.Leaf, e.content)
	if err != nil {
		return err
	}
	if len(parts) != len(commitments) {
		return fmt.Errorf("%d parts, but %d commitments", len(parts), len(commitments))
	}
	made := make(map[string]domain.Commitment)
	for i, p := range parts {
		made[p.Name] = domain.Commit(p.Name, salts[i*domain.SaltBytes:(i+1)*domain.SaltBytes], p.Bytes)
	}
	for _, want := range commitments {
		if made[want.Part] != want {
			return fmt.Errorf("part %s isn't what the leaf commits to", want.Part)
		}
	}
	return nil
}

func (c *logCheck) heads(ctx context.Context) error {
	const sql = `SELECT DISTINCT ON (tenant) tenant, position, size, recorded_at, origin, frontier FROM heads ORDER BY tenant, position DESC`
	rows, err := c.tx.Query(ctx, sql)
	if err != nil {
		return err
	}
	defer rows.Close()
	seen := 0
	for rows.Next() {
		var tenant domain.TenantID
		var h tenantHead
		var at time.Time
		if err := rows.Scan(&tenant, &h.position, &h.size, &at, &h.origin, &h.frontier); err != nil {
			return err
		}
		if tenant == "" {
			err = c.instanceHead(h, at)
		} else {
			seen++
			err = c.head(tenant, h)
		}
		if err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if seen != len(c.trees) {
		return fmt.Errorf("%d tenants have entries, %d have heads", len(c.trees), seen)
	}
	return nil
}

func (c *logCheck) instanceHead(h tenantHead, at time.Time) error {
	if h.position != c.last.Position || !at.Equal(c.last.RecordedAt) {
		return fmt.Errorf("the instance's head says position %d, the last entry is %d", h.position, c.last.Position)
	}
	return nil
}

func (c *logCheck) head(tenant domain.TenantID, h tenantHead) error {
	t := c.trees[tenant]
	if t == nil || t.size != h.size || t.origin != h.origin {
		return fmt.Errorf("the head of tenant %s doesn't fit its entries", tenant)
	}
	want, err := tlog.TreeHash(t.size, t)
	if err != nil {
		return err
	}
	have, err := frontierRoot(h.size, h.frontier)
	if err != nil {
		return err
	}
	if have != want {
		return fmt.Errorf("the head of tenant %s has root %s, its leaves have %s", tenant, have, want)
	}
	return nil
}

func (c *logCheck) tiles(ctx context.Context) error {
	rows, err := c.tx.Query(ctx, `SELECT tenant, level, index, hashes FROM tiles`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var tenant domain.TenantID
		var level int
		var index int64
		var hashes []byte
		if err := rows.Scan(&tenant, &level, &index, &hashes); err != nil {
			return err
		}
		if err := c.tile(tenant, level, index, hashes); err != nil {
			return fmt.Errorf("tile %d/%d of tenant %s: %w", level, index, tenant, err)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for tenant, t := range c.trees {
		want := 0
		for n := t.size / tileWidth; n > 0; n /= tileWidth {
			want += int(n)
		}
		if t.tiles != want {
			return fmt.Errorf("tenant %s has %d full tiles, expected %d", tenant, t.tiles, want)
		}
	}
	return nil
}

func (c *logCheck) tile(tenant domain.TenantID, level int, index int64, hashes []byte) error {
	t := c.trees[tenant]
	if t == nil {
		return errors.New("the tenant has no entries")
	}
	t.tiles++
	for i, have := range splitHashes(hashes) {
		want, err := t.ReadHashes([]int64{tlog.StoredHashIndex(level*tileHeight, index*tileWidth+int64(i))})
		if err != nil {
			return err
		}
		if have != want[0] {
			return fmt.Errorf("hash %d isn't that of the entries", i)
		}
	}
	return nil
}
