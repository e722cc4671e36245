package domain

import "fmt"

// SubscriptionConfig is a subscription's whole configuration at one version.
type SubscriptionConfig struct {
	Endpoint   UUID      `json:"endpoint"`
	EventTypes []Pattern `json:"event_types"`
	Filter     string    `json:"filter,omitempty"` // CEL over the event; empty: every event of the types
	Paused     bool      `json:"paused,omitzero"`
}

const maxPatterns = 100

// Subscription is a subscription at one version of its stream.
type Subscription struct {
	ID      UUID
	Tenant  TenantID
	Version int
	Deleted bool
	SubscriptionConfig
}

// Matches reports whether an event's type is among those subscribed to.
func (c SubscriptionConfig) Matches(t EventType) bool {
	for _, p := range c.EventTypes {
		if p.Matches(t) {
			return true
		}
	}
	return false
}

// CreateSubscription decides on a new subscription to an endpoint that the caller has found.
func CreateSubscription(config SubscriptionConfig) (*SubscriptionCreated, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	return &SubscriptionCreated{config}, nil
}

// Update decides on changed types or filter; nil where nothing changes. Endpoint and pause stay.
func (s Subscription) Update(config SubscriptionConfig) (*SubscriptionUpdated, error) {
	if s.Deleted {
		return nil, ErrNotFound
	}
	config.Endpoint, config.Paused = s.Endpoint, s.Paused
	if err := config.validate(); err != nil {
		return nil, err
	}
	if sameContent(&SubscriptionUpdated{config}, &SubscriptionUpdated{s.SubscriptionConfig}) {
		return nil, nil
	}
	return &SubscriptionUpdated{config}, nil
}

// Pause decides to skip what it would match; nil when it does already.
func (s Subscription) Pause() (*SubscriptionPaused, error) {
	if s.Deleted {
		return nil, ErrNotFound
	}
	if s.Paused {
		return nil, nil
	}
	s.Paused = true
	return &SubscriptionPaused{s.SubscriptionConfig}, nil
}

// Resume ends a pause; nil when there is none.
func (s Subscription) Resume() (*SubscriptionResumed, error) {
	if s.Deleted {
		return nil, ErrNotFound
	}
	if !s.Paused {
		return nil, nil
	}
	s.Paused = false
	return &SubscriptionResumed{s.SubscriptionConfig}, nil
}

// Delete decides on the subscription's end.
func (s Subscription) Delete() (*SubscriptionDeleted, error) {
	if s.Deleted {
		return nil, ErrNotFound
	}
	return &SubscriptionDeleted{s.SubscriptionConfig}, nil
}

func (c SubscriptionConfig) validate() error {
	if c.Endpoint.IsZero() {
		return Invalid("endpoint_id", "must name an endpoint of this tenant")
	}
	if len(c.EventTypes) < 1 || len(c.EventTypes) > maxPatterns {
		return Invalid("event_types", "must have 1 to %d patterns", maxPatterns)
	}
	for i, p := range c.EventTypes {
		if err := p.Validate(fmt.Sprintf("event_types[%d]", i)); err != nil {
			return err
		}
	}
	return nil
}
