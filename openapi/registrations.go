package openapi

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// registrationOut is a registration as the API shows it: never its token, but once.
type registrationOut struct {
	ID        domain.UUID `json:"id" format:"uuid" doc:"The registration's id: the id of its key in the log." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d74"`
	Token     string      `json:"token,omitempty" doc:"The key with which its holder makes endpoints, shown once." example:"ht_GGSUcSPcZ4y2vJx7XnYbYHcXn4x0S3zHFoqXq9jZ0qA"`
	Link      string      `json:"link" doc:"Where the holder posts endpoints, with the token as its key." example:"/v1/tenants/acme/endpoints"`
	Name      string      `json:"name" doc:"For people." example:"Acme's warehouse"`
	Principal string      `json:"principal" doc:"The person or system behind it: the actor of all that is done with it." example:"acme warehouse"`
	Bounds
	ExpiresAt stamp       `json:"expires_at,omitzero" doc:"The token opens nothing from then on; what was made with it stays." example:"2027-07-01T00:00:00Z"`
	CreatedBy domain.UUID `json:"created_by,omitzero" format:"uuid" doc:"The key with which it was made." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d71"`
	Versions
}

// Bounds are what a registration's holder may set up.
type Bounds struct {
	Profiles   []string             `json:"profiles" doc:"The wire formats that endpoints may have." example:"[\"sparkfly\"]"`
	EventTypes []domain.Pattern     `json:"event_types" doc:"The types that subscriptions may choose from." example:"[\"offer.*\"]"`
	Quota      int                  `json:"quota" doc:"How many endpoints may be made, deleted ones included." example:"1"`
	Used       int                  `json:"used" doc:"How many were made." example:"0"`
	HTTPSOnly  bool                 `json:"https_only" doc:"true: endpoints with http URLs are refused." example:"true"`
	Handshake  domain.HandshakeKind `json:"handshake,omitempty" doc:"What every endpoint made with it has to pass." example:"ownership"`
}

func showBounds(r *domain.Registration) Bounds {
	return Bounds{
		Profiles: r.Profiles, EventTypes: r.EventTypes, Quota: r.Quota, Used: r.Used, HTTPSOnly: r.HTTPSOnly, Handshake: r.Handshake,
	}
}

func (c *call) showRegistration(k projections.Key) registrationOut {
	return registrationOut{
		ID: k.ID, Link: "/v1/tenants/" + string(c.tenant) + "/endpoints", Name: k.Name, Principal: k.Principal, Bounds: showBounds(k.Registration),
		ExpiresAt: stamp(k.ExpiresAt), CreatedBy: k.MadeBy.Credential, Versions: version(k.Version, k.Created, k.Updated),
	}
}

type createRegistrationIn struct {
	TenantPath
	PostHeader
	Body registrationIn
}

type registrationIn struct {
	Name       string           `json:"name" minLength:"1" maxLength:"255" doc:"For people." example:"Acme's warehouse"`
	Principal  string           `json:"principal,omitempty" maxLength:"255" doc:"The person or system that it is for; the name by default." example:"acme warehouse"`
	Profiles   []string         `json:"profiles,omitempty" maxItems:"100" doc:"The wire formats that endpoints may have; by default all that are for self-service. Those that only a tenant's admins set up have to be named." example:"[\"sparkfly\"]"`
	EventTypes []domain.Pattern `json:"event_types" minItems:"1" maxItems:"100" doc:"The types that subscriptions may choose from." example:"[\"offer.*\"]"`
	Quota      int              `json:"quota,omitempty" minimum:"1" maximum:"10000" doc:"How many endpoints may be made; 1 by default." example:"1"`
	HTTPSOnly  bool             `json:"https_only,omitempty" doc:"true: endpoints with http URLs are refused." example:"true"`
	Handshake  string           `json:"handshake,omitempty" enum:"ownership,cloudevents" doc:"What every endpoint made with it has to pass; nothing by default." example:"ownership"`
	ExpiresAt  time.Time        `json:"expires_at,omitzero" doc:"The token opens nothing from then on; never by default." example:"2027-07-01T00:00:00Z"`
	ReasonBody
}

