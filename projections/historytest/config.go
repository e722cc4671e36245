package historytest

import (
	"crypto/sha256"
	"fmt"

	"pgregory.net/rapid"

	"github.com/hooktrail/hooktrail/domain"
)

func (h *History) key() {
	tenant, id := h.anyTenant(), domain.NewUUID()
	hash := sha256.Sum256(id[:])
	config := domain.KeyConfig{
		ID: id, Role: domain.RoleAdmin, Name: "a key", Principal: "somebody", PrincipalID: domain.NewUUID(), Hash: hash[:],
	}
	h.append(h.draft(tenant, domain.StreamKey, id, &domain.KeyCreated{Key: config}))
	h.keys = append(h.keys, domain.Key{KeyConfig: config, Tenant: tenant})
}

func (h *History) revoke() {
	if len(h.keys) == 0 {
		return
	}
	k := h.keys[0]
	h.keys = h.keys[1:]
	h.append(h.draft(k.Tenant, domain.StreamKey, k.ID, &domain.KeyRevoked{Key: k.KeyConfig}))
}

func (h *History) endpoint() {
	tenant, id := h.anyTenant(), domain.NewUUID()
	n := len(h.endpoints)
	fact := &domain.EndpointCreated{Endpoint: domain.EndpointConfig{
		Name: fmt.Sprintf("endpoint %d", n), URL: "https://receiver.example/hook", Profile: "standard-webhooks", ProfileDigest: "d",
		Concurrency: 1, Timeout: domain.DefaultTimeout, Retry: domain.DefaultSchedule(),
	}}
	h.append(h.draft(tenant, domain.StreamEndpoint, id, fact))
	h.endpoints = append(h.endpoints, domain.Endpoint{ID: id, Tenant: tenant, Version: 1, EndpointConfig: fact.Endpoint})
}

func (h *History) changeEndpoint() {
	if len(h.endpoints) == 0 {
		return
	}
	e := &h.endpoints[rapid.IntRange(0, len(h.endpoints)-1).Draw(h.t, "endpoint")]
	if e.Deleted {
		return
	}
	var fact domain.Fact
	switch rapid.IntRange(0, 5).Draw(h.t, "change") {
	case 0:
		e.Name += "+"
		fact = &domain.EndpointUpdated{Endpoint: e.EndpointConfig}
	case 1:
		e.Keys = append([]domain.SigningKey{{ID: domain.NewUUID(), Fingerprint: "f"}}, e.Keys...)[:1]
		fact = &domain.EndpointKeyRotated{Endpoint: e.EndpointConfig}
	case 2:
		e.Paused = true
		fact = &domain.EndpointPaused{Endpoint: e.EndpointConfig}
	case 3:
		e.Paused, e.Disabled = false, ""
		fact = &domain.EndpointResumed{Endpoint: e.EndpointConfig}
	case 4:
		e.Disabled = "nothing but failures"
		fact = &domain.EndpointDisabled{Endpoint: e.EndpointConfig}
	default:
		e.Deleted = true
		fact = &domain.EndpointDeleted{Endpoint: e.EndpointConfig}
	}
	e.Version++
	h.append(h.draft(e.Tenant, domain.StreamEndpoint, e.ID, fact))
}

func (h *History) subscription() {
	if len(h.endpoints) == 0 {
		return
	}
	e := rapid.SampledFrom(h.endpoints).Draw(h.t, "endpoint")
	if e.Deleted {
		return
	}
	id := domain.NewUUID()
	types := rapid.SliceOfN(rapid.SampledFrom([]domain.Pattern{"*", "offer.*", "offer.issued", "a.b"}), 1, 3).Draw(h.t, "types")
	fact := &domain.SubscriptionCreated{Subscription: domain.SubscriptionConfig{Endpoint: e.ID, EventTypes: types}}
	h.append(h.draft(e.Tenant, domain.StreamSubscription, id, fact))
	h.subs = append(h.subs, domain.Subscription{ID: id, Tenant: e.Tenant, Version: 1, SubscriptionConfig: fact.Subscription})
}

func (h *History) changeSubscription() {
	if len(h.subs) == 0 {
		return
	}
	s := &h.subs[rapid.IntRange(0, len(h.subs)-1).Draw(h.t, "subscription")]
	if s.Deleted {
		return
	}
	var fact domain.Fact
	switch rapid.IntRange(0, 3).Draw(h.t, "change") {
	case 0:
		s.EventTypes = append([]domain.Pattern{"a.c"}, s.EventTypes...)
		fact = &domain.SubscriptionUpdated{Subscription: s.SubscriptionConfig}
	case 1:
		s.Paused = true
		fact = &domain.SubscriptionPaused{Subscription: s.SubscriptionConfig}
	case 2:
		s.Paused = false
		fact = &domain.SubscriptionResumed{Subscription: s.SubscriptionConfig}
	default:
		s.Deleted = true
		fact = &domain.SubscriptionDeleted{Subscription: s.SubscriptionConfig}
	}
	s.Version++
	h.append(h.draft(s.Tenant, domain.StreamSubscription, s.ID, fact))
}
