package openapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// turns has the uses of one registration come one after another: each counts on from the one before, and a crowd that
// decided at once would decide anew again and again. Between processes the log alone decides. It is safe for concurrent use.
type turns struct {
	mu   sync.Mutex // guards open
	open map[domain.UUID]*turn
}

type turn struct {
	seat  chan struct{} // holds one value while nobody has the turn
	users int           // guarded by turns.mu
}

func newTurns() *turns { return &turns{open: make(map[domain.UUID]*turn)} }

// take waits for the turn and has it until leave is called.
func (t *turns) take(ctx context.Context, key domain.UUID) (leave func(), err error) {
	mine := t.join(key)
	select {
	case <-mine.seat:
		return func() { mine.seat <- struct{}{}; t.part(key, mine) }, nil
	case <-ctx.Done():
		t.part(key, mine)
		return nil, ctx.Err()
	}
}

func (t *turns) join(key domain.UUID) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	mine := t.open[key]
	if mine == nil {
		mine = &turn{seat: make(chan struct{}, 1)}
		mine.seat <- struct{}{}
		t.open[key] = mine
	}
	mine.users++
	return mine
}

func (t *turns) part(key domain.UUID, mine *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if mine.users--; mine.users == 0 {
		delete(t.open, key)
	}
}

// registered is one use of a registration.
type registered struct {
	key  domain.Key // as it is now
	used *domain.RegistrationUsed
}

// register counts the endpoint that a registrant makes; nil where an administrator makes it.
func (c *call) register(ctx context.Context, endpoint domain.UUID) (*registered, error) {
	if c.key.Role != domain.RoleRegistrant {
		return nil, nil
	}
	var row projections.Key
	_, err := c.now(ctx, func(r projections.Reader) (err error) {
		row, err = r.Key(ctx, c.key.ID, projections.AsOf{})
		return err
	})
	if err != nil {
		return nil, err
	}
	used, err := row.Use(endpoint)
	if errors.Is(err, domain.ErrQuota) {
		return nil, refuse(http.StatusConflict, "quota_exhausted", "The registration's endpoints are all made. Ask the tenant's admins for another registration.")
	}
	return &registered{row.Key, used}, err
}

// id is the registration in the endpoint's configuration.
func (r *registered) id() domain.UUID {
	if r == nil {
		return domain.UUID{}
	}
	return r.key.ID
}

func (r *registered) https() bool { return r != nil && r.key.Registration.HTTPSOnly }

// bound holds what a registrant asks for to the registration, and fills in what that demands.
func (r *registered) bound(in *endpointIn) error {
	if r == nil {
		return nil
	}
	b := r.key.Registration
	if in.Profile == "" && (len(b.Profiles) == 1 || !slices.Contains(b.Profiles, defaultProfile)) {
		in.Profile = b.Profiles[0]
	}
	if in.Profile == "" {
		in.Profile = defaultProfile
	}
	switch {
	case !slices.Contains(b.Profiles, in.Profile):
		return domain.Invalid("profile", "is one of the registration's: %s", strings.Join(b.Profiles, ", "))
	case in.Concurrency > domain.DefaultConcurrency:
		return domain.Invalid("concurrency", "is at most %d with a registration", domain.DefaultConcurrency)
	case in.DisableAfter != "":
		return domain.Invalid("disable_after", "is the profile's default with a registration: leave it out")
	case b.Handshake != "" && in.Handshake != "" && in.Handshake != string(b.Handshake):
		return domain.Invalid("handshake", "is %s with this registration", b.Handshake)
	}
	if b.Handshake != "" {
		in.Handshake = string(b.Handshake)
	}
	return b.Allows("event_types", in.EventTypes)
}

// drafts are what goes into the log beside the endpoint: the key with which its receiver sees to it, and the count.
func (r *registered) drafts(c *call, endpoint domain.UUID, in endpointIn, secret string) ([]domain.Draft, error) {
	if r == nil {
		return nil, nil
	}
	hash := HashKey(secret)
	fact, err := domain.CreateKey(domain.KeyConfig{
		KeyNames: domain.KeyNames{Name: in.Name, Principal: r.key.Principal},
		KeyRights: domain.KeyRights{
			ID: domain.NewUUID(), Role: domain.RoleReceiver, PrincipalID: r.key.PrincipalID,
			Endpoint: endpoint, Hash: hash[:], MadeBy: c.by(), Registration: &domain.Registration{
				EventTypes: r.key.Registration.EventTypes, HTTPSOnly: r.key.Registration.HTTPSOnly,
			},
		},
	}, c.Clock())
	if err != nil {
		return nil, err
	}
	drafts := c.keyGroup(domain.Key{KeyConfig: fact.Key}, fact, in.Reason).Drafts
	return append(drafts, c.keyGroup(r.key, r.used, in.Reason).Drafts...), nil
}

// registeredEndpoints lists what a registrant made: the uses of its key name the endpoints in the order of their creation.
// A page has fewer items than asked for where some are deleted.
func registeredEndpoints(ctx context.Context, c *call, in *listEndpointsIn, l *list, m moment) (*listOut[endpointOut], error) {
	type use struct {
		at  domain.Sequence
		row *projections.Endpoint // nil: deleted
	}
	var uses []use
	n, err := c.view(ctx, m, func(r projections.Reader, as projections.AsOf) error {
		uses = nil
		reflected := r.Sequence()
		if as.Set {
			reflected = as.Sequence
		}
		q := domain.Query{
			Tenant: c.tenant, Stream: domain.Stream{Kind: domain.StreamKey, ID: c.key.ID}, Kind: domain.KindRegistrationUsed,
			Limit: in.Limit + 1, Descending: in.Order == "desc",
		}
		l.bound(&q, reflected)
		entries, err := c.Log.Select(ctx, q)
		if err != nil {
			return err
		}
		for i := range entries {
			fact, ok := entries[i].Fact.(*domain.RegistrationUsed)
			if !ok {
				return unreadable(entries[i])
			}
			row, err := r.Endpoint(ctx, fact.Made.Endpoint, as)
			switch {
			case isNotFound(err):
				uses = append(uses, use{at: entries[i].Sequence})
			case err != nil:
				return fmt.Errorf("read an endpoint of the registration: %w", err)
			default:
				uses = append(uses, use{entries[i].Sequence, &row})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &listOut[endpointOut]{Sequence: sequenceText(n), Body: pageOut[endpointOut]{Items: []endpointOut{}}}
	for i, u := range uses {
		if i == in.Limit {
			out.Body.Next, out.Link = l.next(n, bySequence(uses[i-1].at))
			break
		}
		if u.row != nil {
			out.Body.Items = append(out.Body.Items, c.showEndpoint(*u.row))
		}
	}
	return out, nil
}
