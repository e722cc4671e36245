package eventlog

import (
	"context"
	"fmt"
	"slices"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	// tileHeight and tileWidth are those of C2SP tlog-tiles.
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	// tileLevels is as many as a size of 63 bits needs.
	tileLevels = 8
)

// tile is one that became full. Its first hashes may be missing: this process didn't see them being appended.
type tile struct {
	level    int
	index    int64
	position domain.Position // of the last entry below it
	hashes   []tlog.Hash     // the last of the tile's; all of them when nothing is missing
}

func (t tile) missing() int { return tileWidth - len(t.hashes) }

// tails holds the hashes of the tiles that aren't full, as far as this process saw them: of each level a run that
// reaches to the level's end.
type tails struct {
	size   int64 // of the tree
	levels [tileLevels][]tlog.Hash
}

// clone copies the tails of a tree, none if they aren't those of this size.
func (t *tails) clone(size int64) *tails {
	c := &tails{size: size}
	if t == nil || t.size != size {
		return c
	}
	for i, hashes := range t.levels {
		c.levels[i] = slices.Clone(hashes)
	}
	return c
}

// add puts a level's next hash behind its run and returns the tile that it fills.
func (t *tails) add(level int, index int64, hash tlog.Hash) (tile, bool) {
	if level == 0 {
		t.size = index + 1
	}
	t.levels[level] = append(t.levels[level], hash)
	if index%tileWidth != tileWidth-1 {
		return tile{}, false
	}
	full := tile{level: level, index: index / tileWidth, hashes: t.levels[level]}
	t.levels[level] = nil
	return full, true
}

// bytes is the tile as it is kept.
func (t tile) bytes() []byte {
	b := make([]byte, 0, tileWidth*tlog.HashSize)
	for i := range t.hashes {
		b = append(b, t.hashes[i][:]...)
	}
	return b
}

// complete reads what is missing of a tile: from the leaves at level 0, above from the tiles below.
func (t *tile) complete(ctx context.Context, tx pgx.Tx, tenant domain.TenantID) error {
	if t.missing() == 0 {
		return nil
	}
	first := t.index * tileWidth
	var earlier []tlog.Hash
	var err error
	if t.level == 0 {
		earlier, err = leafHashes(ctx, tx, tenant, first, first+int64(t.missing()))
	} else {
		earlier, err = tileRoots(ctx, tx, tenant, t.level-1, first, first+int64(t.missing()))
	}
	if err != nil {
		return fmt.Errorf("complete tile %d/%d: %w", t.level, t.index, err)
	}
	if len(earlier) != t.missing() {
		return fmt.Errorf("complete tile %d/%d: %d of %d hashes are in the database", t.level, t.index, len(earlier), t.missing())
	}
	t.hashes = append(earlier, t.hashes...)
	return nil
}

const leavesSQL = `
	SELECT ` + headerColumnsSQL + ` FROM entries
	 WHERE tenant = $1 AND sequence >= $2 AND sequence < $3 AND position > $4 AND position <= $5 ORDER BY sequence`

// leafHashes hashes a tenant's leaves from a sequence up to another, exclusive.
func leafHashes(ctx context.Context, db postgres.Querier, tenant domain.TenantID, from, to int64) ([]tlog.Hash, error) {
	after, upTo, err := span(ctx, db, tenant, from, to)
	if err != nil {
		return nil, err
	}
	rows, err := db.Query(ctx, leavesSQL, string(tenant), from, to, int64(after), int64(upTo))
	if err != nil {
		return nil, err
	}
	entries, err := readRows(rows)
	hashes := make([]tlog.Hash, len(entries))
	for i := range entries {
		hashes[i] = tlog.RecordHash(entries[i].Leaf)
	}
	return hashes, err
}

// leafAt returns the leaf of the entry at a position, nil if there is none.
func leafAt(ctx context.Context, db postgres.Querier, position domain.Position) ([]byte, error) {
	const sql = `SELECT ` + headerColumnsSQL + ` FROM entries WHERE position = $1`
	rows, err := db.Query(ctx, sql, int64(position))
	if err != nil {
		return nil, err
	}
	entries, err := readRows(rows)
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	return entries[0].Leaf, nil
}

// tileRoots computes the roots of a level's tiles from an index up to another, exclusive.
func tileRoots(
	ctx context.Context, db postgres.Querier, tenant domain.TenantID, level int, from, to int64,
) ([]tlog.Hash, error) {
	const sql = `SELECT hashes FROM tiles WHERE tenant = $1 AND level = $2 AND index >= $3 AND index < $4 ORDER BY index`
	rows, err := db.Query(ctx, sql, string(tenant), level, from, to)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (tlog.Hash, error) {
		var b []byte
		if err := row.Scan(&b); err != nil {
			return tlog.Hash{}, err
		}
		return tileRoot(splitHashes(b)), nil
	})
}

func splitHashes(b []byte) []tlog.Hash {
	hashes := make([]tlog.Hash, len(b)/tlog.HashSize)
	for i := range hashes {
		copy(hashes[i][:], b[i*tlog.HashSize:])
	}
	return hashes
}

// tileRoot is the root of the full subtree over a full tile's hashes, which it overwrites.
func tileRoot(hashes []tlog.Hash) tlog.Hash {
	for n := len(hashes); n > 1; n /= 2 {
		for i := range n / 2 {
			hashes[i] = tlog.NodeHash(hashes[2*i], hashes[2*i+1])
		}
	}
	return hashes[0]
}
