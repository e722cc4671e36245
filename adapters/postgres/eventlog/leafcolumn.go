package eventlog

import (
	"encoding/binary"
	"errors"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
)

// The column leaf has what the other columns don't tell of an entry's leaf: a form byte, flags, the instance's name as
// length and bytes, then each commitment as the part's length and name and 32 bytes. From these and the columns the
// exact bytes are made again. A leaf that can't be told so, since a newer program gave it members that this one doesn't
// know, is stored as it is. Whole leaves took a third of the table, all but the commitments for the second time.
const (
	shortLeaf    = 1
	leafCritical = 1 // flag
)

// appendLeafColumn appends what the column leaf has of an entry's leaf.
func appendLeafColumn(b []byte, leaf *domain.Leaf, tenant domain.TenantID) []byte {
	name, ok := strings.CutSuffix(leaf.Origin, "/"+string(tenant))
	if !ok || len(leaf.Others) > 0 {
		return leaf.Append(b)
	}
	var flags byte
	if leaf.Critical {
		flags = leafCritical
	}
	b = append(b, shortLeaf, flags)
	b = append(binary.AppendUvarint(b, uint64(len(name))), name...)
	for i := range leaf.Commitments {
		c := &leaf.Commitments[i]
		b = append(binary.AppendUvarint(b, uint64(len(c.Part))), c.Part...)
		b = append(b, c.Value[:]...)
	}
	return b
}

var errLeafForm = errors.New("the column leaf doesn't have the form that this program knows")

// readLeaf makes the entry's leaf from the column and the others, which have been read.
func (e *sealedEntry) readLeaf(column []byte) {
	if len(column) == 0 || column[0] != shortLeaf {
		e.Leaf = column
		if e.leaf, e.wrong = domain.ParseLeaf(e.Leaf); e.wrong == nil {
			e.wrong = e.matches()
		}
		return
	}
	e.leaf = domain.Leaf{
		Sequence: e.Sequence, Kind: e.Kind, KindVersion: e.KindVersion, Stream: e.Stream, StreamVersion: e.StreamVersion, By: e.By,
		RecordedAt: e.RecordedAt, Cause: e.Cause, DataKey: e.key,
	}
	if !e.readShortLeaf(column[1:]) {
		e.leaf, e.wrong = domain.Leaf{}, errLeafForm
		return
	}
	e.Leaf = e.leaf.Append(make([]byte, 0, 384+80*len(e.leaf.Commitments)))
}

func (e *sealedEntry) readShortLeaf(b []byte) (ok bool) {
	if len(b) == 0 {
		return false
	}
	e.leaf.Critical = b[0]&leafCritical != 0
	name, b, ok := cutName(b[1:])
	e.leaf.Origin = name + "/" + string(e.Tenant)
	for ok && len(b) > 0 {
		var c domain.Commitment
		if c.Part, b, ok = cutName(b); !ok || len(b) < len(c.Value) {
			return false
		}
		b = b[copy(c.Value[:], b):]
		e.leaf.Commitments = append(e.leaf.Commitments, c)
	}
	return ok
}

func cutName(b []byte) (name string, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return "", nil, false
	}
	return string(b[size : size+int(n)]), b[size+int(n):], true
}
