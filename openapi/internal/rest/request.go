package rest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// Sources is what requests are answered from. All members but Settler are needed, and all are safe for concurrent use.
type Sources struct {
	Log       domain.Log
	Views     projections.Views
	Directory *projections.Directory // must be followed, see [projections.Directory.Follow]
	Clock     func() time.Time
	Logger    *slog.Logger

	// Claims looks claims up without appending: for each, who made it before, or nil.
	Claims interface {
		Claimed(ctx context.Context, claims []domain.Claim) ([]*domain.ClaimedError, error)
	}
	// Settler returns when every append that had begun before has ended, so that no entry with an earlier time can
	// follow. It holds up appends, so it is called only where the answer depends on it. Nil: appends are never seen
	// late.
	Settler interface {
		Settle(ctx context.Context) error
	}

	// CursorKey authenticates cursors.
	CursorKey []byte
	// Budget bounds what all requests hold in memory.
	Budget *Budget

	ends  *headLookups // set by NewGate, as is what follows
	scans *Slots
	turns *Turns // by stream
}

// CatchUp returns when the directory knows everything that was committed before the call.
func (s *Sources) CatchUp(ctx context.Context) error {
	head, err := s.ends.after(ctx, s.Log.Head)
	if err != nil {
		return err
	}
	return s.Await(ctx, head)
}

// Await returns when the directory knows the log up to a position. The answer to a new key waits for it, so that the
// key opens at once, and the answer to a revocation, so that the key opens nothing any more.
func (s *Sources) Await(ctx context.Context, position domain.Position) error {
	ctx, cancel := context.WithTimeout(ctx, DefaultWait)
	defer cancel()
	if err := s.Directory.Await(ctx, position); err != nil {
		return fmt.Errorf("wait for the directory of keys: %w", projections.ErrBehind)
	}
	return nil
}

// Request is one request that was let in: who asks for what, and in which tenant. It belongs to one goroutine.
type Request struct {
	*Sources
	Operation   string
	Key         domain.Key      // zero where no key is needed
	Tenant      domain.TenantID // "" for what concerns the instance, unless the operation sets it
	HTTP        *http.Request
	Body        []byte // never reused, so that parts of it can be kept
	ContentType string // the body's, without parameters
	Hold        Hold   // what the request holds of the budget, until it is answered

	idempotency string   // the Idempotency-Key; "" for none
	digest      [32]byte // of path, query and body, where there is an Idempotency-Key
}

type requestKey struct{}

// RequestOf returns the request that the gate let in. It is in the context only between the gate and the operation.
func RequestOf(ctx context.Context) *Request {
	r, ok := ctx.Value(requestKey{}).(*Request)
	if !ok {
		panic("rest: an operation was registered without access rules")
	}
	return r
}

// By is the actor of whatever this request leads to.
func (r *Request) By() domain.Actor {
	return domain.Actor{Principal: r.Key.PrincipalID, Credential: r.Key.ID}
}

// Receiver is the endpoint that a receiver's key is bound to; zero for every other role.
func (r *Request) Receiver() domain.UUID {
	if r.Key.Role != domain.RoleReceiver {
		return domain.UUID{}
	}
	return r.Key.Endpoint
}

// Opens reports whether the key may see what belongs to an endpoint.
func (r *Request) Opens(endpoint domain.UUID) bool {
	return r.Key.Role != domain.RoleReceiver || r.Key.Endpoint == endpoint
}

// Path is the path of something in the request's tenant.
func (r *Request) Path(elements ...string) string {
	return "/v1/tenants/" + string(r.Tenant) + "/" + strings.Join(elements, "/")
}

// Repeatable reports whether the request has an Idempotency-Key.
func (r *Request) Repeatable() bool { return r.idempotency != "" }

// scope is what an Idempotency-Key is unique in.
func (r *Request) scope() string { return "idempotency/" + r.Key.ID.String() + "/" + r.Operation }

// Claim is the request's Idempotency-Key as the log knows it. The drafts from first on answer a repetition.
func (r *Request) Claim(tenant domain.TenantID, first, count int) domain.Claim {
	return domain.Claim{
		Tenant: tenant, Scope: r.scope(), Key: r.idempotency, Digest: r.digest, First: first, Count: count,
	}
}

// Failed turns an operation's error into the answer, and logs what only the operator may read.
func (r *Request) Failed(ctx context.Context, err error) error {
	p := ProblemOf(err)
	if p.Status == http.StatusInternalServerError && !errors.Is(ctx.Err(), context.Canceled) {
		r.Logger.LogAttrs(ctx, slog.LevelError, "operation failed", slog.String("operation", r.Operation),
			slog.String("tenant", string(r.Tenant)), slog.Any("error", err))
	}
	return p
}
