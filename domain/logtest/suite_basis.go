package logtest

import (
	"errors"

	"github.com/hooktrail/hooktrail/domain"
)

// configure drafts a change of the tenant's configuration.
func (f *fixture) configure() domain.Draft {
	return domain.Draft{
		Tenant: f.tenant, Stream: domain.Stream{Kind: domain.StreamSubscription, ID: domain.NewUUID()},
		Fact: &domain.SubscriptionCreated{Subscription: domain.SubscriptionConfig{Endpoint: domain.NewUUID()}},
	}
}

// decided is an event decided by a configuration.
func (f *fixture) decided(configuration domain.Sequence) domain.Group {
	g := group(f.event())
	g.Basis = &domain.Basis{Tenant: f.tenant, Configuration: configuration}
	return g
}

// testBasis: what was decided by an older configuration is refused, or decided again under the lock.
func testBasis(f *fixture) {
	f.step("the tenant's creation is its first configuration", func(f *fixture) {
		f.append(f.decided(0))
		f.append(group(f.event())) // configures nothing
		f.append(f.decided(0))
	})
	f.step("a configuration that isn't the newest is stale", func(f *fixture) {
		first := f.append(group(f.configure()))[0].Sequence
		f.append(f.decided(first))
		f.refused(domain.ErrStale, f.decided(0))
		second := f.append(group(f.event(), f.configure(), f.event()))[1].Sequence
		f.refused(domain.ErrStale, f.decided(first))
		f.append(f.decided(second))
		f.refused(domain.ErrStale, f.decided(second+1)) // of a log that isn't this one
	})
	f.step("another tenant's configuration makes nothing stale", func(f *fixture) {
		newest := f.append(group(f.configure()))[0].Sequence
		f.create("configured")
		other := f.configure()
		other.Tenant = "configured"
		f.append(group(other))
		f.append(f.decided(newest))
	})
	f.step("an earlier group of the same call makes the later stale", func(f *fixture) {
		newest := f.append(group(f.configure()))[0].Sequence
		outcomes := f.log.Append(f.Context(),
			f.decided(newest), group(f.configure()), f.decided(newest), group(f.event()))
		f.outcomes(outcomes, nil, nil, domain.ErrStale, nil)
		f.append(f.decided(outcomes[1].Entries[0].Sequence))
	})
	f.step("a group that configures isn't stale by itself", func(f *fixture) {
		newest := f.append(group(f.configure()))[0].Sequence
		g := f.decided(newest)
		g.Drafts = append(g.Drafts, f.configure(), f.event())
		f.append(g)
	})
	f.step("unknown tenant", func(f *fixture) {
		g := f.decided(0)
		g.Drafts[0].Tenant, g.Basis.Tenant = "nobody", "nobody"
		f.refused(domain.ErrUnknownTenant, g)
	})
	f.step("no log can append it", func(f *fixture) {
		g := f.decided(0)
		g.Basis.Tenant = ""
		f.refused(nil, g)
		g = f.decided(-1)
		f.refused(nil, g)
	})
	f.step("what is up to date isn't decided again", func(f *fixture) {
		newest := f.append(group(f.configure()))[0].Sequence
		g := f.decided(newest)
		g.Basis.Decide = func([]domain.Entry) ([]domain.Draft, []domain.Fence, error) {
			f.Error("was decided again")
			return nil, nil, errors.New("needless")
		}
		f.append(g)
	})
	f.step("decided again under the lock", testDecide)
}

func testDecide(f *fixture) {
	known := f.append(group(f.configure()))[0].Sequence
	first, second := f.configure(), f.configure()
	f.append(group(first, f.event(), second))
	var newer []domain.Entry
	owner := f.node()
	f.append(f.taking("decide", owner, 1))
	fence := domain.Fence{Lease: "decide", Owner: owner, Epoch: 1}

	g := f.decided(known)
	replaced := f.event()
	g.Basis.Decide = func(entries []domain.Entry) ([]domain.Draft, []domain.Fence, error) {
		newer = entries
		return []domain.Draft{replaced}, []domain.Fence{fence}, nil
	}
	g.Claims = []domain.Claim{f.claim("decided", 1)}
	entry := f.append(g)[0]
	if entry.Stream != replaced.Stream {
		f.Errorf("appended %s, want what was decided under the lock: %s", entry.Stream, replaced.Stream)
	}
	if len(newer) != 2 || newer[0].Stream != first.Stream || newer[1].Stream != second.Stream {
		f.Fatalf("decided by %+v, want the two newer entries that configure", newer)
	}
	sameEntry(f.T, newer[0], f.one(newer[0]))
	sameEntry(f.T, newer[1], f.one(newer[1]))
	f.again(f.claiming(f.claim("decided", 1)), 0, true, entry, 1) // its claim holds

	// The fences that it returns are the group's.
	fence.Epoch = 2
	f.refused(domain.ErrFenced, g)
	// What it returns is held to what holds for every group.
	fence.Epoch = 1
	g.Claims = nil
	g.Basis.Decide = func([]domain.Entry) ([]domain.Draft, []domain.Fence, error) { return nil, nil, nil }
	f.refused(nil, g)
	// Its error refuses the group, and no other.
	broken := errors.New("broken")
	g.Basis.Decide = func([]domain.Entry) ([]domain.Draft, []domain.Fence, error) { return nil, nil, broken }
	f.refused(broken, g)
	f.outcomes(f.log.Append(f.Context(), group(f.event()), g, group(f.event())), nil, broken, nil)
}
