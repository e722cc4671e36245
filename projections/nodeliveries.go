package projections

import "github.com/hooktrail/hooktrail/domain"

// noDeliveries is the part of a Store that keeps configuration only: events and deliveries pass by.
type noDeliveries struct{}

// PutEvent implements Store.
func (noDeliveries) PutEvent(Event) error { return nil }

// PutSkips implements Store.
func (noDeliveries) PutSkips(Skips) error { return nil }

// PutExport implements Store.
func (noDeliveries) PutExport(Export) error { return nil }

// PutDelivery implements Store.
func (noDeliveries) PutDelivery(Delivery, *domain.AttemptStarted) error { return nil }

// FoldDelivery implements Store.
func (noDeliveries) FoldDelivery(*domain.Entry) error { return nil }

// FoldReplay implements Store.
func (noDeliveries) FoldReplay(*domain.Entry) error { return nil }

// Lost implements Store.
func (noDeliveries) Lost(domain.TenantID, domain.Sequence) (bool, error) { return true, nil }
