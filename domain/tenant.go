package domain

import "strings"

// TenantConfig is a tenant's whole configuration at one version.
type TenantConfig struct {
	ID              TenantID `json:"id"`
	Name            string   `json:"name"`
	WebhooksEnabled bool     `json:"webhooks_enabled"` // false: events are logged, routing records the skip
	HTTPSOnly       bool     `json:"https_only"`       // true: endpoints with http URLs are refused, and existing ones receive nothing
	// Schemas says what happens to events whose data violates their type's schema; empty is SchemasOff.
	Schemas SchemaMode `json:"schema_validation,omitempty"`
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

// Update decides on a changed configuration; the id stays.
func (t Tenant) Update(config TenantConfig) (*TenantUpdated, error) {
	if t.Deleted {
		return nil, ErrNotFound
	}
	config.ID = t.ID
	if err := config.validate(); err != nil {
		return nil, err
	}
	return &TenantUpdated{config}, nil
}

func (c TenantConfig) validate() error {
	if err := ValidateText("name", c.Name, 1, 255); err != nil {
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
