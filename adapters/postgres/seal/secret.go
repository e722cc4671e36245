package seal

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hooktrail/hooktrail/domain"
)

// Kind says what a secret is made for.
type Kind string

// The kinds of secrets.
const (
	KindTenant  Kind = "tenant"  // a tenant's own: its section of contents, and its hashes
	KindSubject Kind = "subject" // one person's: their section of contents
	KindPeriod  Kind = "period"  // of a tenant, retention class and month: part of the key of every content
)

const (
	secretBytes = 32
	// SubjectHashBytes is how much of a subject's keyed hash is kept with their secret.
	SubjectHashBytes = 16
)

// Purpose is what a secret is for. It is in memory only: the database has a keyed hash of the subject.
type Purpose struct {
	Tenant  domain.TenantID
	Kind    Kind
	Subject string      // of KindSubject
	Under   domain.UUID // of KindSubject: the tenant's secret that hashes the subject
	Class   string      // retention class, of KindPeriod
	Month   string      // such as "2026-11", of KindPeriod
}

// Secret is one from which content keys are made. It is a candidate until a row of it is committed. Safe for concurrent
// use.
type Secret struct {
	ID          domain.UUID
	Purpose     Purpose // Subject is empty where the secret was read by its id
	SubjectHash []byte  // empty unless of KindSubject
	Wrapped     []byte  // of a candidate: what its row will hold
	raw         []byte
	stored      atomic.Bool
	hashKeys    sync.Map // purpose of a hash → its key, of KindTenant
}

// Stored reports whether the secret's row is known to have been committed.
func (s *Secret) Stored() bool { return s.stored.Load() }

// MarkStored says that the secret's row is committed.
func (s *Secret) MarkStored() { s.stored.Store(true) }

// newCandidate makes a secret that no row has yet.
func newCandidate(master *MasterKey, purpose Purpose, subjectHash []byte) (*Secret, error) {
	s := &Secret{ID: domain.NewUUID(), Purpose: purpose, SubjectHash: subjectHash, raw: make([]byte, secretBytes)}
	_, _ = rand.Read(s.raw) // never fails
	var err error
	if s.Wrapped, err = master.aead.Encrypt(s.raw, s.context()); err != nil {
		return nil, fmt.Errorf("wrap a secret: %w", err)
	}
	return s, nil
}

// unwrap opens a secret that was read from its row.
func (s *Secret) unwrap(master *MasterKey, wrapped []byte) error {
	raw, err := master.aead.Decrypt(wrapped, s.context())
	if err != nil || len(raw) != secretBytes {
		return fmt.Errorf("data key %s doesn't open with the master key: its row was changed, or the key is missing"+
			" (hint: HOOKTRAIL_MASTER_KEY_FILE must hold every key that is in use)", s.ID)
	}
	s.raw = raw
	s.stored.Store(true)
	return nil
}

// context is what the wrapping authenticates: everything that the row says of the secret.
func (s *Secret) context() []byte {
	b := []byte("hooktrail data key")
	for _, text := range []string{
		string(s.ID[:]), string(s.Purpose.Tenant), string(s.Purpose.Kind), string(s.SubjectHash), s.Purpose.Class, s.Purpose.Month,
	} {
		b = appendCounted(b, text)
	}
	return b
}

// hash is an HMAC over texts under a key that only this purpose has.
func (s *Secret) hash(purpose string, texts ...string) (sum [sha256.Size]byte, err error) {
	key, ok := s.hashKeys.Load(purpose)
	if !ok {
		derived, err := hkdf.Key(sha256.New, s.raw, nil, "hooktrail hash "+purpose, sha256.Size)
		if err != nil {
			return sum, fmt.Errorf("derive the key for hashes of %s: %w", purpose, err)
		}
		key, _ = s.hashKeys.LoadOrStore(purpose, derived)
	}
	mac := hmac.New(sha256.New, key.([]byte))
	var b []byte
	for _, text := range texts { // each with its length: no two lists of texts are one byte string
		b = appendCounted(b[:0], text)
		mac.Write(b)
	}
	mac.Sum(sum[:0])
	return sum, nil
}

// Bind puts a digest under the secret: who doesn't have the secret can't compare guesses with the result.
func (s *Secret) Bind(purpose string, digest [sha256.Size]byte) ([sha256.Size]byte, error) {
	return s.hash(purpose, string(digest[:]))
}

func appendCounted(b []byte, text string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(text))), text...)
}
