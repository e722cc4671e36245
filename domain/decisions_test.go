package domain_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

func TestSubscription(t *testing.T) {
	t.Parallel()
	config := domain.SubscriptionConfig{Endpoint: id(1), EventTypes: []domain.Pattern{"offer.*", "invoice.paid"}}
	created, err := domain.CreateSubscription(config)
	if err != nil || !reflect.DeepEqual(created.Subscription, config) {
		t.Fatalf("create: %+v, %v", created, err)
	}
	for name, want := range map[domain.EventType]bool{"offer.issued": true, "invoice.paid": true, "invoice.sent": false} {
		if got := config.Matches(name); got != want {
			t.Errorf("matches %s: %v", name, got)
		}
	}
	s := domain.Subscription{SubscriptionConfig: config}
	updated, err := s.Update(domain.SubscriptionConfig{Endpoint: id(2), EventTypes: []domain.Pattern{"*"}, Paused: true})
	if err != nil || updated.Subscription.Endpoint != id(1) || updated.Subscription.Paused || updated.Subscription.EventTypes[0] != "*" {
		t.Errorf("update: %+v, %v; endpoint and pause must stay", updated, err)
	}
	if again, err := s.Resume(); again != nil || err != nil {
		t.Errorf("resuming what runs: %v, %v", again, err)
	}
	paused, err := s.Pause()
	if err != nil || !paused.Subscription.Paused {
		t.Fatalf("pause: %+v, %v", paused, err)
	}
	s.SubscriptionConfig = paused.Subscription
	if again, err := s.Pause(); again != nil || err != nil {
		t.Errorf("pausing twice: %v, %v", again, err)
	}
	if resumed, err := s.Resume(); err != nil || resumed.Subscription.Paused {
		t.Errorf("resume: %+v, %v", resumed, err)
	}
	if deleted, err := s.Delete(); err != nil || deleted.Subscription.Endpoint != id(1) {
		t.Errorf("delete: %+v, %v", deleted, err)
	}
	s.Deleted = true
	_, update := s.Update(config)
	_, pause := s.Pause()
	_, resume := s.Resume()
	_, again := s.Delete()
	for i, err := range []error{update, pause, resume, again} {
		if !errors.Is(err, domain.ErrNotFound) {
			t.Errorf("decision %d on a deleted subscription: %v", i, err)
		}
	}
}

func TestCreateSubscription_Invalid(t *testing.T) {
	t.Parallel()
	for field, config := range map[string]domain.SubscriptionConfig{
		"endpoint_id":    {EventTypes: []domain.Pattern{"*"}},
		"event_types":    {Endpoint: id(1)},
		"event_types[1]": {Endpoint: id(1), EventTypes: []domain.Pattern{"*", "a..b"}},
	} {
		_, err := domain.CreateSubscription(config)
		wrongField(t, err, field)
	}
	_, err := domain.CreateSubscription(domain.SubscriptionConfig{Endpoint: id(1), EventTypes: make([]domain.Pattern, 101)})
	wrongField(t, err, "event_types")
}

func TestCreateKey(t *testing.T) {
	t.Parallel()
	for _, role := range domain.Roles() {
		config := domain.KeyConfig{KeyNames: domain.KeyNames{Name: "n", Principal: "p"}, KeyRights: domain.KeyRights{Role: role, ExpiresAt: noon.Add(1)}}
		config.Instance = role == domain.RoleOperator || role == domain.RoleMonitor
		if role == domain.RoleReceiver {
			config.Endpoint = id(1)
		}
		if role == domain.RoleRegistrant {
			config.Registration = &domain.Registration{Profiles: []string{"p"}, EventTypes: []domain.Pattern{"*"}, Quota: 1}
		}
		if _, err := domain.CreateKey(config, noon); err != nil {
			t.Errorf("%s: %v", role, err)
		}
		config.Instance = !config.Instance
		_, err := domain.CreateKey(config, noon)
		wrongField(t, err, "role")
	}
	for field, config := range map[string]domain.KeyConfig{
		"name":        {KeyNames: domain.KeyNames{Principal: "p"}, KeyRights: domain.KeyRights{Role: domain.RoleAdmin}},
		"principal":   {KeyNames: domain.KeyNames{Name: "n", Principal: "a\nb"}, KeyRights: domain.KeyRights{Role: domain.RoleAdmin}},
		"expires_at":  {KeyNames: domain.KeyNames{Name: "n", Principal: "p"}, KeyRights: domain.KeyRights{Role: domain.RoleAdmin, ExpiresAt: noon}},
		"role":        {KeyNames: domain.KeyNames{Name: "n", Principal: "p"}, KeyRights: domain.KeyRights{Role: "root"}},
		"endpoint_id": {KeyNames: domain.KeyNames{Name: "n", Principal: "p"}, KeyRights: domain.KeyRights{Role: domain.RoleReceiver}},
	} {
		_, err := domain.CreateKey(config, noon)
		wrongField(t, err, field)
	}
	_, err := domain.CreateKey(domain.KeyConfig{KeyNames: domain.KeyNames{Name: "n", Principal: "p"}, KeyRights: domain.KeyRights{Role: domain.RoleAdmin, Endpoint: id(1)}}, noon)
	wrongField(t, err, "endpoint_id")
}

func TestKey(t *testing.T) {
	t.Parallel()
	k := domain.Key{KeyConfig: exampleKey()}
	if !k.Valid(noon.Add(-1)) || k.Valid(noon) {
		t.Error("a key is valid before its end, and not from then on")
	}
	if fact, err := k.Revoke(); err != nil || fact.Key.ID != k.ID {
		t.Errorf("revoke: %+v, %v", fact, err)
	}
	k.ExpiresAt = time.Time{}
	if !k.Valid(noon) {
		t.Error("a key without an end isn't valid")
	}
	k.Revoked = true
	if _, err := k.Revoke(); !errors.Is(err, domain.ErrNotFound) || k.Valid(noon) {
		t.Errorf("a revoked key: %v", err)
	}
}

