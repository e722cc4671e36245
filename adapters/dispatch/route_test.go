package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/domain"
)

// summary tells a routing in short: "+" the endpoint for a delivery and how many subscriptions asked for it, "-" for a
// skip and why.
func summary(facts []domain.EventRouted, names map[domain.UUID]string) string {
	var parts []string
	for _, f := range facts {
		for _, d := range f.Routing.Deliveries {
			parts = append(parts, fmt.Sprintf("+%s×%d", names[d.Endpoint], len(d.Subscriptions)))
		}
		for _, s := range append(slices.Clone(f.Routing.Skipped), f.Verdicts.Skipped...) {
			parts = append(parts, fmt.Sprintf("-%s %s", names[s.Endpoint], s.Reason))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// rules changes what the tenant acme lets out.
func (w *world) rules(f func(*domain.TenantConfig)) {
	w.t.Helper()
	row, _ := w.views.config(w.t).Tenant(acme)
	f(&row.TenantConfig)
	w.append(acme, domain.Stream{Kind: domain.StreamTenant, ID: row.Stream}, domain.AnyVersion, 0, &domain.TenantUpdated{Tenant: row.TenantConfig})
}

// sayingFilter makes filters whose expressions say what they do: "no", "yes", "broken", "dear" (the event's budget is
// spent) and "cost n".
func sayingFilter(expression string) domain.Filter {
	return func(ctx context.Context, run *domain.FilterRun) (bool, error) {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		var cost uint64
		if _, err := fmt.Sscanf(expression, "cost %d", &cost); err == nil {
			if run.Spent+cost > domain.EventFilterBudget {
				return false, domain.ErrFilterBudget
			}
			run.Spent += cost
			return true, nil
		}
		switch expression {
		case "broken":
			return false, errors.New("it can't be evaluated")
		case "dear":
			return false, domain.ErrFilterBudget
		}
		return expression == "yes", nil
	}
}

func TestPreview(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	names := make(map[domain.UUID]string)
	endpoint := func(name string, f func(*domain.EndpointConfig), patterns ...domain.Pattern) domain.UUID {
		id := w.endpoint(f)
		names[id] = name
		for _, p := range patterns {
			w.subscribe(id, p)
		}
		return id
	}
	plain := endpoint("plain", nil, "offer.*", "offer.issued")
	endpoint("other", nil, "order.*")
	endpoint("paused", func(c *domain.EndpointConfig) { c.Paused = true }, "offer.*")
	disabled := endpoint("disabled", func(c *domain.EndpointConfig) { c.Disabled = "it failed for days" }, "offer.*")
	unverified := endpoint("unverified", func(c *domain.EndpointConfig) {
		c.Handshake, c.Unverified = domain.HandshakeOwnership, true
	}, "offer.*", "hooktrail.*")
	endpoint("watcher", nil, "hooktrail.endpoint.*")
	w.subscribe(plain, "hooktrail.*")
	gone := endpoint("gone", nil, "offer.*")
	w.change(gone, func(c domain.EndpointConfig) domain.Fact { return &domain.EndpointDeleted{Endpoint: c} })
	filtered := endpoint("filtered", nil)
	for _, filter := range []string{"no", "broken", "yes", "dear"} {
		w.append(acme, subscriptionStream(domain.NewUUID()), 0, 0, &domain.SubscriptionCreated{Subscription: domain.SubscriptionConfig{
			Endpoint: filtered, EventTypes: []domain.Pattern{"filter.*"}, Filter: filter,
		}})
	}
	w.append(acme, subscriptionStream(domain.NewUUID()), 0, 0, &domain.SubscriptionCreated{Subscription: domain.SubscriptionConfig{
		Endpoint: plain, EventTypes: []domain.Pattern{"pause.*"}, Paused: true,
	}})
	route := func(typ domain.EventType, change func(*domain.EventAppended)) []domain.EventRouted {
		t.Helper()
		fact := &domain.EventAppended{Event: domain.EventAttributes{EventClass: domain.EventClass{Type: typ}}}
		if change != nil {
			change(fact)
		}
		c := w.views.config(t)
		c.KeepFilters(sayingFilter)
		parts, err := dispatch.Preview(t.Context(), c.Snapshot(acme), &domain.FilterRun{Event: fact})
		if err != nil {
			t.Fatal(err)
		}
		return parts
	}
	test := func(id domain.UUID) func(*domain.EventAppended) {
		return func(f *domain.EventAppended) { f.Event.Test = &domain.TestTarget{Endpoint: id} }
	}
	about := func(id domain.UUID) func(*domain.EventAppended) {
		return func(f *domain.EventAppended) { f.Event.About = id }
	}
	hops := func(n int) func(*domain.EventAppended) { return func(f *domain.EventAppended) { f.Event.Hops = n } }
	tests := map[string]struct {
		typ    domain.EventType
		change func(*domain.EventAppended)
		want   string
	}{
		"matching":              {"offer.issued", nil, "+paused×1, +plain×2, -disabled endpoint_disabled, -unverified endpoint_unverified"},
		"nothing matches":       {"nothing.here", nil, ""},
		"filters":               {"filter.a", nil, "+filtered×1, -filtered filter_budget_spent, -filtered filter_did_not_match, -filtered filter_failed"},
		"paused subscription":   {"pause.a", nil, "-plain subscription_paused"},
		"test":                  {"offer.issued", test(filtered), "+filtered×0"},
		"test of a disabled":    {"offer.issued", test(disabled), "-disabled endpoint_disabled"},
		"test of an unverified": {"offer.issued", test(unverified), "-unverified endpoint_unverified"},
		"about another": {
			"hooktrail.endpoint.disabled", about(disabled), "+plain×1, +watcher×1, -unverified endpoint_unverified",
		},
		"about itself": {
			"hooktrail.endpoint.disabled", about(plain), "+watcher×1, -plain speaks_of_this_endpoint, -unverified endpoint_unverified",
		},
		"by webhooks, within the bound": {"order.placed", hops(domain.MaxHops), "+other×1"},
		"by too many webhooks":          {"offer.issued", hops(domain.MaxHops + 1), "-disabled loop, -paused loop, -plain loop, -plain loop, -unverified loop"},
		"filters don't run in a loop":   {"filter.a", hops(domain.MaxHops + 1), "-filtered loop, -filtered loop, -filtered loop, -filtered loop"},
		"test by too many webhooks": {"offer.issued", func(f *domain.EventAppended) {
			test(filtered)(f)
			hops(domain.MaxHops + 1)(f)
		}, "-filtered loop"},
		"test of a deleted one": {"offer.issued", test(gone), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			facts := route(test.typ, test.change)
			if got := summary(facts, names); got != test.want {
				t.Errorf("got %q\nwant %q", got, test.want)
			}
			if r := facts[0].Routing; len(facts) != 1 || !r.Complete ||
				r.Configuration != w.views.config(t).Snapshot(acme).Configured() {
				t.Errorf("%d facts, the first is %+v", len(facts), r)
			}
			for _, s := range facts[0].Routing.Skipped {
				if s.Reason.ByContent() {
					t.Errorf("the tenant's part tells of the event's content: %s", s.Reason)
				}
			}
			for _, s := range facts[0].Verdicts.Skipped {
				if !s.Reason.ByContent() {
					t.Errorf("an erasure would take along what says nothing of the event's content: %s", s.Reason)
				}
			}
		})
	}
	t.Run("no filters can be evaluated", func(t *testing.T) {
		want := "-filtered filter_failed, -filtered filter_failed, -filtered filter_failed, -filtered filter_failed"
		fact := &domain.EventAppended{Event: domain.EventAttributes{EventClass: domain.EventClass{Type: "filter.a"}}}
		parts, err := dispatch.Preview(t.Context(), w.views.config(t).Snapshot(acme), &domain.FilterRun{Event: fact})
		if err != nil {
			t.Fatal(err)
		}
		if got := summary(parts, names); got != want {
			t.Errorf("got %q\nwant %q", got, want)
		}
	})
	t.Run("https only", func(t *testing.T) {
		endpoint("insecure", func(c *domain.EndpointConfig) { c.URL = "HTTP://receiver.example/hooks" }, "order.*")
		w.rules(func(c *domain.TenantConfig) { c.HTTPSOnly = true })
		want := "+other×1, -insecure tenant_https_only"
		if got := summary(route("order.placed", nil), names); got != want {
			t.Errorf("got %q\nwant %q", got, want)
		}
	})
	t.Run("webhooks disabled", func(t *testing.T) {
		w.rules(func(c *domain.TenantConfig) { c.WebhooksEnabled = false })
		want := "-insecure tenant_webhooks_disabled, -other tenant_webhooks_disabled"
		if got := summary(route("order.placed", nil), names); got != want {
			t.Errorf("got %q\nwant %q", got, want)
		}
	})
}

func TestPreview_ManyEndpoints(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seen := make(map[domain.UUID]bool)
	for range 2*domain.MaxRouted + 7 {
		id := w.endpoint(nil)
		w.subscribe(id, "a")
		w.subscribe(id, "*")
	}
	facts, err := dispatch.Preview(t.Context(), w.views.config(t).Snapshot(acme), &domain.FilterRun{Event: &domain.EventAppended{
		Event: domain.EventAttributes{EventClass: domain.EventClass{Type: "a"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for i, f := range facts {
		sizes = append(sizes, len(f.Routing.Deliveries))
		if f.Routing.Complete != (i == len(facts)-1) {
			t.Errorf("fact %d of %d is complete: %v", i, len(facts), f.Routing.Complete)
		}
		for _, d := range f.Routing.Deliveries {
			if seen[d.Endpoint] || len(d.Subscriptions) != 2 || shardOf(d.ID) != shardOf(d.Endpoint) {
				t.Fatalf("delivery %+v", d)
			}
			seen[d.Endpoint] = true
		}
	}
	if !slices.Equal(sizes, []int{domain.MaxRouted, domain.MaxRouted, 7}) {
		t.Errorf("deliveries in the facts: %v", sizes)
	}
}

// TestRouteDrafts_OccurredAt: an event without a time of its own gets the one that its filters see, also when it is decided
// again; the caller's event stays as it was.
func TestRouteDrafts_OccurredAt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.append(acme, subscriptionStream(domain.NewUUID()), 0, 0, &domain.SubscriptionCreated{Subscription: domain.SubscriptionConfig{
		Endpoint: w.endpoint(nil), EventTypes: []domain.Pattern{"*"}, Filter: "any",
	}})
	var seen []time.Time
	c := w.views.config(t)
	c.KeepFilters(func(string) domain.Filter {
		return func(_ context.Context, run *domain.FilterRun) (bool, error) {
			seen = append(seen, run.Event.Event.OccurredAt)
			return true, nil
		}
	})
	own := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	given := []*domain.EventAppended{
		{Event: domain.EventAttributes{EventClass: domain.EventClass{Type: "a.b"}}},
		{Event: domain.EventAttributes{EventClass: domain.EventClass{Type: "a.b"}, EventIdentity: domain.EventIdentity{OccurredAt: own}}},
	}
	var drafts []domain.Draft
	for _, event := range given {
		drafts = append(drafts, domain.Draft{Tenant: acme, Stream: domain.Stream{Kind: domain.StreamEvent, ID: domain.NewUUID()}, Fact: event})
	}
	for range 2 {
		seen = nil
		routed, err := dispatch.RouteDrafts(t.Context(), drafts, c.Snapshot(acme))
		if err != nil || len(routed) != 2 || len(seen) != 2 {
			t.Fatalf("%d drafts, %d filters asked, %v", len(routed), len(seen), err)
		}
		for i, d := range routed {
			kept := d.Fact.(*domain.EventAppended).Event.OccurredAt
			if kept.IsZero() || !kept.Equal(seen[i]) || kept.Truncate(time.Microsecond) != kept || i == 1 && !kept.Equal(own) {
				t.Errorf("event %d is kept with %v, its filter saw %v", i, kept, seen[i])
			}
		}
		if !given[0].Event.OccurredAt.IsZero() {
			t.Error("the caller's event was changed")
		}
	}
}
