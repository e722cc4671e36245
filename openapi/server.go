package openapi

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// Server is everything that the operations use, wired by the caller. All members are needed unless they say otherwise,
// and all are safe for concurrent use.
type Server struct {
	Log       domain.Log
	Claims    Claims
	Settler   Settler // nil: appends are never seen late
	Views     projections.Views
	Directory *projections.Directory // must be followed, see [projections.Directory.Follow]

	Vault        Vault
	Fingerprints Fingerprints
	Profiles     Profiles
	Schemas      Schemas
	Filters      Filters // nil: this program has no filters, and any is refused
	Previewer    Previewer
	Courier      Courier
	Lanes        Lanes // nil: this process delivers nothing
	Guides       Guides
	Reconciler   Reconciler
	Replays      Replays
	Readiness    Readiness
	Exports      Exports

	CursorKey []byte      // authenticates cursors of lists, the same in every process; nil: one of this process alone
	Node      domain.UUID // this process in the log
	Webhooks  []Webhook   // for the document; may be none

	Metrics http.Handler     // answers /metrics
	Clock   func() time.Time // nil: the machine's
	Logger  *slog.Logger     // nil: nothing is logged
	Limits  Limits
	Version string // of the program, for the document: "1.2.3"

	probes      *probes     // made by NewHandler, as is what follows
	registrants *rest.Turns // by registration, or by the endpoint of a receiver that makes subscriptions
}

// Claims looks claims up without appending.
type Claims interface {
	// Claimed returns, for each claim, who made it before, or nil.
	Claimed(ctx context.Context, claims []domain.Claim) ([]*domain.ClaimedError, error)
}

// Settler waits for appends that are under way.
type Settler interface {
	// Settle returns when every append that had begun before has ended, so that no entry with an earlier time can
	// follow. It holds up appends, so it is called only where the answer depends on it.
	Settle(ctx context.Context) error
}

// Vault stores the credentials of endpoints, sealed, outside the log. A secret opens only for its purpose
// (domain.PurposeAuth and so on).
type Vault interface {
	PutSecret(ctx context.Context, tenant domain.TenantID, id domain.UUID, purpose string, value []byte) error
	// DeleteSecret destroys a secret; one that is gone already is no error.
	DeleteSecret(ctx context.Context, tenant domain.TenantID, id domain.UUID) error
}

// Fingerprints makes keyed hashes of secrets: within a tenant the same value has the same one, which tells nothing
// about it.
type Fingerprints interface {
	Fingerprint(ctx context.Context, tenant domain.TenantID, value []byte) (string, error)
}

// Profiles knows the wire formats.
type Profiles interface {
	// Named returns the newest version of a profile.
	Named(name string) (domain.Profile, bool)
	// ByDigest returns the one version of a profile that an endpoint was made with.
	ByDigest(digest string) (domain.Profile, bool)
	// All returns every version of every profile, in no order; the slice is the caller's.
	All() []domain.Profile
	// Parse reads a profile's document, or returns where it is wrong.
	Parse(document []byte) (domain.Profile, []domain.Fault, error)
	// NewKey checks the given signing key of a profile, or makes one where none is given and the profile wants one.
	// Both results are empty for a profile without signatures. A wrong key is a *domain.InvalidError on signing_key.
	NewKey(digest, given string) (secret, public string, err error)
	// CheckTarget refuses a target that doesn't fit its profile, with a *domain.InvalidError on the endpoint's member,
	// and returns the authentication with the profile's defaults filled in.
	CheckTarget(t domain.Target) (domain.Auth, error)
	// SplitURL parts an endpoint's URL into what may be known of it and what is kept as a secret; "": nothing is.
	SplitURL(raw string) (shown, secret string)
	// CheckHeader refuses a custom header that endpoints mustn't set. field is the name to put into the error.
	CheckHeader(field, name, value string) error
}

