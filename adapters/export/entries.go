package export

import (
	"context"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
)

// opened is how many entries are opened by their sequences at once: each may be as large as entries get.
const opened = 32

// passed is how many times as many entries a step examines where it doesn't open most of them.
const passed = 10

// entries is the source of rows that are entries of the log: events, changes of configuration, the log.
type entries struct {
	log   Log
	query domain.Query
	span  span
	types []domain.Pattern
	// sparse: few entries are rows, so the others are passed over by their headers.
	sparse bool
}

func newEntries(log Log, tenant domain.TenantID, order *domain.ExportOrder, s span, size steps) (*entries, error) {
	q := &order.Query
	src := &entries{log: log, span: s, types: q.Types, query: domain.Query{
		Tenant: tenant, Kind: q.Kind, Actor: q.Actor, Limit: size.entries, Bytes: size.bytes,
	}}
	if q.Stream != "" {
		var err error
		if src.query.Stream, err = domain.ParseStream(q.Stream); err != nil {
			return nil, err
		}
	}
	switch q.What {
	case domain.ExportEvents:
		src.query.Kind = domain.KindEventAppended
	case domain.ExportConfiguration:
		src.sparse = true
	}
	return src, nil
}

// next implements source.
func (s *entries) next(ctx context.Context, at place) (page, error) {
	q := s.query
	from, to := max(at.Sequence, s.span.from), s.span.to
	if from >= to {
		return page{next: place{Sequence: to}, done: true, reached: to}, nil
	}
	q.From, q.To = &from, &to
	if q.HeadersOnly = s.sparse; s.sparse {
		q.Limit *= passed
	}
	found, next, err := s.log.Scan(ctx, q)
	if err != nil {
		return page{}, err
	}
	p := page{next: place{Sequence: to}, done: next == nil, reached: to}
	if next != nil {
		p.next.Sequence, p.reached = *next, *next
	}
	if s.sparse {
		var cut *domain.Sequence
		if found, cut, err = s.changes(ctx, found); err != nil {
			return page{}, err
		}
		if cut != nil {
			p.next.Sequence, p.reached, p.done = *cut, *cut, false
		}
	}
	for i := range found {
		e := &found[i]
		if f, ok := e.Fact.(*domain.EventAppended); ok && !matches(s.types, f.Event.Type) || len(s.types) > 0 && !ok {
			continue
		}
		p.rows = append(p.rows, row{entry: e, erased: e.Erased, damaged: e.Damaged, sequence: e.Sequence})
	}
	return p, nil
}

// close implements source.
func (s *entries) close() {}

// changes opens those entries that change configuration, and returns where to go on if there are more than a step takes.
func (s *entries) changes(ctx context.Context, headers []domain.Entry) (found []domain.Entry, cut *domain.Sequence, err error) {
	const most = 8 * opened
	var at []domain.Sequence
	for i := range headers {
		if isConfiguration(headers[i].Kind) {
			at = append(at, headers[i].Sequence)
		}
		if len(at) == opened || len(at) > 0 && i == len(headers)-1 {
			some, err := s.log.Entries(ctx, s.query.Tenant, at)
			if err != nil {
				return nil, nil, err
			}
			found, at = append(found, some...), at[:0]
		}
		if len(found) >= most {
			next := headers[i].Sequence + 1
			return found, &next, nil
		}
	}
	return found, nil, nil
}

// isConfiguration reports whether entries of a kind change what is configured.
func isConfiguration(k domain.Kind) bool {
	switch subject, _, _ := strings.Cut(string(k), "."); subject {
	case "tenant", "key", "registration", "endpoint", "subscription", "event_type", "profile":
		return true
	}
	return false
}
