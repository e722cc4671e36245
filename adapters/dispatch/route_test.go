package dispatch

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// summary tells a routing in short: "+" the endpoint for a delivery and how many subscriptions asked for it, "-" for a skip
// and why.
func summary(facts []domain.EventRouted, names map[domain.UUID]string) string {
	var parts []string
	for _, f := range facts {
		for _, d := range f.Deliveries {
			parts = append(parts, fmt.Sprintf("+%s×%d", names[d.Endpoint], len(d.Subscriptions)))
		}
		for _, s := range f.Skipped {
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

func TestRoutesOf(t *testing.T) {
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
	for _, filter := range []string{"no", "broken", "yes"} {
		w.append(acme, subscriptionStream(domain.NewUUID()), 0, 0, &domain.SubscriptionCreated{Subscription: domain.SubscriptionConfig{
			Endpoint: filtered, EventTypes: []domain.Pattern{"filter.*"}, Filter: filter,
		}})
	}
	w.append(acme, subscriptionStream(domain.NewUUID()), 0, 0, &domain.SubscriptionCreated{Subscription: domain.SubscriptionConfig{
		Endpoint: plain, EventTypes: []domain.Pattern{"pause.*"}, Paused: true,
	}})
	match := func(s domain.Subscription, _ *domain.EventAppended) (bool, error) {
		if s.Filter == "broken" {
			return false, errors.New("it can't be evaluated")
		}
		return s.Filter == "yes", nil
	}
	test := func(id domain.UUID) func(*domain.EventAppended) {
		return func(f *domain.EventAppended) { f.Event.Test = &domain.TestTarget{Endpoint: id} }
	}
	about := func(id domain.UUID) func(*domain.EventAppended) {
		return func(f *domain.EventAppended) { f.Event.About = id }
	}
	tests := map[string]struct {
		typ    domain.EventType
		change func(*domain.EventAppended)
		want   string
	}{
		"matching":              {"offer.issued", nil, "+paused×1, +plain×2, -disabled endpoint_disabled, -unverified endpoint_unverified"},
		"nothing matches":       {"nothing.here", nil, ""},
		"filters":               {"filter.a", nil, "+filtered×1, -filtered filter_did_not_match, -filtered filter_failed"},
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
		"test of a deleted one": {"offer.issued", test(gone), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := w.eventOf(test.typ, test.change)
			facts := routesOf(w.views.config(t), match, &e)
			if got := summary(facts, names); got != test.want {
				t.Errorf("got %q\nwant %q", got, test.want)
			}
			if len(facts) != 1 || !facts[0].Complete {
				t.Errorf("%d facts, complete %v", len(facts), facts[0].Complete)
			}
		})
	}
	t.Run("no filters can be evaluated", func(t *testing.T) {
		e := w.event("filter.a")
		want := "-filtered filter_failed, -filtered filter_failed, -filtered filter_failed"
		if got := summary(routesOf(w.views.config(t), nil, &e), names); got != want {
			t.Errorf("got %q\nwant %q", got, want)
		}
	})
	t.Run("https only", func(t *testing.T) {
		endpoint("insecure", func(c *domain.EndpointConfig) { c.URL = "HTTP://receiver.example/hooks" }, "order.*")
		w.rules(func(c *domain.TenantConfig) { c.HTTPSOnly = true })
		e := w.event("order.placed")
		want := "+other×1, -insecure tenant_https_only"
		if got := summary(routesOf(w.views.config(t), match, &e), names); got != want {
			t.Errorf("got %q\nwant %q", got, want)
		}
	})
	t.Run("webhooks disabled", func(t *testing.T) {
		w.rules(func(c *domain.TenantConfig) { c.WebhooksEnabled = false })
		e := w.event("order.placed")
		want := "-insecure tenant_webhooks_disabled, -other tenant_webhooks_disabled"
		if got := summary(routesOf(w.views.config(t), match, &e), names); got != want {
			t.Errorf("got %q\nwant %q", got, want)
		}
	})
	t.Run("erased", func(t *testing.T) {
		e := w.event("order.placed")
		e.Fact, e.Erased = nil, true
		if facts := routesOf(w.views.config(t), match, &e); len(facts) != 1 || summary(facts, names) != "" || !facts[0].Complete {
			t.Errorf("got %+v", facts)
		}
	})
}

func TestRoutesOf_ManyEndpoints(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seen := make(map[domain.UUID]bool)
	for range 2*maxRouted + 7 {
		id := w.endpoint(nil)
		w.subscribe(id, "a")
		w.subscribe(id, "*")
	}
	e := w.event("a")
	facts := routesOf(w.views.config(t), nil, &e)
	var sizes []int
	for i, f := range facts {
		sizes = append(sizes, len(f.Deliveries))
		if f.Complete != (i == len(facts)-1) {
			t.Errorf("fact %d of %d is complete: %v", i, len(facts), f.Complete)
		}
		for _, d := range f.Deliveries {
			if seen[d.Endpoint] || len(d.Subscriptions) != 2 || shardOf(d.ID) != shardOf(d.Endpoint) {
				t.Fatalf("delivery %+v", d)
			}
			seen[d.Endpoint] = true
		}
	}
	if !slices.Equal(sizes, []int{maxRouted, maxRouted, 7}) {
		t.Errorf("deliveries in the facts: %v", sizes)
	}
}
