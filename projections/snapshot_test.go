package projections_test

import (
	"testing"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// TestSnapshot: a snapshot doesn't follow the Config it was taken of, says which entry it holds up to, and can be brought
// forward by itself.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	tenant, endpoint, subscription := domain.NewUUID(), domain.NewUUID(), domain.NewUUID()
	var all []domain.Entry
	versions := make(map[domain.UUID]int)
	add := func(stream domain.Stream, f domain.Fact) domain.Entry {
		versions[stream.ID]++
		e := domain.Entry{
			Position: domain.Position(len(all) + 1), Tenant: "acme", Sequence: domain.Sequence(len(all)), Stream: stream,
			StreamVersion: versions[stream.ID], Kind: f.Kind(), KindVersion: 1, Fact: f,
		}
		all = append(all, e)
		return e
	}
	onTenant := domain.Stream{Kind: domain.StreamTenant, ID: tenant}
	onEndpoint := domain.Stream{Kind: domain.StreamEndpoint, ID: endpoint}
	onSubscription := domain.Stream{Kind: domain.StreamSubscription, ID: subscription}
	c := projections.NewConfig()
	fold := func(e domain.Entry) {
		t.Helper()
		if err := projections.Apply(c, e); err != nil {
			t.Fatal(err)
		}
	}
	fold(add(onTenant, &domain.TenantCreated{Tenant: domain.TenantConfig{ID: "acme", Name: "a"}}))
	if c.Snapshot("nobody") != nil {
		t.Error("a tenant that doesn't exist has a snapshot")
	}
	first := c.Snapshot("acme")
	fold(add(onEndpoint, &domain.EndpointCreated{Endpoint: domain.EndpointConfig{Name: "e"}}))
	fold(add(onSubscription, &domain.SubscriptionCreated{Subscription: domain.SubscriptionConfig{
		Endpoint: endpoint, EventTypes: []domain.Pattern{"a.*"},
	}}))
	second := c.Snapshot("acme")
	if second != c.Snapshot("acme") {
		t.Error("without a change there is a new snapshot")
	}
	fold(add(onEndpoint, &domain.EndpointDeleted{}))
	fold(add(onTenant, &domain.TenantDeleted{Tenant: domain.TenantConfig{ID: "acme"}}))
	third := c.Snapshot("acme")

	again, err := first.After(all[1:3])
	if err != nil {
		t.Fatal(err)
	}
	last, err := again.After(all[3:])
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]struct {
		snapshot      *projections.Snapshot
		configured    domain.Sequence
		tenant        bool
		endpoint      bool
		subscriptions int
	}{
		"first":            {first, 0, true, false, 0},
		"second":           {second, 2, true, true, 1},
		"second, by After": {again, 2, true, true, 1},
		"third":            {third, 4, false, false, 1},
		"third, by After":  {last, 4, false, false, 1},
	} {
		_, tenant := s.snapshot.Tenant()
		_, found := s.snapshot.Endpoint(endpoint)
		if s.snapshot.Configured() != s.configured || tenant != s.tenant || found != s.endpoint ||
			len(s.snapshot.Matching("a.b")) != s.subscriptions || len(s.snapshot.Matching("b")) != 0 {
			t.Errorf("%s: configured %d, tenant %v, endpoint %v, %d subscriptions", name, s.snapshot.Configured(), tenant, found,
				len(s.snapshot.Matching("a.b")))
		}
	}
	if _, err := first.After([]domain.Entry{{Tenant: "other", Kind: domain.KindEndpointCreated}}); err == nil {
		t.Error("another tenant's entry was taken")
	}
	c.SetConfigured("acme", 9)
	if got := c.Snapshot("acme").Configured(); got != 9 {
		t.Errorf("configured by %d, want 9", got)
	}
}