func TestTenant(t *testing.T) {
	t.Parallel()
	created, err := domain.CreateTenant(domain.TenantConfig{ID: "acme", WebhooksEnabled: true})
	if err != nil || created.Tenant.Name != "acme" || !created.Tenant.WebhooksEnabled {
		t.Fatalf("create: %+v, %v", created, err)
	}
	_, err = domain.CreateTenant(domain.TenantConfig{ID: domain.InstanceTenant})
	wrongField(t, err, "id")
	_, err = domain.CreateTenant(domain.TenantConfig{ID: "a", Name: strings.Repeat("x", 256)})
	wrongField(t, err, "name")

	tenant := domain.Tenant{TenantConfig: created.Tenant}
	updated, err := tenant.Update(domain.TenantConfig{ID: "other", Name: "New", HTTPSOnly: true})
	if err != nil || updated.Tenant != (domain.TenantConfig{ID: "acme", Name: "New", HTTPSOnly: true}) {
		t.Errorf("update: %+v, %v; the id must stay", updated, err)
	}
	_, err = tenant.Update(domain.TenantConfig{})
	wrongField(t, err, "name")
	if deleted, err := tenant.Delete(); err != nil || deleted.Tenant != tenant.TenantConfig {
		t.Errorf("delete: %+v, %v", deleted, err)
	}
	for _, kept := range []domain.TenantID{domain.DefaultTenant, domain.InstanceTenant} {
		_, err := domain.Tenant{TenantConfig: domain.TenantConfig{ID: kept}}.Delete()
		wrongField(t, err, "tenant")
	}
	tenant.Deleted = true
	_, update := tenant.Update(domain.TenantConfig{Name: "x"})
	_, again := tenant.Delete()
	if !errors.Is(update, domain.ErrNotFound) || !errors.Is(again, domain.ErrNotFound) {
		t.Errorf("decisions on a deleted tenant: %v, %v", update, again)
	}
}

func TestDelivery(t *testing.T) {
	t.Parallel()
	for status, ended := range map[domain.DeliveryStatus]bool{
		domain.DeliveryPending: false, domain.DeliveryRetrying: false,
		domain.DeliverySucceeded: true, domain.DeliveryDead: true, domain.DeliveryStatusCancelled: true,
	} {
		d := domain.Delivery{Status: status, Attempts: 10}
		if status.Ended() != ended {
			t.Errorf("%s ended: %v", status, status.Ended())
		}
		redriven, err := d.Redrive(noon.Add(999).In(time.Local))
		if status != domain.DeliveryDead {
			if !errors.Is(err, domain.ErrConflict) {
				t.Errorf("redrive %s: %v", status, err)
			}
			continue
		}
		if err != nil || redriven.Attempts != 10 || redriven.NextAttemptAt != noon {
			t.Errorf("redrive: %+v, %v", redriven, err)
		}
	}
}

func TestEventAttributes_Validate(t *testing.T) {
	t.Parallel()
	if err := exampleEvent().Event.Validate(); err != nil {
		t.Error(err)
	}
	for field, spoil := range map[string]func(*domain.EventAttributes){
		"id":             func(a *domain.EventAttributes) { a.ID = "a b" },
		"type":           func(a *domain.EventAttributes) { a.Type = "hooktrail.endpoint.disabled" },
		"source":         func(a *domain.EventAttributes) { a.Source = "" },
		"subject":        func(a *domain.EventAttributes) { a.Subject = "a\x00" },
		"schema_version": func(a *domain.EventAttributes) { a.SchemaVersion = "\xff" },
		"dataschema":     func(a *domain.EventAttributes) { a.DataSchema = strings.Repeat("a", 1025) },
		"occurred_at":    func(a *domain.EventAttributes) { a.OccurredAt = time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC) },
		"extensions": func(a *domain.EventAttributes) {
			a.Extensions = map[string]domain.Extension{"Upper": domain.ExtensionText("x")}
		},
	} {
		a := exampleEvent().Event
		spoil(&a)
		wrongField(t, a.Validate(), field)
	}
	a := exampleEvent().Event
	a.Extensions = map[string]domain.Extension{"a": domain.ExtensionText("line\nbreak")}
	wrongField(t, a.Validate(), "extensions")
}

func TestValidateEventID(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a", "!~", strings.Repeat("x", 256), "a/b?c#d%20"} {
		if err := domain.ValidateEventID("id", good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", " ", "a\x7f", "a\n", "é", strings.Repeat("x", 257)} {
		wrongField(t, domain.ValidateEventID("id", bad), "id")
	}
}

func TestClaimedError(t *testing.T) {
	t.Parallel()
	same, other := &domain.ClaimedError{Same: true}, &domain.ClaimedError{}
	if same.Error() == other.Error() || same.Error() == "" {
		t.Errorf("a repetition and a reuse read alike: %q", same)
	}
}

func TestFormatTime(t *testing.T) {
	t.Parallel()
	for want, at := range map[string]time.Time{
		"2026-07-01T12:00:00.123456Z": noon,
		"2026-07-01T12:00:00Z":        noon.Truncate(time.Second),
		"2026-07-01T12:00:00.1Z":      noon.Truncate(100 * time.Millisecond).In(time.FixedZone("", -3600)),
	} {
		if got := domain.FormatTime(at); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
