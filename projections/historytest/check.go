package historytest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// Snapshot is everything that a Reader answers about one tenant as of one sequence.
type Snapshot struct {
	Tenant        *projections.Tenant
	Keys          []projections.Key
	Endpoints     []projections.Endpoint
	Versions      []projections.Endpoint // the newest two of each endpoint
	Subscriptions []projections.Subscription
	EventTypes    []projections.EventType
	Deliveries    []projections.Delivery
	Attempts      [][]projections.Attempt
}

// Take reads a tenant's Snapshot, lists in pages of a size. Every row of a list is also fetched by itself, and every filter
// must find what it should of the list, and nothing else.
func Take(ctx context.Context, r projections.Reader, as projections.AsOf, size int) (s Snapshot, err error) {
	tenant, err := r.Tenant(ctx, as)
	if err == nil {
		s.Tenant = &tenant
	} else if !errors.Is(err, domain.ErrNotFound) {
		return s, err
	}
	s.Keys, err = all(size, func(p projections.Page) ([]projections.Key, error) { return r.Keys(ctx, p, as) },
		func(k projections.Key) (domain.UUID, projections.Origin) { return k.ID, k.Created },
		func(id domain.UUID) (projections.Key, error) { return r.Key(ctx, id, as) })
	if err != nil {
		return s, err
	}
	s.Endpoints, err = all(size, func(p projections.Page) ([]projections.Endpoint, error) { return r.Endpoints(ctx, p, as) },
		func(e projections.Endpoint) (domain.UUID, projections.Origin) { return e.ID, e.Created },
		func(id domain.UUID) (projections.Endpoint, error) { return r.Endpoint(ctx, id, as) })
	if err != nil {
		return s, err
	}
	ids := []domain.UUID{domain.NewUUID()} // of none
	for i := range s.Endpoints {
		ids = append(ids, s.Endpoints[i].ID)
	}
	s.Versions, err = r.EndpointVersions(ctx, ids, 2, as)
	if err != nil {
		return s, err
	}
	s.Subscriptions, err = all(size, func(p projections.Page) ([]projections.Subscription, error) {
		return r.Subscriptions(ctx, domain.UUID{}, p, as)
	},
		func(e projections.Subscription) (domain.UUID, projections.Origin) { return e.ID, e.Created },
		func(id domain.UUID) (projections.Subscription, error) { return r.Subscription(ctx, id, as) })
	if err != nil {
		return s, err
	}
	if s.EventTypes, err = takeEventTypes(ctx, r, as, size); err != nil {
		return s, err
	}
	return s, s.takeDeliveries(ctx, r, as, size)
}

func takeEventTypes(ctx context.Context, r projections.Reader, as projections.AsOf, size int) ([]projections.EventType, error) {
	names := make(map[domain.UUID]domain.EventType)
	return all(size, func(p projections.Page) ([]projections.EventType, error) {
		rows, err := r.EventTypes(ctx, p, as)
		for _, row := range rows {
			names[row.ID] = row.Name
		}
		return rows, err
	},
		func(t projections.EventType) (domain.UUID, projections.Origin) { return t.ID, t.Created },
		func(id domain.UUID) (projections.EventType, error) { return r.EventType(ctx, names[id], as) })
}

func (s *Snapshot) takeDeliveries(ctx context.Context, r projections.Reader, as projections.AsOf, size int) (err error) {
	list := func(f projections.DeliveryFilter) func(projections.Page) ([]projections.Delivery, error) {
		return func(p projections.Page) ([]projections.Delivery, error) { return r.Deliveries(ctx, f, p, as) }
	}
	s.Deliveries, err = all(size, list(projections.DeliveryFilter{}), deliveryKey,
		func(id domain.UUID) (projections.Delivery, error) { return r.Delivery(ctx, id, as) })
	if err != nil {
		return err
	}
	for _, d := range s.Deliveries {
		attempts, err := r.Attempts(ctx, d.ID, as)
		if err != nil {
			return err
		}
		s.Attempts = append(s.Attempts, attempts)
	}
	for _, f := range deliveryFilters(s.Deliveries) {
		if err := exact(f.DeliveryFilter, s.Deliveries, f.passes, size, list(f.DeliveryFilter), deliveryKey); err != nil {
			return fmt.Errorf("as of %+v: %w", as, err)
		}
	}
	return nil
}

// Present is what a Reader answers about one tenant that no read shows as of a moment.
type Present struct {
	Events []projections.Event
	Skips  []projections.Skips
	Health map[domain.UUID]domain.Health // of the endpoints that have deliveries
}

