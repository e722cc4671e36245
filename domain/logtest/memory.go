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
	leases     map[string]domain.Lease
	heartbeats map[domain.UUID]time.Time
	keys       map[keyName]domain.UUID
	destroyed  map[domain.UUID]bool
	format     int                   // that the log is raised to
	introduced func(domain.Kind) int // the format with which a kind came
	grown      chan struct{}         // closed by the next append
}

type tenantLog struct {
	positions     []domain.Position // by sequence
	configuration []domain.Position // of entries that configure routing
	deleted       bool
}

type streamKey struct {
	tenant domain.TenantID
	stream domain.Stream
}

type claimKey struct {
	tenant     domain.TenantID
	scope, key string
}

// keyName is what a key is for: a subject, or a period with its retention class.
type keyName struct {
	tenant        domain.TenantID
	purpose, name string
}

type claimed struct {
	digest   [32]byte
	sequence domain.Sequence
	count    int
	at       time.Time
}

var _ domain.Log = (*Memory)(nil)

// NewMemory returns an empty log of the newest format: no tenant exists, not even the instance's. now is the clock of entries and
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
		leases:     make(map[string]domain.Lease),
		heartbeats: make(map[domain.UUID]time.Time),
		keys:       make(map[keyName]domain.UUID),
		destroyed:  make(map[domain.UUID]bool),
		format:     domain.Format,
		introduced: domain.Kind.Format,
		grown:      make(chan struct{}),
	}
}

// Introduce has the log take a kind for one that came with a format, as kinds to come will.
func (m *Memory) Introduce(kind domain.Kind, format int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.introduced
	m.introduced = func(k domain.Kind) int {
		if k == kind {
			return format
		}
		return before(k)
	}
}

// Retire says that a node has ended: its leases count as expired.
func (m *Memory) Retire(node domain.UUID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.heartbeats, node)
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

// Erase destroys a subject's key: every entry about it loses its personal parts, and what is appended later under that very
// key has none. What is appended later about the subject gets a new key.
func (m *Memory) Erase(tenant domain.TenantID, subject string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := keyName{tenant, "subject", subject}
	key, ok := m.keys[name]
	if !ok {
		return
	}
	delete(m.keys, name)
	m.destroyed[key] = true
	for _, p := range m.tenants[tenant].positions {
		if e := &m.entries[p-1]; e.SubjectKey == key {
			e.Fact, e.Erased = impersonal(e), true
		}
	}
}

// impersonal returns an entry's fact without its personal parts.
func impersonal(e *domain.Entry) domain.Fact {
	parts, err := domain.EncodeFact(e.Fact)
	if err != nil {
		panic(err) // it was encoded when it was appended
	}
	fact, err := domain.DecodeFact(e.Kind, e.KindVersion, slices.DeleteFunc(parts, domain.Part.Personal), true)
	if err != nil {
		panic(err)
	}
	return fact
}

// configured is the sequence of the tenant's last entry that configures routing.
func (l *tenantLog) configured(entries []domain.Entry) domain.Sequence {
	return entries[l.configuration[len(l.configuration)-1]-1].Sequence
}

// newer returns the tenant's entries that configure routing after a sequence.
func (l *tenantLog) newer(entries []domain.Entry, after domain.Sequence) []domain.Entry {
	var newer []domain.Entry
	for _, p := range l.configuration {
		if e := entries[p-1]; e.Sequence > after {
			newer = append(newer, e)
		}
	}
	return newer
}