// Schemas knows JSON Schema. A schema is the text of its document. Faults name places and rules, and no value of the
// data.
type Schemas interface {
	// Check returns where a text isn't a schema that this program accepts; nothing: it is one.
	Check(ctx context.Context, tenant domain.TenantID, schema string) ([]domain.Fault, error)
	// Validator begins the validations of one request. They share a budget: when it is used up, further data counts as
	// invalid, with a fault that tells so.
	Validator(tenant domain.TenantID) domain.Validator
	// Breaks returns which rules of a schema a newer one doesn't keep: a receiver that reads by the first may not
	// understand what follows the second.
	Breaks(ctx context.Context, tenant domain.TenantID, older, newer string) ([]domain.Fault, error)
	// Catalogue reads a document of event types, in its order; of one type's versions the older come first. Their
	// schemas and examples have been checked, within a budget.
	Catalogue(ctx context.Context, tenant domain.TenantID, document []byte) ([]domain.EventTypeConfig, []domain.Fault, error)
}

// Filters knows the language of subscriptions' filters.
type Filters interface {
	// Check refuses a filter that doesn't compile.
	Check(filter string) error
	// Compile compiles a filter that Check has passed.
	Compile(filter string) (domain.Filter, error)
}

// Previewer decides as an append does.
type Previewer interface {
	// Preview decides to whom an event goes by a configuration, in one piece however many deliveries there are.
	Preview(
		ctx context.Context, c *projections.Config, tenant domain.TenantID, e *domain.EventAppended,
	) (domain.Routing, domain.Verdicts, error)
}

// Replays says what bulks of deliveries would do.
type Replays interface {
	// Preview goes through all that a replay would, and appends nothing.
	Preview(ctx context.Context, tenant domain.TenantID, config domain.ReplayConfig) (projections.ReplayPreview, error)
}

// Courier speaks with receivers.
type Courier interface {
	// Body builds the body of an attempt again, to the byte; domain.ErrNothingSent where there was none.
	Body(ctx context.Context, sent domain.SentAttempt) ([]byte, error)
	// Handshake sends the one request of an order, within the order's timeout, and returns how that ended and what is
	// kept of the answer's body.
	Handshake(ctx context.Context, order domain.HandshakeOrder) (domain.HandshakeResult, []byte)
}

// Guides writes integration guides.
type Guides interface {
	// Guide writes a page. An example that the format can't carry is a *domain.InvalidError on the profile.
	Guide(ctx context.Context, order domain.GuideOrder) (domain.GuidePage, error)
}

// Reconciler does reconciliations, one a tenant at a time, apart from the requests that ask for them.
type Reconciler interface {
	// Reserve takes the tenant's place for a reconciliation; domain.ErrConflict: there is none at the moment. Begin or
	// Abandon must follow.
	Reserve(tenant domain.TenantID, id domain.UUID) error
	// Take reads a receiver's list for the reserved reconciliation as it comes. What is wrong with the list is a
	// *domain.InvalidError on body.
	Take(ctx context.Context, tenant domain.TenantID, contentType string, body io.Reader) (domain.ReceivedList, error)
	// Keep has the reconciliation survive the process, if it is in the log then. It precedes the append.
	Keep(tenant domain.TenantID) error
	// Begin begins it; where the log turns out not to have it, that ends it.
	Begin(tenant domain.TenantID)
	Abandon(tenant domain.TenantID)
	// Progress is how far a reconciliation of this process is; false for one that isn't.
	Progress(tenant domain.TenantID, id domain.UUID) (done, total int64, running, ok bool)
}

// Readiness tells orchestrators about this node.
type Readiness interface {
	// Ready returns why this node can't append or serve; nil when it can.
	Ready(ctx context.Context) error
}

// Limits bound requests. A zero member has the default.
type Limits struct {
	DataBytes   int           // of one event; 256 KiB
	BodyBytes   int           // of a request; 8 MiB
	BatchEvents int           // 1,000
	ExportKeep  time.Duration // of an export's file, unless somebody chooses; domain.DefaultExportKeep
	HeldBytes   int           // of all requests under way together; no tenant has more than half of it; 256 MiB
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
	if l.ExportKeep == 0 {
		l.ExportKeep = domain.DefaultExportKeep
	}
	if l.HeldBytes == 0 {
		l.HeldBytes = 256 << 20
	}
	return l
}
