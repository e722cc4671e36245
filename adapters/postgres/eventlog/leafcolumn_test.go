package eventlog

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hooktrail/hooktrail/domain"
)

// rowOf is the row of a leaf's entry, whose leaf is still to be read.
func rowOf(leaf *domain.Leaf, tenant domain.TenantID) sealedEntry {
	e := sealedEntry{key: leaf.DataKey}
	e.Tenant, e.Sequence, e.Kind, e.KindVersion, e.Stream = tenant, leaf.Sequence, leaf.Kind, leaf.KindVersion, leaf.Stream
	e.StreamVersion, e.By, e.RecordedAt, e.Cause = leaf.StreamVersion, leaf.By, leaf.RecordedAt, leaf.Cause
	return e
}

// TestLeafColumn holds the leaf that is read back to the one that was hashed, byte by byte.
func TestLeafColumn(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		id := func(name string) (u domain.UUID) {
			copy(u[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, name))
			return u
		}
		tenant := domain.TenantID(rapid.StringMatching(`[a-z_]{1,20}`).Draw(t, "tenant"))
		leaf := domain.Leaf{
			Origin:   rapid.StringMatching(`[A-Za-z0-9._-]{0,40}`).Draw(t, "instance") + "/" + string(tenant),
			Sequence: domain.Sequence(rapid.Int64Range(0, 1<<62).Draw(t, "sequence")), Kind: domain.KindEventAppended,
			KindVersion: rapid.IntRange(1, 1000).Draw(t, "kind version"), Stream: domain.Stream{Kind: domain.StreamEvent, ID: id("stream")},
			StreamVersion: rapid.IntRange(1, 1000).Draw(t, "version"), Critical: rapid.Bool().Draw(t, "critical"),
			RecordedAt: time.UnixMicro(rapid.Int64Range(0, 4e15).Draw(t, "time")).UTC(),
			Cause:      domain.Sequence(rapid.Int64Range(0, 1<<40).Draw(t, "cause")),
		}
		if rapid.Bool().Draw(t, "by somebody") {
			leaf.By = domain.Actor{Principal: id("principal"), Credential: id("credential")}
		}
		for _, name := range rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z_]{1,12}`), 0, 6, rapid.ID).Draw(t, "parts") {
			c := domain.Commitment{Part: name}
			copy(c.Value[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "commitment"))
			leaf.Commitments, leaf.DataKey = append(leaf.Commitments, c), id("data key")
		}
		if rapid.IntRange(0, 9).Draw(t, "newer") == 0 {
			leaf.Others = []domain.LeafMember{{Name: "zone", Value: "a"}}
		}
		want := leaf.Append(nil)
		column := appendLeafColumn(nil, &leaf, tenant)
		e := rowOf(&leaf, tenant)
		if e.readLeaf(column); e.wrong != nil || !bytes.Equal(e.Leaf, want) {
			t.Fatalf("read %s (%v), want %s", e.Leaf, e.wrong, want)
		}
		if parsed, err := domain.ParseLeaf(want); err != nil || !cmp.Equal(e.leaf, parsed) {
			t.Fatalf("read %+v, want %+v (%v)", e.leaf, parsed, err)
		}
		if len(leaf.Others) == 0 && len(column) > len(want)/2 && len(leaf.Commitments) < 4 {
			t.Errorf("%d bytes for a leaf of %d", len(column), len(want))
		}
		noticed(t, &leaf, tenant, column)
	})
}

// noticed changes a column in every byte, and tells the same leaf in other ways. What isn't refused is another leaf,
// which the tenant's tree doesn't have.
func noticed(t *rapid.T, leaf *domain.Leaf, tenant domain.TenantID, column []byte) {
	want := leaf.Append(nil)
	try := func(what string, changed []byte) {
		e := rowOf(leaf, tenant)
		if e.readLeaf(changed); e.wrong == nil && bytes.Equal(e.Leaf, want) {
			t.Fatalf("nobody notices %s: %x instead of %x", what, changed, column)
		}
	}
	for i := range column {
		changed := bytes.Clone(column)
		changed[i] ^= byte(rapid.IntRange(1, 255).Draw(t, "other bits"))
		try("a byte", changed)
	}
	try("a byte more", append(bytes.Clone(column), 0))
	try("a byte less", column[:len(column)-1])
	if column[0] != shortLeaf {
		return
	}
	try("the leaf as it is", want)
	// The instance's name is shorter than 128 bytes: its length has one byte, and could have two.
	try("a longer length", slices.Concat(column[:2], []byte{column[2] | 0x80, 0}, column[3:]))
	if len(leaf.Commitments) > 1 {
		disordered := *leaf
		disordered.Commitments = slices.Clone(leaf.Commitments)
		slices.Reverse(disordered.Commitments)
		try("commitments in another order", appendLeafColumn(nil, &disordered, tenant))
	}
}

// FuzzLeafColumn reads what nobody wrote: it is refused, or it is the column that a leaf is
// written as.
func FuzzLeafColumn(f *testing.F) {
	leaf := domain.Leaf{Origin: "a/b", Kind: "c", Commitments: []domain.Commitment{{Part: "data"}}}
	f.Add(appendLeafColumn(nil, &leaf, "b"))
	f.Add([]byte{shortLeaf})
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, column []byte) {
		e := rowOf(&leaf, "b")
		if e.readLeaf(column); e.wrong != nil {
			return
		}
		if !bytes.Equal(e.leaf.Append(nil), e.Leaf) {
			t.Errorf("%q tells %q", column, e.Leaf)
		}
		if written := appendLeafColumn(nil, &e.leaf, "b"); !bytes.Equal(written, column) {
			t.Errorf("%q tells the leaf that is written as %q", column, written)
		}
	})
}
