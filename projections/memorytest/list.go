package memorytest

import (
	"cmp"
	"slices"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// history is every state of one thing, oldest first.
type history[T any] struct {
	id     domain.UUID
	states []T
}

// list holds the histories of one kind of thing in one tenant, found by id and listed in order of creation.
type list[T any] struct {
	origin func(*T) (created, updated projections.Origin)
	byID   map[domain.UUID]*history[T]
	order  []*history[T] // by creation's sequence, then id
}

func newList[T any](origin func(*T) (created, updated projections.Origin)) list[T] {
	return list[T]{origin: origin, byID: make(map[domain.UUID]*history[T])}
}

// add appends a state to the history of a thing, which it makes when there is none.
func (l *list[T]) add(id domain.UUID, state T) {
	h := l.byID[id]
	if h == nil {
		h = &history[T]{id: id}
		l.byID[id] = h
		key, _ := l.origin(&state)
		at, _ := slices.BinarySearchFunc(l.order, h, func(x, _ *history[T]) int {
			c, _ := l.origin(&x.states[0])
			return cmp.Or(cmp.Compare(c.Sequence, key.Sequence), compareUUID(x.id, id))
		})
		l.order = slices.Insert(l.order, at, h)
	}
	h.states = append(h.states, state)
}

// last returns the newest state of a thing, nil when there is none.
func (l *list[T]) last(id domain.UUID) *T {
	h := l.byID[id]
	if h == nil {
		return nil
	}
	return &h.states[len(h.states)-1]
}

// at returns the state of a thing as of a sequence, nil when it didn't exist.
func (l *list[T]) at(h *history[T], as domain.Sequence) *T {
	if h == nil {
		return nil
	}
	for i := len(h.states) - 1; i >= 0; i-- {
		if _, updated := l.origin(&h.states[i]); updated.Sequence <= as {
			return &h.states[i]
		}
	}
	return nil
}

// page lists the states as of a sequence that keep accepts.
func (l *list[T]) page(p projections.Page, as domain.Sequence, keep func(*T) bool) []T {
	var rows []T
	for i := range l.order {
		if p.Descending {
			i = len(l.order) - 1 - i
		}
		h := l.order[i]
		c, _ := l.origin(&h.states[0])
		if len(rows) >= p.Limit || !admits(p, c.Sequence, h.id) {
			continue
		}
		if row := l.at(h, as); row != nil && keep(row) {
			rows = append(rows, *row)
		}
	}
	return rows
}

// admits reports whether a row comes after the place from which the page continues.
func admits(p projections.Page, created domain.Sequence, id domain.UUID) bool {
	if p.After == nil {
		return true
	}
	c := cmp.Compare(created, *p.After)
	if c == 0 && !p.AfterID.IsZero() {
		c = compareUUID(id, p.AfterID)
	}
	if p.Descending {
		return c < 0
	}
	return c > 0
}

func compareUUID(a, b domain.UUID) int { return slices.Compare(a[:], b[:]) }
