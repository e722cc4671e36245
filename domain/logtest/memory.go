package logtest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// Memory is a domain.Log in memory. It keeps every rule of the port, makes real leaves, and has every fact encoded and
// decoded again, so that what it hands out is what a database would. It starts no goroutine and waits only on channels
// and timers: inside a testing/synctest bubble, made there, it goes by the bubble's clock.
type Memory struct {
	now func() time.Time

	mu         sync.Mutex // guards all below
	entries    []domain.Entry
	tenants    map[domain.TenantID]*tenantLog
	versions   map[streamKey]int
	claims     map[claimKey]claimed
	leases     map[string]lease
	heartbeats map[domain.UUID]time.Time
	keys       map[subjectKey]domain.UUID
	grown      chan struct{} // closed by the next append
}

type tenantLog struct {
	positions []domain.Position // by sequence
	deleted   bool
}

type streamKey struct {
	tenant domain.TenantID
	stream domain.Stream
}

type claimKey struct {
	tenant     domain.TenantID
	scope, key string
}

type subjectKey struct {
	tenant  domain.TenantID
	subject string
}

type claimed struct {
	digest   [32]byte
	sequence domain.Sequence
	count    int
	at       time.Time
}

type lease struct {
	owner domain.UUID
	epoch int64
}

var _ domain.Log = (*Memory)(nil)

// NewMemory returns an empty log: no tenant exists, not even the instance's. now is the clock of entries and
// heartbeats; nil is time.Now.
func NewMemory(now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	return &Memory{
		now:        now,
		tenants:    make(map[domain.TenantID]*tenantLog),
		versions:   make(map[streamKey]int),
		claims:     make(map[claimKey]claimed),
		leases:     make(map[string]lease),
		heartbeats: make(map[domain.UUID]time.Time),
		keys:       make(map[subjectKey]domain.UUID),
		grown:      make(chan struct{}),
	}
}

// Heartbeat says that a node lives now. A lease whose owner never had one counts as expired.
func (m *Memory) Heartbeat(node domain.UUID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heartbeats[node] = m.now()
}

// Page implements domain.Log.
func (m *Memory) Page(ctx context.Context, after domain.Position, limit int) ([]domain.Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	begin := min(max(int(after), 0), len(m.entries))
	end := min(begin+max(limit, 1), len(m.entries))
	return slices.Clone(m.entries[begin:end]), nil
}

// Head implements domain.Log.
func (m *Memory) Head(ctx context.Context) (domain.Position, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return domain.Position(len(m.entries)), nil
}

// Await implements domain.Log.
func (m *Memory) Await(ctx context.Context, after domain.Position) {
	m.mu.Lock()
	head, grown := domain.Position(len(m.entries)), m.grown
	m.mu.Unlock()
	if head > after {
		return
	}
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-grown:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Erase destroys the content of every entry about a subject, as destroying its data keys does. What is appended about
// it later is readable again.
func (m *Memory) Erase(tenant domain.TenantID, subject string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := subjectKey{tenant, subject}
	key, ok := m.keys[name]
	if !ok {
		return
	}
	delete(m.keys, name)
	for _, p := range m.tenants[tenant].positions {
		e := &m.entries[p-1]
		leaf, err := domain.ParseLeaf(e.Leaf)
		if err == nil && leaf.DataKey == key {
			e.Fact, e.Reason, e.Erased = nil, "", true
		}
	}
}
