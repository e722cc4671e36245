package projections

import (
	"maps"
	"slices"
	"sync"

	"github.com/hooktrail/hooktrail/domain"
)

// Routes are what one tenant's events are routed by, as of one entry of its log. They never change and are safe for
// concurrent use. The zero value is of a tenant that doesn't exist.
type Routes struct {
	tenant        Tenant
	configuration domain.Sequence
	subscriptions []Subscription // in order of id
	endpoints     map[domain.UUID]Endpoint

	mu       sync.RWMutex // guards matching, which only remembers what follows from the rest
	matching map[domain.EventType][]Subscription
}

// maxMatching bounds Routes.matching: types are the producers' choice.
const maxMatching = 4096

func newRoutes(t *tenantConfig) *Routes {
	return &Routes{
		tenant: t.tenant, configuration: t.configuration, endpoints: maps.Clone(t.endpoints),
		subscriptions: slices.SortedFunc(maps.Values(t.subscriptions), func(a, b Subscription) int { return compareUUID(a.ID, b.ID) }),
		matching:      make(map[domain.EventType][]Subscription),
	}
}

// Tenant returns the tenant; false when there is none, or none any more.
func (r *Routes) Tenant() (Tenant, bool) { return r.tenant, r.tenant.ID != "" }

// Configuration is the sequence of the tenant's last entry that configures routing: what a domain.Basis names.
func (r *Routes) Configuration() domain.Sequence { return r.configuration }

// Endpoint returns an endpoint; false when there is none, or none any more.
func (r *Routes) Endpoint(id domain.UUID) (Endpoint, bool) {
	e, ok := r.endpoints[id]
	return e, ok
}

// Subscriptions returns all subscriptions in order of id. The result must not be changed.
func (r *Routes) Subscriptions() []Subscription { return r.subscriptions }

// Matching returns the subscriptions whose types choose one, paused ones too, in order of id. The result must not be
// changed.
func (r *Routes) Matching(typ domain.EventType) []Subscription {
	r.mu.RLock()
	chosen, known := r.matching[typ]
	r.mu.RUnlock()
	if known || len(r.subscriptions) == 0 {
		return chosen
	}
	for _, s := range r.subscriptions {
		if s.Matches(typ) {
			chosen = append(chosen, s)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.matching) >= maxMatching {
		clear(r.matching)
	}
	r.matching[typ] = chosen
	return chosen
}

// After returns the routes as entries leave them that follow those which these reflect, in order, all of the same tenant.
func (r *Routes) After(entries []domain.Entry) (*Routes, error) {
	t := &tenantConfig{
		tenant: r.tenant, configuration: r.configuration, endpoints: maps.Clone(r.endpoints),
		subscriptions: make(map[domain.UUID]Subscription, len(r.subscriptions)),
	}
	if t.endpoints == nil {
		t.endpoints = make(map[domain.UUID]Endpoint)
	}
	for _, s := range r.subscriptions {
		t.subscriptions[s.ID] = s
	}
	c := NewConfig()
	for _, e := range entries {
		c.tenants[e.Tenant] = t
		if err := Apply(c, e); err != nil {
			return nil, err
		}
	}
	return newRoutes(t), nil
}
