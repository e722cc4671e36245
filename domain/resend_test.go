package domain_test

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hooktrail/hooktrail/domain"
)

// TestDerivedDelivery: one id for an event and an endpoint, in the form of all ids, in the shard of its endpoint.
func TestDerivedDelivery(t *testing.T) {
	t.Parallel()
	seen := make(map[domain.UUID][2]domain.UUID)
	rapid.Check(t, func(t *rapid.T) {
		event, endpoint := domain.NewUUID(), domain.NewUUID()
		id := domain.DerivedDelivery(event, endpoint)
		if id != domain.DerivedDelivery(event, endpoint) {
			t.Fatal("another id the second time")
		}
		if id[15]&0x3f != endpoint[15]&0x3f || id[6]>>4 != 7 || id[8]>>6 != 2 || [6]byte(id[:6]) != [6]byte(event[:6]) {
			t.Fatalf("%s of event %s and endpoint %s", id, event, endpoint)
		}
		if !domain.Derived(id) || domain.Derived(event) || domain.Derived(endpoint) {
			t.Fatalf("%s isn't known as derived, or %s or %s is", id, event, endpoint)
		}
		if other, ok := seen[id]; ok && other != [2]domain.UUID{event, endpoint} {
			t.Fatalf("%s is of two deliveries", id)
		}
		seen[id] = [2]domain.UUID{event, endpoint}
	})
	if got, want := domain.DerivedDelivery(id(9), id(1)).String(), "01939f2e-8a00-7fff-9175-d1f807e2a3c1"; got != want {
		t.Errorf("it is %s, logs have %s: two deliveries of one event to one endpoint", got, want)
	}
}

// TestDelivery_SendAgain: what each state of a delivery allows.
func TestDelivery_SendAgain(t *testing.T) {
	t.Parallel()
	later := noon.Add(time.Hour)
	for name, test := range map[string]struct {
		of             domain.Delivery
		retry, resend  bool // allowed
		alreadyDue     bool
		redrive        bool
		resentAttempts int
	}{
		"never tried": {of: domain.Delivery{Status: domain.DeliveryPending}, retry: true, alreadyDue: true},
		"waits":       {of: domain.Delivery{Status: domain.DeliveryRetrying, Attempts: 2, NextAttemptAt: later}, retry: true},
		"is due":      {of: domain.Delivery{Status: domain.DeliveryRetrying, Attempts: 2, NextAttemptAt: noon}, retry: true, alreadyDue: true},
		"under way":   {of: domain.Delivery{Status: domain.DeliveryRetrying, Attempts: 3, Open: true}},
		"succeeded":   {of: domain.Delivery{Status: domain.DeliverySucceeded, Attempts: 3}, resend: true, resentAttempts: 3},
		"dead":        {of: domain.Delivery{Status: domain.DeliveryDead, Attempts: 4}, resend: true, redrive: true, resentAttempts: 4},
		"cancelled":   {of: domain.Delivery{Status: domain.DeliveryStatusCancelled}, resend: true},
		"cancelled while an attempt was under way": {of: domain.Delivery{Status: domain.DeliveryStatusCancelled, Attempts: 1, Open: true}},
	} {
		retry, err := test.of.RetryNow(noon)
		if test.retry != (err == nil) || err != nil && !errors.Is(err, domain.ErrConflict) || (retry == nil) != (test.alreadyDue || !test.retry) {
			t.Errorf("%s: retry now: %+v, %v", name, retry, err)
		}
		if retry != nil && !retry.NextAttemptAt.Equal(noon) {
			t.Errorf("%s: it is tried again at %s", name, retry.NextAttemptAt)
		}
		resent, err := test.of.Resend(noon, id(60))
		if test.resend != (err == nil) || err != nil && !errors.Is(err, domain.ErrConflict) {
			t.Errorf("%s: resend: %+v, %v", name, resent, err)
		}
		if resent != nil && (resent.Attempts != test.resentAttempts || !resent.NextAttemptAt.Equal(noon) || resent.Replay != id(60)) {
			t.Errorf("%s: resent %+v", name, resent)
		}
		if _, err := test.of.Redrive(noon); test.redrive != (err == nil) {
			t.Errorf("%s: redrive: %v", name, err)
		}
	}
}

func TestDelivery_Doom(t *testing.T) {
	t.Parallel()
	two := []domain.SubscriptionMatch{{ID: id(4), Version: 1}, {ID: id(5), Version: 1}}
	for name, test := range map[string]struct {
		of       domain.Delivery
		endpoint bool
		left     byte // the subscription that exists
		want     domain.CancelReason
	}{
		"its endpoint is deleted":        {domain.Delivery{Subscriptions: two}, false, 4, domain.CancelEndpointDeleted},
		"one subscription is left":       {domain.Delivery{Subscriptions: two}, true, 5, ""},
		"none is left":                   {domain.Delivery{Subscriptions: two}, true, 6, domain.CancelSubscriptionsDeleted},
		"none is left, but it was asked": {domain.Delivery{Subscriptions: two, Asked: true}, true, 6, ""},
		"asked, its endpoint is deleted": {domain.Delivery{Asked: true}, false, 4, domain.CancelEndpointDeleted},
		"a test":                         {domain.Delivery{}, true, 6, ""},
	} {
		if got := test.of.Doom(test.endpoint, func(s domain.UUID) bool { return s == id(test.left) }); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestEventClass_Withheld(t *testing.T) {
	t.Parallel()
	to := &domain.Endpoint{ID: id(1)}
	unverified := &domain.Endpoint{ID: id(1), EndpointConfig: domain.EndpointConfig{Unverified: true}}
	for _, test := range []struct {
		of   domain.EventClass
		to   *domain.Endpoint
		want domain.SkipReason
	}{
		{domain.EventClass{}, to, ""},
		{domain.EventClass{About: id(2)}, to, ""},
		{domain.EventClass{About: id(1)}, to, domain.SkipOwnEndpoint},
		{domain.EventClass{Test: &domain.TestTarget{Endpoint: id(1)}}, to, ""},
		{domain.EventClass{Test: &domain.TestTarget{Endpoint: id(2)}}, to, domain.SkipOthersTest},
		{domain.EventClass{}, unverified, domain.SkipEndpointUnverified},
	} {
		if got := test.of.Withheld(test.to); got != test.want {
			t.Errorf("%+v: %q, want %q", test.of, got, test.want)
		}
	}
}
