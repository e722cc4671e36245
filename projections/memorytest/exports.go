package memorytest

import (
	"context"
	"slices"

	"github.com/hooktrail/hooktrail/projections"
)

// PutExport implements Store.
func (m *Memory) PutExport(row projections.Export) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tenant(row.Tenant)
	i := slices.IndexFunc(t.exports, func(x projections.Export) bool { return x.ID == row.ID })
	if i < 0 {
		t.exports = append(t.exports, row)
		return nil
	}
	row.Created = t.exports[i].Created
	t.exports[i] = row
	return nil
}

func (r deliveryReader) Exports(_ context.Context, page projections.Page) ([]projections.Export, error) {
	t := r.lock()
	defer r.m.mu.RUnlock()
	rows := slices.Clone(t.exports)
	if page.Descending {
		slices.Reverse(rows)
	}
	rows = slices.DeleteFunc(rows, func(x projections.Export) bool {
		switch {
		case x.Created.Sequence > r.last:
			return true
		case page.After == nil:
			return false
		case page.Descending:
			return x.Created.Sequence >= *page.After
		}
		return x.Created.Sequence <= *page.After
	})
	return rows[:min(len(rows), page.Limit)], nil
}

// LiveExports returns the exports of all tenants that aren't finished or have a file, in order of creation.
func (m *Memory) LiveExports(context.Context) ([]projections.Export, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var live []projections.Export
	for _, t := range m.tenants {
		for _, x := range t.exports {
			if x.Unfinished || !x.KeptUntil.IsZero() {
				live = append(live, x)
			}
		}
	}
	slices.SortFunc(live, func(a, b projections.Export) int { return int(a.Created.Position - b.Created.Position) })
	return live, nil
}
