package projections

import "github.com/hooktrail/hooktrail/domain"

// Store is what the fold writes into. It is not safe for concurrent use. Rows handed over are the Store's from then on.
//
// Config and Directory keep configuration, and the page buffer of the Postgres views keeps the net change of a page of
// entries and writes it with one statement a table. memorytest.Memory, for tests, keeps everything.
type Store interface {
	// PutTenant and the other configuration puts add a version; the version before it was in force until then. Created is zero
	// unless the version is the first: the Store carries it over.
	PutTenant(Tenant) error
	PutKey(Key) error
	PutEndpoint(Endpoint) error
	PutSubscription(Subscription) error
	PutEventType(EventType) error
	// PutProfile adds a profile, which never changes.
	PutProfile(Profile) error

	PutEvent(Event) error
	// PutSkips adds what an entry of a routing skipped; at most one for an entry.
	PutSkips(Skips) error
	// PutExport adds an export, or changes one that was put before: then Created is zero, and the Store carries it over.
	PutExport(Export) error

	// PutDelivery adds a delivery, as the entry that routes it makes it. first is the intent of the attempt that the same
	// entry starts; nil: it starts none.
	PutDelivery(d Delivery, first *domain.AttemptStarted) error
	// FoldDelivery applies an entry of a delivery's stream to the delivery (Delivery.Fold), to its attempts and, where it
	// ends one, to its endpoint's health. A delivery that the Store doesn't know is domain.ErrNotFound.
	FoldDelivery(e *domain.Entry) error

	// FoldReplay applies an entry of a replay's stream to the replay, which it makes at its first one. Its
	// results are counted by FoldDelivery (Delivery.FoldOf).
	FoldReplay(e *domain.Entry) error

	// Lost reports whether some of the routing of the event at a sequence can't be read, so that not all of its
	// deliveries are known.
	Lost(tenant domain.TenantID, event domain.Sequence) (bool, error)

	// Advance tells the Store that everything up to an entry of a tenant is applied.
	Advance(tenant domain.TenantID, at Origin) error
}
