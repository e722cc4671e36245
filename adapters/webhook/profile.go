package webhook

import (
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// Profile is the wire format of one family of receivers, compiled from a document by [ParseProfile]. It is immutable:
// its fields must not be written to, and it is safe for concurrent use.
type Profile struct {
	Name        string // "standard-webhooks"
	Version     int    // from 1
	Description string
	// Digest is the SHA-256 of Document in hex. Endpoints name a profile by it, so that what they send never changes.
	Digest   string
	Document []byte // without insignificant white space, members in the order in which they were written

	ContentType string
	HTTPSOnly   bool            // refuses endpoints whose URL begins with http://
	Timeout     time.Duration   // of an attempt; 0: the product's default
	Retry       domain.Schedule // zero: the product's default
	// HonoursRetryAfter reports whether Retry-After, 410 and throttling by 429 and 503 change the schedule.
	HonoursRetryAfter bool
	EventTypes        []string // the vendor's catalogue, for guides; other types may be sent all the same
	// SelfService reports whether receivers may set up endpoints of this format by themselves, or only a tenant's
	// administrators.
	SelfService bool

	// KeyGenerated reports whether a signing key is generated for an endpoint that brings none.
	KeyGenerated bool

	keyFormat keyFormat // "" where the format signs nothing
	dataTyped bool      // the body is the data, and the producer says of which media type; no data: no body
	body      []segment
	bodySize  int      // of the literal parts
	members   []string // of the data, that fieldMember segments count
	headers   []headerRule
	signature *signatureRule // nil: unsigned
	auth      authRule
	success   Statuses
}

// Succeeded reports whether a status code is a success to receivers of this format.
func (p *Profile) Succeeded(status int) bool { return p.success.Has(status) }

// Success returns the statuses that are a success to receivers of this format.
func (p *Profile) Success() Statuses { return p.success }

// Signs reports whether the format carries a signature where the endpoint has a key.
func (p *Profile) Signs() bool { return p.signature != nil }

// signsWith reports whether a signature can be made with an algorithm.
func (p *Profile) signsWith(a algorithm) bool {
	if p.signature == nil {
		return false
	}
	_, ok := p.signature.prefixes[a]
	return ok
}

// AuthRequired reports whether an endpoint must have credentials to authenticate with.
func (p *Profile) AuthRequired() bool { return p.auth.required }

// keyFormat is how a profile's signing keys are written.
type keyFormat string

const (
	keyText  keyFormat = "text"  // HMAC with the UTF-8 bytes of the text itself
	keyWhsec keyFormat = "whsec" // whsec_ and base64 of an HMAC key, whsk_ and base64 of an Ed25519 private key
)

// algorithm is how a signature is made.
type algorithm string

const (
	hmacSHA256 algorithm = "hmac-sha256"
	ed25519Alg algorithm = "ed25519"
)

// signatureRule is how a request is signed.
type signatureRule struct {
	header    string // canonical
	content   []part // what is signed; fieldBody is among them
	hex       bool   // else base64
	prefixes  map[algorithm]string
	separator string // between the signatures of several keys; "" if the format carries only one
}

// headerRule is one header that a profile sets. With spread, name is a prefix and each extension makes a header.
type headerRule struct {
	name     string // canonical
	parts    []part
	optional bool // left out where the field is empty
	spread   bool
}

// authRule is what a profile says about an endpoint's credentials.
type authRule struct {
	required bool
	types    []string // allowed; empty: all
	header   string   // default name of an API key's header
	query    string   // default name of an API key's query parameter
}

// segment is literal bytes of the body followed by a field.
type segment struct {
	literal  string
	field    field
	how      encoding
	member   int      // index into Profile.members
	optional bool     // literal and field are left out where the field is empty
	taken    []string // names an extension must not repeat
}
