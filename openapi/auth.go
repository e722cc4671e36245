package openapi

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// keyPrefix begins the keys that the product makes, so that one that leaked can be recognised.
const keyPrefix = "ht_"

// MinImportedKey is the least length of a key that isn't made here, in characters.
const MinImportedKey = 32

// NewKey makes an API key of 256 random bits. It is a secret, shown once and kept nowhere.
func NewKey() string {
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // crypto/rand.Read never fails (it aborts the program)
	return keyPrefix + base64.RawURLEncoding.EncodeToString(secret[:])
}

// HashKey is what the log keeps of an API key: its SHA-256. Keys have 256 random bits (or are the operator's own), so
// nothing slower is needed, and finding a key by its hash takes the same time whatever was sent.
func HashKey(key string) [sha256.Size]byte { return sha256.Sum256([]byte(key)) }

// authenticate finds the valid key that a request brings.
func (s *Server) authenticate(ctx context.Context, authorization string) (domain.Key, *problem) {
	scheme, token, ok := strings.Cut(authorization, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return domain.Key{}, unauthorized("Send Authorization: Bearer <key>.")
	}
	hash := HashKey(strings.TrimSpace(token))
	key, ok := s.Directory.KeyByHash(hash)
	if !ok {
		// A key that was made a moment ago, perhaps by another process, must open already.
		if err := s.catchUp(ctx); err != nil {
			return domain.Key{}, problemOf(err)
		}
		key, ok = s.Directory.KeyByHash(hash)
	}
	if ok && !key.Instance {
		_, ok = s.Directory.Tenant(key.Tenant) // a deleted tenant's keys open nothing
	}
	if !ok || !key.Valid(s.Clock()) {
		return domain.Key{}, unauthorized("The key is unknown, expired or revoked.")
	}
	return key.Key, nil
}

// catchUp returns when the directory knows all that was committed before the call.
func (s *Server) catchUp(ctx context.Context) error {
	head, err := s.heads.after(ctx, s.Log.Head)
	if err != nil {
		return err
	}
	return s.await(ctx, head)
}

// await returns when the directory knows the log up to a position: before the answer to a new key, so that it opens at
// once, and to a revocation, so that nothing opens any more.
func (s *Server) await(ctx context.Context, position domain.Position) error {
	ctx, cancel := context.WithTimeout(ctx, defaultWait)
	defer cancel()
	if err := s.Directory.Await(ctx, position); err != nil {
		return fmt.Errorf("wait for the directory of keys: %w", projections.ErrBehind)
	}
	return nil
}

func unauthorized(detail string) *problem {
	p := refuse(http.StatusUnauthorized, "unauthorized", detail)
	p.header = http.Header{"Www-Authenticate": {`Bearer realm="hooktrail"`}}
	return p
}

// tenant finds a tenant that a key may look into. Another tenant's things are as absent as things that never were.
func (s *Server) tenant(ctx context.Context, key domain.Key, id domain.TenantID) *problem {
	if !key.Instance && key.Tenant != id {
		return notFound()
	}
	if id.Validate() != nil {
		return notFound()
	}
	_, ok := s.Directory.Tenant(id)
	if !ok {
		if err := s.catchUp(ctx); err != nil {
			return problemOf(err)
		}
		_, ok = s.Directory.Tenant(id)
	}
	if !ok {
		return notFound()
	}
	return nil
}
