package eventlog

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
	seal    func(p *prepared, version int) error

	position   domain.Position
	recordedAt time.Time
	versions   map[streamKey]int
	tenants    map[domain.TenantID]tenantStage
	leases     map[string]domain.Lease
	claims     map[claimMAC]claimant
	undo       undoLog // of the group being decided
}

// tenantStage is a tenant's log as far as it is staged.
type tenantStage struct {
	next          domain.Sequence
	configuration domain.Sequence // of the last entry that configures routing
	deleted       bool
	origin        string
}

// claimant is the group of the batch that made a claim, and which of its claims that is.
type claimant struct {
	request *request
	claim   int
}

func newStage(base *state, c *checked, seal func(*prepared, int) error) *stage {
	return &stage{
		base: base, seal: seal, checked: c, clock: c.clock,
		position: base.position, recordedAt: base.recordedAt,
		versions: make(map[streamKey]int), tenants: make(map[domain.TenantID]tenantStage),
		leases: make(map[string]domain.Lease), claims: make(map[claimMAC]claimant),
	}
}

// errDecide: the group is to be decided again under the lock (domain.Basis.Decide).
var errDecide = errors.New("decided by an older configuration")

// admit decides on a group. An error rejects it alone, but for errDecide; domain.ErrRefused and the like aside it is
// one of the port's.
func (s *stage) admit(r *request) error {
	position, recordedAt := s.position, s.recordedAt
	s.undo.clear()
	err := s.decide(r)
	if err != nil || r.same != nil {
		s.takeBack()
		s.position, s.recordedAt = position, recordedAt
	}
	return err
}

func (s *stage) decide(r *request) error {
	r.same = nil
	if err := s.checkLeases(r.group); err != nil {
		return err
	}
	if err := s.checkBasis(r.group.Basis); err != nil {
		return err
	}
	for i := range r.drafts {
		if err := s.add(&r.drafts[i]); err != nil {
			return fmt.Errorf("append to %s: %w", r.drafts[i].Stream, err)
		}
	}
	return s.checkClaims(r)
}

func (s *stage) checkLeases(g domain.Group) error {
	for _, f := range g.Fences {
		if !s.lease(f.Lease).Holds(f, s.clock) {
			return fmt.Errorf("append under %s epoch %d: %w", f.Lease, f.Epoch, domain.ErrFenced)
		}
	}
	for _, t := range g.Takes {
		if !s.mayTake(t) {
			return fmt.Errorf("take %s in epoch %d: %w", t.Lease, t.Epoch, domain.ErrFenced)
		}
	}
	for _, t := range g.Takes {
		set(&s.undo.leases, s.leases, t.Lease, leaseOf(t))
	}
	return nil
}

// checkBasis refuses what was decided by an older configuration than the newest, or has it decided again.
func (s *stage) checkBasis(basis *domain.Basis) error {
	if basis == nil {
		return nil
	}
	t := s.staged(basis.Tenant)
	switch {
	case t.next == 0 || t.deleted:
		return fmt.Errorf("append by the configuration of tenant %s: %w", basis.Tenant, domain.ErrUnknownTenant)
	case t.configuration == basis.Configuration:
		return nil
	case basis.Decide == nil || t.configuration < basis.Configuration:
		return fmt.Errorf("append by configuration %d of tenant %s: %w", basis.Configuration, basis.Tenant, domain.ErrStale)
	}
	return errDecide
}

// leaseOf returns a lease as a take makes it.
func leaseOf(t domain.Take) domain.Lease {
	return domain.Lease{Name: t.Lease, Owner: t.Owner, Epoch: t.Epoch, Partings: slices.Clone(t.Partings)}
}

func (s *stage) lease(name string) domain.Lease {
	if row, ok := s.leases[name]; ok {
		return row
	}
	return s.base.leases[name] // zero: never taken
}

func (s *stage) mayTake(t domain.Take) bool {
	held := s.lease(t.Lease)
	if held.Epoch != t.Epoch-1 {
		return false
	}
	if held.Owner.IsZero() || slices.Contains(t.Displaced, held.Owner) {
		return true
	}
	beat, ok := s.checked.heartbeats[held.Owner]
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
	if made, ok := madeAt(p.Stream.ID); ok && version == 0 && made.Sub(s.clock) > maxIDAhead {
		return errIDAhead
	}
	if p.packed != nil && !s.checked.holds(&p.keys) {
		return domain.ErrKeyDestroyed
	}
	if err := s.seal(p, version+1); err != nil {
		return err
	}
	s.position++
	s.recordedAt = s.nextTime()
	p.position, p.recordedAt = s.position, s.recordedAt
	p.sequence, p.streamVersion = tenant.next, version+1
	set(&s.undo.versions, s.versions, key, version+1)
	if p.kind.Configures() {
		tenant.configuration = tenant.next
	}
	tenant.next++
	tenant.deleted = tenant.deleted || p.kind == domain.KindTenantDeleted
	set(&s.undo.tenants, s.tenants, p.Tenant, tenant)
	return nil
}

// tenant returns the log that the draft goes to, and refuses what that log doesn't take.
func (s *stage) tenant(p *prepared) (tenantStage, error) {
	t := s.staged(p.Tenant)
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

// staged is a tenant's log with what is staged of it; zero: there is none.
func (s *stage) staged(tenant domain.TenantID) tenantStage {
	t, ok := s.tenants[tenant]
	if head := s.base.heads[tenant]; !ok && head != nil {
		t = tenantStage{domain.Sequence(head.size), head.configuration, head.deleted, head.origin}
	}
	return t
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

// checkClaims finds out whether the group's claims were made before: in the log, or by a group of this batch, whose outcome
// then decides.
func (s *stage) checkClaims(r *request) error {
	for i, mac := range r.macs {
		if earlier, ok := s.checked.claimed[mac]; ok {
			return &takenError{claim: i, request: r.group.Claims[i], earlier: earlier}
		}
		if earlier, ok := s.claims[mac]; ok {
			r.same = &duplicate{earlier.request, earlier.claim, i}
			return nil
		}
	}
	for i, mac := range r.macs {
		s.claims[mac] = claimant{r, i} // the last thing decided: never taken back
	}
	return nil
}

// undoLog holds what the group being decided has changed in the stage.
type undoLog struct {
	versions []change[streamKey, int]
	tenants  []change[domain.TenantID, tenantStage]
	leases   []change[string, domain.Lease]
}

// change is what a map held before it was set.
type change[K comparable, V any] struct {
	key    K
	before V
	had    bool
}

func (u *undoLog) clear() {
	u.versions, u.tenants, u.leases = u.versions[:0], u.tenants[:0], u.leases[:0]
}

func (s *stage) takeBack() {
	takeBack(s.versions, s.undo.versions)
	takeBack(s.tenants, s.undo.tenants)
	takeBack(s.leases, s.undo.leases)
}

// set sets a value in a map and notes what stood there.
func set[K comparable, V any](undo *[]change[K, V], m map[K]V, key K, value V) {
	before, had := m[key]
	*undo = append(*undo, change[K, V]{key, before, had})
	m[key] = value
}

func takeBack[K comparable, V any](m map[K]V, changes []change[K, V]) {
	for _, c := range slices.Backward(changes) {
		if c.had {
			m[c.key] = c.before
		} else {
			delete(m, c.key)
		}
	}
}
