package logtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// Append implements domain.Log.
func (m *Memory) Append(ctx context.Context, groups ...domain.Group) []domain.Outcome {
	outcomes := make([]domain.Outcome, len(groups))
	for i, group := range groups {
		outcomes[i].Entries, outcomes[i].Err = m.appendGroup(ctx, group)
	}
	return outcomes
}

func (m *Memory) appendGroup(ctx context.Context, group domain.Group) ([]domain.Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := group.Validate(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.checkFormat(group); err != nil {
		return nil, err
	}
	if err := m.checkLeases(group); err != nil {
		return nil, err
	}
	if err := m.decide(&group); err != nil {
		return nil, err
	}
	s := m.stage()
	for _, d := range group.Drafts {
		if err := s.add(d); err != nil {
			return nil, err
		}
	}
	if err := m.checkClaims(group); err != nil {
		return nil, err
	}
	m.commit(group, s)
	return s.entries, nil
}

// decide refuses a group that was decided by an older configuration than the newest, or has it decided again.
func (m *Memory) decide(group *domain.Group) error {
	basis := group.Basis
	if basis == nil {
		return nil
	}
	log := m.tenants[basis.Tenant]
	if log == nil || log.deleted {
		return fmt.Errorf("append by the configuration of tenant %s: %w", basis.Tenant, domain.ErrUnknownTenant)
	}
	newer := log.newer(m.entries, basis.Configuration)
	if len(newer) == 0 && log.configured(m.entries) == basis.Configuration {
		return nil
	}
	if basis.Decide == nil || len(newer) == 0 {
		return fmt.Errorf("append by configuration %d of tenant %s: %w", basis.Configuration, basis.Tenant, domain.ErrStale)
	}
	var err error
	if group.Drafts, group.Fences, err = basis.Decide(newer); err != nil {
		return fmt.Errorf("decide again by the configuration of tenant %s: %w", basis.Tenant, err)
	}
	group.Basis = nil
	if err := group.Validate(); err != nil {
		return err
	}
	if err := m.checkFormat(*group); err != nil {
		return err
	}
	return m.checkLeases(*group)
}

// checkFormat refuses kinds, and versions of them, that came with a later format than the log is raised to.
func (m *Memory) checkFormat(group domain.Group) error {
	for i := range group.Drafts {
		kind := group.Drafts[i].Fact.Kind()
		if need := m.introduced(kind); need > m.format {
			return fmt.Errorf("append: draft %d: %s version %d came with format %d, the log has format %d: %w",
				i, kind, kind.Version(), need, m.format, domain.ErrFormat)
		}
	}
	return nil
}

func (m *Memory) checkLeases(group domain.Group) error {
	for _, f := range group.Fences {
		if !m.leases[f.Lease].Holds(f, m.now()) {
			return fmt.Errorf("append under %s epoch %d: %w", f.Lease, f.Epoch, domain.ErrFenced)
		}
	}
	for _, t := range group.Takes {
		if !m.mayTake(t) {
			return fmt.Errorf("take %s in epoch %d: %w", t.Lease, t.Epoch, domain.ErrFenced)
		}
	}
	return nil
}

func (m *Memory) mayTake(t domain.Take) bool {
	held := m.leases[t.Lease]
	if held.Epoch != t.Epoch-1 {
		return false
	}
	if held.Owner.IsZero() {
		return true
	}
	if slices.Contains(t.Displaced, held.Owner) {
		return true
	}
	beat, ok := m.heartbeats[held.Owner]
	return !ok || m.now().Sub(beat) > t.Expiry
}

// erased reports whether any of the entries that a claim made is about a subject who was erased.
func (m *Memory) erased(tenant domain.TenantID, first domain.Sequence, count int) bool {
	for _, p := range m.tenants[tenant].positions[first : int(first)+count] {
		if m.destroyed[m.entries[p-1].SubjectKey] {
			return true
		}
	}
	return false
}

func (m *Memory) checkClaims(group domain.Group) error {
	for i, c := range group.Claims {
		earlier, ok := m.claims[claimKey{c.Tenant, c.Scope, c.Key}]
		if ok {
			return &domain.ClaimedError{
				Claim: i, Same: earlier.digest == c.Digest, Erased: m.erased(c.Tenant, earlier.sequence, earlier.count),
				Sequence: earlier.sequence, Count: earlier.count, At: earlier.at,
			}
		}
	}
	return nil
}

// commit makes a staged group part of the log.
func (m *Memory) commit(group domain.Group, s *staged) {
	for _, e := range s.entries {
		m.entries = append(m.entries, e)
		m.versions[streamKey{e.Tenant, e.Stream}] = e.StreamVersion
		if e.Sequence == 0 {
			m.tenants[e.Tenant] = new(tenantLog)
		}
		log := m.tenants[e.Tenant]
		log.positions = append(log.positions, e.Position)
		if raised, ok := e.Fact.(*domain.FormatRaised); ok && e.Tenant == domain.InstanceTenant {
			m.format = max(m.format, raised.Format)
		}
		log.deleted = log.deleted || e.Kind == domain.KindTenantDeleted
		if e.Kind.Configures() {
			log.configuration = append(log.configuration, e.Position)
		}
	}
	for name, key := range s.keys {
		m.keys[name] = key
	}
	for _, c := range group.Claims {
		first := s.entries[c.First]
		m.claims[claimKey{c.Tenant, c.Scope, c.Key}] = claimed{c.Digest, first.Sequence, c.Count, first.RecordedAt}
	}
	for _, t := range group.Takes {
		m.leases[t.Lease] = domain.Lease{Name: t.Lease, Owner: t.Owner, Epoch: t.Epoch, Partings: slices.Clone(t.Partings)}
	}
	close(m.grown)
	m.grown = make(chan struct{})
}

// staged is a group on its way in: its own entries count for its later drafts, and nothing is kept if one is refused.
type staged struct {
	*Memory
	entries []domain.Entry
	last    time.Time
	keys    map[keyName]domain.UUID
}

func (m *Memory) stage() *staged {
	s := &staged{Memory: m, keys: make(map[keyName]domain.UUID)}
	if n := len(m.entries); n > 0 {
		s.last = m.entries[n-1].RecordedAt
	}
	return s
}

func (s *staged) add(d domain.Draft) error {
	sequence, err := s.sequence(d)
	if err != nil {
		return fmt.Errorf("append to %s of tenant %s: %w", d.Stream, d.Tenant, err)
	}
	version := s.version(d)
	if d.Expected != domain.AnyVersion && d.Expected != version {
		return fmt.Errorf("append to %s: %w", d.Stream, domain.ErrConflict)
	}
	e := domain.Entry{
		Position: domain.Position(len(s.Memory.entries) + len(s.entries) + 1),
		Tenant:   d.Tenant, Sequence: sequence,
		Stream: d.Stream, StreamVersion: version + 1,
		Kind: d.Fact.Kind(), KindVersion: d.Fact.Kind().Version(),
		By: d.By, Cause: d.Cause,
		RecordedAt: s.clock(),
		Reason:     d.Reason, Context: d.Context, Critical: d.Fact.Kind().Critical(),
	}
	if err := s.seal(&e, d); err != nil {
		return err
	}
	s.entries = append(s.entries, e)
	return nil
}

// sequence says where the draft's entry comes in its tenant's log, and refuses what that log doesn't take.
func (s *staged) sequence(d domain.Draft) (domain.Sequence, error) {
	var next domain.Sequence
	var deleted bool
	if log := s.tenants[d.Tenant]; log != nil {
		next, deleted = domain.Sequence(len(log.positions)), log.deleted
	}
	for _, e := range s.entries {
		if e.Tenant == d.Tenant {
			next, deleted = e.Sequence+1, deleted || e.Kind == domain.KindTenantDeleted
		}
	}
	created, isCreated := d.Fact.(*domain.TenantCreated)
	switch {
	case isCreated && next > 0:
		return 0, domain.ErrConflict
	case isCreated && created.Tenant.ID == d.Tenant:
		return 0, nil
	case next == 0, deleted && !d.Fact.Kind().AfterDeletion():
		return 0, domain.ErrUnknownTenant
	}
	return next, nil
}

// version is that of the draft's stream before it.
func (s *staged) version(d domain.Draft) int {
	version := s.versions[streamKey{d.Tenant, d.Stream}]
	for _, e := range s.entries {
		if e.Tenant == d.Tenant && e.Stream == d.Stream {
			version = e.StreamVersion
		}
	}
	return version
}

func (s *staged) clock() time.Time {
	now := s.now().UTC().Truncate(time.Microsecond)
	if !now.After(s.last) {
		now = s.last.Add(time.Microsecond)
	}
	s.last = now
	return now
}

// seal makes the entry's leaf and takes its fact through the codec.
func (s *staged) seal(e *domain.Entry, d domain.Draft) error {
	parts, err := domain.EncodeFact(d.Fact)
	if err != nil {
		return err
	}
	switch {
	case !d.SubjectKey.IsZero():
		e.SubjectKey = d.SubjectKey
		if s.destroyed[d.SubjectKey] {
			e.Erased = true
			parts = slices.DeleteFunc(parts, domain.Part.Personal)
		}
	case d.Subject != "":
		e.SubjectKey = s.key(keyName{d.Tenant, "subject", d.Subject})
	}
	if !e.SubjectKey.IsZero() {
		parts = append(parts, domain.Part{Name: domain.PartSubjectKey, Bytes: e.SubjectKey[:]})
	}
	if d.Reason != "" {
		parts = append(parts, domain.Part{Name: domain.PartReason, Bytes: []byte(d.Reason)})
	}
	if d.Context != nil {
		b, err := json.Marshal(d.Context)
		if err != nil {
			return err
		}
		parts = append(parts, domain.Part{Name: domain.PartContext, Bytes: b})
	}
	leaf := domain.Leaf{
		Origin: "memory/" + string(d.Tenant), Sequence: e.Sequence,
		Kind: e.Kind, KindVersion: e.KindVersion, Stream: e.Stream, StreamVersion: e.StreamVersion,
		By: e.By, RecordedAt: e.RecordedAt, Cause: e.Cause, Critical: e.Critical,
		DataKey: s.key(keyName{d.Tenant, "period", d.Retention}),
	}
	for i := range parts {
		parts[i].Bytes = bytes.Clone(parts[i].Bytes) // raw parts alias the fact, which is the caller's
		var salt [domain.SaltBytes]byte
		_, _ = rand.Read(salt[:]) // never fails
		leaf.Commitments = append(leaf.Commitments, domain.Commit(parts[i].Name, salt[:], parts[i].Bytes))
	}
	e.Leaf = leaf.Append(nil)
	if len(e.Leaf) > domain.MaxLeafBytes {
		return fmt.Errorf("append to %s: leaf of %d bytes: %w", d.Stream, len(e.Leaf), domain.ErrRefused)
	}
	e.Fact, err = domain.DecodeFact(e.Kind, e.KindVersion, parts, e.Erased)
	return err
}

// key returns the key of a name, a new one where there is none.
func (s *staged) key(name keyName) domain.UUID {
	if key, ok := s.Memory.keys[name]; ok {
		return key
	}
	if _, ok := s.keys[name]; !ok {
		s.keys[name] = domain.NewUUID()
	}
	return s.keys[name]
}
