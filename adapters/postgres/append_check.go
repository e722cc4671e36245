package postgres

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// stage decides, group by group and in order, what of a batch may be appended, and numbers it. It sees the log as the
// database showed it under the lock, and above that what the groups before would add.
type stage struct {
	base    *state
	checked *checked
	clock   time.Time // the database's, under the lock

	position   domain.Position
	recordedAt time.Time
	versions   map[streamKey]int
	tenants    map[domain.TenantID]tenantStage
	leases     map[string]leaseRow
	claims     map[[32]byte]claimant
	undo       []func() // of the group being decided
}

// tenantStage is a tenant's log as far as it is staged.
type tenantStage struct {
	next    domain.Sequence
	deleted bool
	origin  string
}

// claimant is the group of the batch that made a claim, and which of its claims that is.
type claimant struct {
	request *request
	claim   int
}

func newStage(base *state, c *checked) *stage {
	return &stage{
		base: base, checked: c, clock: c.clock,
		position: base.position, recordedAt: base.recordedAt,
		versions: make(map[streamKey]int), tenants: make(map[domain.TenantID]tenantStage),
		leases: make(map[string]leaseRow), claims: make(map[[32]byte]claimant),
	}
}

// admit decides on a group. An error rejects it alone; domain.ErrRefused and the like aside it is one of the port's.
func (s *stage) admit(r *request) error {
	position, recordedAt := s.position, s.recordedAt
	s.undo = s.undo[:0]
	err := s.decide(r)
	if err != nil || r.same != nil {
		for _, undo := range slices.Backward(s.undo) {
			undo()
		}
		s.position, s.recordedAt = position, recordedAt
	}
	return err
}

func (s *stage) decide(r *request) error {
	r.same = nil
	if err := s.checkLeases(r.group); err != nil {
		return err
	}
	for i := range r.drafts {
		if err := s.add(&r.drafts[i]); err != nil {
			return fmt.Errorf("append to %s: %w", r.drafts[i].Stream, err)
		}
	}
	return s.claim(r)
}

func (s *stage) checkLeases(g domain.Group) error {
	for _, f := range g.Fences {
		if s.lease(f.Lease) != (leaseRow{f.Owner, f.Epoch}) {
			return fmt.Errorf("append under %s epoch %d: %w", f.Lease, f.Epoch, domain.ErrFenced)
		}
	}
	for _, t := range g.Takes {
		if !s.mayTake(t) {
			return fmt.Errorf("take %s in epoch %d: %w", t.Lease, t.Epoch, domain.ErrFenced)
		}
	}
	for _, t := range g.Takes {
		put(s, s.leases, t.Lease, leaseRow{t.Owner, t.Epoch})
	}
	return nil
}

func (s *stage) lease(name string) leaseRow {
	if row, ok := s.leases[name]; ok {
		return row
	}
	return s.base.leases[name] // zero: never taken
}

func (s *stage) mayTake(t domain.Take) bool {
	held := s.lease(t.Lease)
	if held.epoch != t.Epoch-1 {
		return false
	}
	if held.owner.IsZero() || slices.Contains(t.Displaced, held.owner) {
		return true
	}
	beat, ok := s.checked.heartbeats[held.owner]
	return !ok || s.clock.Sub(beat) > t.Expiry
}

func (s *stage) add(p *prepared) error {
	tenant, err := s.tenant(p)
	if err != nil {
		return err
	}
	key := streamKey{p.Tenant, p.Stream}
	version, err := s.version(key)
	if err != nil {
		return err
	}
	if p.Expected != domain.AnyVersion && p.Expected != version {
		return domain.ErrConflict
	}
	if !p.key.IsZero() && !s.checked.keys[p.key] {
		return domain.ErrKeyDestroyed
	}
	s.position++
	s.recordedAt = s.nextTime()
	p.position, p.recordedAt = s.position, s.recordedAt
	p.sequence, p.streamVersion = tenant.next, version+1
	put(s, s.versions, key, version+1)
	tenant.next++
	tenant.deleted = tenant.deleted || p.kind == domain.KindTenantDeleted
	put(s, s.tenants, p.Tenant, tenant)
	return nil
}

// tenant returns the log that the draft goes to, and refuses what that log doesn't take.
func (s *stage) tenant(p *prepared) (tenantStage, error) {
	t, ok := s.tenants[p.Tenant]
	if head := s.base.heads[p.Tenant]; !ok && head != nil {
		t = tenantStage{domain.Sequence(head.size), head.deleted, head.origin}
	}
	created, isCreated := p.Fact.(*domain.TenantCreated)
	switch {
	case isCreated && t.next > 0:
		return t, domain.ErrConflict
	case isCreated && created.Tenant.ID == p.Tenant:
		return tenantStage{origin: p.origin}, nil
	case t.next == 0, t.deleted && !p.kind.AfterDeletion():
		return t, domain.ErrUnknownTenant
	case t.origin != p.origin: // another process, of another name, made the tenant meanwhile
		return t, domain.ErrConflict
	}
	return t, nil
}

func (s *stage) version(key streamKey) (int, error) {
	if version, ok := s.versions[key]; ok {
		return version, nil
	}
	if version, ok := s.checked.versions[key]; ok {
		return version, nil
	}
	if version, ok := s.base.versions.get(key); ok {
		return version, nil
	}
	return 0, errors.New("the stream's version wasn't looked up")
}

// nextTime is the database's time in whole microseconds, or the least that comes after the last entry's.
func (s *stage) nextTime() time.Time {
	if s.clock.After(s.recordedAt) {
		return s.clock
	}
	return s.recordedAt.Add(time.Microsecond)
}

// claim finds out whether the group's claims were made before: in the log, or by a group of this batch, whose outcome
// then decides.
func (s *stage) claim(r *request) error {
	for i, mac := range r.macs {
		if earlier, ok := s.checked.claimed[mac]; ok {
			return earlier.error(i, r.group.Claims[i].Digest)
		}
		if earlier, ok := s.claims[mac]; ok {
			r.same = &duplicate{earlier.request, earlier.claim, i}
			return nil
		}
	}
	for i, mac := range r.macs {
		put(s, s.claims, mac, claimant{r, i})
	}
	return nil
}

// put sets a value in one of the stage's maps, and notes how to take it back.
func put[K comparable, V any](s *stage, m map[K]V, key K, value V) {
	before, had := m[key]
	s.undo = append(s.undo, func() {
		if had {
			m[key] = before
		} else {
			delete(m, key)
		}
	})
	m[key] = value
}
