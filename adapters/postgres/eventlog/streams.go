package eventlog

import (
	"context"
	"fmt"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
)

// Streams returns all entries of streams of one tenant up to a sequence, opened, in order of sequence.
func (l *Log) Streams(
	ctx context.Context, tenant domain.TenantID, streams []domain.Stream, upTo domain.Sequence,
) ([]domain.Entry, error) {
	if len(streams) == 0 {
		return nil, nil
	}
	ids := make([][16]byte, len(streams))
	asked := make(map[domain.Stream]bool, len(streams))
	for i, s := range streams {
		ids[i] = s.ID
		asked[s] = true
	}
	const sql = `
		SELECT ` + entryColumnsSQL + ` FROM entries
		 WHERE stream = ANY ($1) AND tenant = $2 AND sequence <= $3 ORDER BY sequence`
	rows, err := l.pool.Query(ctx, sql, ids, string(tenant), int64(upTo))
	if err != nil {
		return nil, postgres.DomainError("read streams", err)
	}
	sealed, err := readRows(rows)
	if err != nil {
		return nil, postgres.DomainError("read streams", err)
	}
	kept := sealed[:0]
	for _, e := range sealed {
		if asked[e.Stream] {
			kept = append(kept, e)
		}
	}
	entries, err := l.openEntries(ctx, l.pool, kept)
	if err != nil {
		return nil, fmt.Errorf("read streams: %w", err)
	}
	return entries, nil
}
