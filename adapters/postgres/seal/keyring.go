package seal

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/xaesgcm"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/secretdata"
	"github.com/tink-crypto/tink-go/v2/tink"
)

const (
	// maxSecrets bounds the secrets in memory, by purpose and by id, about 500 bytes each.
	maxSecrets = 50_000
	// maxSectionKeys bounds the section keys that are ready to seal and open, about 1.5 KiB each.
	maxSectionKeys = 20_000
	// xaesSaltBytes and GCM's own 12 make the 192-bit nonce of XAES-256-GCM.
	xaesSaltBytes = 12
)

// Keyring finds the secrets of contents, makes missing ones, and keeps the most recently used ones in memory, opened.
// Safe for concurrent use.
type Keyring struct {
	pool    *pgxpool.Pool
	master  *MasterKey
	sealing *lru.Cache[Purpose, *Secret]     // candidates among them
	opened  *lru.Cache[domain.UUID, *Secret] // by id; whether a secret still exists is asked each time
	derived *lru.Cache[sectionKey, tink.AEAD]
}

// sectionKey names the key of a section by the secrets that it is made of.
type sectionKey struct{ owner, period domain.UUID }

// NewKeyring makes a keyring that reads with the pool.
func NewKeyring(pool *pgxpool.Pool, master *MasterKey) (*Keyring, error) {
	k := &Keyring{pool: pool, master: master}
	var errs [3]error
	k.sealing, errs[0] = lru.New[Purpose, *Secret](maxSecrets)
	k.opened, errs[1] = lru.New[domain.UUID, *Secret](maxSecrets)
	k.derived, errs[2] = lru.New[sectionKey, tink.AEAD](maxSectionKeys)
	return k, errors.Join(errs[:]...)
}

// Want says what one entry's content is to be sealed under.
type Want struct {
	Tenant     domain.TenantID
	Subject    string      // empty: about nobody, unless SubjectKey is set
	SubjectKey domain.UUID // nonzero: the subject's secret itself
	Class      string
	Month      string
}

// Keys seal one entry's content.
type Keys struct {
	Tenant, Period *Secret
	// Subject is nil where the entry is about nobody, and where the secret that SubjectKey names was destroyed.
	Subject *Secret
	// SubjectID names the subject's secret, also a destroyed one; zero: about nobody.
	SubjectID domain.UUID
	// Problem is why the entry can't be sealed: its SubjectKey isn't one of the tenant's.
	Problem error
}

// Find gives each want its keys. Those that aren't known are looked up, those that don't exist are made as candidates:
// the append that uses them inserts them. The subject's alone aren't looked up by their purpose, because the append
// lock shows whether there is one. db is asked where the memory doesn't suffice.
func (k *Keyring) Find(ctx context.Context, db postgres.Querier, wants []Want) ([]Keys, error) {
	keys := make([]Keys, len(wants))
	var missing []Purpose
	var byID []domain.UUID
	asked := make(map[Purpose]bool)
	need := func(p Purpose) *Secret {
		if s, ok := k.sealing.Get(p); ok {
			return s
		}
		if !asked[p] {
			asked[p] = true
			missing = append(missing, p)
		}
		return nil
	}
	for i := range wants {
		w := &wants[i]
		keys[i].Tenant = need(Purpose{Tenant: w.Tenant, Kind: KindTenant})
		keys[i].Period = need(Purpose{Tenant: w.Tenant, Kind: KindPeriod, Class: w.Class, Month: w.Month})
		if w.SubjectKey.IsZero() {
			continue
		}
		if s, ok := k.opened.Get(w.SubjectKey); ok {
			keys[i].Subject = s
		} else {
			byID = append(byID, w.SubjectKey)
		}
	}
	made, err := k.shared(ctx, db, missing)
	if err != nil {
		return nil, err
	}
	named, err := k.Read(ctx, db, byID, nil)
	if err != nil {
		return nil, err
	}
	for i := range wants {
		w := &wants[i]
		if keys[i].Tenant == nil {
			keys[i].Tenant = made[Purpose{Tenant: w.Tenant, Kind: KindTenant}]
		}
		if keys[i].Period == nil {
			keys[i].Period = made[Purpose{Tenant: w.Tenant, Kind: KindPeriod, Class: w.Class, Month: w.Month}]
		}
		switch {
		case !w.SubjectKey.IsZero():
			keys[i].SubjectID = w.SubjectKey
			if keys[i].Subject == nil {
				keys[i].Subject, keys[i].Problem = named.Subject(w.SubjectKey, w.Tenant)
			} else {
				keys[i].Problem = keys[i].Subject.ofSubject(w.Tenant)
			}
		case w.Subject != "":
			if keys[i].Subject, err = k.subject(keys[i].Tenant, w.Subject); err != nil {
				return nil, err
			}
			keys[i].SubjectID = keys[i].Subject.ID
		}
	}
	return keys, nil
}

