package projections

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/hooktrail/hooktrail/domain"
)

// Apply folds one entry into a Store. Entries must come in order of position, each once. An error names the entry; the
// caller stops there: leaving an entry out would make every later answer wrong.
func Apply(s Store, e domain.Entry) error {
	if err := apply(s, e); err != nil {
		return fmt.Errorf("fold %s at position %d (%s, sequence %d): %w", e.Kind, e.Position, e.Tenant, e.Sequence, err)
	}
	return s.Advance(e.Tenant, OriginOf(e))
}

// OriginOf is the place of an entry.
func OriginOf(e domain.Entry) Origin {
	return Origin{Position: e.Position, Sequence: e.Sequence, RecordedAt: e.RecordedAt}
}

func apply(s Store, e domain.Entry) error {
	switch {
	case e.Kind.Version() == 0 && e.Critical:
		return fmt.Errorf("this program doesn't know the kind, which says that it must be understood: upgrade this program")
	case e.Kind.Version() == 0:
		return nil // of a newer program, and nothing that this one answers depends on it
	case e.KindVersion > e.Kind.Version():
		return fmt.Errorf("this program knows version %d of the kind, not %d: upgrade this program", e.Kind.Version(), e.KindVersion)
	case e.Damaged:
		return applyDamaged(s, e)
	case e.Fact == nil && e.Erased:
		return applyErased(s, e)
	case e.Fact == nil:
		return fmt.Errorf("the content can't be opened although it wasn't erased: check the key-encryption key")
	}
	switch f := e.Fact.(type) {
	case *domain.EventAppended:
		if err := s.PutEvent(event(e, f)); err != nil {
			return err
		}
		return applyRouting(s, &e, f.Routing, f.Verdicts)
	case *domain.EventRouted:
		return applyRouting(s, &e, f.Routing, f.Verdicts)
	case *domain.DeliveryCreated:
		return s.PutDelivery(Routed(&e)[0], nil)
	case *domain.AttemptStarted, *domain.AttemptFinished, *domain.DeliveryRedriven, *domain.DeliveryResent,
		*domain.DeliveryRescheduled, *domain.DeliveryCancelled:
		return foldDelivery(s, &e)
	case *domain.ReplayCreated, *domain.ReplayApproved, *domain.ReplayPaused, *domain.ReplayResumed, *domain.ReplayAdvanced,
		*domain.ReplayFinished, *domain.ReplayCancelled:
		return s.FoldReplay(&e)
	case *domain.ProfileAdded:
		return s.PutProfile(Profile{ProfileName: f.Profile, ID: e.Stream.ID, Document: f.Document, Added: OriginOf(e)})
	case *domain.TenantRegistered, *domain.TenantUnregistered, *domain.ServerStarted, *domain.LeaseTaken,
		*domain.FollowerStopped, *domain.FormatRaised, *domain.LossAccepted, *domain.DamageAccepted:
		return nil // what the instance says of itself makes no row
	case *domain.ReconciliationCreated, *domain.ReconciliationFinished:
		return nil // who asks for one reads its stream
	case *domain.ExportCreated, *domain.ExportFinished, *domain.ExportFailed, *domain.ExportCancelled,
		*domain.ExportDownloaded, *domain.ExportExpired:
		return applyExport(s, &e)
	default:
		return applyConfig(s, e)
	}
}

// applyRouting makes the deliveries and skips of one entry of an event.
func applyRouting(s Store, e *domain.Entry, r domain.Routing, v domain.Verdicts) error {
	at := OriginOf(*e)
	for i, d := range Routed(e) {
		if err := s.PutDelivery(d, r.Deliveries[i].First); err != nil {
			return err
		}
	}
	if len(r.Skipped)+len(v.Skipped) == 0 {
		return nil
	}
	return s.PutSkips(Skips{
		Tenant: e.Tenant, Event: e.Stream.ID, EventSequence: e.EventSequence(),
		Skipped: r.Skipped, Verdicts: v.Skipped, At: at,
	})
}

