package openapi

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// Server is everything that the operations use, wired by the caller. All members are needed unless they say otherwise;
// all functions are safe for concurrent use.
type Server struct {
	Log       domain.Log
	Views     projections.Views
	Directory *projections.Directory // must be followed, see [projections.Directory.Follow]
	Secrets   Secrets
	Profiles  Profiles
	Schemas   Schemas

	// Claimed looks claims up without appending: for each, who made it before, or nil.
	Claimed func(ctx context.Context, claims []domain.Claim) ([]*domain.ClaimedError, error)
	// Settle returns when every append that had begun before has ended, so that no entry can still come to stand before
	// the present. It holds up appends, so it is called only where the answer depends on it. Nil: appends are never seen late.
	Settle func(ctx context.Context) error
	// CheckFilter refuses a subscription's filter that doesn't compile. Nil: this program has no filters, and any is refused.
	CheckFilter func(filter string) error
	// CompileFilter compiles a filter that CheckFilter has passed. Needed only beside CheckFilter.
	CompileFilter func(filter string) (domain.Filter, error)
	// Route decides as an append does to whom an event goes by a configuration, in one piece however many there are.
	Route func(ctx context.Context, c *projections.Config, tenant domain.TenantID, e *domain.EventAppended) (domain.Routing, domain.Verdicts, error)
	// AttemptBody builds the body of an attempt again, to the byte; ErrNothingSent where there was none.
	AttemptBody func(ctx context.Context, sent SentAttempt) ([]byte, error)
	// Handshake asks a receiver what an order says, once, within the order's timeout, and returns how that ended and what
	// is kept of the answer's body.
	Handshake func(ctx context.Context, order HandshakeOrder) (domain.HandshakeResult, []byte)
	// Node is this process in the log.
	Node domain.UUID
	// Guide writes an integration guide. An example that the format can't carry is a *domain.InvalidError on the profile.
	Guide func(ctx context.Context, order GuideOrder) (Guide, error)
	// Ready says why this node can't append or serve; nil when it can.
	Ready func(ctx context.Context) error

	Webhooks []Webhook // for the document; may be none

	Metrics http.Handler // serves what /metrics answers
	Clock   func() time.Time
	Logger  *slog.Logger
	Limits  Limits
	Version string // of the program, for the document: "1.2.3"

	heads  *heads  // made by NewHandler, as are those below
	probes *probes // sent at callers' wishes
	turns  *turns  // of registrations
}

// What secrets are kept for. A secret is found again under its purpose only.
const (
	PurposeSigningKey = "endpoint.signing_key"
	PurposeAuth       = "endpoint.auth"
	PurposeHeader     = "endpoint.header"
	PurposeQuery      = "endpoint.query" // of its URL
)

// Secrets keeps the credentials of endpoints, sealed, outside the log.
type Secrets struct {
	// Put keeps a secret and returns its id and keyed fingerprint. The id doubles as the id of a signing key.
	Put func(ctx context.Context, tenant domain.TenantID, purpose, value string) (id domain.UUID, fingerprint string, err error)
	// Delete destroys secrets; those that are gone already are no error.
	Delete func(ctx context.Context, tenant domain.TenantID, ids ...domain.UUID) error
}

// Profiles knows the wire formats.
type Profiles struct {
	// Lookup returns the newest version of a profile.
	Lookup func(name string) (Profile, bool)
	// ByDigest returns the one version of a profile that an endpoint was made with.
	ByDigest func(digest string) (Profile, bool)
	Names    func() []string // in alphabetical order
	// All returns every version of every profile, in no order; the slice is the caller's.
	All func() []Profile
	// Parse reads a profile's document, or says where it is wrong.
	Parse func(document []byte) (Profile, []Fault, error)
	// NewKey checks the given signing key of a profile, or makes one where none is given and the profile wants one.
	// Both are empty for a profile without signatures. A wrong key is a *domain.InvalidError on signing_key.
	NewKey func(digest, given string) (secret, public string, err error)
	// Check refuses a target that doesn't fit its profile, with a *domain.InvalidError on the endpoint's member, and
	// returns the authentication with the profile's defaults filled in.
	Check func(t Target) (Auth, error)
	// CheckHeader refuses a custom header that endpoints mustn't set. field is the name to put into the error.
	CheckHeader func(field, name, value string) error
}

// Profile is a wire format, as far as this package knows it, and what an endpoint takes over from it.
type Profile struct {
	Name        string
	Version     int
	Description string
	Document    []byte
	BuiltIn     bool     // the program brings it along; else an operator added it
	EventTypes  []string // the vendor's catalogue

	Digest    string // of the document, hex
	HTTPSOnly bool
	Signs     bool
	Retry     domain.Schedule // zero: the product's default
	Timeout   domain.Duration // 0: the product's default
	// DisableAfter is after how long of nothing but failures an endpoint is disabled; 0: never.
	DisableAfter domain.Duration
	// SelfService says whether receivers may make endpoints of this format themselves.
	SelfService bool
}

// Target is where an endpoint's requests go and what they carry, secrets in hand.
type Target struct {
	Profile string // its digest
	URL     string
	Auth    Auth
	Headers []domain.Header
	Success []string // statuses that succeed; none: the profile's
}

// Auth is how the product authenticates itself to a receiver. The zero value is none.
type Auth struct {
	Type  string // "api_key", "basic", "bearer"
	In    string // of an api_key: "header" or "query"
	Name  string // of the api_key's header or parameter; the user's name of a basic one
	Value string // the secret
}

// SentAttempt is all that an attempt's body is made of.
type SentAttempt struct {
	Event    domain.Entry // its event.appended, with the fact
	Endpoint domain.Endpoint
	Delivery domain.Delivery
	Started  domain.AttemptStarted
}

// HandshakeOrder is a handshake whose intent stands in the log already.
type HandshakeOrder struct {
	Endpoint domain.Endpoint // whose credentials and headers go along
	Start    domain.HandshakeStart
}

// Limits bound requests. A zero member has the default.
type Limits struct {
	DataBytes   int // of one event; 256 KiB
	BodyBytes   int // of a request; 8 MiB
	BatchEvents int // 1,000
}

func (l Limits) withDefaults() Limits {
	if l.DataBytes == 0 {
		l.DataBytes = domain.MaxDataBytes
	}
	if l.BodyBytes == 0 {
		l.BodyBytes = 8 << 20
	}
	if l.BatchEvents == 0 {
		l.BatchEvents = domain.MaxBatchEvents
	}
	return l
}
