package rest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
)

// Post is how a POST is decided and answered.
type Post[O any] struct {
	// Tenant holds the idempotency claim; "" is the request's own tenant.
	Tenant domain.TenantID
	// Decide returns what is to be appended. Without drafts nothing is to be done, and Idle answers.
	Decide func(ctx context.Context) (domain.Group, error)
	// First is the first of the drafts that Answer needs: the claim names it and those after it.
	First int
	// Answer makes the answer from the entries of the drafts from First on. replayed reports whether they are an
	// earlier request's.
	Answer func(ctx context.Context, entries []domain.Entry, replayed bool) (*O, error)
	Idle   func(ctx context.Context) (*O, error)
}

// Once does a POST, or answers it again where its Idempotency-Key was used before.
func Once[O any](ctx context.Context, r *Request, p Post[O]) (*O, error) {
	if p.Tenant == "" {
		p.Tenant = r.Tenant
	}
	if r.Repeatable() {
		found, err := r.Claims.Claimed(ctx, []domain.Claim{r.Claim(p.Tenant, 0, 1)})
		if err != nil {
			return nil, err
		}
		if found[0] != nil {
			return repeat(ctx, r, p, found[0])
		}
	}
	var out *O
	err := Decide(ctx, r, func(ctx context.Context) (thing domain.UUID, again bool, err error) {
		group, err := p.Decide(ctx)
		if err != nil {
			return thing, false, err
		}
		if len(group.Drafts) == 0 {
			out, err = p.Idle(ctx)
			return thing, false, err
		}
		if r.Repeatable() { // before all other claims, so that a repetition is known as one
			group.Claims = slices.Insert(group.Claims, 0, r.Claim(p.Tenant, p.First, len(group.Drafts)-p.First))
		}
		entries, err := Append(ctx, r, group)
		var taken *domain.ClaimedError
		switch {
		case err == nil:
			out, err = p.Answer(ctx, entries[p.First:], false)
			return thing, false, err
		case errors.As(err, &taken) && r.Repeatable() && taken.Claim == 0:
			out, err = repeat(ctx, r, p, taken)
			return thing, false, err
		}
		return group.Drafts[0].Stream.ID, Conflicted(err), err
	})
	return out, err
}

// repeat answers from the entries of an earlier request.
func repeat[O any](ctx context.Context, r *Request, p Post[O], earlier *domain.ClaimedError) (*O, error) {
	entries, err := Earlier(ctx, r, p.Tenant, earlier)
	if err != nil {
		return nil, err
	}
	return p.Answer(ctx, entries, true)
}

// Earlier reads what an earlier request with the same Idempotency-Key appended.
func Earlier(
	ctx context.Context, r *Request, tenant domain.TenantID, claim *domain.ClaimedError,
) ([]domain.Entry, error) {
	switch {
	case claim.Erased: // whatever the request holds: the answer must not confirm a guess of what was erased
		return nil, Erased()
	case !claim.Same:
		return nil, Refuse(http.StatusConflict, "idempotency_mismatch",
			"The Idempotency-Key was used for another request. Nothing was done.",
			Fault{"header.Idempotency-Key", "was used for a request with another body, path or query"})
	}
	to := claim.Sequence + domain.Sequence(claim.Count)
	entries, err := domain.Select(ctx, r.Log, domain.Query{Tenant: tenant, From: &claim.Sequence, To: &to, Limit: claim.Count})
	// Entries that only continue an event's routing answer nothing.
	return slices.DeleteFunc(entries, func(e domain.Entry) bool { return e.Kind == domain.KindEventRouted }), err
}

// Change appends what decide returns, deciding again when the stream was changed concurrently, and returns the first
// entry: the zero entry where decide returns no drafts, since nothing is to be changed.
func Change(
	ctx context.Context, r *Request, decide func(ctx context.Context) (domain.Group, error),
) (first domain.Entry, err error) {
	err = Decide(ctx, r, func(ctx context.Context) (thing domain.UUID, again bool, err error) {
		group, err := decide(ctx)
		if err != nil || len(group.Drafts) == 0 {
			return thing, false, err
		}
		entries, err := Append(ctx, r, group)
		if err != nil {
			return group.Drafts[0].Stream.ID, errors.Is(err, domain.ErrConflict), err
		}
		first = entries[0]
		return thing, false, nil
	})
	return first, err
}

// Unchanged reports whether Change found nothing to change.
func Unchanged(e domain.Entry) bool { return e.Kind == "" }

// Conflicted reports whether a concurrent change won (of the same stream, or of a unique name): the caller reloads and
// decides again.
func Conflicted(err error) bool {
	var taken *domain.ClaimedError
	return errors.Is(err, domain.ErrConflict) || errors.As(err, &taken)
}

// Append appends a group, and records with changes of configuration from where they were asked for.
func Append(ctx context.Context, r *Request, group domain.Group) ([]domain.Entry, error) {
	address, _, err := net.SplitHostPort(r.HTTP.RemoteAddr)
	if err != nil {
		address = r.HTTP.RemoteAddr
	}
	from := &domain.RequestContext{Address: cut(address, 64), UserAgent: cut(r.HTTP.UserAgent(), 256)}
	for i := range group.Drafts {
		if d := &group.Drafts[i]; d.Stream.Kind != domain.StreamEvent && d.Stream.Kind != domain.StreamDelivery {
			d.Context = from
		}
	}
	return domain.AppendOne(ctx, r.Log, group)
}

// cut bounds a text that the client chose.
func cut(s string, most int) string { return strings.ToValidUTF8(s[:min(len(s), most)], "") }
