package domain

import "time"

// Role is what an API key may do.
type Role string

// The roles. README and the OpenAPI document say what each may do.
const (
	RoleOperator Role = "operator"
	RoleAdmin    Role = "admin"
	RoleProducer Role = "producer"
	RoleAuditor  Role = "auditor"
	RolePrivacy  Role = "privacy"
	RoleReceiver Role = "receiver"
	RoleMonitor  Role = "monitor"
	// RoleRegistrant makes endpoints within the bounds of its registration.
	RoleRegistrant Role = "registrant"
)

// Roles lists every role.
func Roles() []Role {
	return []Role{RoleOperator, RoleAdmin, RoleProducer, RoleAuditor, RolePrivacy, RoleReceiver, RoleMonitor, RoleRegistrant}
}

// KeyConfig is what the log knows of an API key. The key itself isn't stored. Erasing the principal destroys the names; the
// rights are the tenant's and stay.
type KeyConfig struct {
	KeyRights
	KeyNames
}

// KeyNames are what people call a key and who is behind it.
type KeyNames struct {
	Name      string `json:"name"`
	Principal string `json:"principal"` // the person or system behind the key
}

func (n *KeyNames) isZero() bool { return *n == KeyNames{} }

// Subject is whom a key's names are about: facts about the key are sealed under it.
func (c *KeyRights) Subject() string { return "principal/" + c.PrincipalID.String() }

// KeyRights are what a key opens.
type KeyRights struct {
	ID          UUID      `json:"id"`
	Role        Role      `json:"role"`
	PrincipalID UUID      `json:"principal_id"`
	Endpoint    UUID      `json:"endpoint,omitzero"` // a receiver's one endpoint
	ExpiresAt   time.Time `json:"expires_at,omitzero"`
	Hash        []byte    `json:"hash"`              // SHA-256 of the key, which has 256 random bits
	MadeBy      Actor     `json:"made_by,omitzero"`  // who made the key: an approver's key isn't the requester's work
	Instance    bool      `json:"instance,omitzero"` // valid in every tenant (operator, monitor)
	Imported    bool      `json:"imported,omitzero"` // given by the operator's configuration, not made here
	// Registration bounds what a registrant makes, and which subscriptions a receiver may choose that was made so. Nil:
	// a receiver chooses none.
	Registration *Registration `json:"registration,omitzero"`
}

// Key is an API key at one version of its stream.
type Key struct {
	KeyConfig
	Tenant  TenantID // InstanceTenant for instance keys
	Version int
	Revoked bool
}

// Valid reports whether the key may be used at a time.
func (k Key) Valid(now time.Time) bool {
	return !k.Revoked && (k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt))
}

// CreateKey decides on a new key. The caller has hashed it. A key that has expired by now is refused.
func CreateKey(config KeyConfig, now time.Time) (*KeyCreated, error) {
	if err := ValidateText("name", config.Name, 1, 255); err != nil {
		return nil, err
	}
	if err := ValidateText("principal", config.Principal, 1, 255); err != nil {
		return nil, err
	}
	if !config.ExpiresAt.IsZero() && !config.ExpiresAt.After(now) {
		return nil, Invalid("expires_at", "must be in the future")
	}
	instance := config.Role == RoleOperator || config.Role == RoleMonitor
	switch {
	case !validRole(config.Role):
		return nil, Invalid("role", "must be one of operator, admin, producer, auditor, privacy, receiver, monitor; registrations make registrants")
	case instance && !config.Instance:
		return nil, Invalid("role", "operator and monitor keys belong to the instance: make them under /v1/keys")
	case !instance && config.Instance:
		return nil, Invalid("role", "only operator and monitor keys belong to the instance: make this one under its tenant")
	case config.Role == RoleReceiver && config.Endpoint.IsZero():
		return nil, Invalid("endpoint_id", "must be given: a receiver's key names its endpoint")
	case config.Role != RoleReceiver && !config.Endpoint.IsZero():
		return nil, Invalid("endpoint_id", "must be absent: only a receiver's key names an endpoint")
	case config.Role == RoleRegistrant && config.Registration == nil:
		return nil, Invalid("role", "must not be registrant: create a registration instead")
	case config.Role != RoleRegistrant && config.Role != RoleReceiver && config.Registration != nil:
		return nil, Invalid("role", "only registrants and receivers have a registration")
	}
	if config.Role == RoleRegistrant {
		if err := config.Registration.validate(); err != nil {
			return nil, err
		}
	}
	return &KeyCreated{config}, nil
}

// Revoke decides on the key's end.
func (k Key) Revoke() (*KeyRevoked, error) {
	if k.Revoked {
		return nil, ErrNotFound
	}
	return &KeyRevoked{k.KeyConfig}, nil
}

func validRole(r Role) bool {
	for _, known := range Roles() {
		if r == known {
			return true
		}
	}
	return false
}
