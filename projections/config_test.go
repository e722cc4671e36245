package projections_test

import (
	"testing"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

func TestConfig_Matching(t *testing.T) {
	t.Parallel()
	c := projections.NewConfig()
	subscribe := func(id byte, pattern domain.Pattern, deleted bool) {
		err := c.PutSubscription(projections.Subscription{Subscription: domain.Subscription{
			ID: domain.UUID{15: id}, Tenant: "acme", Deleted: deleted,
			SubscriptionConfig: domain.SubscriptionConfig{EventTypes: []domain.Pattern{pattern}},
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	expect := func(typ domain.EventType, ids ...byte) {
		t.Helper()
		got := c.Matching("acme", typ)
		if len(got) != len(ids) {
			t.Fatalf("%s: %d subscriptions match, want %v", typ, len(got), ids)
		}
		for i, s := range got {
			if s.ID[15] != ids[i] {
				t.Errorf("%s: subscription %d, want %v", typ, s.ID[15], ids)
			}
		}
	}
	expect("offer.issued")
	subscribe(2, "offer.*", false)
	subscribe(1, "*", false)
	expect("offer.issued", 1, 2)
	expect("a.b", 1)
	copied := c.Clone()
	subscribe(1, "*", true)
	expect("offer.issued", 2)
	expect("a.b")
	if got := copied.Matching("acme", "a.b"); len(got) != 1 {
		t.Error("the copy changed with the original")
	}
	if got := c.Matching("other", "a.b"); got != nil {
		t.Error("another tenant's subscription matches")
	}
}

func TestConfig_DropsWhatIsDeleted(t *testing.T) {
	t.Parallel()
	c := projections.NewConfig()
	entries := oneOfEach()
	for i, e := range entries {
		if err := projections.Apply(c, e); err != nil {
			t.Fatal(err)
		}
		if c.Cursor() != domain.Position(i+1) {
			t.Fatalf("cursor %d after entry %d", c.Cursor(), i+1)
		}
		if e.Kind == domain.KindEndpointDisabled {
			n, ok := c.Endpoint(e.Stream.ID)
			if !ok || n.Version != 6 || n.Created.Sequence != 6 {
				t.Errorf("endpoint before its deletion: %v %+v", ok, n)
			}
		}
	}
	if _, ok := c.Tenant("acme"); ok || len(c.Endpoints()) > 0 || len(c.Subscriptions("acme")) > 0 {
		t.Error("something deleted remains")
	}
}

func BenchmarkConfig_Matching(b *testing.B) {
	c := projections.NewConfig()
	for i := range 1000 {
		_ = c.PutSubscription(projections.Subscription{Subscription: domain.Subscription{
			ID: domain.UUID{14: byte(i >> 8), 15: byte(i)}, Tenant: "acme",
			SubscriptionConfig: domain.SubscriptionConfig{EventTypes: []domain.Pattern{"offer.*"}},
		}})
	}
	for b.Loop() {
		if len(c.Matching("acme", "offer.issued")) != 1000 {
			b.Fatal("not all match")
		}
	}
}
