package memorytest

import (
	"context"
	"slices"
	"sort"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// memoryReader is a projections.Reader on one snapshot.
type memoryReader struct {
	*tenantSnapshot
	configReader
	deliveryReader
}

func newReader(s *tenantSnapshot) memoryReader {
	return memoryReader{s, configReader{s}, deliveryReader{s}}
}

// configReader reads tenants, keys, endpoints, subscriptions and event types.
type configReader struct{ *tenantSnapshot }

// deliveryReader reads events, what became of them, and how endpoints fare.
type deliveryReader struct{ *tenantSnapshot }

// tenantSnapshot is a tenant's views as of the sequence at which it was opened. Rows are never changed once they are in a
// history, but for an attempt's result, which is hidden until its sequence.
type tenantSnapshot struct {
	m      *Memory
	tenant *memoryTenant // nil: the tenant has no log yet
	id     domain.TenantID
	last   domain.Sequence
}

func (r *tenantSnapshot) Sequence() domain.Sequence { return r.last }

func (r *tenantSnapshot) SequenceAt(_ context.Context, at time.Time) (domain.Sequence, error) {
	t := r.lock()
	defer r.m.mu.RUnlock()
	n := sort.Search(int(r.last)+1, func(i int) bool { return t.recorded[i].After(at) })
	return domain.Sequence(n - 1), nil
}

func (r configReader) Tenant(_ context.Context, as projections.AsOf) (projections.Tenant, error) {
	t := r.lock()
	defer r.m.mu.RUnlock()
	for i := len(t.versions) - 1; i >= 0; i-- {
		if v := t.versions[i]; v.Updated.Sequence <= r.at(as) {
			return found(&v, !v.Deleted)
		}
	}
	return projections.Tenant{}, domain.ErrNotFound
}

func (r configReader) Key(_ context.Context, id domain.UUID, as projections.AsOf) (projections.Key, error) {
	t := r.lock()
	defer r.m.mu.RUnlock()
	row := t.keys.at(t.keys.byID[id], r.at(as))
	return found(row, row != nil && !row.Revoked)
}

func (r configReader) Keys(_ context.Context, page projections.Page, as projections.AsOf) ([]projections.Key, error) {
	t := r.lock()
	defer r.m.mu.RUnlock()
	return t.keys.page(page, r.at(as), func(k *projections.Key) bool { return !k.Revoked }), nil
}

func (r configReader) Endpoint(_ context.Context, id domain.UUID, as projections.AsOf) (projections.Endpoint, error) {
	t := r.lock()
	defer r.m.mu.RUnlock()
	row := t.endpoints.at(t.endpoints.byID[id], r.at(as))
	return found(row, row != nil && !row.Deleted)
}

func (r configReader) Endpoints(_ context.Context, page projections.Page, as projections.AsOf) ([]projections.Endpoint, error) {
	t := r.lock()
	defer r.m.mu.RUnlock()
	return t.endpoints.page(page, r.at(as), func(e *projections.Endpoint) bool { return !e.Deleted }), nil
}

func (r configReader) EndpointVersion(_ context.Context, id domain.UUID, version int) (projections.Endpoint, error) {
	t := r.lock()
	defer r.m.mu.RUnlock()
	h := t.endpoints.byID[id]
	if h == nil || version < 1 || version > len(h.states) || h.states[version-1].Updated.Sequence > r.last {
		return projections.Endpoint{}, domain.ErrNotFound
	}
	return h.states[version-1], nil
}

func (r configReader) EndpointVersions(
	_ context.Context, ids []domain.UUID, limit int, as projections.AsOf,
) (versions []projections.Endpoint, err error) {
	t := r.lock()
	defer r.m.mu.RUnlock()
	for _, id := range ids {
		h := t.endpoints.byID[id]
		if h == nil {
			continue
		}
		left := limit
		for i := len(h.states) - 1; i >= 0 && left > 0; i-- {
			if h.states[i].Updated.Sequence <= r.at(as) {
				versions = append(versions, h.states[i])
				left--
			}
		}
	}
	return versions, nil
}

func (r configReader) Subscription(_ context.Context, id domain.UUID, as projections.AsOf) (projections.Subscription, error) {
	t := r.lock()
	defer r.m.mu.RUnlock()
	row := t.subscriptions.at(t.subscriptions.byID[id], r.at(as))
	return found(row, row != nil && !row.Deleted)
}

func (r configReader) Subscriptions(_ context.Context, endpoint domain.UUID, page projections.Page, as projections.AsOf) ([]projections.Subscription, error) {
	t := r.lock()
	defer r.m.mu.RUnlock()
	return t.subscriptions.page(page, r.at(as), func(s *projections.Subscription) bool {
		return !s.Deleted && (endpoint.IsZero() || s.Endpoint == endpoint)
	}), nil
}

func (r deliveryReader) Health(_ context.Context, endpoint domain.UUID) (h domain.Health, err error) {
	t := r.lock()
	defer r.m.mu.RUnlock()
	for _, state := range t.health[endpoint] {
		if state.from > r.last {
			break
		}
		h = state.Health
	}
	return h, nil
}

func (r configReader) EventType(_ context.Context, name domain.EventType, as projections.AsOf) (projections.EventType, error) {
	t := r.lock()
	defer r.m.mu.RUnlock()
	named := t.eventTypes.page(projections.Page{Limit: 1}, r.at(as), func(d *projections.EventType) bool { return !d.Deleted && d.Name == name })
	if len(named) == 0 {
		return projections.EventType{}, domain.ErrNotFound
	}
	return named[0], nil
}

func (r configReader) EventTypes(_ context.Context, page projections.Page, as projections.AsOf) ([]projections.EventType, error) {
	t := r.lock()
	defer r.m.mu.RUnlock()
	return t.eventTypes.page(page, r.at(as), func(d *projections.EventType) bool { return !d.Deleted }), nil
}

func (r deliveryReader) Skips(_ context.Context, f projections.SkipFilter, page projections.Page) ([]projections.Skips, error) {
	t := r.lock()
	defer r.m.mu.RUnlock()
	var rows []projections.Skips
	for i := range t.skips {
		if page.Descending {
			i = len(t.skips) - 1 - i
		}
		row := t.skips[i]
		if len(rows) < page.Limit && row.At.Sequence <= r.last && admits(page, row.At.Sequence, row.Event) && f.Chooses(&row) {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func (r deliveryReader) Event(_ context.Context, id domain.UUID) (projections.Event, error) {
	t := r.lock()
	defer r.m.mu.RUnlock()
	return found(t.events.at(t.events.byID[id], r.last), true)
}

func (r deliveryReader) EventByProducerID(ctx context.Context, source, id string) (projections.Event, error) {
	t := r.lock()
	event, ok := t.byProducer[producerID{source, id}]
	r.m.mu.RUnlock()
	if !ok {
		return projections.Event{}, domain.ErrNotFound
	}
	return r.Event(ctx, event)
}

func (r deliveryReader) EventBySequence(_ context.Context, sequence domain.Sequence) (projections.Event, error) {
	t := r.lock()
	defer r.m.mu.RUnlock()
	before := sequence - 1
	rows := t.events.page(projections.Page{After: &before, Limit: 1}, r.last, func(*projections.Event) bool { return true })
	if len(rows) == 0 || rows[0].Created.Sequence != sequence {
		return projections.Event{}, domain.ErrNotFound
	}
	return rows[0], nil
}

func (r deliveryReader) Events(_ context.Context, f projections.EventFilter, page projections.Page) ([]projections.Event, error) {
	t := r.lock()
	defer r.m.mu.RUnlock()
	var sentTo map[domain.UUID]bool
	if !f.Endpoint.IsZero() {
		sentTo = make(map[domain.UUID]bool)
		for _, h := range t.deliveries.order {
			if d := t.deliveries.at(h, r.last); d != nil && d.Endpoint == f.Endpoint {
				sentTo[d.Event] = true
			}
		}
	}
	return t.events.page(page, r.last, func(e *projections.Event) bool {
		return (f.Type == "" || e.Attrs.Type == f.Type) && (f.Subject == "" || e.Attrs.Subject == f.Subject) &&
			(sentTo == nil || sentTo[e.ID]) && within(e.Created, f.From, f.To)
	}), nil
}

func (r deliveryReader) Delivery(_ context.Context, id domain.UUID, as projections.AsOf) (projections.Delivery, error) {
	t := r.lock()
	defer r.m.mu.RUnlock()
	return found(t.deliveries.at(t.deliveries.byID[id], r.at(as)), true)
}

func (r deliveryReader) Deliveries(_ context.Context, f projections.DeliveryFilter, page projections.Page, as projections.AsOf) ([]projections.Delivery, error) {
	t := r.lock()
	defer r.m.mu.RUnlock()
	return t.deliveries.page(page, r.at(as), func(d *projections.Delivery) bool {
		return (f.Event.IsZero() || d.Event == f.Event) && (f.Endpoint.IsZero() || d.Endpoint == f.Endpoint) &&
			(f.Subscription.IsZero() || matchedBy(d, f.Subscription)) && (f.Status == "" || d.Status == f.Status) &&
			within(d.Created, f.From, f.To)
	}), nil
}

func (r deliveryReader) Attempts(_ context.Context, delivery domain.UUID, as projections.AsOf) ([]projections.Attempt, error) {
	t := r.lock()
	defer r.m.mu.RUnlock()
	if t.deliveries.at(t.deliveries.byID[delivery], r.at(as)) == nil {
		return nil, domain.ErrNotFound
	}
	return attemptsAt(t.attempts[delivery], r.at(as)), nil
}

// lock takes the lock for reading and returns the tenant's views, empty ones when it has none.
func (r *tenantSnapshot) lock() *memoryTenant {
	r.m.mu.RLock()
	if r.tenant == nil {
		return &memoryTenant{}
	}
	return r.tenant
}

// at is the sequence that a read shows, never one after the snapshot.
func (r *tenantSnapshot) at(as projections.AsOf) domain.Sequence {
	if as.Set {
		return min(as.Sequence, r.last)
	}
	return r.last
}

// attemptsAt returns the attempts started by a sequence, without the results of those not finished by then.
func attemptsAt(all []projections.Attempt, as domain.Sequence) []projections.Attempt {
	var rows []projections.Attempt
	for _, a := range all {
		if a.Begun.Sequence > as {
			break
		}
		if a.Result != nil && a.Finished.Sequence > as {
			a.Result, a.Finished, a.BodySize, a.Erased = nil, projections.Origin{}, 0, false
		}
		rows = append(rows, a)
	}
	return rows
}

// matchedBy reports whether a subscription is among those that made a delivery.
func matchedBy(d *projections.Delivery, subscription domain.UUID) bool {
	return slices.ContainsFunc(d.Subscriptions, func(s domain.SubscriptionMatch) bool { return s.ID == subscription })
}

func found[T any](row *T, ok bool) (T, error) {
	if row == nil || !ok {
		var none T
		return none, domain.ErrNotFound
	}
	return *row, nil
}

func within(o projections.Origin, from, to time.Time) bool {
	return (from.IsZero() || !o.RecordedAt.Before(from)) && (to.IsZero() || o.RecordedAt.Before(to))
}
