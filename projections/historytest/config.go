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
		KeyNames:  domain.KeyNames{Name: "a key", Principal: "somebody"},
		KeyRights: domain.KeyRights{ID: id, Role: domain.RoleAdmin, PrincipalID: domain.NewUUID(), Hash: hash[:]},
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
	switch rapid.IntRange(0, 7).Draw(h.t, "change") {
	case 6:
		fact = &domain.EndpointHandshakeStarted{Endpoint: e.EndpointConfig, Handshake: domain.HandshakeStart{ID: domain.NewUUID(), URL: e.URL}}
	case 7:
		e.URL += "/new"
		fact = &domain.EndpointHandshakeFinished{Endpoint: e.EndpointConfig, Result: domain.HandshakeResult{Passed: true}}
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

// eventType registers a type or changes one.
func (h *History) eventType() {
	tenant := h.anyTenant()
	config := domain.EventTypeConfig{
		Name:          rapid.SampledFrom([]domain.EventType{"offer.issued", "offer.signed", "a.b"}).Draw(h.t, "type"),
		SchemaVersion: rapid.SampledFrom([]string{"v1", "v2"}).Draw(h.t, "version"),
		Schema:        `{"type": "object"}`, Examples: []string{`{"a": 1}`},
	}
	for i := range h.types {
		if t := &h.types[i]; t.Tenant == tenant && t.Name == config.Name {
			h.append(h.draft(tenant, domain.StreamEventType, t.ID, &domain.EventTypeUpdated{EventType: config}))
			return
		}
	}
	id := domain.NewUUID()
	h.append(h.draft(tenant, domain.StreamEventType, id, &domain.EventTypeRegistered{EventType: config}))
	h.types = append(h.types, domain.EventTypeDefinition{ID: id, Tenant: tenant, EventTypeConfig: config})
}

func (h *History) profile() {
	id := domain.NewUUID()
	fact := &domain.ProfileAdded{Profile: domain.ProfileName{Name: "p", Version: 1, Digest: id.String()}, Document: []byte(`{}`)}
	h.append(h.draft(domain.InstanceTenant, domain.StreamProfile, id, fact))
}

// registration uses the key that was made first, as if it were a registrant's.
func (h *History) registration() {
	if len(h.keys) == 0 {
		return
	}
	k := &h.keys[0]
	used := domain.Registration{Profiles: []string{"standard-webhooks"}, EventTypes: []domain.Pattern{"*"}, Quota: 100}
	if k.Registration != nil {
		used = *k.Registration
	}
	used.Used++
	k.Registration = &used
	fact := &domain.RegistrationUsed{Key: k.KeyConfig, Made: domain.RegisteredEndpoint{Endpoint: domain.NewUUID()}}
	h.append(h.draft(k.Tenant, domain.StreamKey, k.ID, fact))
}
