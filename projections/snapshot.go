package projections

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/hooktrail/hooktrail/domain"
)

// Snapshot is one tenant's configuration in force at one moment. It never changes and is safe for concurrent use.
type Snapshot struct {
	tenant        Tenant
	id            domain.TenantID
	configured    domain.Sequence
	endpoints     map[domain.UUID]Endpoint
	subscriptions []Subscription // in order of id
	filters       map[domain.UUID]domain.Filter
	compile       func(expression string) domain.Filter

	mu       sync.RWMutex // guards matching
	matching map[domain.EventType][]Subscription
}

// Snapshot returns a tenant's configuration as it is now, nil for a tenant that the Config doesn't know. A tenant that
// was deleted while the Config was folded has one.
func (c *Config) Snapshot(id domain.TenantID) *Snapshot {
	t, ok := c.tenants[id]
	if !ok {
		return nil
	}
	if t.snapshot == nil {
		t.snapshot = &Snapshot{
			tenant: t.tenant, id: id, configured: t.configured,
			endpoints: maps.Clone(t.endpoints), subscriptions: c.Subscriptions(id),
			filters: maps.Clone(t.filters), compile: c.compile,
			matching: make(map[domain.EventType][]Subscription),
		}
	}
	return t.snapshot
}

// Tenants returns the ids of the tenants that have a Snapshot, in no order.
func (c *Config) Tenants() []domain.TenantID { return slices.Collect(maps.Keys(c.tenants)) }

// SetConfigured says which entry of a tenant was the last that configures routing (domain.Kind.Configures), where the rows
// that were put don't tell: the newest change may have been a deletion.
func (c *Config) SetConfigured(id domain.TenantID, sequence domain.Sequence) {
	c.changed(id, Origin{Sequence: sequence})
}

// ID is the tenant's, also of a deleted one.
func (s *Snapshot) ID() domain.TenantID { return s.id }

// Configured is the sequence of the last entry that configures routing of those that are folded into it.
func (s *Snapshot) Configured() domain.Sequence { return s.configured }

// Tenant returns the tenant; false when it is deleted.
func (s *Snapshot) Tenant() (Tenant, bool) { return s.tenant, s.tenant.ID != "" }

// Endpoint returns an endpoint of the tenant; false if it doesn't exist, or was deleted.
func (s *Snapshot) Endpoint(id domain.UUID) (Endpoint, bool) {
	e, ok := s.endpoints[id]
	return e, ok
}

// Matching returns the subscriptions whose types choose one, paused ones too, in order of id. The result is remembered and
// not to be changed.
func (s *Snapshot) Matching(typ domain.EventType) []Subscription {
	s.mu.RLock()
	chosen, ok := s.matching[typ]
	s.mu.RUnlock()
	if ok {
		return chosen
	}
	for _, row := range s.subscriptions {
		if row.Matches(typ) {
			chosen = append(chosen, row)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.matching) >= maxMatching {
		clear(s.matching)
	}
	s.matching[typ] = chosen
	return chosen
}

// Filter returns the compiled filter of a subscription, nil where it has none or the Config that the snapshot was taken of
// keeps none (Config.KeepFilters).
func (s *Snapshot) Filter(subscription domain.UUID) domain.Filter { return s.filters[subscription] }

// After returns the configuration after further entries of the tenant's log. Entries that configure nothing are passed over.
func (s *Snapshot) After(entries []domain.Entry) (*Snapshot, error) {
	c := NewConfig()
	c.compile = s.compile
	t := c.changed(s.id, Origin{Sequence: s.configured})
	t.tenant, t.endpoints, t.filters = s.tenant, maps.Clone(s.endpoints), maps.Clone(s.filters)
	c.endpoints = maps.Clone(s.endpoints)
	for _, row := range s.subscriptions {
		t.subscriptions[row.ID] = row
	}
	for i := range entries {
		e := &entries[i]
		if !e.Kind.Configures() {
			continue
		}
		if e.Tenant != s.id {
			return nil, fmt.Errorf("an entry of tenant %s can't follow the configuration of tenant %s", e.Tenant, s.id)
		}
		if err := Apply(c, *e); err != nil {
			return nil, err
		}
		c.SetConfigured(s.id, e.Sequence) // also where this program passes over the kind
	}
	return c.Snapshot(s.id), nil
}
