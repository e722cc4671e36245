package openapi

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
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
	ExpiresAt rest.Stamp  `json:"expires_at,omitzero" doc:"The token stops working then; what was made with it stays." example:"2027-07-01T00:00:00Z"`
	CreatedBy domain.UUID `json:"created_by,omitzero" format:"uuid" doc:"The key with which it was made." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d71"`
	rest.Versions
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
		Profiles: r.Profiles, EventTypes: r.EventTypes, Quota: r.Quota, Used: r.Used, HTTPSOnly: r.HTTPSOnly,
		Handshake: r.Handshake,
	}
}

func showRegistration(c *call, k projections.Key) registrationOut {
	return registrationOut{
		ID: k.ID, Link: c.Path("endpoints"), Name: k.Name, Principal: k.Principal, Bounds: showBounds(k.Registration),
		ExpiresAt: rest.Stamp(k.ExpiresAt), CreatedBy: k.MadeBy.Credential,
		Versions: rest.VersionsOf(k.Version, k.Created, k.Updated),
	}
}

type createRegistrationIn struct {
	rest.TenantPath
	rest.PostHeader
	Body registrationIn
}

type registrationIn struct {
	Name       string           `json:"name" minLength:"1" maxLength:"255" doc:"For people." example:"Acme's warehouse"`
	Principal  string           `json:"principal,omitempty" maxLength:"255" doc:"The person or system that it is for; the name by default." example:"acme warehouse"`
	Profiles   []string         `json:"profiles,omitempty" maxItems:"100" doc:"The wire formats that endpoints may have; by default all that are for self-service. Those that only a tenant's admins set up must be named." example:"[\"sparkfly\"]"`
	EventTypes []domain.Pattern `json:"event_types" minItems:"1" maxItems:"100" doc:"The types that subscriptions may choose from." example:"[\"offer.*\"]"`
	Quota      int              `json:"quota,omitempty" minimum:"1" maximum:"10000" doc:"How many endpoints may be made; 1 by default." example:"1"`
	HTTPSOnly  bool             `json:"https_only,omitempty" doc:"true: endpoints with http URLs are refused." example:"true"`
	Handshake  string           `json:"handshake,omitempty" enum:"ownership,cloudevents" doc:"What every endpoint made with it has to pass; nothing by default." example:"ownership"`
	ExpiresAt  rest.Time        `json:"expires_at,omitzero" doc:"The token stops working then; never by default." example:"2027-07-01T00:00:00Z"`
	rest.ReasonBody
}

// createRegistration makes a registrant's key and shows it this once.
func createRegistration(ctx context.Context, c *call, in *createRegistrationIn) (*rest.Made[registrationOut], error) {
	secret := rest.NewKey()
	return rest.Once(ctx, c.Request, rest.Post[rest.Made[registrationOut]]{
		Decide: func(ctx context.Context) (domain.Group, error) {
			fact, err := decideRegistration(ctx, c, in.Body, secret)
			if err != nil {
				return domain.Group{}, err
			}
			if err := rest.CheckReason("body.reason", in.Body.Reason); err != nil {
				return domain.Group{}, err
			}
			group := keyGroup(c, domain.Key{KeyConfig: fact.Key}, fact, in.Body.Reason)
			return group, withinLimits(ctx, c, group)
		},
		Answer: func(ctx context.Context, entries []domain.Entry, replayed bool) (*rest.Made[registrationOut], error) {
			e := entries[0]
			fact, ok := e.Fact.(*domain.KeyCreated)
			if !ok || fact.Key.Registration == nil {
				return nil, rest.Unreadable(e)
			}
			if err := c.Await(ctx, e.Position); err != nil {
				return nil, err
			}
			at := projections.OriginOf(e)
			body := showRegistration(c,
				projections.Key{Key: domain.Key{KeyConfig: fact.Key, Version: 1}, Created: at, Updated: at})
			if !replayed {
				body.Token = secret
			}
			return rest.NewMade(e, replayed, registrationPath(c, fact.Key.ID), body), nil
		},
	})
}

func registrationPath(c *call, id domain.UUID) string {
	return c.Path("registrations", id.String())
}

