package logtest

import (
	"context"
	"errors"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// Scan implements domain.Log.
func (m *Memory) Scan(ctx context.Context, q domain.Query) (found []domain.Entry, next *domain.Sequence, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if q.Limit < 1 {
		return nil, nil, errors.New("select: the limit must be positive")
	}
	entries := m.ofTenant(q.Tenant)
	resolveTimes(&q, entries)
	step := q.Step(domain.Sequence(len(entries)))
	entries = entries[min(*q.From, *q.To):*q.To]
	if q.Descending {
		slices.Reverse(entries)
	}
	size := 0
	for _, e := range entries {
		if len(found) == q.Limit {
			break
		}
		if !matches(q, e) {
			continue
		}
		if q.HeadersOnly {
			e.Fact, e.Reason, e.Context = nil, "", nil
		}
		found = append(found, e)
		if !q.HeadersOnly {
			if size += sizeOf(e); size >= q.ScanBytes() {
				return found, q.After(found, step, true), nil
			}
		}
	}
	return found, q.After(found, step, false), nil
}

// sizeOf is how many bytes an entry's content has, as far as it may be large.
func sizeOf(e domain.Entry) int {
	switch f := e.Fact.(type) {
	case *domain.EventAppended:
		return len(f.Data)
	case *domain.AttemptFinished:
		return len(f.Body)
	}
	return 0
}

// resolveTimes turns a query's times into sequences.
func resolveTimes(q *domain.Query, entries []domain.Entry) {
	first := func(at time.Time) domain.Sequence {
		return domain.Sequence(sort.Search(len(entries), func(i int) bool { return !entries[i].RecordedAt.Before(at) }))
	}
	if from := first(q.Since); !q.Since.IsZero() && (q.From == nil || *q.From < from) {
		q.From = &from
	}
	if to := first(q.Until); !q.Until.IsZero() && (q.To == nil || *q.To > to) {
		q.To = &to
	}
}

// ofTenant returns a tenant's whole log.
func (m *Memory) ofTenant(tenant domain.TenantID) []domain.Entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	log, ok := m.tenants[tenant]
	if !ok {
		return nil
	}
	entries := make([]domain.Entry, 0, len(log.positions))
	for _, p := range log.positions {
		entries = append(entries, m.entries[p-1])
	}
	return entries
}

func matches(q domain.Query, e domain.Entry) bool {
	switch {
	case q.Kind != "" && !matchesKind(string(q.Kind), string(e.Kind)):
	case q.Stream != (domain.Stream{}) && q.Stream != e.Stream:
	case !q.Actor.IsZero() && q.Actor != e.By.Principal && q.Actor != e.By.Credential:
	default:
		return true
	}
	return false
}

func matchesKind(want, have string) bool {
	if prefix, ok := strings.CutSuffix(want, "*"); ok && strings.HasSuffix(prefix, ".") {
		return strings.HasPrefix(have, prefix)
	}
	return want == have
}