// shared looks secrets of tenants and periods up and makes candidates for those that don't exist.
func (k *Keyring) shared(ctx context.Context, db postgres.Querier, purposes []Purpose) (map[Purpose]*Secret, error) {
	if len(purposes) == 0 {
		return nil, nil
	}
	found, err := k.existing(ctx, db, purposes)
	if err != nil {
		return nil, err
	}
	for _, p := range purposes {
		if found[p] != nil {
			continue
		}
		candidate, err := newCandidate(k.master, p, nil)
		if err != nil {
			return nil, err
		}
		found[p] = k.propose(p, candidate)
	}
	return found, nil
}

// propose keeps a candidate, unless somebody in this process was quicker, whose secret it returns then.
func (k *Keyring) propose(p Purpose, candidate *Secret) *Secret {
	if earlier, found, _ := k.sealing.PeekOrAdd(p, candidate); found {
		return earlier
	}
	return candidate
}

func (k *Keyring) subject(tenant *Secret, subject string) (*Secret, error) {
	p := Purpose{Tenant: tenant.Purpose.Tenant, Kind: KindSubject, Subject: subject, Under: tenant.ID}
	if s, ok := k.sealing.Get(p); ok {
		return s, nil
	}
	sum, err := tenant.hash("subject", subject)
	if err != nil {
		return nil, err
	}
	candidate, err := newCandidate(k.master, p, sum[:SubjectHashBytes])
	if err != nil {
		return nil, err
	}
	return k.propose(p, candidate), nil
}

// existing reads which secrets there are for the purposes of tenants and periods, and keeps them for sealing. A
// destroyed one is domain.ErrKeyDestroyed.
func (k *Keyring) existing(ctx context.Context, db postgres.Querier, purposes []Purpose) (map[Purpose]*Secret, error) {
	wanted := make([]*Secret, len(purposes))
	for i, p := range purposes {
		wanted[i] = &Secret{Purpose: p}
	}
	sql, args := ExistingSQL(wanted)
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, postgres.DomainError("look data keys up", err)
	}
	found := make(map[Purpose]*Secret, len(purposes))
	if err := k.ReadExisting(rows, wanted, found); err != nil {
		return nil, postgres.DomainError("look data keys up", err)
	}
	for p, s := range found {
		if s == nil {
			return nil, fmt.Errorf("the data key of tenant %s, class %q, month %q: %w", p.Tenant, p.Class, p.Month, domain.ErrKeyDestroyed)
		}
	}
	return found, nil
}

