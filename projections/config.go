package projections

import (
	"maps"
	"slices"

	"github.com/hooktrail/hooktrail/domain"
)

// Config is the configuration in force at one position: a Store that keeps the current version of what isn't deleted, and
// nothing else. It is not safe for concurrent use; routing takes a tenant's Snapshot.
type Config struct {
	noDeliveries
	cursor    domain.Position
	tenants   map[domain.TenantID]*tenantConfig
	endpoints map[domain.UUID]Endpoint
	compile   func(expression string) domain.Filter // nil: filters aren't kept
}

// tenantConfig is one tenant's part, kept together since an event is matched against one tenant's subscriptions.
type tenantConfig struct {
	tenant        Tenant
	configured    domain.Sequence // of the last entry that is folded into it
	endpoints     map[domain.UUID]Endpoint
	subscriptions map[domain.UUID]Subscription
	filters       map[domain.UUID]domain.Filter // of the subscriptions that have one
	// matching remembers which subscriptions choose a type. It is emptied whenever one of the subscriptions changes.
	matching map[domain.EventType][]Subscription
	snapshot *Snapshot // of all above; nil: there was a change since the last one
}

// maxMatching bounds tenantConfig.matching: types are the producers' choice.
const maxMatching = 4096

// NewConfig returns an empty configuration, as of before the first entry.
func NewConfig() *Config {
	return &Config{tenants: make(map[domain.TenantID]*tenantConfig), endpoints: make(map[domain.UUID]Endpoint)}
}

// KeepFilters makes the Config keep the filter of each subscription that has one, compiled.
func (c *Config) KeepFilters(compile func(expression string) domain.Filter) {
	c.compile = compile
	for _, t := range c.tenants {
		for _, row := range t.subscriptions {
			c.keepFilter(t, row, "")
		}
		t.snapshot = nil
	}
}

// keepFilter compiles a subscription's filter unless it is the one that the subscription had before.
func (c *Config) keepFilter(t *tenantConfig, row Subscription, before string) {
	switch {
	case c.compile == nil:
	case row.Filter == "" || row.Deleted:
		delete(t.filters, row.ID)
	case row.Filter != before:
		t.filters[row.ID] = c.compile(row.Filter)
	}
}

// Cursor is the position as of which the configuration is in force.
func (c *Config) Cursor() domain.Position { return c.cursor }

// SetCursor sets the position as of which rows are in force that were put without folding.
func (c *Config) SetCursor(at domain.Position) { c.cursor = at }

// Tenant returns a tenant; false if it doesn't exist, or was deleted.
func (c *Config) Tenant(id domain.TenantID) (Tenant, bool) {
	t, ok := c.tenants[id]
	if !ok || t.tenant.ID == "" {
		return Tenant{}, false
	}
	return t.tenant, true
}

// Endpoint returns an endpoint; false if it doesn't exist, or was deleted.
func (c *Config) Endpoint(id domain.UUID) (Endpoint, bool) {
	e, ok := c.endpoints[id]
	return e, ok
}

// Endpoints returns every tenant's endpoints, in no order.
func (c *Config) Endpoints() []Endpoint { return slices.Collect(maps.Values(c.endpoints)) }

// Subscription returns a tenant's subscription; false if it doesn't exist, or was deleted.
func (c *Config) Subscription(tenant domain.TenantID, id domain.UUID) (Subscription, bool) {
	t, ok := c.tenants[tenant]
	if !ok {
		return Subscription{}, false
	}
	s, ok := t.subscriptions[id]
	return s, ok
}

// Subscriptions returns a tenant's subscriptions in order of id.
func (c *Config) Subscriptions(tenant domain.TenantID) []Subscription {
	t, ok := c.tenants[tenant]
	if !ok {
		return nil
	}
	return slices.SortedFunc(maps.Values(t.subscriptions), func(a, b Subscription) int { return slices.Compare(a.ID[:], b.ID[:]) })
}

// Matching returns a tenant's subscriptions whose types choose one, paused ones too, in order of id. The result is
// remembered and not to be changed.
func (c *Config) Matching(tenant domain.TenantID, typ domain.EventType) []Subscription {
	t, ok := c.tenants[tenant]
	if !ok {
		return nil
	}
	if known, ok := t.matching[typ]; ok {
		return known
	}
	chosen := slices.DeleteFunc(c.Subscriptions(tenant), func(s Subscription) bool { return !s.Matches(typ) })
	if len(t.matching) >= maxMatching {
		clear(t.matching)
	}
	t.matching[typ] = chosen
	return chosen
}

// Clone returns a copy that can be folded on by itself. Rows are shared: they are never changed in place.
func (c *Config) Clone() *Config {
	n := &Config{compile: c.compile, cursor: c.cursor, tenants: make(map[domain.TenantID]*tenantConfig, len(c.tenants)), endpoints: maps.Clone(c.endpoints)}
	for id, t := range c.tenants {
		n.tenants[id] = &tenantConfig{
			tenant: t.tenant, configured: t.configured, endpoints: maps.Clone(t.endpoints), filters: maps.Clone(t.filters),
			subscriptions: maps.Clone(t.subscriptions), matching: make(map[domain.EventType][]Subscription), snapshot: t.snapshot,
		}
	}
	return n
}

// PutTenant implements Store.
func (c *Config) PutTenant(row Tenant) error {
	t := c.changed(row.ID, row.Updated)
	if row.Deleted {
		row = Tenant{}
	} else if row.Created == (Origin{}) {
		row.Created = t.tenant.Created
	}
	t.tenant = row
	return nil
}

// PutKey implements Store; keys are the Directory's.
func (c *Config) PutKey(Key) error { return nil }

// PutEventType implements Store: routing asks for no definition.
func (c *Config) PutEventType(EventType) error { return nil }

// PutProfile implements Store: endpoints name profiles by digest.
func (c *Config) PutProfile(Profile) error { return nil }

// PutEndpoint implements Store.
func (c *Config) PutEndpoint(row Endpoint) error {
	t := c.changed(row.Tenant, row.Updated)
	if row.Deleted {
		delete(c.endpoints, row.ID)
		delete(t.endpoints, row.ID)
		return nil
	}
	if row.Created == (Origin{}) {
		row.Created = c.endpoints[row.ID].Created
	}
	c.endpoints[row.ID], t.endpoints[row.ID] = row, row
	return nil
}

// PutSubscription implements Store.
func (c *Config) PutSubscription(row Subscription) error {
	t := c.changed(row.Tenant, row.Updated)
	clear(t.matching)
	c.keepFilter(t, row, t.subscriptions[row.ID].Filter)
	if row.Deleted {
		delete(t.subscriptions, row.ID)
		return nil
	}
	if row.Created == (Origin{}) {
		row.Created = t.subscriptions[row.ID].Created
	}
	t.subscriptions[row.ID] = row
	return nil
}

// changed returns a tenant's part, made when there is none, for a change by an entry.
func (c *Config) changed(id domain.TenantID, by Origin) *tenantConfig {
	t, ok := c.tenants[id]
	if !ok {
		t = &tenantConfig{
			endpoints: make(map[domain.UUID]Endpoint), subscriptions: make(map[domain.UUID]Subscription),
			filters:  make(map[domain.UUID]domain.Filter),
			matching: make(map[domain.EventType][]Subscription),
		}
		c.tenants[id] = t
	}
	t.configured, t.snapshot = max(t.configured, by.Sequence), nil
	return t
}

// Advance implements Store.
func (c *Config) Advance(_ domain.TenantID, at Origin) error {
	c.cursor = at.Position
	return nil
}