// TakePresent reads a tenant's Present, lists in pages of a size, and checks filters as Take does.
func TakePresent(ctx context.Context, r projections.Reader, size int) (p Present, err error) {
	deliveries, err := r.Deliveries(ctx, projections.DeliveryFilter{}, projections.Page{Limit: 1000}, projections.AsOf{})
	if err != nil {
		return p, err
	}
	if p.Events, err = takeEvents(ctx, r, deliveries, size); err != nil {
		return p, err
	}
	if p.Skips, err = takeSkips(ctx, r, size); err != nil {
		return p, err
	}
	p.Health = make(map[domain.UUID]domain.Health)
	for _, d := range deliveries {
		if p.Health[d.Endpoint], err = r.Health(ctx, d.Endpoint); err != nil {
			return p, err
		}
	}
	return p, nil
}

func takeSkips(ctx context.Context, r projections.Reader, size int) ([]projections.Skips, error) {
	list := func(f projections.SkipFilter) func(projections.Page) ([]projections.Skips, error) {
		return func(p projections.Page) ([]projections.Skips, error) { return r.Skips(ctx, f, p) }
	}
	skips, err := walk(projections.Page{Limit: size}, list(projections.SkipFilter{}), skipsKey)
	if err != nil {
		return nil, err
	}
	down, err := walk(projections.Page{Limit: size, Descending: true}, list(projections.SkipFilter{}), skipsKey)
	slices.Reverse(down)
	if err == nil && !reflect.DeepEqual(skips, down) {
		err = fmt.Errorf("skips differ upwards and downwards: %+v, %+v", skips, down)
	}
	if err != nil {
		return nil, err
	}
	for _, f := range skipFilters(skips) {
		if err := exact(f.SkipFilter, skips, f.passes, size, list(f.SkipFilter), skipsKey); err != nil {
			return nil, err
		}
	}
	return skips, nil
}

func takeEvents(ctx context.Context, r projections.Reader, deliveries []projections.Delivery, size int) ([]projections.Event, error) {
	list := func(f projections.EventFilter) func(projections.Page) ([]projections.Event, error) {
		return func(p projections.Page) ([]projections.Event, error) { return r.Events(ctx, f, p) }
	}
	events, err := all(size, list(projections.EventFilter{}), eventKey, func(id domain.UUID) (projections.Event, error) {
		e, err := r.Event(ctx, id)
		if err != nil {
			return e, err
		}
		if e.Erased || e.Damaged {
			return r.EventBySequence(ctx, e.Created.Sequence)
		}
		other, err := r.EventByProducerID(ctx, e.Attrs.Source, e.Attrs.ID)
		if err == nil && other.ID != id {
			err = errors.New("found another event by the producer's id")
		}
		if err != nil {
			return e, err
		}
		return r.EventBySequence(ctx, e.Created.Sequence)
	})
	if err != nil {
		return nil, err
	}
	for _, f := range eventFilters(events, deliveries) {
		if err := exact(f.EventFilter, events, f.passes, size, list(f.EventFilter), eventKey); err != nil {
			return nil, err
		}
	}
	return events, nil
}

func skipsKey(s projections.Skips) (domain.UUID, projections.Origin) { return s.Event, s.At }

func deliveryKey(d projections.Delivery) (domain.UUID, projections.Origin) { return d.ID, d.Created }

func eventKey(e projections.Event) (domain.UUID, projections.Origin) { return e.ID, e.Created }

// all reads a list page by page, both ways, and fetches each row by itself: the answers must agree.
func all[T any](size int, list func(projections.Page) ([]T, error), key func(T) (domain.UUID, projections.Origin),
	get func(domain.UUID) (T, error),
) ([]T, error) {
	up, err := walk(projections.Page{Limit: size}, list, key)
	if err != nil {
		return nil, err
	}
	down, err := walk(projections.Page{Limit: size, Descending: true}, list, key)
	if err != nil {
		return nil, err
	}
	if len(up) != len(down) {
		return nil, fmt.Errorf("%d rows of %T upwards, %d downwards", len(up), up, len(down))
	}
	for i, row := range up {
		if !reflect.DeepEqual(row, down[len(down)-1-i]) {
			return nil, fmt.Errorf("row %d downwards differs: %+v, %+v", i, row, down[len(down)-1-i])
		}
		id, _ := key(row)
		single, err := get(id)
		if err != nil {
			return nil, fmt.Errorf("get a listed %T %s: %w", row, id, err)
		}
		if !reflect.DeepEqual(row, single) {
			return nil, fmt.Errorf("listed and fetched differ: %+v, %+v", row, single)
		}
	}
	return up, nil
}

func walk[T any](page projections.Page, list func(projections.Page) ([]T, error), key func(T) (domain.UUID, projections.Origin)) ([]T, error) {
	var rows []T
	for {
		next, err := list(page)
		if err != nil {
			return nil, err
		}
		rows = append(rows, next...)
		if len(next) < page.Limit {
			return rows, nil
		}
		id, created := key(next[len(next)-1])
		page.After, page.AfterID = &created.Sequence, id
	}
}
