package eventlog

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
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

func readRows(rows pgx.Rows) ([]sealedEntry, error) { return pgx.CollectRows(rows, scanEntry) }

func scanEntry(row pgx.CollectableRow) (e sealedEntry, err error) {
	var cause pgtype.Int8
	var stream, principal, credential, key pgtype.UUID
	var leaf []byte
	err = row.Scan(&e.Position, &e.Sequence, &e.RecordedAt, &cause, &stream, &principal, &credential, &key,
		&e.StreamVersion, &e.KindVersion, &e.Tenant, &e.Stream.Kind, &e.Kind, &leaf, &e.content)
	if err != nil {
		return e, err
	}
	e.RecordedAt, e.Cause, e.Stream.ID = e.RecordedAt.UTC(), domain.Sequence(cause.Int64), stream.Bytes
	e.By, e.key = domain.Actor{Principal: principal.Bytes, Credential: credential.Bytes}, key.Bytes
	e.readLeaf(leaf)
	return e, nil
}

// checkLeaf refuses an entry whose columns don't say what its leaf says: folds go by the columns, and the leaf is what
// was sealed and hashed. It returns what the seals of the content authenticate.
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

// take takes what was found in an entry's content. Of a kind or version that this program doesn't know the fact stays
// nil.
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
