package logtest

import (
	"context"
	"errors"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

func testAppend(f *fixture) {
	f.step("entries of a group are contiguous and as drafted", func(f *fixture) {
		before := f.head()
		first, second := f.event(), f.event()
		first.By = domain.Actor{Principal: domain.NewUUID(), Credential: domain.NewUUID()}
		routed := f.on(first.Stream, 1)
		entries := f.append(group(first, second, routed))
		routed.Cause = entries[0].Sequence
		entries = append(entries, f.append(group(f.on(first.Stream, 2)))...)
		for i, e := range entries {
			if e.Position != before+domain.Position(i)+1 || e.Sequence != entries[0].Sequence+domain.Sequence(i) {
				f.Errorf("entry %d has position %d and sequence %d", i, e.Position, e.Sequence)
			}
		}
		for i, want := range []int{1, 1, 2, 3} {
			if entries[i].StreamVersion != want {
				f.Errorf("entry %d has stream version %d, want %d", i, entries[i].StreamVersion, want)
			}
		}
		if e := entries[0]; e.By != first.By || e.Tenant != f.tenant || e.Kind != domain.KindEventAppended ||
			e.KindVersion != e.Kind.Version() || e.Stream != first.Stream || e.Cause != 0 {
			f.Errorf("the first entry is %+v", e)
		}
		sameFact(f.T, entries[0].Fact, first.Fact)
		for i, e := range f.page(before, 100) {
			sameEntry(f.T, e, entries[i])
		}
	})
	f.step("a cause is kept", func(f *fixture) {
		event := f.append(group(f.event()))[0]
		routed := f.on(event.Stream, 1)
		routed.Cause = event.Sequence
		if got := f.append(group(routed))[0].Cause; got != event.Sequence {
			f.Errorf("cause is %d, want %d", got, event.Sequence)
		}
	})
	f.step("groups of a call are appended in order", testOrder)
	f.step("one group may speak of several tenants", func(f *fixture) {
		f.create("other")
		other := f.event()
		other.Tenant = "other"
		entries := f.append(group(f.event(), other, f.event()))
		if entries[1].Tenant != "other" || entries[1].Sequence != 1 || entries[2].Sequence != entries[0].Sequence+1 {
			f.Errorf("entries are %+v", entries)
		}
	})
	f.step("a call without groups does nothing", func(f *fixture) {
		if outcomes := f.log.Append(f.Context()); len(outcomes) != 0 {
			f.Errorf("%d outcomes", len(outcomes))
		}
	})
}

func testOrder(f *fixture) {
	groups := make([]domain.Group, 300)
	for i := range groups {
		groups[i] = group(f.event(), f.event())
	}
	before := f.head()
	for i, outcome := range f.log.Append(f.Context(), groups...) {
		if outcome.Err != nil || len(outcome.Entries) != 2 {
			f.Fatalf("group %d: %+v", i, outcome)
		}
		for j, e := range outcome.Entries {
			if want := before + domain.Position(2*i+j+1); e.Position != want || e.Stream != groups[i].Drafts[j].Stream {
				f.Fatalf("entry %d of group %d is %s at %d, want position %d", j, i, e.Stream, e.Position, want)
			}
		}
	}
}

func testRefusal(f *fixture) {
	f.step("a stream isn't at the expected version", func(f *fixture) {
		event := f.event()
		f.append(group(event))
		f.refused(domain.ErrConflict, group(event))
		f.refused(domain.ErrConflict, group(f.on(event.Stream, 2)))
		f.refused(domain.ErrConflict, group(f.on(f.event().Stream, 1)))
		f.refused(domain.ErrConflict, group(f.on(event.Stream, 1), f.on(event.Stream, 1)))
		f.append(group(f.on(event.Stream, 1), f.on(event.Stream, 2)))
		f.append(group(f.on(event.Stream, domain.AnyVersion), f.on(f.event().Stream, domain.AnyVersion)))
	})
	f.step("a later group of a call sees the earlier ones", func(f *fixture) {
		event := f.event()
		outcomes := f.log.Append(f.Context(), group(event), group(f.on(event.Stream, 1)), group(f.on(event.Stream, 1)))
		f.outcomes(outcomes, nil, nil, domain.ErrConflict)
	})
	f.step("a refused group leaves nothing and harms no neighbour", func(f *fixture) {
		before := f.head()
		existing := f.append(group(f.event()))[0].Stream
		first := f.event()
		outcomes := f.log.Append(f.Context(),
			group(f.event()), group(first, f.on(existing, 7)), group(f.on(first.Stream, 1)), group(first))
		f.outcomes(outcomes, nil, domain.ErrConflict, domain.ErrConflict, nil)
		if got := f.head(); got != before+3 {
			f.Errorf("the log grew by %d entries, want 3", got-before)
		}
	})
	f.step("what no log can append", func(f *fixture) {
		for name, spoil := range map[string]func(*domain.Group){
			"no draft":         func(g *domain.Group) { g.Drafts = nil },
			"no fact":          func(g *domain.Group) { g.Drafts[0].Fact = nil },
			"no tenant":        func(g *domain.Group) { g.Drafts[0].Tenant = "" },
			"no stream":        func(g *domain.Group) { g.Drafts[0].Stream = domain.Stream{} },
			"negative version": func(g *domain.Group) { g.Drafts[0].Expected = -2 },
			"claim of nothing": func(g *domain.Group) { g.Claims[0].Count = 0 },
			"claim too far":    func(g *domain.Group) { g.Claims[0].First = 1 },
			"claim twice":      func(g *domain.Group) { g.Claims = append(g.Claims, g.Claims[0]) },
			"fence of nobody":  func(g *domain.Group) { g.Fences = []domain.Fence{{Lease: "x", Epoch: 1}} },
			"take of nobody":   func(g *domain.Group) { g.Takes = []domain.Take{{Lease: "x", Epoch: 1}} },
		} {
			spoiled := group(f.event())
			spoiled.Claims = []domain.Claim{{Tenant: f.tenant, Scope: "suite", Key: name, Count: 1}}
			spoil(&spoiled)
			f.refused(nil, spoiled)
		}
	})
}

// outcomes holds the outcomes of a call against the errors that they should have.
func (f *fixture) outcomes(got []domain.Outcome, want ...error) {
	f.Helper()
	if len(got) != len(want) {
		f.Fatalf("%d outcomes, want %d", len(got), len(want))
	}
	for i, outcome := range got {
		if !errors.Is(outcome.Err, want[i]) || (outcome.Err == nil) != (len(outcome.Entries) > 0) {
			f.Errorf("outcome %d is %+v, want error %v", i, outcome, want[i])
		}
	}
}

func testTenant(f *fixture) {
	f.step("unknown", func(f *fixture) {
		draft := f.event()
		draft.Tenant = "unknown"
		f.refused(domain.ErrUnknownTenant, group(draft))
		f.refused(domain.ErrUnknownTenant, group(f.event(), draft))
	})
	creation := func(tenant domain.TenantID) domain.Draft {
		return domain.Draft{
			Tenant: tenant, Stream: domain.Stream{Kind: domain.StreamTenant, ID: domain.NewUUID()},
			Fact: &domain.TenantCreated{Tenant: domain.TenantConfig{ID: tenant, Name: "x"}},
		}
	}
	f.step("made and used in one group", func(f *fixture) {
		draft := f.event()
		draft.Tenant = "made"
		entries := f.append(group(creation("made"), draft, f.event()))
		if entries[0].Sequence != 0 || entries[1].Sequence != 1 {
			f.Errorf("entries are %+v", entries)
		}
	})
	f.step("made twice", func(f *fixture) {
		f.refused(domain.ErrConflict, group(creation(f.tenant)))
		f.refused(domain.ErrConflict, group(creation("twice"), creation("twice")))
		outcomes := f.log.Append(f.Context(), group(creation("again")), group(creation("again")))
		f.outcomes(outcomes, nil, domain.ErrConflict)
	})
	f.step("deleted", func(f *fixture) {
		made := creation("gone")
		f.append(group(made))
		deleted := domain.Draft{Tenant: "gone", Stream: made.Stream, Expected: 1, Fact: &domain.TenantDeleted{}}
		f.append(group(deleted))
		event, cancelled := f.event(), f.event()
		event.Tenant, cancelled.Tenant = "gone", "gone"
		cancelled.Fact = &domain.DeliveryCancelled{Reason: domain.CancelTenantDeleted}
		f.refused(domain.ErrUnknownTenant, group(event))
		f.refused(domain.ErrConflict, group(creation("gone")))
		f.append(group(cancelled))
	})
}

func testContext(f *fixture) {
	f.step("ended before an append", func(f *fixture) {
		ctx, cancel := context.WithCancel(f.Context())
		cancel()
		for _, outcome := range f.log.Append(ctx, group(f.event()), group(f.event())) {
			if !errors.Is(outcome.Err, context.Canceled) || len(outcome.Entries) > 0 {
				f.Errorf("outcome is %+v", outcome)
			}
		}
	})
	f.step("ended before a read", func(f *fixture) {
		ctx, cancel := context.WithCancel(f.Context())
		cancel()
		if _, err := f.log.Page(ctx, 0, 1); !errors.Is(err, context.Canceled) {
			f.Errorf("page: %v", err)
		}
		if _, err := f.log.Head(ctx); !errors.Is(err, context.Canceled) {
			f.Errorf("head: %v", err)
		}
		if _, err := domain.Select(ctx, f.log, domain.Query{Tenant: f.tenant, Limit: 1}); !errors.Is(err, context.Canceled) {
			f.Errorf("select: %v", err)
		}
	})
	f.step("ended during appends", func(f *fixture) {
		ctx, cancel := context.WithCancel(f.Context())
		groups := make([]domain.Group, 500)
		for i := range groups {
			groups[i] = group(f.event())
		}
		go cancel()
		testEnded(f.T, f.log.Append(ctx, groups...), len(groups))
		f.append(group(f.event()))
	})
}

// testEnded: whatever moment the context ended at, every group has an outcome, which is one of two.
func testEnded(t *testing.T, outcomes []domain.Outcome, groups int) {
	t.Helper()
	if len(outcomes) != groups {
		t.Fatalf("%d outcomes of %d groups", len(outcomes), groups)
	}
	for i, outcome := range outcomes {
		switch {
		case outcome.Err == nil && len(outcome.Entries) == 1:
		case errors.Is(outcome.Err, context.Canceled) && len(outcome.Entries) == 0:
		default:
			t.Fatalf("outcome %d is %+v", i, outcome)
		}
	}
}