// createRegistration makes a registrant's key and shows it this once.
func createRegistration(ctx context.Context, c *call, in *createRegistrationIn) (*madeOut[registrationOut], error) {
	secret := NewKey()
	return once(ctx, c, post[madeOut[registrationOut]]{
		decide: func(ctx context.Context) (domain.Group, error) {
			fact, err := c.decideRegistration(ctx, in.Body, secret)
			if err != nil {
				return domain.Group{}, err
			}
			return c.keyGroup(domain.Key{KeyConfig: fact.Key}, fact, in.Body.Reason), checkReason("body.reason", in.Body.Reason)
		},
		answer: func(ctx context.Context, entries []domain.Entry, replayed bool) (*madeOut[registrationOut], error) {
			e := entries[0]
			fact, ok := e.Fact.(*domain.KeyCreated)
			if !ok || fact.Key.Registration == nil {
				return nil, unreadable(e)
			}
			if err := c.await(ctx, e.Position); err != nil {
				return nil, err
			}
			at := projections.OriginOf(e)
			body := c.showRegistration(projections.Key{Key: domain.Key{KeyConfig: fact.Key, Version: 1}, Created: at, Updated: at})
			if !replayed {
				body.Token = secret
			}
			return made(e, replayed, c.registrationPath(fact.Key.ID), body), nil
		},
	})
}

func (c *call) registrationPath(id domain.UUID) string {
	return "/v1/tenants/" + string(c.tenant) + "/registrations/" + id.String()
}

func (c *call) decideRegistration(ctx context.Context, in registrationIn, secret string) (*domain.KeyCreated, error) {
	profiles, err := c.registeredProfiles(in.Profiles)
	if err != nil {
		return nil, err
	}
	hash := HashKey(secret)
	config := domain.KeyConfig{
		KeyNames: domain.KeyNames{Name: in.Name, Principal: in.Principal},
		KeyRights: domain.KeyRights{
			ID: domain.NewUUID(), Role: domain.RoleRegistrant, ExpiresAt: instant(in.ExpiresAt),
			Hash: hash[:], MadeBy: c.by(), Registration: &domain.Registration{
				Profiles: profiles, EventTypes: in.EventTypes, Quota: max(in.Quota, 1), HTTPSOnly: in.HTTPSOnly,
				Handshake: domain.HandshakeKind(in.Handshake),
			},
		},
	}
	if config.Principal == "" {
		config.Principal = config.Name
	}
	fact, err := domain.CreateKey(config, c.Clock())
	if err != nil {
		return nil, err
	}
	_, err = c.now(ctx, func(r projections.Reader) (err error) {
		fact.Key.PrincipalID, err = principalID(ctx, r, config.Principal)
		return err
	})
	return fact, err
}

// registeredProfiles checks the names given, or takes all that receivers may set up by themselves.
func (c *call) registeredProfiles(given []string) ([]string, error) {
	known := c.Profiles.Names()
	for i, name := range given {
		if !slices.Contains(known, name) {
			return nil, domain.Invalid(fmt.Sprintf("profiles[%d]", i), "is one of %s", strings.Join(known, ", "))
		}
	}
	if len(given) > 0 {
		return slices.Compact(slices.Sorted(slices.Values(given))), nil
	}
	return slices.DeleteFunc(slices.Clone(known), func(name string) bool {
		p, ok := c.Profiles.Lookup(name)
		return !ok || !p.SelfService
	}), nil
}

// keyGroup is a change of a key on its way into the log.
func (c *call) keyGroup(k domain.Key, fact domain.Fact, reason string) domain.Group {
	return domain.Group{Drafts: []domain.Draft{{
		Tenant: c.tenant, Stream: domain.Stream{Kind: domain.StreamKey, ID: k.ID}, Expected: k.Version, By: c.by(),
		Subject: k.Subject(), Fact: fact, Reason: reason,
	}}}
}

