package logtest

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
)

// Select implements domain.Log.
func (m *Memory) Select(ctx context.Context, q domain.Query) ([]domain.Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if q.Limit < 1 {
		return nil, errors.New("select: the limit must be positive")
	}
	var found []domain.Entry
	for _, e := range m.ofTenant(q.Tenant, q.Descending) {
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
	}
	return found, nil
}

func (m *Memory) ofTenant(tenant domain.TenantID, descending bool) []domain.Entry {
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
	if descending {
		slices.Reverse(entries)
	}
	return entries
}

func matches(q domain.Query, e domain.Entry) bool {
	switch {
	case q.From != nil && e.Sequence < *q.From:
	case q.To != nil && e.Sequence >= *q.To:
	case !q.Since.IsZero() && e.RecordedAt.Before(q.Since):
	case !q.Until.IsZero() && !e.RecordedAt.Before(q.Until):
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
