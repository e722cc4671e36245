package projections

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// Memory keeps the views of a whole log in memory, every state of everything, so that it can answer as of any sequence.
// It is a Store, for one goroutine that folds, and Views, for any number that read at the same time. It grows with the
// log: it serves tests, audits of an export, and short logs.
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
	versions      []Tenant
	keys          list[Key]
	endpoints     list[Endpoint]
	subscriptions list[Subscription]
	eventTypes    list[EventType]
	skips         []Skips
	health        map[domain.UUID][]healthState // by endpoint, oldest first
	events        list[Event]
	byProducer    map[producerID]domain.UUID
	deliveries    list[Delivery]
	attempts      map[domain.UUID][]Attempt // by delivery
}

// healthState is an endpoint's health from a sequence on.
type healthState struct {
	domain.Health
	from domain.Sequence
}

// producerID is what an event's producer called it.
type producerID struct{ source, id string }

// NewMemory returns an empty Memory, to be filled by Apply or Follow.
func NewMemory() *Memory {
	return &Memory{tenants: make(map[domain.TenantID]*memoryTenant), moved: make(chan struct{})}
}

// Follow folds a log from where the Memory stands, until ctx ends (nil) or an entry can't be folded.
func (m *Memory) Follow(ctx context.Context, log domain.Log) error {
	return Follow(ctx, log, m.Cursor(), func(entries []domain.Entry) error {
		for _, e := range entries {
			if err := Apply(m, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// Cursor is the position of the last entry that is folded.
func (m *Memory) Cursor() domain.Position {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.cursor
}

// Read implements Views.
func (m *Memory) Read(ctx context.Context, tenant domain.TenantID, atLeast domain.Sequence, f func(Reader) error) error {
	for {
		m.mu.RLock()
		r := &memoryReader{m: m, tenant: m.tenants[tenant], id: tenant, last: -1}
		moved := m.moved
		if r.tenant != nil {
			r.last = domain.Sequence(len(r.tenant.recorded) - 1)
		}
		m.mu.RUnlock()
		if r.last >= atLeast {
			return f(r)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("read sequence %d of tenant %s: %w (it is at %d)", atLeast, tenant, ErrBehind, r.last)
		case <-moved:
		}
	}
}

// Tenants implements Views.
func (m *Memory) Tenants(_ context.Context, after domain.TenantID, limit int) ([]Tenant, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var rows []Tenant
	for id, t := range m.tenants {
		if id <= after || id == domain.InstanceTenant || len(t.versions) == 0 {
			continue
		}
		if row := t.versions[len(t.versions)-1]; !row.Deleted {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b Tenant) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return rows[:min(limit, len(rows))], nil
}

// tenant returns a tenant's views, made when there are none; mu is held.
func (m *Memory) tenant(id domain.TenantID) *memoryTenant {
	t := m.tenants[id]
	if t == nil {
		t = &memoryTenant{
			id:            id,
			keys:          newList(func(k *Key) (Origin, Origin) { return k.Created, k.Updated }),
			endpoints:     newList(func(e *Endpoint) (Origin, Origin) { return e.Created, e.Updated }),
			subscriptions: newList(func(s *Subscription) (Origin, Origin) { return s.Created, s.Updated }),
			eventTypes:    newList(func(d *EventType) (Origin, Origin) { return d.Created, d.Updated }),
			health:        make(map[domain.UUID][]healthState),
			events:        newList(func(e *Event) (Origin, Origin) { return e.Created, e.Created }),
			byProducer:    make(map[producerID]domain.UUID),
			deliveries:    newList(func(d *Delivery) (Origin, Origin) { return d.Created, d.Updated }),
			attempts:      make(map[domain.UUID][]Attempt),
		}
		m.tenants[id] = t
	}
	return t
}