type getRegistrationIn struct {
	ThingPath
	AsOfQuery
}

func getRegistration(ctx context.Context, c *call, in *getRegistrationIn) (*oneOut[registrationOut], error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	m, err := c.moment(ctx, in.AsOfQuery, fresh, nil)
	if err != nil {
		return nil, err
	}
	var row projections.Key
	n, err := c.view(ctx, m, func(r projections.Reader, as projections.AsOf) (err error) {
		row, err = registration(ctx, r, id, as)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &oneOut[registrationOut]{Sequence: sequenceText(n), ETag: etag(row.Version), Body: c.showRegistration(row)}, nil
}

// registration finds a registrant's key; other keys are none.
func registration(ctx context.Context, r projections.Reader, id domain.UUID, as projections.AsOf) (projections.Key, error) {
	row, err := r.Key(ctx, id, as)
	if err == nil && row.Role != domain.RoleRegistrant {
		err = domain.ErrNotFound
	}
	return row, err
}

type listRegistrationsIn struct {
	TenantPath
	ListQuery
	AsOfQuery
}

func listRegistrations(ctx context.Context, c *call, in *listRegistrationsIn) (*listOut[registrationOut], error) {
	l, err := c.list(in.ListQuery, in.AsOf.Value, in.AsOfSequence)
	if err != nil {
		return nil, err
	}
	m, err := c.moment(ctx, in.AsOfQuery, fresh, l.pinned())
	if err != nil {
		return nil, err
	}
	var rows []projections.Key
	n, err := c.view(ctx, m, func(r projections.Reader, as projections.AsOf) (err error) {
		rows, err = registrations(ctx, r, l.page(), as)
		return err
	})
	if err != nil {
		return nil, err
	}
	return paged(l, n, rows, func(k *projections.Key) []byte { return bySequence(k.Created.Sequence) },
		func(k *projections.Key) registrationOut { return c.showRegistration(*k) }), nil
}

// registrations goes through the keys until it has a page of those that are registrations.
func registrations(ctx context.Context, r projections.Reader, page projections.Page, as projections.AsOf) ([]projections.Key, error) {
	var found []projections.Key
	scan := page
	scan.Limit = 1000
	for {
		keys, err := r.Keys(ctx, scan, as)
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			if k.Role == domain.RoleRegistrant {
				found = append(found, k)
			}
		}
		if len(found) >= page.Limit {
			return found[:page.Limit], nil
		}
		if len(keys) < scan.Limit {
			return found, nil
		}
		scan.After = &keys[len(keys)-1].Created.Sequence
	}
}

type deleteRegistrationIn struct {
	ThingPath
	MatchHeader
	ReasonQuery
}

// deleteRegistration ends a registration; when it answers, this process lets the token in no more.
func deleteRegistration(ctx context.Context, c *call, in *deleteRegistrationIn) (*goneOut, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	if err := checkReason("query.reason", in.Reason); err != nil {
		return nil, err
	}
	e, err := c.change(ctx, func(ctx context.Context) (domain.Group, error) {
		var row projections.Key
		_, err := c.now(ctx, func(r projections.Reader) (err error) {
			row, err = registration(ctx, r, id, projections.AsOf{})
			return err
		})
		if err != nil {
			return domain.Group{}, err
		}
		if err := in.check(row.Version); err != nil {
			return domain.Group{}, err
		}
		fact, err := row.Revoke()
		if err != nil {
			return domain.Group{}, err
		}
		return c.keyGroup(row.Key, fact, in.Reason), nil
	})
	if err != nil {
		return nil, err
	}
	return &goneOut{Sequence: sequenceText(e.Sequence)}, c.await(ctx, e.Position)
}