// decideRegistration decides on the key that is a registration.
func decideRegistration(ctx context.Context, c *call, in registrationIn, secret string) (*domain.KeyCreated, error) {
	profiles, err := registeredProfiles(c, in.Profiles)
	if err != nil {
		return nil, err
	}
	hash := rest.HashKey(secret)
	config := domain.KeyConfig{
		KeyNames: domain.KeyNames{Name: in.Name, Principal: in.Principal},
		KeyRights: domain.KeyRights{
			ID: domain.NewUUID(), Role: domain.RoleRegistrant, ExpiresAt: in.ExpiresAt.Std(),
			Hash: hash[:], MadeBy: c.By(), Registration: &domain.Registration{
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
	_, err = rest.Now(ctx, c.Request, func(r projections.Reader) (err error) {
		fact.Key.PrincipalID, err = principalID(ctx, r, config.Principal)
		return err
	})
	return fact, err
}

// registeredProfiles checks the names given; by default it returns all that receivers may set up themselves.
func registeredProfiles(c *call, given []string) ([]string, error) {
	known := profileNames(c)
	for i, name := range given {
		if !slices.Contains(known, name) {
			return nil, domain.Invalid(fmt.Sprintf("profiles[%d]", i), "is one of %s", strings.Join(known, ", "))
		}
	}
	if len(given) > 0 {
		return slices.Compact(slices.Sorted(slices.Values(given))), nil
	}
	return slices.DeleteFunc(slices.Clone(known), func(name string) bool {
		p, ok := c.Profiles.Named(name)
		return !ok || !p.SelfService
	}), nil
}

// keyGroup is a change of a key on its way into the log.
func keyGroup(c *call, k domain.Key, fact domain.Fact, reason string) domain.Group {
	return domain.Group{Drafts: []domain.Draft{{
		Tenant: c.Tenant, Stream: domain.Stream{Kind: domain.StreamKey, ID: k.ID}, Expected: k.Version, By: c.By(),
		Subject: k.Subject(), Fact: fact, Reason: reason,
	}}}
}

type getRegistrationIn struct {
	rest.ThingPath
	rest.AsOfQuery
}

// getRegistration shows a registration's bounds and use.
func getRegistration(ctx context.Context, c *call, in *getRegistrationIn) (*rest.One[registrationOut], error) {
	id, err := in.UUID()
	if err != nil {
		return nil, err
	}
	var row projections.Key
	n, err := rest.View(ctx, c.Request, rest.Moment{AsOfQuery: in.AsOfQuery, Fresh: true},
		func(r projections.Reader, as projections.AsOf) (err error) {
			row, err = registration(ctx, r, id, as)
			return err
		})
	if err != nil {
		return nil, err
	}
	return rest.NewOne(n, row.Version, showRegistration(c, row)), nil
}

// registration finds a registrant's key; other keys are none.
func registration(
	ctx context.Context, r projections.Reader, id domain.UUID, as projections.AsOf,
) (projections.Key, error) {
	row, err := r.Key(ctx, id, as)
	if err == nil && row.Role != domain.RoleRegistrant {
		err = domain.ErrNotFound
	}
	return row, err
}

type listRegistrationsIn struct {
	rest.TenantPath
	rest.ListQuery
	rest.AsOfQuery
}

// listRegistrations lists registrations, which are some of the tenant's keys.
func listRegistrations(ctx context.Context, c *call, in *listRegistrationsIn) (*rest.Listed[registrationOut], error) {
	l, err := rest.NewWalk(c.Request, in.ListQuery, in.AsOf.Value, in.AsOfSequence)
	if err != nil {
		return nil, err
	}
	var rows []projections.Key
	n, err := rest.View(ctx, c.Request, rest.Moment{AsOfQuery: in.AsOfQuery, Fresh: true, Pinned: l.Pinned()},
		func(r projections.Reader, as projections.AsOf) (err error) {
			rows, err = registrations(ctx, r, l.Rows(), as)
			return err
		})
	if err != nil {
		return nil, err
	}
	return rest.NewListed(l, n, rows, func(k *projections.Key) []byte { return rest.PlaceAt(k.Created.Sequence) },
		func(k *projections.Key) registrationOut { return showRegistration(c, *k) }), nil
}

// registrations goes through the keys until it has a page of those that are registrations.
func registrations(
	ctx context.Context, r projections.Reader, page projections.Page, as projections.AsOf,
) ([]projections.Key, error) {
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
	rest.ThingPath
	rest.MatchHeader
	rest.ReasonQuery
}

// deleteRegistration ends a registration; when it answers, this process lets the token in no more.
func deleteRegistration(ctx context.Context, c *call, in *deleteRegistrationIn) (*rest.Gone, error) {
	id, err := in.UUID()
	if err != nil {
		return nil, err
	}
	if err := rest.CheckReason("query.reason", in.Reason); err != nil {
		return nil, err
	}
	e, err := rest.Change(ctx, c.Request, func(ctx context.Context) (domain.Group, error) {
		var row projections.Key
		_, err := rest.Now(ctx, c.Request, func(r projections.Reader) (err error) {
			row, err = registration(ctx, r, id, projections.AsOf{})
			return err
		})
		if err != nil {
			return domain.Group{}, err
		}
		if err := in.Check(row.Version); err != nil {
			return domain.Group{}, err
		}
		fact, err := row.Revoke()
		if err != nil {
			return domain.Group{}, err
		}
		return keyGroup(c, row.Key, fact, in.Reason), nil
	})
	if err != nil {
		return nil, err
	}
	return &rest.Gone{Sequence: rest.SequenceText(e.Sequence)}, c.Await(ctx, e.Position)
}
