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
//
// Each leaf has one column, and reading refuses all others: unknown flags, lengths in more bytes than they need,
// commitments that aren't in order of their parts' names, and a whole leaf where the short form would do. A column that
// was rewritten to tell the same leaf is damage like any other, and readers find it without writing the column again to
// compare, which only `hooktrail verify` could afford.
const (
	shortLeaf    = 1
	leafCritical = 1 // flag
)

// appendLeafColumn appends what the column leaf has of an entry's leaf, whose commitments are in order of their parts'
// names: Append sorts them.
func appendLeafColumn(b []byte, leaf *domain.Leaf, tenant domain.TenantID) []byte {
	name, ok := shortOrigin(leaf, tenant)
	if !ok {
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

// shortOrigin returns the instance's name, and reports whether the short form tells the leaf.
func shortOrigin(leaf *domain.Leaf, tenant domain.TenantID) (name string, ok bool) {
	name, ok = strings.CutSuffix(leaf.Origin, "/"+string(tenant))
	return name, ok && len(leaf.Others) == 0
}

var errLeafForm = errors.New("the column leaf doesn't have the form that this program knows")

// readShortLeaf reads what the column has behind the form byte into a leaf that has what the other columns tell.
func readShortLeaf(leaf *domain.Leaf, tenant domain.TenantID, b []byte) (ok bool) {
	if len(b) == 0 || b[0]&^leafCritical != 0 {
		return false
	}
	leaf.Critical = b[0] == leafCritical
	name, b, ok := cutName(b[1:])
	leaf.Origin = name + "/" + string(tenant)
	previous := ""
	for ok && len(b) > 0 {
		var c domain.Commitment
		if c.Part, b, ok = cutName(b); !ok || len(b) < len(c.Value) || c.Part <= previous {
			return false
		}
		b = b[copy(c.Value[:], b):]
		leaf.Commitments = append(leaf.Commitments, c)
		previous = c.Part
	}
	return ok
}

// cutName cuts a length and as many bytes off. A length whose last byte is zero is longer than it needs to be.
func cutName(b []byte) (name string, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || size > 1 && b[size-1] == 0 || n > uint64(len(b)-size) {
		return "", nil, false
	}
	return string(b[size : size+int(n)]), b[size+int(n):], true
}
