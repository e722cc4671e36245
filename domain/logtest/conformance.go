package logtest

import (
	"bytes"
	"errors"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// Hooks are what the suite must know about the log under test.
type Hooks struct {
	// Open returns a log of its own for the test, which may hold entries of other tenants already. It closes it through
	// t.Cleanup.
	Open func(t *testing.T) domain.Log
	// Heartbeat says to a log that Open returned that a node lives now.
	Heartbeat func(t *testing.T, log domain.Log, node domain.UUID)
	// Introduce has a log that Open returned take a kind for one that came with a format.
	Introduce func(t *testing.T, log domain.Log, kind domain.Kind, format int)
	// Check verifies what Verify can't see of a log, such as roots and tiles. Nil: there is no more.
	Check func(t *testing.T, log domain.Log)
}

// verify verifies the whole log.
func (h Hooks) verify(t *testing.T, log domain.Log) {
	t.Helper()
	Verify(t, log)
	if h.Check != nil {
		h.Check(t, log)
	}
}

// Conformance is the suite that every domain.Log must pass. Its parts run in parallel, each on a log of its own.
func Conformance(t *testing.T, hooks Hooks) {
	t.Helper()
	for _, part := range []struct {
		name string
		run  func(*fixture)
	}{
		{"append", testAppend},
		{"refusal", testRefusal},
		{"tenant", testTenant},
		{"content", testContent},
		{"subject", testSubject},
		{"claim", testClaim},
		{"basis", testBasis},
		{"format", testFormat},
		{"lease", testLease},
		{"page", testPage},
		{"await", testAwait},
		{"select", testSelect},
		{"context", testContext},
		{"concurrency", testConcurrency},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			log := hooks.Open(t)
			f := &fixture{T: t, log: log, tenant: "suite", hooks: hooks}
			f.create(f.tenant)
			part.run(f)
			hooks.verify(t, log)
		})
	}
}

// fixture is one part's log, in which a tenant exists.
type fixture struct {
	*testing.T
	log    domain.Log
	tenant domain.TenantID
	hooks  Hooks
}

// step runs a subtest and verifies the whole log behind it.
func (f *fixture) step(name string, run func(f *fixture)) {
	f.Helper()
	f.Run(name, func(t *testing.T) {
		inner := *f
		inner.T = t
		run(&inner)
		f.hooks.verify(t, f.log)
	})
}

func (f *fixture) create(tenant domain.TenantID) {
	f.Helper()
	f.append(group(creation(tenant)))
}

func creation(tenant domain.TenantID) domain.Draft {
	return domain.Draft{
		Tenant: tenant, Stream: domain.Stream{Kind: domain.StreamTenant, ID: domain.NewUUID()},
		Fact: &domain.TenantCreated{Tenant: domain.TenantConfig{ID: tenant, Name: "A tenant"}},
	}
}

// append appends one group, which must succeed.
func (f *fixture) append(group domain.Group) []domain.Entry {
	f.Helper()
	return f.appended(f.log.Append(f.Context(), group), len(group.Drafts))
}

// appended returns the entries of a call's only or first outcome, which must have succeeded.
func (f *fixture) appended(outcomes []domain.Outcome, entries int) []domain.Entry {
	f.Helper()
	if len(outcomes) == 0 || outcomes[0].Err != nil || len(outcomes[0].Entries) != entries {
		f.Fatalf("append of %d drafts: %+v", entries, outcomes)
	}
	return outcomes[0].Entries
}

// refused appends a group that must be refused with an error, and leave nothing in the log.
func (f *fixture) refused(want error, group domain.Group) {
	f.Helper()
	before := f.head()
	entries, err := domain.AppendOne(f.Context(), f.log, group)
	if err == nil || want != nil && !errors.Is(err, want) {
		f.Errorf("append: %v, want %v", err, want)
	}
	if len(entries) > 0 {
		f.Errorf("a refused append returned %d entries", len(entries))
	}
	if after := f.head(); after != before {
		f.Errorf("a refused append moved the head from %d to %d", before, after)
	}
}

func (f *fixture) head() domain.Position {
	f.Helper()
	head, err := f.log.Head(f.Context())
	if err != nil {
		f.Fatalf("head: %v", err)
	}
	return head
}

// event drafts an event in a stream of its own.
func (f *fixture) event() domain.Draft { return f.eventWith([]byte(`{"a":1}`)) }

func (f *fixture) eventWith(data []byte) domain.Draft {
	id := domain.NewUUID()
	return domain.Draft{
		Tenant: f.tenant, Stream: domain.Stream{Kind: domain.StreamEvent, ID: id},
		Fact: &domain.EventAppended{
			Event: domain.EventAttributes{
				EventClass:    domain.EventClass{Type: "suite.tested", SchemaVersion: "v1"},
				EventIdentity: domain.EventIdentity{ID: id.String(), Source: "/suite"},
			},
			Data: data, Routing: domain.Routing{Complete: true},
		},
	}
}

// on drafts another entry for a stream.
func (f *fixture) on(stream domain.Stream, expected int) domain.Draft {
	return domain.Draft{
		Tenant: f.tenant, Stream: stream, Expected: expected, Fact: &domain.EventRouted{Routing: domain.Routing{Complete: true}},
	}
}

func group(drafts ...domain.Draft) domain.Group { return domain.Group{Drafts: drafts} }

// sameEntry holds an entry read against the same entry as it is known.
func sameEntry(t *testing.T, got, want domain.Entry) {
	t.Helper()
	if !sameHeader(got, want) || !bytes.Equal(got.Leaf, want.Leaf) {
		t.Errorf("entry %d is %+v, want %+v", want.Position, got, want)
	}
	sameFact(t, got.Fact, want.Fact)
}

func sameHeader(g, w domain.Entry) bool {
	return g.Position == w.Position && g.Tenant == w.Tenant && g.Sequence == w.Sequence && g.Stream == w.Stream &&
		g.StreamVersion == w.StreamVersion && g.Kind == w.Kind && g.KindVersion == w.KindVersion && g.By == w.By &&
		g.Cause == w.Cause && g.RecordedAt.Equal(w.RecordedAt) && g.Reason == w.Reason && g.Erased == w.Erased &&
		g.SubjectKey == w.SubjectKey && g.Critical == w.Critical && g.Damaged == w.Damaged
}

func sameFact(t *testing.T, got, want domain.Fact) {
	t.Helper()
	if (got == nil) != (want == nil) {
		t.Errorf("fact is %+v, want %+v", got, want)
	}
	if got == nil || want == nil {
		return
	}
	gotParts, err := domain.EncodeFact(got)
	if err != nil {
		t.Fatal(err)
	}
	wantParts, err := domain.EncodeFact(want)
	if err != nil {
		t.Fatal(err)
	}
	same := len(gotParts) == len(wantParts)
	for i := 0; same && i < len(gotParts); i++ {
		same = gotParts[i].Name == wantParts[i].Name && bytes.Equal(gotParts[i].Bytes, wantParts[i].Bytes)
	}
	if !same {
		t.Errorf("fact has the parts %q, want %q", gotParts, wantParts)
	}
}
