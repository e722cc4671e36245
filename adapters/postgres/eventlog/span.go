package eventlog

import (
	"context"
	"fmt"
	"math"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
)

// span is where a tenant's entries of the sequences from one up to another, exclusive, are: behind one position and not
// behind the other. Look-ups by sequence say so to Postgres, which then needn't lock and look into the other
// partitions. The tiles are the map: each says where the last of its 256 entries is. Entries that are appended after
// the call may be beyond.
func span(
	ctx context.Context, db postgres.Querier, tenant domain.TenantID, from, to int64,
) (after, upTo domain.Position, err error) {
	const sql = `
		SELECT coalesce((SELECT position FROM tiles WHERE tenant = $1 AND level = 0 AND index = $2), 0),
		       coalesce((SELECT position FROM tiles WHERE tenant = $1 AND level = 0 AND index = $3),
		                (SELECT position FROM heads WHERE tenant = $1 ORDER BY position DESC LIMIT 1), 0)`
	if to == math.MaxInt64 {
		to = 0 // no tile has that
	}
	from = max(from, 0)
	err = db.QueryRow(ctx, sql, string(tenant), from/tileWidth-1, floorTile(to-1)).Scan(&after, &upTo)
	if err != nil {
		return 0, 0, fmt.Errorf("look up positions: %w", err)
	}
	return max(after, domain.Position(from)), upTo, nil // a position is greater than the sequence
}

// floorTile is the index of the tile of level 0 that has a sequence, -1 for one below 0.
func floorTile(sequence int64) int64 {
	if sequence < 0 {
		return -1
	}
	return sequence / tileWidth
}

// span is the same where the log has many partitions. It spares a log of few the look-up.
func (r *reader) span(
	ctx context.Context, tenant domain.TenantID, from, to int64,
) (after, upTo domain.Position, err error) {
	if head, _ := r.growth.look(); head > 0 && head < 4*partitionWidth {
		return domain.Position(max(from, 0)), math.MaxInt64, nil
	}
	return span(ctx, r.pool, tenant, from, to)
}
