package domain

import (
	"cmp"
	"slices"
	"time"
)

// The words that the log, the views and the dispatcher exchange about deliveries that wait and nodes that share the work.

// WaitingDelivery is one delivery as a view has it, exactly as of the position that comes with it: appends expect its Version.
type WaitingDelivery struct {
	Delivery Delivery
	Position Position // of the entry that created it
}

// Key returns the delivery's place among those of its endpoint.
func (w *WaitingDelivery) Key() WaitingKey {
	if w.Delivery.Open {
		return WaitingKey{Position: w.Position}
	}
	return WaitingKey{Due: w.Delivery.NextAttemptAt, Position: w.Position}
}

// WaitingKey is the place of a waiting delivery among those of its endpoint, which are tried in this order: first by Due, then
// by Position. No two of an endpoint share one.
type WaitingKey struct {
	Due      time.Time // NextAttemptAt; the zero time, before all others, while an attempt is open
	Position Position  // of the entry that created the delivery
}

// Compare orders keys: it returns a negative number, zero or a positive number as k comes before, equals or follows other.
func (k WaitingKey) Compare(other WaitingKey) int {
	if c := k.Due.Compare(other.Due); c != 0 {
		return c
	}
	return cmp.Compare(k.Position, other.Position)
}

// WaitingQuery asks for the waiting deliveries of one endpoint.
type WaitingQuery struct {
	Endpoint UUID
	After    WaitingKey // exclusive; the zero value is before all
	Limit    int        // at most this many; it is positive
}

// What holds due deliveries of an endpoint for some time, which only the process knows that delivers them.
const (
	HeldByReceiver  = "receiver"   // it gets too much and has said so
	HeldByRateLimit = "rate_limit" // the endpoint's
)

// Standing is which nodes are alive and which of them holds what, from one snapshot.
type Standing struct {
	Leases []Lease // that were ever taken, in any order, of every name
	Nodes  []Node  // whose heartbeat is kept, in any order
}

// Lease is the right of one node to act for something that only one may act for, such as a shard. It changes hands only by an
// append (Take).
type Lease struct {
	Name     string // "shard/07"
	Owner    UUID
	Epoch    int64
	Partings []Parting // of former owners, as of when it was taken; read only
}

// Holds reports whether a fence is that of the lease's owner, or at a time an ending one of a node that parts with it.
func (l Lease) Holds(f Fence, at time.Time) bool {
	if l.Owner == f.Owner && l.Epoch == f.Epoch {
		return true
	}
	return f.Ending && slices.ContainsFunc(l.Partings, func(p Parting) bool {
		return p.Node == f.Owner && p.Epoch == f.Epoch && at.Before(p.Until)
	})
}

// Node is a process as its heartbeat shows it.
type Node struct {
	ID  UUID
	Age time.Duration // of its last heartbeat, by the database's clock
}
