package domain

import "errors"

// The purposes of secrets. A secret opens only for the purpose that it was stored for.
const (
	PurposeSigningKey = "endpoint.signing_key"
	PurposeAuth       = "endpoint.auth"
	PurposeHeader     = "endpoint.header"
	PurposeQuery      = "endpoint.query" // the query of the endpoint's URL
)

// Auth is how the product authenticates itself to a receiver, secret included. The zero value is no authentication.
// What the log keeps of it is EndpointAuth.
type Auth struct {
	Type  string // "api_key", "basic" or "bearer"
	In    string // where an api_key goes: "header" or "query"
	Name  string // an api_key's header or parameter; the user name of basic
	Value string // the secret
}

// Target is where an endpoint's requests go and what they carry, with the secrets in plain text. It is judged as a
// whole before an endpoint is made or changed.
type Target struct {
	Profile string // the profile's digest
	URL     string
	Auth    Auth
	Headers []Header
	Success []string // the statuses that succeed; none: the profile's
}

// Profile is a wire format as those see it who don't send with it, and what an endpoint takes over from it.
type Profile struct {
	Name        string
	Version     int
	Description string
	Document    []byte
	BuiltIn     bool     // part of the program; else an operator added it
	EventTypes  []string // the vendor's catalogue

	Digest       string // SHA-256 of the document, in hex
	HTTPSOnly    bool
	Signs        bool
	Retry        Schedule // zero: the product's default
	Timeout      Duration // 0: the product's default
	DisableAfter Duration // an endpoint is disabled after failing for this long; 0: never
	SelfService  bool     // receivers may make endpoints of this format themselves
}

// SentAttempt is everything that an attempt's body is made of.
type SentAttempt struct {
	Event    Entry // its event.appended, with the fact
	Endpoint Endpoint
	Delivery Delivery
	Started  AttemptStarted
}

// ErrNothingSent means that an attempt had no body: the format of its endpoint can't carry the event.
var ErrNothingSent = errors.New("the attempt sent nothing")

// HandshakeOrder is a handshake whose intent is in the log already.
type HandshakeOrder struct {
	Endpoint Endpoint // its credentials and headers go along
	Start    HandshakeStart
}

// GuideOrder is what an integration guide is about.
type GuideOrder struct {
	Tenant   TenantID
	Type     EventTypeConfig
	Digest   string    // the profile's
	Endpoint *Endpoint // nil: any endpoint of the profile
}

// GuidePage is an integration guide, and the Content-Security-Policy under which it works.
type GuidePage struct {
	HTML   []byte
	Policy string
}