// foldDelivery folds a step of a delivery. A step of an unknown delivery is a defect, unless the entry that made the
// delivery can't be read any more. That is known of an event's entry. Of an entry that began the delivery's own stream it
// isn't, so steps of a delivery with a derived id are passed over.
func foldDelivery(s Store, e *domain.Entry) error {
	err := s.FoldDelivery(e)
	if !errors.Is(err, domain.ErrNotFound) || domain.Derived(e.Stream.ID) {
		return ignoreNotFound(err)
	}
	if lost, unknown := s.Lost(e.Tenant, e.Cause); unknown != nil || lost {
		return unknown
	}
	return err
}

func ignoreNotFound(err error) error {
	if errors.Is(err, domain.ErrNotFound) {
		return nil
	}
	return err
}

func applyConfig(s Store, e domain.Entry) error {
	switch f := e.Fact.(type) {
	case *domain.TenantCreated:
		return putTenant(s, e, f.Tenant, false)
	case *domain.TenantUpdated:
		return putTenant(s, e, f.Tenant, false)
	case *domain.TenantDeleted:
		return putTenant(s, e, f.Tenant, true)
	case *domain.KeyCreated:
		return putKey(s, e, f.Key, false)
	case *domain.KeyRevoked:
		return putKey(s, e, f.Key, true)
	case *domain.RegistrationUsed:
		return putKey(s, e, f.Key, false)
	case *domain.EndpointCreated:
		return putEndpoint(s, e, f.Endpoint, false)
	case *domain.EndpointUpdated:
		return putEndpoint(s, e, f.Endpoint, false)
	case *domain.EndpointKeyRotated:
		return putEndpoint(s, e, f.Endpoint, false)
	case *domain.EndpointPaused:
		return putEndpoint(s, e, f.Endpoint, false)
	case *domain.EndpointResumed:
		return putEndpoint(s, e, f.Endpoint, false)
	case *domain.EndpointDisabled:
		return putEndpoint(s, e, f.Endpoint, false)
	case *domain.EndpointDeleted:
		return putEndpoint(s, e, f.Endpoint, true)
	case *domain.EndpointHandshakeStarted:
		return putEndpoint(s, e, f.Endpoint, false)
	case *domain.EndpointHandshakeFinished:
		return putEndpoint(s, e, f.Endpoint, false)
	case *domain.SubscriptionCreated:
		return putSubscription(s, e, f.Subscription, false)
	case *domain.SubscriptionUpdated:
		return putSubscription(s, e, f.Subscription, false)
	case *domain.SubscriptionPaused:
		return putSubscription(s, e, f.Subscription, false)
	case *domain.SubscriptionResumed:
		return putSubscription(s, e, f.Subscription, false)
	case *domain.SubscriptionDeleted:
		return putSubscription(s, e, f.Subscription, true)
	case *domain.EventTypeRegistered:
		return putEventType(s, e, f.EventType, false)
	case *domain.EventTypeUpdated:
		return putEventType(s, e, f.EventType, false)
	}
	return unhandled(e)
}

// applyErased folds an entry of which the tenant's own parts were destroyed. The entry itself still says what it was and
// which thing it was about, so nothing is left out: the row is marked.
func applyErased(s Store, e domain.Entry) error {
	id, at := e.Stream.ID, OriginOf(e)
	switch e.Stream.Kind {
	case domain.StreamEvent:
		if e.Kind != domain.KindEventAppended {
			return nil // which deliveries it made isn't known any more
		}
		return s.PutEvent(Event{ID: id, Tenant: e.Tenant, LeafHash: leafHash(e.Leaf), Created: at, Erased: true})
	case domain.StreamDelivery:
		return ignoreNotFound(s.FoldDelivery(&e)) // so was the entry that made it
	case domain.StreamReplay:
		return s.FoldReplay(&e)
	case domain.StreamTenant:
		return putTenant(s, e, domain.TenantConfig{ID: e.Tenant}, true)
	case domain.StreamKey:
		return putKey(s, e, domain.KeyConfig{KeyRights: domain.KeyRights{ID: id}}, true)
	case domain.StreamEndpoint:
		return putEndpoint(s, e, domain.EndpointConfig{}, true)
	case domain.StreamSubscription:
		return putSubscription(s, e, domain.SubscriptionConfig{}, true)
	case domain.StreamEventType:
		return putEventType(s, e, domain.EventTypeConfig{}, true)
	case domain.StreamExport:
		return applyExport(s, &e)
	}
	return nil // the instance's own facts make no row
}

