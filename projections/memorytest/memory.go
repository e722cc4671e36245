// Package memorytest has the views of a whole log in memory. Tests compare the Postgres tables with them, and read them
// where they need views and no database.
package memorytest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// Memory keeps the views of a whole log in memory, every state of everything, so that it can answer as of any sequence.
// It is a projections.Store, for one goroutine that folds, and projections.Views, for any number that read at the same
// time. It grows with the log.
type Memory struct {
	mu      sync.RWMutex // guards all below
	cursor  domain.Position
	tenants map[domain.TenantID]*memoryTenant
	moved   chan struct{} // closed and replaced when the cursor moves
}

// memoryTenant is one tenant's views.
type memoryTenant struct {
	id            domain.TenantID
	recorded      []time.Time // recorded_at by sequence
	versions      []projections.Tenant
	keys          list[projections.Key]
	endpoints     list[projections.Endpoint]
	subscriptions list[projections.Subscription]
	eventTypes    list[projections.EventType]
	skips         []projections.Skips
	exports       []projections.Export
	health        map[domain.UUID][]healthState // by endpoint, oldest first
	events        list[projections.Event]
	byProducer    map[producerID]domain.UUID
	deliveries    list[projections.Delivery]
	replays       list[replayState]
	attempts      map[domain.UUID]*projections.Attempts // by delivery
}

// replayState is a replay from an entry on, of its own stream or of one of its deliveries'.
type replayState struct {
	projections.Replay
	folded projections.Origin
}

// healthState is an endpoint's health from a sequence on.
type healthState struct {
	domain.Health
	from domain.Sequence
}

// producerID is what an event's producer called it.
type producerID struct{ source, id string }

// New returns an empty Memory, to be filled by projections.Apply or Follow.
func New() *Memory {
	return &Memory{tenants: make(map[domain.TenantID]*memoryTenant), moved: make(chan struct{})}
}

// Follow folds a log from the Memory's cursor on, until ctx ends (nil) or an entry can't be folded.
func (m *Memory) Follow(ctx context.Context, log domain.Log) error {
	return projections.Follow(ctx, log, m.Cursor(), func(entries []domain.Entry) error {
		for _, e := range entries {
			if err := projections.Apply(m, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// Cursor is the position of the last entry that was folded.
func (m *Memory) Cursor() domain.Position {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.cursor
}

// Read implements Views.
func (m *Memory) Read(ctx context.Context, tenant domain.TenantID, atLeast domain.Sequence, f func(projections.Reader) error) error {
	for {
		m.mu.RLock()
		r := &tenantSnapshot{m: m, tenant: m.tenants[tenant], id: tenant, last: -1}
		moved := m.moved
		if r.tenant != nil {
			r.last = domain.Sequence(len(r.tenant.recorded) - 1)
		}
		m.mu.RUnlock()
		if r.last >= atLeast {
			return f(newReader(r))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("read sequence %d of tenant %s: %w (it is at %d)", atLeast, tenant, projections.ErrBehind, r.last)
		case <-moved:
		}
	}
}

// Tenants implements Views.
func (m *Memory) Tenants(_ context.Context, after domain.TenantID, limit int) ([]projections.Tenant, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var rows []projections.Tenant
	for id, t := range m.tenants {
		if id <= after || id == domain.InstanceTenant || len(t.versions) == 0 {
			continue
		}
		if row := t.versions[len(t.versions)-1]; !row.Deleted {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b projections.Tenant) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return rows[:min(limit, len(rows))], nil
}

// tenant returns a tenant's views, made when there are none; mu is held.
func (m *Memory) tenant(id domain.TenantID) *memoryTenant {
	t := m.tenants[id]
	if t == nil {
		t = &memoryTenant{
			id:        id,
			keys:      newList(func(k *projections.Key) (projections.Origin, projections.Origin) { return k.Created, k.Updated }),
			endpoints: newList(func(e *projections.Endpoint) (projections.Origin, projections.Origin) { return e.Created, e.Updated }),
			subscriptions: newList(func(s *projections.Subscription) (projections.Origin, projections.Origin) {
				return s.Created, s.Updated
			}),
			eventTypes: newList(func(d *projections.EventType) (projections.Origin, projections.Origin) { return d.Created, d.Updated }),
			health:     make(map[domain.UUID][]healthState),
			events:     newList(func(e *projections.Event) (projections.Origin, projections.Origin) { return e.Created, e.Created }),
			byProducer: make(map[producerID]domain.UUID),
			deliveries: newList(func(d *projections.Delivery) (projections.Origin, projections.Origin) { return d.Created, d.Updated }),
			replays:    newList(func(r *replayState) (projections.Origin, projections.Origin) { return r.Created, r.folded }),
			attempts:   make(map[domain.UUID]*projections.Attempts),
		}
		m.tenants[id] = t
	}
	return t
}
