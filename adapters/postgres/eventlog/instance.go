package eventlog

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5/pgxpool"
)

// instanceContext is the associated data of the instance's sealed secret.
const instanceContext = "hooktrail instance secret"

// instance is what was made once for the database. Its hashing keys come from a random secret and not from the master
// key, so that rotating that one changes none of them. Immutable.
type instance struct {
	name         string
	claims       []byte
	subjects     []byte
	fingerprints []byte
}

// openInstance reads the database's instance row and makes it at the first start. configured is the instance's name for
// tenants made from now on; empty: the name in the database, at the first start a random one.
func openInstance(ctx context.Context, pool *pgxpool.Pool, master *seal.MasterKey, configured string) (*instance, error) {
	if err := makeInstance(ctx, pool, master, configured); err != nil {
		return nil, fmt.Errorf("make the instance's secret: %w", err)
	}
	var name string
	var sealed []byte
	if err := pool.QueryRow(ctx, `SELECT name, secret FROM instance`).Scan(&name, &sealed); err != nil {
		return nil, fmt.Errorf("read the instance's secret: %w", err)
	}
	secret, err := master.aead.Decrypt(sealed, []byte(instanceContext))
	if err != nil {
		return nil, errors.New("the master key doesn't open this database (hint: HOOKTRAIL_MASTER_KEY_FILE must hold the key that the database was made with)")
	}
	if configured != "" {
		name = configured
	}
	return deriveInstance(name, secret)
}

func makeInstance(ctx context.Context, pool *pgxpool.Pool, master *seal.MasterKey, name string) error {
	var exists bool
	if err := pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM instance)`).Scan(&exists); err != nil || exists {
		return err
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	if name == "" {
		name = "hooktrail-" + strings.ToLower(rand.Text()[:12])
	}
	sealed, err := master.aead.Encrypt(secret, []byte(instanceContext))
	if err != nil {
		return err
	}
	_, err = pool.Exec(ctx, `INSERT INTO instance (name, secret) VALUES ($1, $2) ON CONFLICT DO NOTHING`, name, sealed)
	return err
}

func deriveInstance(name string, secret []byte) (*instance, error) {
	in := &instance{name: name}
	for purpose, key := range map[string]*[]byte{"claims": &in.claims, "subjects": &in.subjects, "fingerprints": &in.fingerprints} {
		derived, err := hkdf.Key(sha256.New, secret, nil, "hooktrail "+purpose, sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("derive the key for %s: %w", purpose, err)
		}
		*key = derived
	}
	return in, nil
}

// origin names the tree of a tenant that is made now.
func (in *instance) origin(tenant domain.TenantID) string { return in.name + "/" + string(tenant) }

// claimMAC stands for a claim in the database: what a client sent isn't kept.
func (in *instance) claimMAC(c domain.Claim) [sha256.Size]byte {
	return keyedHash(in.claims, string(c.Tenant), c.Scope, c.Key)
}

// claimDigest tells a repetition of a claim's request from another one. It is keyed: a request may hold little that isn't
// known, and a plain hash would let a guess of the rest be confirmed, also after that was erased.
func (in *instance) claimDigest(c domain.Claim) [sha256.Size]byte {
	return keyedHash(in.claims, string(c.Tenant), c.Scope, c.Key, string(c.Digest[:]))
}

// subjectMAC stands for a subject in the database; it is empty, not null, for nobody.
func (in *instance) subjectMAC(tenant domain.TenantID, subject string) []byte {
	if subject == "" {
		return []byte{}
	}
	mac := keyedHash(in.subjects, string(tenant), subject)
	return mac[:]
}

// fingerprint tells secrets apart without telling anything about them, 16 characters.
func (in *instance) fingerprint(tenant domain.TenantID, secret []byte) string {
	mac := keyedHash(in.fingerprints, string(tenant), string(secret))
	return base64.RawURLEncoding.EncodeToString(mac[:12])
}

// keyedHash is an HMAC over texts, each preceded by its length: no two lists of texts are one byte string.
func keyedHash(key []byte, texts ...string) (sum [sha256.Size]byte) {
	mac := hmac.New(sha256.New, key)
	for _, text := range texts {
		n := uint64(len(text))
		mac.Write([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
		mac.Write([]byte(text))
	}
	mac.Sum(sum[:0])
	return sum
}

// nameOK says whether an instance's name can stand in origins.
func nameOK(name string) bool {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	return len(name) >= 1 && len(name) <= 128 && strings.Trim(name, allowed+"._-") == "" && strings.Contains(allowed, name[:1])
}
