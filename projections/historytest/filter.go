package historytest

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// deliveryFilter is a filter with what it means, said independently of the stores.
type deliveryFilter struct {
	projections.DeliveryFilter
	passes func(projections.Delivery) bool
}

// eventFilter is likewise.
type eventFilter struct {
	projections.EventFilter
	passes func(projections.Event) bool
}

// deliveryFilters are filters by each member of projections.DeliveryFilter, with values that are in the rows and some that
// aren't, and by two members at once.
func deliveryFilters(rows []projections.Delivery) (filters []deliveryFilter) {
	add := func(f projections.DeliveryFilter, passes func(projections.Delivery) bool) {
		filters = append(filters, deliveryFilter{f, passes})
	}
	for _, s := range []domain.DeliveryStatus{
		domain.DeliveryPending, domain.DeliveryRetrying, domain.DeliverySucceeded, domain.DeliveryDead, domain.DeliveryStatusCancelled,
	} {
		add(projections.DeliveryFilter{Status: s}, func(d projections.Delivery) bool { return d.Status == s })
	}
	unknown := domain.UUID{1}
	events, endpoints, subscriptions := []domain.UUID{unknown}, []domain.UUID{unknown}, []domain.UUID{unknown}
	for _, d := range rows {
		events, endpoints = addNew(events, d.Event), addNew(endpoints, d.Endpoint)
		for _, m := range d.Subscriptions {
			subscriptions = addNew(subscriptions, m.ID)
		}
	}
	for _, id := range few(events) {
		add(projections.DeliveryFilter{Event: id}, func(d projections.Delivery) bool { return d.Event == id })
	}
	for _, id := range few(endpoints) {
		add(projections.DeliveryFilter{Endpoint: id}, func(d projections.Delivery) bool { return d.Endpoint == id })
		add(projections.DeliveryFilter{Endpoint: id, Status: domain.DeliveryPending}, func(d projections.Delivery) bool {
			return d.Endpoint == id && d.Status == domain.DeliveryPending
		})
	}
	for _, id := range few(subscriptions) {
		add(projections.DeliveryFilter{Subscription: id}, func(d projections.Delivery) bool {
			return slices.ContainsFunc(d.Subscriptions, func(m domain.SubscriptionMatch) bool { return m.ID == id })
		})
	}
	for _, w := range windows(rows, deliveryKey) {
		add(projections.DeliveryFilter{From: w.from, To: w.to}, func(d projections.Delivery) bool { return w.holds(d.Created.RecordedAt) })
	}
	return filters
}

// deliverySearch is likewise.
type deliverySearch struct {
	projections.DeliverySearch
	passes func(projections.Delivery) bool
}

// deliverySearches are searches by each member of projections.DeliverySearch, with values that are in the rows and some
// that aren't.
func deliverySearches(
	rows []projections.Delivery, ends map[domain.UUID]*domain.AttemptEnd, types map[domain.UUID]domain.EventType,
	subjects map[domain.UUID]string,
) (searches []deliverySearch) {
	ended := func(s projections.DeliverySearch, passes func(*domain.AttemptEnd) bool) {
		searches = append(searches, deliverySearch{s, func(d projections.Delivery) bool {
			return ends[d.ID] != nil && passes(ends[d.ID])
		}})
	}
	took := func(e *domain.AttemptEnd) time.Duration { return time.Duration(e.DurationUS) * time.Microsecond }
	ended(projections.DeliverySearch{StatusCode: 599}, func(*domain.AttemptEnd) bool { return false })
	for _, d := range rows {
		if e := ends[d.ID]; e != nil {
			ended(projections.DeliverySearch{StatusCode: e.StatusCode, AtLeast: 1}, func(x *domain.AttemptEnd) bool {
				return took(x) >= 1 && (e.StatusCode == 0 || x.StatusCode == e.StatusCode)
			})
			ended(projections.DeliverySearch{Error: e.Error, Below: took(e) + 1}, func(x *domain.AttemptEnd) bool {
				return (e.Error == "" || x.Error == e.Error) && took(x) <= took(e)
			})
			break
		}
	}
	for _, d := range rows {
		if types[d.ID] == "" || subjects[d.ID] == "" {
			continue
		}
		searches = append(searches,
			deliverySearch{projections.DeliverySearch{EventType: types[d.ID]}, func(x projections.Delivery) bool {
				return types[x.ID] == types[d.ID]
			}},
			deliverySearch{projections.DeliverySearch{Subject: subjects[d.ID]}, func(x projections.Delivery) bool {
				return subjects[x.ID] == subjects[d.ID]
			}})
		break
	}
	return searches
}

