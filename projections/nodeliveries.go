package projections

import "github.com/hooktrail/hooktrail/domain"

// noDeliveries is the part of a Store that keeps configuration only: events and deliveries pass by.
type noDeliveries struct{}

// PutEvent implements Store.
func (noDeliveries) PutEvent(Event) error { return nil }

// RouteEvent implements Store.
func (noDeliveries) RouteEvent(domain.TenantID, domain.UUID, Origin) error { return nil }

// PutSkips implements Store.
func (noDeliveries) PutSkips(Skips) error { return nil }

// PutDelivery implements Store.
func (noDeliveries) PutDelivery(Delivery) error { return nil }

// StartAttempt implements Store.
func (noDeliveries) StartAttempt(Attempt) error { return nil }

// FinishAttempt implements Store.
func (noDeliveries) FinishAttempt(domain.TenantID, domain.UUID, domain.AttemptResult, int, Origin) error {
	return nil
}

// RedriveDelivery implements Store.
func (noDeliveries) RedriveDelivery(domain.TenantID, domain.UUID, domain.DeliveryRedriven, Origin) error {
	return nil
}

// CancelDelivery implements Store.
func (noDeliveries) CancelDelivery(domain.TenantID, domain.UUID, domain.CancelReason, Origin) error {
	return nil
}

// EraseDelivery implements Store.
func (noDeliveries) EraseDelivery(domain.TenantID, domain.UUID, Origin) error { return nil }
