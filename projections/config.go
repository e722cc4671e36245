package projections

import (
	"maps"
	"slices"
	"sync"

	"github.com/hooktrail/hooktrail/domain"
)

// Config is the configuration in force at one position, with which events are routed and requests are sent: a Store that
// keeps the current version of what isn't deleted, and nothing else. It is safe for concurrent use: one goroutine folds,
// any number read.
type Config struct {
	noDeliveries

	mu        sync.RWMutex // guards all below
	cursor    domain.Position
	tenants   map[domain.TenantID]*tenantConfig
	endpoints map[domain.UUID]Endpoint // of all tenants
}

// tenantConfig is one tenant's part.
type tenantConfig struct {
	tenant        Tenant
	configuration domain.Sequence
	subscriptions map[domain.UUID]Subscription
	endpoints     map[domain.UUID]Endpoint
	routes        *Routes // made when asked for; nil: something has changed since
}

// NewConfig returns an empty configuration, as of before the first entry.
func NewConfig() *Config {
	return &Config{tenants: make(map[domain.TenantID]*tenantConfig), endpoints: make(map[domain.UUID]Endpoint)}
}

// Cursor is the position as of which the configuration holds.
func (c *Config) Cursor() domain.Position {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.cursor
}

// SetCursor says as of which position the rows hold that were put without folding.
func (c *Config) SetCursor(at domain.Position) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cursor = at
}

// SetConfiguration says which of a tenant's entries that configure routing is the last among those that the rows reflect
// which were put without folding.
func (c *Config) SetConfiguration(tenant domain.TenantID, last domain.Sequence) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.of(tenant)
	t.configuration, t.routes = last, nil
}

// Tenant returns a tenant; false when there is none, or none any more.
func (c *Config) Tenant(id domain.TenantID) (Tenant, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t, ok := c.tenants[id]
	if !ok || t.tenant.ID == "" {
		return Tenant{}, false
	}
	return t.tenant, true
}

// Endpoint returns an endpoint; false when there is none, or none any more.
func (c *Config) Endpoint(id domain.UUID) (Endpoint, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e, ok := c.endpoints[id]
	return e, ok
}

// Endpoints returns every tenant's endpoints, in no order.
func (c *Config) Endpoints() []Endpoint {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Collect(maps.Values(c.endpoints))
}

// Subscription returns a tenant's subscription; false when there is none, or none any more.
func (c *Config) Subscription(tenant domain.TenantID, id domain.UUID) (Subscription, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t, ok := c.tenants[tenant]
	if !ok {
		return Subscription{}, false
	}
	s, ok := t.subscriptions[id]
	return s, ok
}

// Subscriptions returns a tenant's subscriptions in order of id.
func (c *Config) Subscriptions(tenant domain.TenantID) []Subscription {
	return c.Routes(tenant).Subscriptions()
}

// Routes returns what a tenant's events are routed by, as of now. It is remembered until the tenant's configuration changes,
// so that it costs a look-up as long as it doesn't.
func (c *Config) Routes(tenant domain.TenantID) *Routes {
	c.mu.RLock()
	t, ok := c.tenants[tenant]
	var routes *Routes
	if ok {
		routes = t.routes
	}
	c.mu.RUnlock()
	if routes != nil {
		return routes
	}
	if !ok {
		return &Routes{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.routes == nil {
		t.routes = newRoutes(t)
	}
	return t.routes
}

// Clone returns a copy that can be folded on by itself. Rows are shared: they are never changed in place.
func (c *Config) Clone() *Config {
	c.mu.RLock()
	defer c.mu.RUnlock()
	n := &Config{
		cursor: c.cursor, tenants: make(map[domain.TenantID]*tenantConfig, len(c.tenants)), endpoints: maps.Clone(c.endpoints),
	}
	for id, t := range c.tenants {
		n.tenants[id] = &tenantConfig{
			tenant: t.tenant, configuration: t.configuration, routes: t.routes,
			subscriptions: maps.Clone(t.subscriptions), endpoints: maps.Clone(t.endpoints),
		}
	}
	return n
}

// PutTenant implements Store.
func (c *Config) PutTenant(row Tenant) error {
	c.mu.Lock()
	defer c.mu.Unlock()
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
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.changed(row.Tenant, row.Updated)
	if row.Deleted {
		delete(c.endpoints, row.ID)
		delete(t.endpoints, row.ID)
		return nil
	}
	if row.Created == (Origin{}) {
		row.Created = t.endpoints[row.ID].Created
	}
	c.endpoints[row.ID] = row
	t.endpoints[row.ID] = row
	return nil
}

// PutSubscription implements Store.
func (c *Config) PutSubscription(row Subscription) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.changed(row.Tenant, row.Updated)
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

// changed returns a tenant's part, made when there is none, which is about to be changed by an entry.
func (c *Config) changed(id domain.TenantID, by Origin) *tenantConfig {
	t := c.of(id)
	t.routes = nil
	t.configuration = max(t.configuration, by.Sequence)
	return t
}

func (c *Config) of(id domain.TenantID) *tenantConfig {
	t, ok := c.tenants[id]
	if !ok {
		t = &tenantConfig{subscriptions: make(map[domain.UUID]Subscription), endpoints: make(map[domain.UUID]Endpoint)}
		c.tenants[id] = t
	}
	return t
}

// Advance implements Store.
func (c *Config) Advance(_ domain.TenantID, at Origin) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cursor = at.Position
	return nil
}
