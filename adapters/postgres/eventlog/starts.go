package eventlog

import (
	"context"
	"encoding/binary"
	"fmt"
	"sort"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
)

const (
	// partitionWidth is how many positions a partition of entries has; make_entries_partitions makes them so. A log of
	// 10 G entries has a hundred, which a statement can lock without using up the table of locks.
	partitionWidth = 100_000_000
	// maxIDAhead is by how much the time in a stream's id may be ahead of its first entry; more is refused.
	maxIDAhead = 24 * time.Hour
)

var errIDAhead = fmt.Errorf("the stream's id is of the future (hint: set this machine's clock by NTP): %w", domain.ErrRefused)

// starts knows when the first entry of each partition was recorded, in order; the first partition's is left out. A
// stream's id tells when it was made, so it has no entry in a partition that ended before: Postgres needn't look there.
type starts []time.Time

// from is the position of the first partition in which a stream can have entries.
func (s starts) from(stream domain.UUID) domain.Position {
	made, ok := madeAt(stream)
	if !ok {
		return 0
	}
	made = made.Add(-2 * maxIDAhead) // twice, so that nothing depends on the last second
	return domain.Position(sort.Search(len(s), func(i int) bool { return s[i].After(made) })) * partitionWidth
}

// firstOf is the position of the first partition in which a stream can have entries, as far as this process knows.
func (r *reader) firstOf(stream domain.UUID) domain.Position {
	if s := r.starts.Load(); s != nil {
		return s.from(stream)
	}
	return 0
}

// madeAt is the time in an id of version 7 (RFC 9562 §5.7).
func madeAt(id domain.UUID) (time.Time, bool) {
	if id[6]>>4 != 7 {
		return time.Time{}, false
	}
	var b [8]byte
	copy(b[2:], id[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b[:]))), true
}

// extend reads the starts up to a head.
func (s starts) extend(ctx context.Context, tx pgx.Tx, head domain.Position) (starts, error) {
	if int(head/partitionWidth) <= len(s) {
		return s, nil
	}
	var firsts []int64
	for n := len(s) + 1; n <= int(head/partitionWidth); n++ {
		firsts = append(firsts, int64(n)*partitionWidth)
	}
	rows, err := tx.Query(ctx, `SELECT recorded_at FROM entries WHERE position = ANY ($1) ORDER BY position`, firsts)
	if err != nil {
		return s, err
	}
	times, err := pgx.CollectRows(rows, pgx.RowTo[time.Time])
	if err != nil {
		return s, err
	}
	if len(times) != len(firsts) {
		return s, fmt.Errorf("of %d partitions the first entries of %d are there", len(firsts), len(times))
	}
	return append(s, times...), nil
}
