package domain

import (
	"cmp"
	"fmt"
	"strings"
)

// TenantConfig is a tenant's whole configuration at one version.
type TenantConfig struct {
	ID              TenantID `json:"id"`
	Name            string   `json:"name"`
	WebhooksEnabled bool     `json:"webhooks_enabled"` // false: events are logged, routing records the skip
	HTTPSOnly       bool     `json:"https_only"`       // true: endpoints with http URLs are refused, and existing ones receive nothing
	// Schemas says what happens to events whose data violates their type's schema; empty is SchemasOff.
	Schemas SchemaMode `json:"schema_validation,omitempty"`
	// Limits are those that an operator chose; each that is 0 is the default.
	Limits TenantLimits `json:"limits,omitzero"`
}

// TenantLimits bound how much of each kind a tenant has at once. What exists stays when a limit is lowered.
type TenantLimits struct {
	Endpoints     int `json:"endpoints,omitempty"`
	Subscriptions int `json:"subscriptions,omitempty"`
	FilterBytes   int `json:"filter_bytes,omitempty"` // of all subscriptions' filters together
	EventTypes    int `json:"event_types,omitempty"`
	Keys          int `json:"keys,omitempty"` // registrations and receivers' keys too
}

// DefaultLimits are a tenant's limits unless an operator chose others. A node holds all of this in memory and asks an
// event's filters one by one. There may be a receiver's key for each endpoint, and 500 others.
func DefaultLimits() TenantLimits {
	return TenantLimits{Endpoints: 2_000, Subscriptions: 10_000, FilterBytes: 1 << 20, EventTypes: 5_000, Keys: 2_500}
}

// maxLimit bounds each limit that an operator may choose.
const maxLimit = 1 << 30

// InForce returns the limits with the defaults filled in.
func (l TenantLimits) InForce() TenantLimits {
	d := DefaultLimits()
	return TenantLimits{
		Endpoints: cmp.Or(l.Endpoints, d.Endpoints), Subscriptions: cmp.Or(l.Subscriptions, d.Subscriptions),
		FilterBytes: cmp.Or(l.FilterBytes, d.FilterBytes), EventTypes: cmp.Or(l.EventTypes, d.EventTypes),
		Keys: cmp.Or(l.Keys, d.Keys),
	}
}

func (l TenantLimits) validate() error {
	for name, n := range map[string]int{
		"endpoints": l.Endpoints, "subscriptions": l.Subscriptions, "filter_bytes": l.FilterBytes,
		"event_types": l.EventTypes, "keys": l.Keys,
	} {
		if n < 0 || n > maxLimit {
			return Invalid("limits."+name, "must be between 1 and %d", maxLimit)
		}
	}
	return nil
}

// TenantUsage is how much of what is limited a tenant has.
type TenantUsage TenantLimits

// Add counts what a fact adds to a tenant. filterBefore is the length of the filter that a changed subscription had.
func (u *TenantUsage) Add(fact Fact, filterBefore int) {
	switch f := fact.(type) {
	case *EndpointCreated:
		u.Endpoints++
	case *SubscriptionCreated:
		u.Subscriptions++
		u.FilterBytes += len(f.Subscription.Filter)
	case *SubscriptionUpdated:
		u.FilterBytes += len(f.Subscription.Filter) - filterBefore
	case *EventTypeRegistered:
		u.EventTypes++
	case *KeyCreated:
		u.Keys++
	}
}

// LimitError refuses what would exceed a limit.
type LimitError struct {
	Limit string // its name in the tenant's configuration
	Most  int
}

// Error implements error.
func (e *LimitError) Error() string {
	return fmt.Sprintf("the tenant's limit of %s, %d, is reached", e.Limit, e.Most)
}

// Allow refuses a change from one usage to another that exceeds a limit. What doesn't grow is allowed, also beyond a
// limit that was lowered.
func (l TenantLimits) Allow(before, after TenantUsage) error {
	in := l.InForce()
	for _, c := range []struct {
		name                string
		before, after, most int
	}{
		{"endpoints", before.Endpoints, after.Endpoints, in.Endpoints},
		{"subscriptions", before.Subscriptions, after.Subscriptions, in.Subscriptions},
		{"filter_bytes", before.FilterBytes, after.FilterBytes, in.FilterBytes},
		{"event_types", before.EventTypes, after.EventTypes, in.EventTypes},
		{"keys", before.Keys, after.Keys, in.Keys},
	} {
		if c.after > c.before && c.after > c.most {
			return &LimitError{c.name, c.most}
		}
	}
	return nil
}

// Bars returns why the tenant's rules forbid deliveries to an endpoint, "" if they don't. What was routed before waits.
func (c TenantConfig) Bars(e EndpointConfig) SkipReason {
	const plain = "http:"
	switch {
	case !c.WebhooksEnabled:
		return SkipWebhooksOff
	case c.HTTPSOnly && len(e.URL) > len(plain) && strings.EqualFold(e.URL[:len(plain)], plain):
		return SkipHTTPSOnly
	}
	return ""
}

// SchemaMode is what happens to a tenant's events whose data violates their type's schema.
type SchemaMode string

// The modes.
const (
	SchemasOff     SchemaMode = "off"     // nothing is checked
	SchemasWarn    SchemaMode = "warn"    // the event is appended, and says what is wrong with it
	SchemasEnforce SchemaMode = "enforce" // the event is refused
)

// Validate refuses an unknown mode. The empty mode is valid.
func (m SchemaMode) Validate(field string) error {
	switch m {
	case "", SchemasOff, SchemasWarn, SchemasEnforce:
		return nil
	}
	return Invalid(field, "must be off, warn or enforce")
}

// Tenant is a tenant at one version of its stream.
type Tenant struct {
	TenantConfig
	Stream  UUID
	Version int
	Deleted bool
}

// CreateTenant decides on a new tenant. The name may be empty: it is then the id.
func CreateTenant(config TenantConfig) (*TenantCreated, error) {
	if err := config.ID.Validate(); err != nil {
		return nil, err
	}
	if config.Name == "" {
		config.Name = string(config.ID)
	}
	if err := config.validate(); err != nil {
		return nil, err
	}
	return &TenantCreated{config}, nil
}

// Update decides on a changed configuration; nil where nothing changes. The id stays.
func (t Tenant) Update(config TenantConfig) (*TenantUpdated, error) {
	if t.Deleted {
		return nil, ErrNotFound
	}
	config.ID = t.ID
	if err := config.validate(); err != nil {
		return nil, err
	}
	if sameContent(&TenantUpdated{config}, &TenantUpdated{t.TenantConfig}) {
		return nil, nil
	}
	return &TenantUpdated{config}, nil
}

func (c TenantConfig) validate() error {
	if err := ValidateText("name", c.Name, 1, 255); err != nil {
		return err
	}
	if err := c.Limits.validate(); err != nil {
		return err
	}
	return c.Schemas.Validate("schema_validation")
}

// Delete decides on the tenant's end. The instance's own log and the default tenant stay.
func (t Tenant) Delete() (*TenantDeleted, error) {
	if t.Deleted {
		return nil, ErrNotFound
	}
	if t.ID == InstanceTenant || t.ID == DefaultTenant {
		return nil, Invalid("tenant", "this tenant can't be deleted")
	}
	return &TenantDeleted{t.TenantConfig}, nil
}
