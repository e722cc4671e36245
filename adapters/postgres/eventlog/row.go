package eventlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
)

// entryColumnsSQL are the columns that readRows takes, in its order.
const entryColumnsSQL = `position, sequence, recorded_at, cause, stream, principal, credential, data_key,
	stream_version, kind_version, tenant, stream_kind, kind, leaf, content`

// sealedEntry is a row of the log with its content still closed.
type sealedEntry struct {
	domain.Entry
	key     domain.UUID
	content []byte
}

// readRows reads rows in the wire's binary format by hand: pages of 20,000 entries make Scan's reflection and a string
// a name show.
func readRows(rows pgx.Rows) ([]sealedEntry, error) {
	defer rows.Close()
	var found []sealedEntry
	names := make(map[string]string)
	for rows.Next() {
		var e sealedEntry
		if err := e.read(rows.RawValues(), names); err != nil {
			return nil, err
		}
		found = append(found, e)
	}
	return found, rows.Err()
}

var errRowForm = errors.New("a row of the log doesn't have the form that this program knows")

// read takes a row's values, which are good only until the next row.
func (e *sealedEntry) read(values [][]byte, names map[string]string) error {
	for i, width := range []int{8, 8, 8, -8, 16, -16, -16, -16, 4, 2} { // negative: may be null
		if len(values[i]) != max(width, -width) && (width > 0 || values[i] != nil) {
			return errRowForm
		}
	}
	e.Position = domain.Position(binary.BigEndian.Uint64(values[0]))
	e.Sequence = domain.Sequence(binary.BigEndian.Uint64(values[1]))
	e.RecordedAt = timestamp(values[2])
	if values[3] != nil {
		e.Cause = domain.Sequence(binary.BigEndian.Uint64(values[3]))
	}
	copy(e.Stream.ID[:], values[4])
	copy(e.By.Principal[:], values[5])
	copy(e.By.Credential[:], values[6])
	copy(e.key[:], values[7])
	e.StreamVersion = int(binary.BigEndian.Uint32(values[8]))
	e.KindVersion = int(binary.BigEndian.Uint16(values[9]))
	e.Tenant = domain.TenantID(intern(names, values[10]))
	e.Stream.Kind = domain.StreamKind(intern(names, values[11]))
	e.Kind = domain.Kind(intern(names, values[12]))
	both := append(append(make([]byte, 0, len(values[13])+len(values[14])), values[13]...), values[14]...)
	e.Leaf = both[:len(values[13]):len(values[13])]
	if values[14] != nil {
		e.content = both[len(values[13]):]
	}
	return nil
}

// timestamp reads microseconds since the year 2000.
func timestamp(b []byte) time.Time {
	return time.UnixMicro(postgres.UnixOf2000*1_000_000 + int64(binary.BigEndian.Uint64(b))).UTC()
}

func intern(names map[string]string, b []byte) string {
	name, ok := names[string(b)]
	if !ok {
		name = string(b)
		names[name] = name
	}
	return name
}

// open opens the contents of entries. Those whose key was destroyed are marked as erased.
func (l *Log) openEntries(ctx context.Context, sealed []sealedEntry) ([]domain.Entry, error) {
	ids := make(map[domain.UUID]bool)
	for i := range sealed {
		if sealed[i].content != nil {
			ids[sealed[i].key] = true
		}
	}
	keys, err := l.keys.forOpening(ctx, ids)
	if err != nil {
		return nil, err
	}
	entries := make([]domain.Entry, len(sealed))
	for i := range sealed {
		e := &sealed[i]
		key, ok := keys[e.key]
		switch {
		case e.content == nil:
		case !ok:
			e.Erased = true
		default:
			if err := l.openEntry(e, key); err != nil {
				return nil, fmt.Errorf("open the entry at position %d: %w", e.Position, err)
			}
		}
		entries[i] = e.Entry
	}
	return entries, nil
}

// openEntry opens one content. A kind or version that this program doesn't know leaves the fact nil.
func (l *Log) openEntry(e *sealedEntry, key *dataKey) error {
	parts, _, err := l.codec.open(key.aead, e.Leaf, e.content)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if p.Name == domain.PartReason {
			e.Reason = string(p.Bytes)
		}
	}
	if e.KindVersion > e.Kind.Version() {
		return nil
	}
	e.Fact, err = domain.DecodeFact(e.Kind, e.KindVersion, parts)
	return err
}
