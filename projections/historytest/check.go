package historytest

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// Snapshot is everything that a Reader answers about one tenant as of one sequence.
type Snapshot struct {
	Tenant        *projections.Tenant
	Keys          []projections.Key
	Endpoints     []projections.Endpoint
	Subscriptions []projections.Subscription
	Deliveries    []projections.Delivery
	Dead          []projections.Delivery // those of the list that the filter by status finds
	Attempts      [][]projections.Attempt
}

// Take reads a tenant's Snapshot, lists in pages of a size. Every row of a list is also fetched by itself.
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
	s.Subscriptions, err = all(size, func(p projections.Page) ([]projections.Subscription, error) {
		return r.Subscriptions(ctx, domain.UUID{}, p, as)
	},
		func(e projections.Subscription) (domain.UUID, projections.Origin) { return e.ID, e.Created },
		func(id domain.UUID) (projections.Subscription, error) { return r.Subscription(ctx, id, as) })
	if err != nil {
		return s, err
	}
	return s, s.takeDeliveries(ctx, r, as, size)
}

func (s *Snapshot) takeDeliveries(ctx context.Context, r projections.Reader, as projections.AsOf, size int) (err error) {
	list := func(f projections.DeliveryFilter) ([]projections.Delivery, error) {
		return all(size, func(p projections.Page) ([]projections.Delivery, error) { return r.Deliveries(ctx, f, p, as) },
			func(d projections.Delivery) (domain.UUID, projections.Origin) { return d.ID, d.Created },
			func(id domain.UUID) (projections.Delivery, error) { return r.Delivery(ctx, id, as) })
	}
	if s.Deliveries, err = list(projections.DeliveryFilter{}); err != nil {
		return err
	}
	if s.Dead, err = list(projections.DeliveryFilter{Status: domain.DeliveryDead}); err != nil {
		return err
	}
	for _, d := range s.Deliveries {
		attempts, err := r.Attempts(ctx, d.ID, as)
		if err != nil {
			return err
		}
		s.Attempts = append(s.Attempts, attempts)
		if err := filtersFind(ctx, r, d, as); err != nil {
			return err
		}
	}
	return nil
}

// filtersFind checks that each filter which a delivery passes lists it.
func filtersFind(ctx context.Context, r projections.Reader, d projections.Delivery, as projections.AsOf) error {
	filters := []projections.DeliveryFilter{
		{Event: d.Event}, {Endpoint: d.Endpoint, Status: d.Status}, {From: d.Created.RecordedAt, To: d.Created.RecordedAt.Add(1000)},
	}
	for _, m := range d.Subscriptions {
		filters = append(filters, projections.DeliveryFilter{Subscription: m.ID})
	}
	for _, f := range filters {
		rows, err := r.Deliveries(ctx, f, projections.Page{Limit: 1000}, as)
		if err != nil {
			return err
		}
		found := false
		for _, row := range rows {
			found = found || row.ID == d.ID
		}
		if !found {
			return fmt.Errorf("delivery %s isn't listed with filter %+v as of %+v", d.ID, f, as)
		}
	}
	return nil
}

// Events reads all of a tenant's events, which no read shows as of a moment.
func Events(ctx context.Context, r projections.Reader, size int) ([]projections.Event, error) {
	return all(size, func(p projections.Page) ([]projections.Event, error) {
		return r.Events(ctx, projections.EventFilter{}, p)
	},
		func(e projections.Event) (domain.UUID, projections.Origin) { return e.ID, e.Created },
		func(id domain.UUID) (projections.Event, error) {
			e, err := r.Event(ctx, id)
			if err != nil {
				return e, err
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
}

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
		if len(next) == 0 {
			return rows, nil
		}
		rows = append(rows, next...)
		id, created := key(next[len(next)-1])
		page.After, page.AfterID = &created.Sequence, id
	}
}
