package openapi

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/hooktrail/hooktrail/domain"
)

// flights holds the idempotency keys of the POSTs that this process is answering. It is safe for concurrent use. Between
// processes the log itself decides: the second append with a key is refused there.
type flights struct {
	mu   sync.Mutex // guards open
	open map[flight]struct{}
}

type flight struct{ scope, key string }

// enter takes a key until leave is called; false when it is taken.
func (f *flights) enter(scope, key string) (leave func(), ok bool) {
	name := flight{scope, key}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, taken := f.open[name]; taken {
		return nil, false
	}
	f.open[name] = struct{}{}
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.open, name)
	}, true
}

// post is how a POST is decided and answered.
type post[O any] struct {
	// tenant holds the idempotency claim; "" is the call's own tenant.
	tenant domain.TenantID
	// decide returns what is to be appended; no drafts: nothing is to do, and idle answers.
	decide func(ctx context.Context) (domain.Group, error)
	// first is the draft that answers the claim; those after it do too.
	first int
	// answer makes the answer from the drafts' entries, from first on. replayed says that they are an earlier request's.
	answer func(ctx context.Context, entries []domain.Entry, replayed bool) (*O, error)
	idle   func(ctx context.Context) (*O, error)
}

// once does a POST, or answers it again where its idempotency key was used before.
func once[O any](ctx context.Context, c *call, p post[O]) (*O, error) {
	if p.tenant == "" {
		p.tenant = c.tenant
	}
	earlier, err := c.claimed(ctx, p.tenant)
	if err != nil {
		return nil, err
	}
	if earlier != nil {
		return again(ctx, c, p, earlier)
	}
	for range maxDecisions {
		group, err := p.decide(ctx)
		if err != nil {
			return nil, err
		}
		if len(group.Drafts) == 0 {
			return p.idle(ctx)
		}
		if c.idempotency != "" { // before all others, so that a repetition is known as one
			group.Claims = slices.Insert(group.Claims, 0, c.claim(p.tenant, p.first, len(group.Drafts)-p.first))
		}
		entries, err := c.appendChange(ctx, group)
		var taken *domain.ClaimedError
		switch {
		case err == nil:
			return p.answer(ctx, entries[p.first:], false)
		case errors.As(err, &taken) && c.idempotency != "" && taken.Claim == 0:
			return again(ctx, c, p, taken)
		case !beaten(err):
			return nil, err
		}
	}
	return nil, domain.ErrConflict
}

// maxDecisions bounds how often a change is decided anew because another one came between reading and appending.
const maxDecisions = 5

// beaten says whether another change came first, so that this one is to be decided anew: of the same thing, or one that
// took a name.
func beaten(err error) bool {
	var taken *domain.ClaimedError
	return isConflict(err) || errors.As(err, &taken)
}

func again[O any](ctx context.Context, c *call, p post[O], earlier *domain.ClaimedError) (*O, error) {
	entries, err := c.earlier(ctx, p.tenant, earlier)
	if err != nil {
		return nil, err
	}
	return p.answer(ctx, entries, true)
}

// claim is the call's idempotency key as the log knows it.
func (c *call) claim(tenant domain.TenantID, first, count int) domain.Claim {
	return domain.Claim{Tenant: tenant, Scope: c.scope(), Key: c.idempotency, Digest: c.digest, First: first, Count: count}
}

// claimed looks up whether the call's idempotency key was used before; nil when it has none, or a fresh one.
func (c *call) claimed(ctx context.Context, tenant domain.TenantID) (*domain.ClaimedError, error) {
	if c.idempotency == "" {
		return nil, nil
	}
	found, err := c.Claimed(ctx, []domain.Claim{c.claim(tenant, 0, 1)})
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// earlier reads what an earlier request with the same idempotency key appended.
func (c *call) earlier(ctx context.Context, tenant domain.TenantID, claim *domain.ClaimedError) ([]domain.Entry, error) {
	switch {
	case claim.Erased: // whatever the request holds: the answer must not confirm a guess of what was erased
		return nil, erased()
	case !claim.Same:
		return nil, refuse(http.StatusConflict, "idempotency_mismatch", "The Idempotency-Key was used for another request. Nothing was done.",
			fault{"header.Idempotency-Key", "was used for a request with another body, path or query"})
	}
	to := claim.Sequence + domain.Sequence(claim.Count)
	entries, err := c.Log.Select(ctx, domain.Query{Tenant: tenant, From: &claim.Sequence, To: &to, Limit: claim.Count})
	// Entries that only continue an event's routing answer nothing.
	return slices.DeleteFunc(entries, func(e domain.Entry) bool { return e.Kind == domain.KindEventRouted }), err
}

// appendChange appends a change of configuration and says from where it was asked for.
func (c *call) appendChange(ctx context.Context, group domain.Group) ([]domain.Entry, error) {
	address, _, err := net.SplitHostPort(c.request.RemoteAddr)
	if err != nil {
		address = c.request.RemoteAddr
	}
	from := &domain.RequestContext{Address: clipped(address, 64), UserAgent: clipped(c.request.UserAgent(), 256)}
	for i := range group.Drafts {
		if d := &group.Drafts[i]; d.Stream.Kind != domain.StreamEvent && d.Stream.Kind != domain.StreamDelivery {
			d.Context = from
		}
	}
	return domain.AppendOne(ctx, c.Log, group)
}

// clipped bounds a text that the client chose.
func clipped(s string, most int) string { return strings.ToValidUTF8(s[:min(len(s), most)], "") }