// applyDamaged folds an entry whose content doesn't open although its keys exist. An event keeps its place, marked, and a
// delivery is moved on by what the entry's kind says. Configuration can't be guessed: the fold stops there.
func applyDamaged(s Store, e domain.Entry) error {
	switch e.Stream.Kind {
	case domain.StreamEvent:
		if e.Kind != domain.KindEventAppended {
			return nil // which deliveries it made isn't known any more
		}
		return s.PutEvent(Event{ID: e.Stream.ID, Tenant: e.Tenant, LeafHash: leafHash(e.Leaf), Created: OriginOf(e), Damaged: true})
	case domain.StreamDelivery:
		return foldDelivery(s, &e)
	case domain.StreamReplay:
		return s.FoldReplay(&e)
	case domain.StreamExport:
		return applyExport(s, &e)
	case domain.StreamTenant, domain.StreamKey, domain.StreamEndpoint, domain.StreamSubscription, domain.StreamEventType,
		domain.StreamProfile:
		return fmt.Errorf("the content is damaged: hooktrail verify says more")
	}
	return nil // what the instance says of itself makes no row
}

func event(e domain.Entry, f *domain.EventAppended) Event {
	return Event{
		ID: e.Stream.ID, Tenant: e.Tenant, Attrs: f.Event, LeafHash: leafHash(e.Leaf), DataSize: len(f.Data),
		Created: OriginOf(e), Whole: f.Routing.Complete, Erased: e.Erased,
	}
}

func created(e domain.Entry) Origin {
	if e.StreamVersion == 1 {
		return OriginOf(e)
	}
	return Origin{}
}

func putTenant(s Store, e domain.Entry, c domain.TenantConfig, deleted bool) error {
	t := domain.Tenant{TenantConfig: c, Stream: e.Stream.ID, Version: e.StreamVersion, Deleted: deleted}
	return s.PutTenant(Tenant{Tenant: t, Created: created(e), Updated: OriginOf(e)})
}

func putKey(s Store, e domain.Entry, c domain.KeyConfig, revoked bool) error {
	k := domain.Key{KeyConfig: c, Tenant: e.Tenant, Version: e.StreamVersion, Revoked: revoked}
	return s.PutKey(Key{Key: k, Created: created(e), Updated: OriginOf(e)})
}

func putEndpoint(s Store, e domain.Entry, c domain.EndpointConfig, deleted bool) error {
	n := domain.Endpoint{ID: e.Stream.ID, Tenant: e.Tenant, Version: e.StreamVersion, Deleted: deleted, EndpointConfig: c}
	return s.PutEndpoint(Endpoint{Endpoint: n, Created: created(e), Updated: OriginOf(e)})
}

func putSubscription(s Store, e domain.Entry, c domain.SubscriptionConfig, deleted bool) error {
	n := domain.Subscription{ID: e.Stream.ID, Tenant: e.Tenant, Version: e.StreamVersion, Deleted: deleted, SubscriptionConfig: c}
	return s.PutSubscription(Subscription{Subscription: n, Created: created(e), Updated: OriginOf(e)})
}

func putEventType(s Store, e domain.Entry, c domain.EventTypeConfig, deleted bool) error {
	d := domain.EventTypeDefinition{ID: e.Stream.ID, Tenant: e.Tenant, Version: e.StreamVersion, Deleted: deleted, EventTypeConfig: c}
	return s.PutEventType(EventType{EventTypeDefinition: d, Created: created(e), Updated: OriginOf(e)})
}

func unhandled(e domain.Entry) error {
	return fmt.Errorf("no fold for %T: this is a defect of the program", e.Fact)
}

// leafHash is RFC 6962 §2.1's hash of a leaf.
func leafHash(leaf []byte) [32]byte {
	b := make([]byte, 1, 1024)
	return sha256.Sum256(append(b, leaf...))
}