// ExistingSQL is the statement that reads which secrets there are for the same purposes as candidates are for. Its rows
// are for ReadExisting. A subject whose secret was destroyed has none, and gets a new one.
func ExistingSQL(candidates []*Secret) (sql string, args []any) {
	var ns [2][]int32 // of what has no subject, and of subjects
	var tenants, kinds, classes, months []string
	var subjects [][]byte
	for i, s := range candidates {
		p := &s.Purpose
		if p.Kind == KindSubject {
			ns[1] = append(ns[1], int32(i))
			subjects = append(subjects, s.SubjectHash)
			continue
		}
		ns[0] = append(ns[0], int32(i))
		tenants, kinds, classes = append(tenants, string(p.Tenant)), append(kinds, string(p.Kind)), append(classes, p.Class)
		months = append(months, p.Month)
	}
	const both = `
		SELECT w.n, ` + secretColumns + `
		  FROM unnest($1::integer[], $2::text[], $3::text[], $4::text[], $5::text[]) AS w (n, tenant, kind, class, month),
		       LATERAL (SELECT * FROM data_keys d
		                 WHERE d.tenant = w.tenant AND d.kind = w.kind AND d.class = w.class
		                   AND d.month = w.month AND d.kind <> 'subject' LIMIT 1) k
		UNION ALL
		SELECT w.n, ` + secretColumns + `
		  FROM unnest($6::integer[], $7::bytea[]) AS w (n, subject_hash),
		       LATERAL (SELECT * FROM data_keys d
		                 WHERE d.subject_hash = w.subject_hash AND d.kind = 'subject' AND d.destroyed_at IS NULL LIMIT 1) k`
	return both, []any{ns[0], tenants, kinds, classes, months, ns[1], subjects}
}

// secretColumns are those that scanSecret takes, in its order.
const secretColumns = `k.id, k.tenant, k.kind, k.subject_hash, k.class, k.month, k.wrapped`

// ReadExisting takes the rows of ExistingSQL for the same candidates into found, nil for a destroyed secret. What is
// there is kept for sealing, in place of the candidates.
func (k *Keyring) ReadExisting(rows pgx.Rows, candidates []*Secret, found map[Purpose]*Secret) error {
	defer rows.Close()
	for rows.Next() {
		var n int32
		s, wrapped, err := scanSecret(rows, &n)
		if err != nil {
			return err
		}
		p := candidates[n].Purpose
		if wrapped == nil {
			found[p] = nil
			continue
		}
		if s, err = k.unwrap(s, wrapped); err != nil {
			return err
		}
		found[p] = s
		k.sealing.Add(p, s)
	}
	return rows.Err()
}

func scanSecret(rows pgx.Rows, before ...any) (s *Secret, wrapped []byte, err error) {
	s = new(Secret)
	var id [16]byte
	p := &s.Purpose
	err = rows.Scan(append(before, &id, &p.Tenant, &p.Kind, &s.SubjectHash, &p.Class, &p.Month, &wrapped)...)
	s.ID = id
	return s, wrapped, err
}

// unwrap unwraps a secret, or returns the one that is in memory.
func (k *Keyring) unwrap(s *Secret, wrapped []byte) (*Secret, error) {
	if known, ok := k.opened.Get(s.ID); ok {
		return known, nil
	}
	if err := s.unwrap(k.master, wrapped); err != nil {
		return nil, err
	}
	k.opened.Add(s.ID, s)
	return s, nil
}

// MarkStored says that candidates are committed: from now on they are found by their ids.
func (k *Keyring) MarkStored(candidates []*Secret) {
	for _, s := range candidates {
		s.MarkStored()
		k.opened.Add(s.ID, s)
	}
}

// Found are secrets as the database has them.
type Found struct {
	byID    map[domain.UUID]*Secret // nil: destroyed
	tenants map[domain.TenantID]*Secret
}

