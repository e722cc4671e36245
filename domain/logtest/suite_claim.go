package logtest

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/hooktrail/hooktrail/domain"
)

func (f *fixture) claim(key string, digest byte) domain.Claim {
	return domain.Claim{Tenant: f.tenant, Scope: "suite", Key: key, Digest: [32]byte{digest}, Count: 1}
}

func (f *fixture) claiming(claims ...domain.Claim) domain.Group {
	g := group(f.event())
	g.Claims = claims
	return g
}

// claimed holds an error against the claim that should have been made by an entry and its followers.
func (f *fixture) claimed(err error, claim int, same bool, first domain.Entry, count int) {
	f.Helper()
	var got *domain.ClaimedError
	if !errors.As(err, &got) {
		f.Errorf("append: %v, want a *ClaimedError", err)
		return
	}
	if got.Claim != claim || got.Same != same || got.Sequence != first.Sequence || got.Count != count {
		f.Errorf("got %+v, want claim %d, same %v, sequence %d, count %d", *got, claim, same, first.Sequence, count)
	}
	if !got.At.Equal(first.RecordedAt) {
		f.Errorf("claimed at %v, want %v", got.At, first.RecordedAt)
	}
}

func (f *fixture) again(g domain.Group, claim int, same bool, first domain.Entry, count int) {
	f.Helper()
	before := f.head()
	entries, err := domain.AppendOne(f.Context(), f.log, g)
	f.claimed(err, claim, same, first, count)
	if len(entries) > 0 || f.head() != before {
		f.Error("a repeated claim appended something")
	}
}

func testClaim(f *fixture) {
	f.step("a repetition says where the first is", func(f *fixture) {
		first := f.append(f.claiming(f.claim("a", 1)))[0]
		f.again(f.claiming(f.claim("a", 1)), 0, true, first, 1)
		f.again(f.claiming(f.claim("a", 2)), 0, false, first, 1)
		f.again(f.claiming(f.claim("a", 1)), 0, true, first, 1)
	})
	f.step("several drafts answer a claim", func(f *fixture) {
		g := group(f.event(), f.event(), f.event(), f.event())
		whole, part := f.claim("whole", 1), f.claim("part", 1)
		whole.Count = 4
		part.First, part.Count = 1, 2
		g.Claims = []domain.Claim{whole, part}
		entries := f.append(g)
		f.again(f.claiming(f.claim("whole", 1)), 0, true, entries[0], 4)
		f.again(f.claiming(f.claim("part", 1)), 0, true, entries[1], 2)
	})
	f.step("the first claim made earlier is named", func(f *fixture) {
		one := f.append(f.claiming(f.claim("one", 1)))[0]
		two := f.append(f.claiming(f.claim("two", 1)))[0]
		f.again(f.claiming(f.claim("new", 1), f.claim("two", 1), f.claim("one", 1)), 1, true, two, 1)
		f.again(f.claiming(f.claim("one", 3), f.claim("two", 1)), 0, false, one, 1)
		f.append(f.claiming(f.claim("new", 1))) // a refused group claims nothing
	})
	f.step("scopes, keys and tenants are apart", func(f *fixture) {
		f.create("apart")
		f.append(f.claiming(f.claim("x", 1)))
		scope, tenant := f.claiming(f.claim("x", 1)), f.claiming(f.claim("x", 1))
		scope.Claims[0].Scope = "other"
		tenant.Claims[0].Tenant, tenant.Drafts[0].Tenant = "apart", "apart"
		joined := f.claiming(f.claim("x", 1)) // must not be told apart by their concatenation alone
		joined.Claims[0].Scope, joined.Claims[0].Key = "suit", "ex"
		f.append(scope)
		f.append(tenant)
		f.append(joined)
	})
	f.step("two groups of one call", func(f *fixture) {
		before := f.head()
		outcomes := f.log.Append(f.Context(), f.claiming(f.claim("t", 1)), f.claiming(f.claim("u", 1)),
			f.claiming(f.claim("t", 1)), f.claiming(f.claim("t", 2)), f.claiming(f.claim("v", 1)))
		f.appended(outcomes, 1)
		f.claimed(outcomes[2].Err, 0, true, outcomes[0].Entries[0], 1)
		f.claimed(outcomes[3].Err, 0, false, outcomes[0].Entries[0], 1)
		if outcomes[1].Err != nil || outcomes[4].Err != nil || f.head() != before+3 {
			f.Errorf("the neighbours: %v, %v; the log grew by %d", outcomes[1].Err, outcomes[4].Err, f.head()-before)
		}
	})
	f.step("a group refused for another reason claims nothing", func(f *fixture) {
		g := f.claiming(f.claim("free", 1))
		g.Drafts[0].Expected = 3
		f.refused(domain.ErrConflict, g)
		f.append(f.claiming(f.claim("free", 1)))
	})
	f.step("many callers, one winner", testClaimRace)
}

func testClaimRace(f *fixture) {
	const callers = 24
	errs, entries := make([]error, callers), make([][]domain.Entry, callers)
	var callersDone sync.WaitGroup
	for i := range callers {
		callersDone.Go(func() {
			g := f.claiming(f.claim("race", 1), f.claim(fmt.Sprint("race", i), 1))
			entries[i], errs[i] = domain.AppendOne(f.Context(), f.log, g)
		})
	}
	callersDone.Wait()
	winner := slices.Index(errs, nil)
	if winner < 0 {
		f.Fatalf("nobody won: %v", errs)
	}
	for i, err := range errs {
		if i != winner {
			f.claimed(err, 0, true, entries[winner][0], 1)
		}
	}
}
