package logtest

import (
	"slices"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// taking drafts the take-over of a lease whose owner counts as alive for an hour after its heartbeat.
func (f *fixture) taking(lease string, owner domain.UUID, epoch int64) domain.Group {
	draft := domain.Draft{
		Tenant: f.tenant, Stream: domain.Stream{Kind: domain.StreamLease, ID: owner}, Expected: domain.AnyVersion,
		Fact: &domain.LeaseTaken{Node: owner, Leases: []domain.LeaseEpoch{{Name: lease, Epoch: epoch}}},
	}
	return domain.Group{
		Drafts: []domain.Draft{draft},
		Takes:  []domain.Take{{Lease: lease, Owner: owner, Epoch: epoch, Expiry: time.Hour}},
	}
}

func (f *fixture) under(fences ...domain.Fence) domain.Group {
	g := group(f.event())
	g.Fences = fences
	return g
}

func (f *fixture) node() domain.UUID {
	f.Helper()
	node := domain.NewUUID()
	f.hooks.Heartbeat(f.T, f.log, node)
	return node
}

func testLease(f *fixture) {
	f.step("a fence holds while its lease is held", func(f *fixture) {
		owner, other := f.node(), f.node()
		fence := domain.Fence{Lease: "shard/00", Owner: owner, Epoch: 1}
		f.refused(domain.ErrFenced, f.under(fence)) // never taken
		f.append(f.taking("shard/00", owner, 1))
		f.append(f.under(fence))
		f.refused(domain.ErrFenced, f.under(domain.Fence{Lease: "shard/00", Owner: other, Epoch: 1}))
		f.refused(domain.ErrFenced, f.under(domain.Fence{Lease: "shard/00", Owner: owner, Epoch: 2}))
		f.refused(domain.ErrFenced, f.under(domain.Fence{Lease: "shard/01", Owner: owner, Epoch: 1}))
	})
	f.step("every fence of a group must hold", func(f *fixture) {
		owner := f.node()
		f.append(f.taking("a", owner, 1))
		f.append(f.taking("b", owner, 1))
		a, b := domain.Fence{Lease: "a", Owner: owner, Epoch: 1}, domain.Fence{Lease: "b", Owner: owner, Epoch: 1}
		f.append(f.under(a, b))
		b.Epoch = 2
		f.refused(domain.ErrFenced, f.under(a, b))
		f.refused(domain.ErrFenced, f.under(b, a))
	})
	f.step("a living owner isn't displaced", func(f *fixture) {
		owner, other := f.node(), f.node()
		f.append(f.taking("alive", owner, 1))
		f.refused(domain.ErrFenced, f.taking("alive", other, 2))
		f.append(f.under(domain.Fence{Lease: "alive", Owner: owner, Epoch: 1}))
	})
	f.step("epochs follow one another", func(f *fixture) {
		owner := f.node()
		f.refused(domain.ErrFenced, f.taking("epoch", owner, 2))
		f.append(f.taking("epoch", owner, 1))
		for _, epoch := range []int64{1, 3} {
			take := f.taking("epoch", owner, epoch)
			take.Takes[0].Displaced = []domain.UUID{owner}
			f.refused(domain.ErrFenced, take)
		}
	})
	f.step("an owner known to be dead is displaced, and fenced off", func(f *fixture) {
		f.displace("displaced", f.node(), func(take *domain.Take, owner domain.UUID) {
			take.Displaced = []domain.UUID{domain.NewUUID(), owner}
		})
	})
	f.step("an owner whose heartbeat is too old is displaced", func(f *fixture) {
		f.displace("expired", f.node(), func(take *domain.Take, _ domain.UUID) { take.Expiry = time.Microsecond })
	})
	f.step("an owner without a heartbeat is displaced", func(f *fixture) {
		f.displace("silent", domain.NewUUID(), func(*domain.Take, domain.UUID) {})
	})
	f.step("all leases of a group are taken, or none", func(f *fixture) {
		owner, other := f.node(), f.node()
		f.append(f.taking("held", owner, 1))
		both := f.taking("unheld", other, 1)
		held := f.taking("held", other, 2) // the log says of both that they were taken
		both.Drafts, both.Takes = append(both.Drafts, held.Drafts...), append(both.Takes, held.Takes...)
		f.refused(domain.ErrFenced, both)
		f.refused(domain.ErrFenced, f.under(domain.Fence{Lease: "unheld", Owner: other, Epoch: 1}))
		both.Takes[1].Displaced = []domain.UUID{owner}
		f.append(both)
		f.append(f.under(
			domain.Fence{Lease: "unheld", Owner: other, Epoch: 1}, domain.Fence{Lease: "held", Owner: other, Epoch: 2}))
	})
	f.step("a group refused for another reason takes nothing", func(f *fixture) {
		owner := f.node()
		take := f.taking("nothing", owner, 1)
		take.Drafts[0].Expected = 9
		f.refused(domain.ErrConflict, take)
		f.append(f.taking("nothing", owner, 1))
	})
	f.step("who gives a lease away with attempts under way ends them, and does nothing else", testParting)
	f.step("many nodes, one winner", testTakeRace)
}

// displace has a lease taken from its owner in the way that allow sets, in the same call as groups of both owners.
func (f *fixture) displace(lease string, owner domain.UUID, allow func(*domain.Take, domain.UUID)) {
	f.Helper()
	f.append(f.taking(lease, owner, 1))
	f.append(group(f.event())) // time passes
	other := f.node()
	take := f.taking(lease, other, 2)
	allow(&take.Takes[0], owner)
	old, next := domain.Fence{Lease: lease, Owner: owner, Epoch: 1}, domain.Fence{Lease: lease, Owner: other, Epoch: 2}
	outcomes := f.log.Append(f.Context(), f.under(old), take, f.under(old), f.under(next))
	f.outcomes(outcomes, nil, nil, domain.ErrFenced, nil)
	f.refused(domain.ErrFenced, f.under(old))
	f.append(f.under(next))
}

func testParting(f *fixture) {
	first, second, third := f.node(), f.node(), f.node()
	f.append(f.taking("parting", first, 1))
	ending := func(owner domain.UUID, epoch int64) domain.Group {
		g := group(domain.Draft{
			Tenant: f.tenant, Stream: domain.Stream{Kind: domain.StreamDelivery, ID: domain.NewUUID()},
			Fact: &domain.AttemptFinished{Result: domain.AttemptResult{AttemptEnd: domain.AttemptEnd{
				Number: 1, Outcome: domain.OutcomeSucceeded, Status: domain.DeliverySucceeded,
			}}},
		})
		g.Fences = []domain.Fence{{Lease: "parting", Owner: owner, Epoch: epoch, Ending: true}}
		return g
	}
	handing := func(from, to domain.UUID, epoch int64, partings ...domain.Parting) domain.Group {
		g := f.taking("parting", to, epoch)
		g.Takes[0].Displaced, g.Takes[0].Partings = []domain.UUID{from}, partings
		g.Drafts[0].Fact.(*domain.LeaseTaken).Leases[0].Partings = partings
		return g
	}
	f.append(ending(first, 1)) // of the owner it is a fence like others
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	early := domain.Parting{Node: first, Epoch: 1, Until: until}
	// In the same call and after it.
	outcomes := f.log.Append(f.Context(), handing(first, second, 2, early), ending(first, 1),
		f.under(domain.Fence{Lease: "parting", Owner: first, Epoch: 1}))
	f.outcomes(outcomes, nil, nil, domain.ErrFenced)
	f.append(ending(first, 1))
	f.append(ending(second, 2))
	f.refused(domain.ErrFenced, f.under(domain.Fence{Lease: "parting", Owner: first, Epoch: 1}))
	f.refused(domain.ErrFenced, ending(third, 1))
	f.refused(domain.ErrFenced, ending(first, 2))
	for name, fact := range map[string]domain.Fact{
		"a start":        &domain.AttemptStarted{Number: 2, Node: first, At: until},
		"a cancellation": &domain.DeliveryCancelled{Reason: domain.CancelErased},
		"a redrive":      &domain.DeliveryRedriven{Attempts: 3, NextAttemptAt: until},
	} {
		g := ending(first, 1)
		g.Drafts = append(g.Drafts, g.Drafts[0])
		g.Drafts[1].Expected, g.Drafts[1].Fact = 1, fact
		if _, err := domain.AppendOne(f.Context(), f.log, g); err == nil {
			f.Errorf("an ending fence lets %s pass", name)
		}
	}
	// A later owner keeps whose time isn't over, and the log forgets whom it leaves out.
	late := domain.Parting{Node: second, Epoch: 2, Until: until}
	f.append(handing(second, third, 3, early, late))
	f.append(ending(first, 1))
	f.append(ending(second, 2))
	f.append(handing(third, second, 4, late))
	f.refused(domain.ErrFenced, ending(first, 1))
	f.append(ending(second, 2))
	f.append(ending(second, 4))
	over := domain.Parting{Node: second, Epoch: 4, Until: time.Now().Add(-time.Hour).UTC().Truncate(time.Microsecond)}
	f.append(handing(second, first, 5, over))
	f.refused(domain.ErrFenced, ending(second, 4))
	f.refused(domain.ErrFenced, ending(second, 2))
}

func testTakeRace(f *fixture) {
	const nodes = 12
	groups, errs := make([]domain.Group, nodes), make([]error, nodes)
	for i := range groups {
		groups[i] = f.taking("race", f.node(), 1)
	}
	var done sync.WaitGroup
	for i, g := range groups {
		done.Go(func() { _, errs[i] = domain.AppendOne(f.Context(), f.log, g) })
	}
	done.Wait()
	winner := slices.Index(errs, nil)
	if winner < 0 {
		f.Fatalf("nobody won: %v", errs)
	}
	for i := range groups {
		fence := domain.Fence{Lease: "race", Owner: groups[i].Takes[0].Owner, Epoch: 1}
		if i == winner {
			f.append(f.under(fence))
		} else {
			f.refused(domain.ErrFenced, f.under(fence))
		}
	}
}