// Read reads secrets by their ids, and those of tenants. It asks the database each time, so that what was sealed under
// a destroyed secret stays closed from then on.
func (k *Keyring) Read(
	ctx context.Context, db postgres.Querier, ids []domain.UUID, tenants []domain.TenantID,
) (*Found, error) {
	f := &Found{byID: make(map[domain.UUID]*Secret, len(ids)), tenants: make(map[domain.TenantID]*Secret, len(tenants))}
	if len(ids) == 0 && len(tenants) == 0 {
		return f, nil
	}
	list, names := make([][16]byte, len(ids)), make([]string, len(tenants))
	for i, id := range ids {
		list[i] = id
	}
	for i, tenant := range tenants {
		names[i] = string(tenant)
	}
	const sql = `
		SELECT ` + secretColumns + ` FROM data_keys k WHERE k.id = ANY ($1)
		UNION ALL
		SELECT ` + secretColumns + ` FROM data_keys k WHERE k.tenant = ANY ($2) AND k.kind = 'tenant'`
	rows, err := db.Query(ctx, sql, list, names)
	if err != nil {
		return nil, postgres.DomainError("read data keys", err)
	}
	defer rows.Close()
	for rows.Next() {
		s, wrapped, err := scanSecret(rows)
		if err != nil {
			return nil, postgres.DomainError("read data keys", err)
		}
		switch {
		case wrapped == nil:
			k.forget(s.ID)
			f.byID[s.ID] = nil
			if s.Purpose.Kind == KindTenant {
				f.tenants[s.Purpose.Tenant] = nil
			}
			continue
		default:
			if s, err = k.unwrap(s, wrapped); err != nil {
				return nil, err
			}
		}
		f.byID[s.ID] = s
		if s.Purpose.Kind == KindTenant {
			f.tenants[s.Purpose.Tenant] = s
		}
	}
	return f, postgres.DomainError("read data keys", rows.Err())
}

// state is what became of a secret: there, destroyed, or missing, which only damage explains.
type state int

const (
	missing state = iota
	destroyed
	there
)

func stateOf[K comparable](secrets map[K]*Secret, key K) (*Secret, state) {
	s, ok := secrets[key]
	switch {
	case !ok:
		return nil, missing
	case s == nil:
		return nil, destroyed
	}
	return s, there
}

// Subject is the secret of a tenant's subject, nil for a destroyed one.
func (f *Found) Subject(id domain.UUID, tenant domain.TenantID) (*Secret, error) {
	s, state := stateOf(f.byID, id)
	switch state {
	case missing:
		return nil, fmt.Errorf("data key %s is missing", id)
	case destroyed:
		return nil, nil
	}
	return s, s.ofSubject(tenant)
}

// ofSubject refuses a secret that isn't one of the tenant's subjects'.
func (s *Secret) ofSubject(tenant domain.TenantID) error {
	if s.Purpose.Kind != KindSubject || s.Purpose.Tenant != tenant {
		return fmt.Errorf("data key %s isn't that of a subject of tenant %s", s.ID, tenant)
	}
	return nil
}

// Forget drops secrets from memory, one of which was destroyed: the next sealing for a subject's purpose makes a new
// one.
func (k *Keyring) Forget(keys Keys) {
	for _, s := range []*Secret{keys.Tenant, keys.Period, keys.Subject} {
		if s == nil {
			continue
		}
		k.forget(s.ID)
		for _, p := range k.sealing.Keys() { // by its id: what was read by its id doesn't know its subject
			if held, ok := k.sealing.Peek(p); ok && held.ID == s.ID {
				k.sealing.Remove(p)
			}
		}
	}
}

// forget drops a secret and the keys that are made of it. Destroying is rare: looking through all may take its time.
func (k *Keyring) forget(id domain.UUID) {
	if !k.opened.Remove(id) {
		return
	}
	for _, key := range k.derived.Keys() {
		if key.owner == id || key.period == id {
			k.derived.Remove(key)
		}
	}
}

// section returns the key of a section, made of its owner's secret and that of the period.
func (k *Keyring) section(owner, period *Secret) (tink.AEAD, error) {
	name := sectionKey{owner.ID, period.ID}
	if key, ok := k.derived.Get(name); ok {
		return key, nil
	}
	both := append(append(make([]byte, 0, 2*secretBytes), owner.raw...), period.raw...)
	raw, err := hkdf.Key(sha256.New, both, nil, "hooktrail content "+string(owner.Purpose.Kind), secretBytes)
	if err != nil {
		return nil, fmt.Errorf("derive the key of a content: %w", err)
	}
	key, err := newAEAD(raw)
	if err != nil {
		return nil, fmt.Errorf("derive the key of a content: %w", err)
	}
	k.derived.Add(name, key)
	return key, nil
}

