package eventlog

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
)

// headerColumnsSQL are those of entryColumnsSQL with the content left out.
const headerColumnsSQL = `position, sequence, recorded_at, cause, stream, principal, credential, data_key,
	stream_version, kind_version, tenant, stream_kind, kind, leaf, NULL::bytea`

// entryColumnsSQL are the columns that readRows takes, in its order.
const entryColumnsSQL = `position, sequence, recorded_at, cause, stream, principal, credential, data_key,
	stream_version, kind_version, tenant, stream_kind, kind, leaf, content`

// sealedEntry is a row of the log with its content still closed.
type sealedEntry struct {
	domain.Entry
	leaf    domain.Leaf // as Entry.Leaf has it
	wrong   error       // why it isn't: the row tells no leaf, or another one than its columns
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
	e.readLeaf(values[13])
	e.content = bytes.Clone(values[14])
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

// checkLeaf refuses an entry whose columns don't say what its leaf says: folds go by the columns, and the leaf is what was
// sealed and hashed. It returns what the seals of the content authenticate.
func (e *sealedEntry) checkLeaf() (leafContext []byte, err error) {
	if e.wrong != nil {
		return nil, e.wrong
	}
	if e.content == nil && len(e.leaf.Commitments) > 0 {
		return nil, errors.New("its content is missing, to which the leaf commits")
	}
	e.Critical = e.leaf.Critical
	return e.leaf.AppendContext(make([]byte, 0, len(e.Leaf))), nil
}

// matches compares a row's columns with its leaf.
func (e *sealedEntry) matches() error {
	switch leaf := &e.leaf; {
	case leaf.Sequence != e.Sequence, leaf.Kind != e.Kind, leaf.KindVersion != e.KindVersion, leaf.Stream != e.Stream,
		leaf.StreamVersion != e.StreamVersion, leaf.By != e.By, !leaf.RecordedAt.Equal(e.RecordedAt), leaf.Cause != e.Cause,
		leaf.DataKey != e.key:
		return errors.New("the columns differ from the leaf")
	}
	if _, tenant, ok := strings.Cut(e.leaf.Origin, "/"); !ok || tenant != string(e.Tenant) {
		return errors.New("the leaf is of another tenant's log")
	}
	return nil
}

// take takes what was found in an entry's content. Of a kind or version that this program doesn't know the fact stays nil.
func take(e *domain.Entry, c *seal.Content) {
	e.SubjectKey = c.SubjectKey
	switch c.State {
	case seal.Damaged:
		e.Damaged = true
		return
	case seal.Erased:
		e.Erased = true
		return
	case seal.SubjectErased:
		e.Erased = true
	}
	for _, p := range c.Parts {
		switch p.Name {
		case domain.PartReason:
			e.Reason = string(p.Bytes)
		case domain.PartContext:
			e.Context = new(domain.RequestContext)
			if err := json.Unmarshal(p.Bytes, e.Context); err != nil {
				e.Context, e.Damaged = nil, true
				return
			}
		}
	}
	if e.KindVersion > e.Kind.Version() {
		return
	}
	fact, err := domain.DecodeFact(e.Kind, e.KindVersion, c.Parts, e.Erased)
	if err != nil {
		e.Damaged = true
		return
	}
	e.Fact = fact
}
