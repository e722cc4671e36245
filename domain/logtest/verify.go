package logtest

import (
	"slices"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// Verify reads the whole log and holds it to what every log promises of its entries: positions and sequences without a
// gap, stream versions one after the other, times that grow, leaves that say what the entries say. It returns the
// entries. Tests call it after each step.
func Verify(t testing.TB, log domain.Log) []domain.Entry {
	t.Helper()
	v := verifier{next: make(map[domain.TenantID]domain.Sequence), versions: make(map[streamKey]int)}
	var all []domain.Entry
	for {
		page, err := log.Page(t.Context(), domain.Position(len(all)), 500)
		if err != nil {
			t.Fatalf("page after %d: %v", len(all), err)
		}
		if len(page) == 0 {
			return all
		}
		for _, e := range page {
			all = append(all, e)
			if want := domain.Position(len(all)); e.Position != want {
				t.Fatalf("the entry after position %d has position %d", want-1, e.Position)
			}
			for _, fault := range v.entry(e) {
				t.Errorf("entry %d (%s of %s): %s", e.Position, e.Kind, e.Tenant, fault)
			}
		}
	}
}

type verifier struct {
	next     map[domain.TenantID]domain.Sequence
	versions map[streamKey]int
	last     time.Time
}

func (v *verifier) entry(e domain.Entry) (faults []string) {
	check := func(ok bool, fault string) {
		if !ok {
			faults = append(faults, fault)
		}
	}
	check(e.Sequence == v.next[e.Tenant], "the sequence has a gap")
	v.next[e.Tenant]++
	check((e.Sequence == 0) == (e.Kind == domain.KindTenantCreated), "tenant.created is sequence 0, and nothing else is")

	stream := streamKey{e.Tenant, e.Stream}
	v.versions[stream]++
	check(e.StreamVersion == v.versions[stream], "the stream's version has a gap")

	check(e.RecordedAt.After(v.last), "recorded no later than the entry before")
	v.last = e.RecordedAt
	check(e.RecordedAt.Location() == time.UTC, "recorded_at isn't UTC")
	check(e.RecordedAt.Equal(e.RecordedAt.Truncate(time.Microsecond)), "recorded_at has more than microseconds")

	check(e.Cause == 0 || e.Cause < e.Sequence, "caused by a later entry")
	check(e.Fact != nil, "has no fact")
	check(!e.Damaged, "is damaged")
	check(e.Fact == nil || e.Fact.Kind() == e.Kind, "its fact is of another kind")
	check(e.KindVersion >= 1, "has no kind version")
	return append(faults, leafFaults(e)...)
}

// leafFaults compares an entry with its leaf.
func leafFaults(e domain.Entry) []string {
	leaf, err := domain.ParseLeaf(e.Leaf)
	if err != nil {
		return []string{err.Error()}
	}
	var faults []string
	faults = append(faults, missing(e, leaf)...)
	same := leaf.Sequence == e.Sequence && leaf.Kind == e.Kind && leaf.KindVersion == e.KindVersion &&
		leaf.Stream == e.Stream && leaf.StreamVersion == e.StreamVersion && leaf.By == e.By &&
		leaf.Cause == e.Cause && leaf.Critical == e.Critical && leaf.RecordedAt.Equal(e.RecordedAt)
	if !same {
		faults = append(faults, "its leaf says something else: "+string(e.Leaf))
	}
	if e.Fact != nil && !slices.Equal(committed(leaf, e.Erased), partNames(e)) {
		faults = append(faults, "its leaf commits to other parts than it has: "+string(e.Leaf))
	}
	return faults
}

// missing reports a mandatory part to which the leaf doesn't commit.
func missing(e domain.Entry, leaf domain.Leaf) []string {
	name := domain.MissingPart(e.Kind, e.KindVersion, committed(leaf, false))
	if name == "" || e.Erased && (domain.Part{Name: name}).Personal() {
		return nil
	}
	return []string{"its leaf commits to no part " + name}
}

// committed returns the parts to which a leaf commits. Of an erased entry it leaves out the personal ones: nothing tells
// whether they were destroyed or never kept.
func committed(leaf domain.Leaf, erased bool) []string {
	var names []string
	for _, c := range leaf.Commitments {
		if !erased || !(domain.Part{Name: c.Part}).Personal() {
			names = append(names, c.Part)
		}
	}
	slices.Sort(names)
	return names
}

func partNames(e domain.Entry) []string {
	parts, err := domain.EncodeFact(e.Fact)
	if err != nil {
		return []string{err.Error()}
	}
	var names []string
	for _, p := range parts {
		if !e.Erased || !p.Personal() {
			names = append(names, p.Name)
		}
	}
	if e.Reason != "" {
		names = append(names, domain.PartReason)
	}
	if e.Context != nil {
		names = append(names, domain.PartContext)
	}
	if !e.SubjectKey.IsZero() {
		names = append(names, domain.PartSubjectKey)
	}
	slices.Sort(names)
	return names
}