// eventFilters are likewise.
func eventFilters(rows []projections.Event, deliveries []projections.Delivery) (filters []eventFilter) {
	add := func(f projections.EventFilter, passes func(projections.Event) bool) {
		filters = append(filters, eventFilter{f, passes})
	}
	types, subjects := []domain.EventType{"un.known"}, []string{"nobody"}
	for _, e := range rows {
		types = addNew(types, e.Attrs.Type)
		if e.Attrs.Subject != "" {
			subjects = addNew(subjects, e.Attrs.Subject)
		}
	}
	for _, typ := range types {
		add(projections.EventFilter{Type: typ}, func(e projections.Event) bool { return e.Attrs.Type == typ })
	}
	for _, subject := range subjects {
		add(projections.EventFilter{Subject: subject}, func(e projections.Event) bool { return e.Attrs.Subject == subject })
	}
	endpoints := []domain.UUID{{1}}
	for _, d := range deliveries {
		endpoints = addNew(endpoints, d.Endpoint)
	}
	for _, id := range few(endpoints) {
		add(projections.EventFilter{Endpoint: id}, func(e projections.Event) bool {
			return slices.ContainsFunc(deliveries, func(d projections.Delivery) bool { return d.Event == e.ID && d.Endpoint == id })
		})
	}
	for _, w := range windows(rows, eventKey) {
		add(projections.EventFilter{From: w.from, To: w.to}, func(e projections.Event) bool { return w.holds(e.Created.RecordedAt) })
	}
	return filters
}

// skipFilter is a filter with what it should let pass.
type skipFilter struct {
	projections.SkipFilter
	passes func(projections.Skips) bool
}

// skipFilters are likewise.
func skipFilters(rows []projections.Skips) (filters []skipFilter) {
	add := func(f projections.SkipFilter, passes func(projections.Skips) bool) {
		filters = append(filters, skipFilter{f, passes})
	}
	endpoints, subscriptions := []domain.UUID{{1}}, []domain.UUID{{1}}
	for _, row := range rows {
		for _, s := range slices.Concat(row.Skipped, row.Verdicts) {
			endpoints, subscriptions = addNew(endpoints, s.Endpoint), addNew(subscriptions, s.Subscription)
		}
	}
	for _, id := range few(endpoints) {
		add(projections.SkipFilter{Endpoint: id}, func(row projections.Skips) bool {
			return slices.ContainsFunc(slices.Concat(row.Skipped, row.Verdicts), func(s domain.Skipped) bool { return s.Endpoint == id })
		})
	}
	for _, id := range few(subscriptions) {
		add(projections.SkipFilter{Subscription: id}, func(row projections.Skips) bool {
			return slices.ContainsFunc(slices.Concat(row.Skipped, row.Verdicts), func(s domain.Skipped) bool { return s.Subscription == id })
		})
	}
	for _, endpoint := range few(endpoints) {
		for _, subscription := range few(subscriptions) {
			add(projections.SkipFilter{Endpoint: endpoint, Subscription: subscription}, func(row projections.Skips) bool {
				return slices.ContainsFunc(slices.Concat(row.Skipped, row.Verdicts), func(s domain.Skipped) bool {
					return s.Endpoint == endpoint && s.Subscription == subscription
				})
			})
		}
	}
	for _, w := range windows(rows, skipsKey) {
		add(projections.SkipFilter{From: w.from, To: w.to}, func(row projections.Skips) bool { return w.holds(row.At.RecordedAt) })
	}
	return filters
}

// exact compares the rows that a filter finds with those of the whole list that it should find.
func exact[T any](filter any, whole []T, passes func(T) bool, size int, list func(projections.Page) ([]T, error),
	key func(T) (domain.UUID, projections.Origin),
) error {
	var want []T
	for _, row := range whole {
		if passes(row) {
			want = append(want, row)
		}
	}
	got, err := walk(projections.Page{Limit: size}, list, key)
	if err != nil {
		return err
	}
	if !slices.EqualFunc(got, want, func(a, b T) bool { return reflect.DeepEqual(a, b) }) {
		return fmt.Errorf("filter %+v finds %+v, not %+v", filter, got, want)
	}
	return nil
}

// window is a span of time: its beginning inclusive, its end exclusive, either open when zero.
type window struct{ from, to time.Time }

func (w window) holds(t time.Time) bool {
	return (w.from.IsZero() || !t.Before(w.from)) && (w.to.IsZero() || t.Before(w.to))
}

// windows begin and end at, and right behind, a row in the middle.
func windows[T any](rows []T, key func(T) (domain.UUID, projections.Origin)) []window {
	if len(rows) == 0 {
		return nil
	}
	_, middle := key(rows[len(rows)/2])
	at := middle.RecordedAt
	behind := at.Add(time.Microsecond)
	return []window{{from: at}, {from: behind}, {to: at}, {to: behind}, {from: at, to: behind}}
}

// few are the first, which no row has, and the last ones: a check of each would take minutes.
func few[T any](values []T) []T {
	return append(values[:1:1], values[max(1, len(values)-3):]...)
}

func addNew[T comparable](values []T, value T) []T {
	if slices.Contains(values, value) {
		return values
	}
	return append(values, value)
}
