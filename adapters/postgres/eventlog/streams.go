package eventlog

import (
	"context"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
)

const streamsSQL = `
	SELECT ` + entryColumnsSQL + ` FROM entries
	 WHERE stream = ANY ($1) AND tenant = $2 AND stream_kind = $3 AND sequence <= $4 AND position >= $5
	 ORDER BY sequence`

// Streams returns all entries of streams of one tenant up to a sequence, opened, in order of sequence. The streams must
// be of one kind.
func (r *reader) Streams(
	ctx context.Context, tenant domain.TenantID, streams []domain.Stream, upTo domain.Sequence,
) ([]domain.Entry, error) {
	if len(streams) == 0 {
		return nil, nil
	}
	ids, first := make([]pgtype.UUID, len(streams)), domain.Position(math.MaxInt64)
	for i, s := range streams {
		if s.Kind != streams[0].Kind {
			return nil, fmt.Errorf("read streams: %s and %s are of different kinds", streams[0], s)
		}
		ids[i] = pgtype.UUID{Bytes: s.ID, Valid: true}
		first = min(first, r.firstOf(s.ID))
	}
	rows, err := r.pool.Query(ctx, streamsSQL, ids, string(tenant), string(streams[0].Kind), int64(upTo), int64(first))
	if err != nil {
		return nil, postgres.DomainError("read streams", err)
	}
	sealed, err := readRows(rows)
	if err != nil {
		return nil, postgres.DomainError("read streams", err)
	}
	entries, err := r.openEntries(ctx, r.pool, sealed)
	if err != nil {
		return nil, fmt.Errorf("read streams: %w", err)
	}
	return entries, nil
}
