package domain_test

import (
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

func TestGroup_Validate(t *testing.T) {
	t.Parallel()
	good := func() domain.Group {
		draft := domain.Draft{Tenant: "acme", Stream: domain.Stream{Kind: domain.StreamEvent, ID: id(1)}, Fact: exampleEvent()}
		other := draft
		other.Tenant, other.Expected = "other", domain.AnyVersion
		return domain.Group{
			Drafts: []domain.Draft{draft, draft, other},
			Claims: []domain.Claim{
				{Tenant: "acme", Scope: "a", Key: "k", First: 0, Count: 2},
				{Tenant: "acme", Scope: "b", Key: "k", First: 1, Count: 1},
				{Tenant: "other", Scope: "a", Key: "k", First: 2, Count: 1},
			},
			Fences: []domain.Fence{{Lease: "router", Owner: id(2), Epoch: 1}},
			Takes:  []domain.Take{{Lease: "router", Owner: id(2), Epoch: 1}},
		}
	}
	if err := good().Validate(); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*domain.Group){
		"at least one draft":           func(g *domain.Group) { g.Drafts, g.Claims = nil, nil },
		"draft 1: has no fact":         func(g *domain.Group) { g.Drafts[1].Fact = nil },
		"draft 0: has no tenant":       func(g *domain.Group) { g.Drafts[0].Tenant = "" },
		"draft 2: has no stream":       func(g *domain.Group) { g.Drafts[2].Stream.Kind = "" },
		"draft 0: has no stream":       func(g *domain.Group) { g.Drafts[0].Stream.ID = domain.UUID{} },
		"negative version":             func(g *domain.Group) { g.Drafts[0].Expected = -2 },
		"negative cause":               func(g *domain.Group) { g.Drafts[0].Cause = -1 },
		"claim 0: has tenant":          func(g *domain.Group) { g.Claims[0].Key = "" },
		"claim 1: names drafts of the": func(g *domain.Group) { g.Claims[1].First = -1 },
		"claim 2: names drafts of the": func(g *domain.Group) { g.Claims[2].Count = 2 },
		"claim 0: names drafts of the": func(g *domain.Group) { g.Claims[0].Count = 0 },
		"claim 0: names drafts of its": func(g *domain.Group) { g.Claims[0].Count = 3 },
		"claim 1: is a duplicate":      func(g *domain.Group) { g.Claims[1].Scope = "a" },
		"fence 0":                      func(g *domain.Group) { g.Fences[0].Epoch = 0 },
		"fence 0: an ending one": func(g *domain.Group) {
			g.Fences[0].Ending = true
			g.Drafts[0].Stream.Kind, g.Drafts[0].Fact = domain.StreamDelivery, exampleStart()
		},
		"take 0: a parting": func(g *domain.Group) { g.Takes[0].Partings = []domain.Parting{{Node: id(1), Epoch: 1, Until: noon}} },
		"take 0: has":       func(g *domain.Group) { g.Takes[0].Expiry = -1 },
		"take 1: its lease": func(g *domain.Group) { g.Takes = append(g.Takes, g.Takes[0]) },
	} {
		g := good()
		spoil(&g)
		if err := g.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
