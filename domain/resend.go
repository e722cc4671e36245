package domain

import (
	"crypto/sha256"
	"time"
)

// What sends a delivery again: a retry at once, a redrive of a dead one (Delivery.Redrive), and a resend of any event
// to any endpoint. Each is an entry of the delivery's stream, so that of two at once the second is refused.

// shardBits of a delivery's last byte are its endpoint's.
const shardBits = 0x3f

// DerivedDelivery is the id of the delivery of an event to an endpoint that its routing didn't send it to. It is the
// same whoever asks for it, so that its stream begins once. It has the form of a version 7 UUID, with the event's time.
// Like every delivery's, its last six bits are its endpoint's.
func DerivedDelivery(event, endpoint UUID) UUID {
	hash := sha256.New()
	_, _ = hash.Write([]byte("hooktrail delivery\x00")) // a hash.Hash never fails
	_, _ = hash.Write(event[:])
	_, _ = hash.Write(endpoint[:])
	id := UUID(hash.Sum(nil)[:16])
	copy(id[:6], event[:6])
	id[6], id[7] = 0x7f, 0xff
	id[8] = id[8]&0x3f | 0x80
	id[15] = id[15]&^shardBits | endpoint[15]&shardBits
	return id
}

// Derived reports whether an id may be DerivedDelivery's. One that isn't is hardly ever taken for one.
func Derived(delivery UUID) bool { return delivery[6] == 0x7f && delivery[7] == 0xff }

// SetsOff reports whether entries of the kind make a delivery due that was ended, or waited for a later time.
func (k Kind) SetsOff() bool {
	return k == KindDeliveryRedriven || k == KindDeliveryResent || k == KindDeliveryRescheduled
}

// RetryNow decides to have a waiting delivery's next attempt due now; nil: it is due already. While an attempt is under
// way, and after the delivery's end, it is refused with ErrConflict.
func (d Delivery) RetryNow(now time.Time) (*DeliveryRescheduled, error) {
	switch {
	case d.Open || d.Status.Ended():
		return nil, ErrConflict
	case d.Status == DeliveryPending || !d.NextAttemptAt.After(now):
		return nil, nil
	}
	return &DeliveryRescheduled{NextAttemptAt: now.UTC().Truncate(time.Microsecond)}, nil
}

// Resend decides to send a delivery again that has ended, however it did. One that is still under way is refused with
// ErrConflict. replay is what asks for it; zero: somebody did, for this delivery alone.
func (d Delivery) Resend(now time.Time, replay UUID) (*DeliveryResent, error) {
	if d.Open || !d.Status.Ended() {
		return nil, ErrConflict
	}
	return &DeliveryResent{Attempts: d.Attempts, NextAttemptAt: now.UTC().Truncate(time.Microsecond), Replay: replay}, nil
}

// Doom returns why nothing can come of sending the delivery, "" when something can. endpoint reports whether its
// endpoint exists, and subscription whether one that matched does. A delivery lives as long as one of its
// subscriptions; one that somebody asked for, or that is a test, hangs on none.
func (d *Delivery) Doom(endpoint bool, subscription func(UUID) bool) CancelReason {
	if !endpoint {
		return CancelEndpointDeleted
	}
	for _, s := range d.Subscriptions {
		if subscription(s.ID) {
			return ""
		}
	}
	if d.Asked || len(d.Subscriptions) == 0 {
		return ""
	}
	return CancelSubscriptionsDeleted
}

// Withheld returns why an event of the class must not go to an endpoint even where somebody asks for it, "" when it
// may.
func (c *EventClass) Withheld(endpoint *Endpoint) SkipReason {
	switch {
	case c.Test != nil && c.Test.Endpoint != endpoint.ID:
		return SkipOthersTest
	case c.About == endpoint.ID:
		return SkipOwnEndpoint
	case endpoint.Unverified:
		return SkipEndpointUnverified
	}
	return ""
}