// Hash is an HMAC over texts under the tenant's own secret, for one purpose, such as "subject". The same texts have
// different hashes in two tenants. domain.ErrUnknownTenant: nothing was appended for the tenant yet.
func (k *Keyring) Hash(
	ctx context.Context, tenant domain.TenantID, purpose string, texts ...string,
) (sum [sha256.Size]byte, err error) {
	s, err := k.Tenant(ctx, tenant)
	if err != nil {
		return sum, err
	}
	return s.hash(purpose, texts...)
}

// Tenant is a tenant's own secret. domain.ErrUnknownTenant: nothing was appended for the tenant yet.
func (k *Keyring) Tenant(ctx context.Context, tenant domain.TenantID) (*Secret, error) {
	p := Purpose{Tenant: tenant, Kind: KindTenant}
	if s, ok := k.sealing.Get(p); ok && s.Stored() { // a candidate may lose
		return s, nil
	}
	found, err := k.existing(ctx, k.pool, []Purpose{p})
	if err != nil {
		return nil, err
	}
	if found[p] == nil {
		return nil, fmt.Errorf("the data key of tenant %s: %w", tenant, domain.ErrUnknownTenant)
	}
	return found[p], nil
}

// HashUnder is Hash with a secret of a tenant that Find returned, which may be a candidate.
func HashUnder(tenant *Secret, purpose string, texts ...string) ([sha256.Size]byte, error) {
	return tenant.hash(purpose, texts...)
}

// Fingerprint tells a tenant's secrets apart: 16 characters against which nobody without the tenant's own secret can
// check a guess.
func (k *Keyring) Fingerprint(ctx context.Context, tenant domain.TenantID, secret []byte) (string, error) {
	sum, err := k.Hash(ctx, tenant, "fingerprint", string(secret))
	return base64.RawURLEncoding.EncodeToString(sum[:12]), err
}

func newAEAD(raw []byte) (tink.AEAD, error) {
	params, err := xaesgcm.NewParameters(xaesgcm.VariantNoPrefix, xaesSaltBytes)
	if err != nil {
		return nil, err
	}
	key, err := xaesgcm.NewKey(secretdata.NewBytesFromData(raw, insecuresecretdataaccess.Token{}), 0, params)
	if err != nil {
		return nil, err
	}
	manager := keyset.NewManager()
	id, err := manager.AddKey(key)
	if err != nil {
		return nil, err
	}
	if err := manager.SetPrimary(id); err != nil {
		return nil, err
	}
	handle, err := manager.Handle()
	if err != nil {
		return nil, err
	}
	return aead.New(handle)
}

// Month is the month in which a time lies, by UTC.
func Month(t time.Time) string { return t.UTC().Format("2006-01") }

// CheckAll opens every secret that isn't destroyed: one whose row was changed doesn't open.
func (k *Keyring) CheckAll(ctx context.Context, db postgres.Querier) error {
	last := make([]byte, len(domain.UUID{}))
	for {
		const sql = `SELECT ` + secretColumns + ` FROM data_keys k WHERE k.id > $1 ORDER BY k.id LIMIT 5000`
		rows, err := db.Query(ctx, sql, [16]byte(last))
		if err != nil {
			return postgres.DomainError("read data keys", err)
		}
		n, err := k.checkRows(rows, last)
		if err != nil || n == 0 {
			return err
		}
	}
}

func (k *Keyring) checkRows(rows pgx.Rows, last []byte) (n int, err error) {
	defer rows.Close()
	for ; rows.Next(); n++ {
		s, wrapped, err := scanSecret(rows)
		if err != nil {
			return n, postgres.DomainError("read data keys", err)
		}
		copy(last, s.ID[:])
		if wrapped == nil {
			continue
		}
		if err := s.unwrap(k.master, wrapped); err != nil {
			return n, err
		}
	}
	return n, postgres.DomainError("read data keys", rows.Err())
}
