package domain

import "fmt"

// Registration bounds what a receiver may set up without an administrator. It belongs to a key: a registrant's, with
// which endpoints are made, or that of a receiver whose endpoint was made so.
type Registration struct {
	Profiles   []string  `json:"profiles,omitempty"` // that endpoints may have
	EventTypes []Pattern `json:"event_types"`        // that subscriptions may choose
	Quota      int       `json:"quota,omitzero"`     // endpoints that may be made, deleted ones included
	Used       int       `json:"used,omitzero"`      // endpoints that were made
	HTTPSOnly  bool      `json:"https_only,omitzero"`
	// Handshake is required of every endpoint that is made; empty: none.
	Handshake HandshakeKind `json:"handshake,omitempty"`
}

const maxQuota = 10_000

func (r *Registration) validate() error {
	if len(r.Profiles) < 1 || len(r.Profiles) > 100 {
		return Invalid("profiles", "must have 1 to 100 names of profiles")
	}
	if len(r.EventTypes) < 1 || len(r.EventTypes) > maxPatterns {
		return Invalid("event_types", "must have 1 to %d patterns", maxPatterns)
	}
	for i, p := range r.EventTypes {
		if err := p.Validate(fmt.Sprintf("event_types[%d]", i)); err != nil {
			return err
		}
	}
	if r.Quota < 1 || r.Quota > maxQuota {
		return Invalid("quota", "must be between 1 and %d", maxQuota)
	}
	return r.Handshake.Validate("handshake")
}

// Allows refuses the first pattern that goes beyond the registration's event types.
func (r *Registration) Allows(field string, types []Pattern) error {
	for i, p := range types {
		if !covered(r.EventTypes, p) {
			return Invalid(fmt.Sprintf("%s[%d]", field, i), "must be within the event types of the registration")
		}
	}
	return nil
}

func covered(by []Pattern, p Pattern) bool {
	for _, wide := range by {
		if wide.Covers(p) {
			return true
		}
	}
	return false
}

// ErrQuota: the registration's quota of endpoints is used up.
var ErrQuota = Invalid("quota", "is used up: ask for a new registration")

// Use decides that a registrant's key was used to make an endpoint.
func (k Key) Use(endpoint UUID) (*RegistrationUsed, error) {
	if k.Revoked || k.Registration == nil {
		return nil, ErrNotFound
	}
	if k.Registration.Used >= k.Registration.Quota {
		return nil, ErrQuota
	}
	config, registration := k.KeyConfig, *k.Registration
	registration.Used++
	config.Registration = &registration
	return &RegistrationUsed{Key: config, Made: RegisteredEndpoint{endpoint}}, nil
}
