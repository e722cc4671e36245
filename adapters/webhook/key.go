package webhook

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"strings"
	"sync"

	"github.com/hooktrail/hooktrail/domain"
)

// Bounds of a signing key's secret, in bytes.
const (
	generatedKeyBytes = 32
	minWhsecBytes     = 24 // both as Standard Webhooks has it
	maxWhsecBytes     = 64
	maxKeyBytes       = 512
)

// Prefixes of the open formats' keys.
const (
	prefixHMAC    = "whsec_"
	prefixPrivate = "whsk_" // Ed25519
	prefixPublic  = "whpk_" // Ed25519
)

// Key is one signing key of an endpoint, ready to sign. It is safe for concurrent use.
type Key struct {
	ID domain.UUID

	algorithm algorithm
	text      string             // as it was shown
	secret    []byte             // HMAC key
	private   ed25519.PrivateKey // nil if only the public key is known, which verifies and can't sign
	public    ed25519.PublicKey
	macs      *sync.Pool // of hash.Hash keyed with secret: keying costs as much as hashing a small body
}

// NewSigningKey makes a key of 32 random bytes and writes it as the profile's keys are written. It is a secret.
func (p *Profile) NewSigningKey() string {
	if !p.signsWith(hmacSHA256) {
		return NewEd25519Key()
	}
	secret := make([]byte, generatedKeyBytes)
	_, _ = rand.Read(secret) // crypto/rand.Read never fails (it aborts the program)
	if p.keyFormat == keyWhsec {
		return prefixHMAC + base64.StdEncoding.EncodeToString(secret)
	}
	return base64.RawURLEncoding.EncodeToString(secret)
}

// NewEd25519Key makes a private key for profiles that can sign with one, written as whsk_ and base64 of its 64 bytes.
// The receiver gets only the public key: [Key.PublicKey].
func NewEd25519Key() string {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil { // only a broken reader fails, and rand.Reader aborts the program first
		panic("generate an Ed25519 key: " + err.Error())
	}
	return prefixPrivate + base64.StdEncoding.EncodeToString(private)
}

// ParseKey reads a signing key as a client gives it or NewSigningKey wrote it. A key that the profile can't sign with
// is refused with a *domain.InvalidError on signing_key that doesn't hold it.
func (p *Profile) ParseKey(id domain.UUID, text string) (*Key, error) {
	if p.signature == nil {
		return nil, domain.Invalid("signing_key", "the profile %s doesn't sign: leave the key out", p.Name)
	}
	k := &Key{ID: id, text: text}
	var err error
	switch {
	case p.keyFormat == keyText:
		err = k.parseText()
	case strings.HasPrefix(text, prefixPrivate):
		err = k.parsePrivate()
	default:
		err = k.parseWhsec()
	}
	if err != nil {
		return nil, err
	}
	if !p.signsWith(k.algorithm) {
		return nil, domain.Invalid("signing_key", "the profile %s doesn't sign with %s", p.Name, k.algorithm)
	}
	k.macs = &sync.Pool{New: func() any { return hmac.New(sha256.New, k.secret) }}
	return k, nil
}

func (k *Key) parseText() error {
	if domain.ValidateText("", k.text, 1, maxKeyBytes) != nil {
		return domain.Invalid("signing_key", "has 1 to %d bytes of UTF-8 text without control characters", maxKeyBytes)
	}
	k.algorithm, k.secret = hmacSHA256, []byte(k.text)
	return nil
}

func (k *Key) parseWhsec() error {
	encoded, ok := strings.CutPrefix(k.text, prefixHMAC)
	secret, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if !ok || err != nil || len(secret) < minWhsecBytes || len(secret) > maxWhsecBytes {
		return domain.Invalid("signing_key",
			"is written as whsec_ and the base64 of %d to %d bytes, or for Ed25519 as whsk_ and the base64 of the private key, "+
				"32 or 64 bytes", minWhsecBytes, maxWhsecBytes)
	}
	k.algorithm, k.secret = hmacSHA256, secret
	return nil
}

// parsePrivate reads the 32 bytes of a seed, or the 64 of seed and public key, which must belong together.
func (k *Key) parsePrivate() error {
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimPrefix(k.text, prefixPrivate))
	if err != nil || len(raw) != ed25519.SeedSize && len(raw) != ed25519.PrivateKeySize {
		return domain.Invalid("signing_key", "is written as whsk_ and the base64 of an Ed25519 private key, 32 or 64 bytes")
	}
	k.algorithm, k.private = ed25519Alg, ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize])
	if len(raw) == ed25519.PrivateKeySize && !k.private.Equal(ed25519.PrivateKey(raw)) {
		return domain.Invalid("signing_key", "holds a public key that doesn't belong to its private key")
	}
	k.public, _ = k.private.Public().(ed25519.PublicKey)
	return nil
}

// ParseVerifyingKey is ParseKey for a receiver, who may know only the public half (whpk_) of an Ed25519 key.
func (p *Profile) ParseVerifyingKey(text string) (*Key, error) {
	encoded, ok := strings.CutPrefix(text, prefixPublic)
	if !ok {
		return p.ParseKey(domain.UUID{}, text)
	}
	if !p.signsWith(ed25519Alg) {
		return nil, domain.Invalid("signing_key", "the profile %s doesn't sign with %s", p.Name, ed25519Alg)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return nil, domain.Invalid("signing_key", "is written as whpk_ and the base64 of an Ed25519 public key, 32 bytes")
	}
	return &Key{algorithm: ed25519Alg, text: text, public: raw}, nil
}

// PublicKey is what the receiver of an asymmetric key gets, written as whpk_ and base64; "" for an HMAC key.
func (k *Key) PublicKey() string {
	if k.algorithm != ed25519Alg {
		return ""
	}
	return prefixPublic + base64.StdEncoding.EncodeToString(k.public)
}

// String keeps the secret out of logs and errors.
func (k *Key) String() string { return "signing key " + k.ID.String() }

// secrets returns every form in which the key's secret could come back in an answer.
func (k *Key) secrets() []string {
	if k.algorithm == ed25519Alg {
		encoded := strings.TrimPrefix(k.text, prefixPrivate)
		return []string{k.text, strings.TrimRight(encoded, "="), string(k.private.Seed())}
	}
	if encoded, ok := strings.CutPrefix(k.text, prefixHMAC); ok {
		return []string{k.text, strings.TrimRight(encoded, "="), string(k.secret)}
	}
	return []string{k.text}
}

// sign returns the raw signature over parts of text one after the other.
func (k *Key) sign(dst []byte, before, body, after []byte) []byte {
	if k.algorithm == ed25519Alg {
		whole := make([]byte, 0, len(before)+len(body)+len(after))
		whole = append(append(append(whole, before...), body...), after...)
		return append(dst, ed25519.Sign(k.private, whole)...)
	}
	mac, _ := k.macs.Get().(hash.Hash)
	mac.Reset()
	_, _ = mac.Write(before) // hash.Hash never returns an error
	_, _ = mac.Write(body)
	_, _ = mac.Write(after)
	dst = mac.Sum(dst)
	k.macs.Put(mac)
	return dst
}
