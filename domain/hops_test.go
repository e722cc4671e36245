package domain_test

import (
	"errors"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

func TestParseHops(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]int{
		"": 0, "0": 0, "1": 1, "03": 3, "4": 4, "5": 4, "1000000": 4, "99999999999999999999999": 4,
	} {
		if hops, err := domain.ParseHops(value); err != nil || hops != want {
			t.Errorf("%q: %d, %v, want %d", value, hops, err, want)
		}
	}
	for _, value := range []string{"-1", "+1", " 1", "1, 2", "1.0", "0x1", "one", "١"} {
		var invalid *domain.InvalidError
		if hops, err := domain.ParseHops(value); !errors.As(err, &invalid) || hops != 0 {
			t.Errorf("%q is read as %d, %v", value, hops, err)
		}
	}
}

// TestHops_chain: events that are appended because of webhooks, which are sent because of events, come to an end.
func TestHops_chain(t *testing.T) {
	t.Parallel()
	class, webhooks := domain.EventClass{}, 0
	for !class.Loops() {
		hops, err := domain.ParseHops(domain.FormatHops(class.Hops)) // sent, and appended by its receiver
		if err != nil || webhooks > 100 {
			t.Fatalf("%d webhooks, and none is the last (%v)", webhooks, err)
		}
		class.Hops, webhooks = hops, webhooks+1
	}
	if webhooks != domain.MaxHops+1 {
		t.Errorf("the chain has %d webhooks, want %d", webhooks, domain.MaxHops+1)
	}
}

func TestEventAttributes_hops(t *testing.T) {
	t.Parallel()
	for hops, fine := range map[int]bool{-1: false, 0: true, domain.MaxHops: true, domain.MaxHops + 1: true, domain.MaxHops + 2: false} {
		attributes := domain.EventAttributes{
			EventClass:    domain.EventClass{Type: "offer.issued", SchemaVersion: "v1", Hops: hops},
			EventIdentity: domain.EventIdentity{ID: "offer-4711", Source: "/tenants/acme"},
		}
		if err := attributes.Validate(); (err == nil) != fine {
			t.Errorf("%d: %v", hops, err)
		}
	}
}
