package projections

import (
	"fmt"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// The transitions of a delivery. Every Store takes them, so that there is one answer to where a delivery stands. An
// erased delivery takes whatever is still said of it and stays ended: entries before may be gone, so no turn is checked.

// AttemptStarted applies an attempt's start.
func (d *Delivery) AttemptStarted(a Attempt) error {
	if !d.Erased() && (d.Open || a.Started.Number != d.Attempts+1) {
		return fmt.Errorf("attempt %d of delivery %s started out of turn, after %d", a.Started.Number, d.ID, d.Attempts)
	}
	d.Attempts, d.Open = a.Started.Number, true
	d.NextAttemptAt = noTime
	d.Updated = a.Begun
	d.Version++
	return nil
}

// AttemptFinished applies an attempt's end and the decision in it.
func (d *Delivery) AttemptFinished(r domain.AttemptResult, at Origin) error {
	if !d.Erased() && (!d.Open || r.Number != d.Attempts) {
		return fmt.Errorf("attempt %d of delivery %s finished but isn't the open one", r.Number, d.ID)
	}
	d.Open = false
	d.become(r.Status, r.NextAttemptAt, at)
	return nil
}

// Redriven sets the delivery going again.
func (d *Delivery) Redriven(f domain.DeliveryRedriven, at Origin) {
	d.ScheduleBase = f.Attempts
	d.become(domain.DeliveryRetrying, f.NextAttemptAt, at)
}

// Cancelled applies a cancellation. An attempt that is under way still ends afterwards.
func (d *Delivery) Cancelled(reason domain.CancelReason, at Origin) {
	if !d.Erased() {
		d.Cancel = reason
	}
	d.become(domain.DeliveryGivenUp, noTime, at)
}

// ContentErased ends the delivery because what it is about was destroyed.
func (d *Delivery) ContentErased(at Origin) {
	d.Cancelled(domain.CancelErased, at)
	d.Open = false
}

// Erased says whether the delivery ended because what it is about was destroyed.
func (d *Delivery) Erased() bool { return d.Cancel == domain.CancelErased }

// ErasedDelivery is the row of a delivery of which nothing is known but its id.
func ErasedDelivery(tenant domain.TenantID, id domain.UUID, at Origin) Delivery {
	d := Delivery{Delivery: domain.Delivery{ID: id, Tenant: tenant}, Created: at}
	d.ContentErased(at)
	return d
}

// become moves to a status. An end that follows an end (of an attempt that was under way when its delivery was
// cancelled) leaves the time of the first.
func (d *Delivery) become(s domain.DeliveryStatus, next time.Time, at Origin) {
	d.Updated = at
	d.Version++
	if d.Erased() {
		s, next = domain.DeliveryGivenUp, noTime
	}
	d.Status, d.NextAttemptAt = s, next
	if s != domain.DeliveryGivenUp {
		d.Cancel = ""
	}
	if !s.Ended() {
		d.Ended = Origin{}
	} else if d.Ended == (Origin{}) {
		d.Ended = at
	}
}
