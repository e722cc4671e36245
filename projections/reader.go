package projections

import (
	"context"
	"slices"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// AsOf fixes the moment that a read shows. The zero value is the newest that the view has.
type AsOf struct {
	// Sequence, when Set, shows the tenant as it was after that entry and before the next.
	Sequence domain.Sequence
	Set      bool
}

// Page is one page of a list in order of creation. Lists go by the creation's sequence, then by id: a list continues
// behind the row whose Created.Sequence and ID are given.
type Page struct {
	After *domain.Sequence // exclusive; nil: from the beginning (or the end, when Descending)
	// AfterID tells deliveries apart that one routing made, so that a page may end between them. Zero: behind (or, when
	// Descending, before) all rows of that sequence.
	AfterID    domain.UUID
	Limit      int // must be positive
	Descending bool
}

// DeliveryFilter restricts a list of deliveries. Zero members don't.
type DeliveryFilter struct {
	Event        domain.UUID
	Endpoint     domain.UUID
	Subscription domain.UUID
	Status       domain.DeliveryStatus
	From, To     time.Time // recorded_at of the creation: inclusive, exclusive
}

// EventFilter restricts a list of events. Zero members don't.
type EventFilter struct {
	Type     domain.EventType // exact
	Subject  string
	Endpoint domain.UUID // only events that have a delivery to it
	From, To time.Time   // recorded_at: inclusive, exclusive
}

// SkipFilter restricts a list of skips. Zero members don't.
type SkipFilter struct {
	Endpoint     domain.UUID
	Subscription domain.UUID
	From, To     time.Time // recorded_at of the routing: inclusive, exclusive
}

// Chooses reports whether a row passes the filter.
func (f SkipFilter) Chooses(row *Skips) bool {
	chosen := func(s domain.Skipped) bool {
		return (f.Endpoint.IsZero() || s.Endpoint == f.Endpoint) && (f.Subscription.IsZero() || s.Subscription == f.Subscription)
	}
	at := row.At.RecordedAt
	return (f.From.IsZero() || !at.Before(f.From)) && (f.To.IsZero() || at.Before(f.To)) &&
		(slices.ContainsFunc(row.Skipped, chosen) || slices.ContainsFunc(row.Verdicts, chosen))
}

// Reader answers reads of views. A Reader belongs to one snapshot of one tenant: all its answers reflect the same
// sequence. Lists are in order of creation; a thing that doesn't exist (as of that moment, in that tenant) is
// domain.ErrNotFound. Deleted configuration (a revoked key too) isn't listed, and is not found, from its deletion on.
//
// Two exist: memorytest.Memory, and the Postgres views.
type Reader interface {
	// Sequence is the last sequence of the tenant's log that the answers reflect; -1 when the tenant has none yet.
	Sequence() domain.Sequence
	// SequenceAt returns the last sequence recorded at or before a time, -1 for none.
	SequenceAt(ctx context.Context, at time.Time) (domain.Sequence, error)

	Tenant(ctx context.Context, as AsOf) (Tenant, error)
	Key(ctx context.Context, id domain.UUID, as AsOf) (Key, error)
	Keys(ctx context.Context, page Page, as AsOf) ([]Key, error)
	Endpoint(ctx context.Context, id domain.UUID, as AsOf) (Endpoint, error)
	Endpoints(ctx context.Context, page Page, as AsOf) ([]Endpoint, error)
	// EndpointVersion returns one version, also of a deleted endpoint.
	EndpointVersion(ctx context.Context, id domain.UUID, version int) (Endpoint, error)
	// EndpointVersions returns of each of some endpoints the newest versions as of a moment, at most limit, also of deleted
	// ones: an endpoint's one after the other, the newest first.
	EndpointVersions(ctx context.Context, ids []domain.UUID, limit int, as AsOf) ([]Endpoint, error)
	Subscription(ctx context.Context, id domain.UUID, as AsOf) (Subscription, error)
	// Subscriptions lists those of one endpoint, or of all when endpoint is zero.
	Subscriptions(ctx context.Context, endpoint domain.UUID, page Page, as AsOf) ([]Subscription, error)

	// Health summarises the latest attempts at an endpoint; that of one that was never tried is zero.
	Health(ctx context.Context, endpoint domain.UUID) (domain.Health, error)
	EventType(ctx context.Context, name domain.EventType, as AsOf) (EventType, error)
	EventTypes(ctx context.Context, page Page, as AsOf) ([]EventType, error)

	// Changed lists the things of configuration of which versions began after one sequence and up to another, in order of
	// the first of those.
	Changed(ctx context.Context, after, upTo domain.Sequence, page Page) ([]Changed, error)

	// Event finds an event by its internal id.
	Event(ctx context.Context, id domain.UUID) (Event, error)
	// EventByProducerID finds an event by what its producer called it.
	EventByProducerID(ctx context.Context, source, id string) (Event, error)
	EventBySequence(ctx context.Context, sequence domain.Sequence) (Event, error)
	Events(ctx context.Context, filter EventFilter, page Page) ([]Event, error)
	// Skips lists what routings passed over, an entry each, in order of their sequences. A filter chooses entries: one that
	// is chosen comes with all that it passed over.
	Skips(ctx context.Context, filter SkipFilter, page Page) ([]Skips, error)

	// Exports lists exports as they are now.
	Exports(ctx context.Context, page Page) ([]Export, error)

	Delivery(ctx context.Context, id domain.UUID, as AsOf) (Delivery, error)
	Deliveries(ctx context.Context, filter DeliveryFilter, page Page, as AsOf) ([]Delivery, error)
	// EventsAmong chooses events by their sequences, and by type and subject where those aren't empty; ordered.
	EventsAmong(
		ctx context.Context, sequences []domain.Sequence, typ domain.EventType, subject string,
	) ([]domain.Sequence, error)
	// Ends returns for each delivery how its attempts ended that had by the moment, in order.
	Ends(ctx context.Context, deliveries []Delivery, as AsOf) ([][]domain.AttemptEnd, error)
	// DeliveryCounts counts the deliveries of the tenant by status. Where many have moved on since the moment, it goes
	// through the log for each of them.
	DeliveryCounts(ctx context.Context, as AsOf) (DeliveryCounts, error)
	// Replay and Replays show replays as they are now, whatever the moment; Replays lists those that were asked for under a name.
	Replay(ctx context.Context, id domain.UUID) (Replay, error)
	Replays(ctx context.Context, as domain.ReplayAs, page Page) ([]Replay, error)
	// Attempts lists a delivery's attempts by number; one not finished by the moment has no Result.
	Attempts(ctx context.Context, delivery domain.UUID, as AsOf) ([]Attempt, error)
}

// Views opens Readers.
type Views interface {
	// Read calls f with a Reader on one snapshot of a tenant's views that reflects at least a sequence (-1: whatever is
	// there, also of a tenant that doesn't exist). It waits for the fold to get there until ctx ends, and then fails with
	// ErrBehind. The Reader is valid only during f, and not for concurrent use. f must not call Read again.
	Read(ctx context.Context, tenant domain.TenantID, atLeast domain.Sequence, f func(Reader) error) error
	// Tenants lists tenants in order of id, behind the one given, not the instance's own.
	Tenants(ctx context.Context, after domain.TenantID, limit int) ([]Tenant, error)
}
