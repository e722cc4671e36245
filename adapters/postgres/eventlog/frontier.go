package eventlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
	"golang.org/x/mod/sumdb/tlog"
)

// errHead: what is appended to a head that isn't that of the entries makes a tree that proves nothing.
var errHead = fmt.Errorf("the head doesn't fit the tiles and entries (hint: `hooktrail verify` says more): %w", domain.ErrUnavailable)

// checkHead compares a tenant's head with its last tiles and leaves, in a time that doesn't grow with the log. A
// process does so before it first appends to the tenant's log.
func checkHead(ctx context.Context, db postgres.Querier, heads headKey, tenant domain.TenantID) error {
	const sql = `SELECT ` + headColumns + ` FROM heads h WHERE tenant = $1 ORDER BY position DESC LIMIT 1`
	_, head, err := heads.scan(db.QueryRow(ctx, sql, string(tenant)))
	if err != nil {
		return fmt.Errorf("read the head of tenant %s: %w", tenant, err)
	}
	have, err := frontierOf(ctx, db, tenant, head.size)
	switch {
	case errors.Is(err, errTreeIncomplete), err == nil && !bytes.Equal(have, head.frontier):
		return fmt.Errorf("tenant %s: %w", tenant, errHead)
	case err != nil:
		return fmt.Errorf("check the head of tenant %s: %w", tenant, err)
	}
	return nil
}

const positionSQL = `SELECT position FROM entries WHERE tenant = $1 AND sequence = $2 AND position > $3 AND position <= $4`

// sizeAt is how many entries a tenant has up to a position, of those that it has in all. It bisects: positions grow
// with sequences.
func sizeAt(
	ctx context.Context, db postgres.Querier, tenant domain.TenantID, size int64, at domain.Position,
) (int64, error) {
	from, to := int64(0), size
	for from < to {
		middle := from + (to-from)/2
		var position domain.Position
		after, upTo, err := span(ctx, db, tenant, middle, middle+1)
		if err != nil {
			return 0, err
		}
		err = db.QueryRow(ctx, positionSQL, string(tenant), middle, int64(after), int64(upTo)).Scan(&position)
		if err != nil {
			return 0, fmt.Errorf("sequence %d: %w", middle, err)
		}
		if position <= at {
			from = middle + 1
		} else {
			to = middle
		}
	}
	return from, nil
}

var errTreeIncomplete = errors.New("tiles or leaves of the tree are missing")

// frontierOf computes the frontier of a tree of a size from its tiles and, where they aren't full, from what is below:
// of each level at most 255 tiles or leaves, however large the tree is.
func frontierOf(ctx context.Context, db postgres.Querier, tenant domain.TenantID, size int64) ([]byte, error) {
	var frontier []byte
	for level := tileLevels - 1; level >= 0; level-- {
		number := size >> (level * tileHeight) // of full subtrees of the level
		first := number &^ (tileWidth - 1)
		if first == number {
			continue
		}
		var hashes []tlog.Hash
		var err error
		if level == 0 {
			hashes, err = leafHashes(ctx, db, tenant, first, number)
		} else {
			hashes, err = tileRoots(ctx, db, tenant, level-1, first, number)
		}
		if err != nil {
			return nil, err
		}
		if int64(len(hashes)) != number-first {
			return nil, fmt.Errorf("level %d has %d of %d hashes: %w", level, len(hashes), number-first, errTreeIncomplete)
		}
		for width := int64(tileWidth / 2); width > 0; width /= 2 {
			if (number-first)&width == 0 {
				continue
			}
			root := tileRoot(hashes[:width])
			frontier, hashes = append(frontier, root[:]...), hashes[width:]
		}
	}
	return frontier, nil
}
