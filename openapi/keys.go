package openapi

import (
	"context"
	"net/http"
	"slices"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// keyOut is an API key as the API shows it: never the key, but once.
type keyOut struct {
	ID          domain.UUID `json:"id" format:"uuid" doc:"The key's id: the credential in the log." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e"`
	Key         string      `json:"key,omitempty" doc:"The key itself, shown once." example:"ht_GGSUcSPcZ4y2vJx7XnYbYHcXn4x0S3zHFoqXq9jZ0qA"`
	Role        domain.Role `json:"role" doc:"What the key may do; more roles may be added." example:"producer"`
	Name        string      `json:"name" doc:"For people." example:"billing service"`
	Principal   string      `json:"principal" doc:"The person or system behind the key." example:"billing"`
	PrincipalID domain.UUID `json:"principal_id" format:"uuid" doc:"The principal in the log: the actor." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6f"`
	EndpointID  domain.UUID `json:"endpoint_id,omitzero" format:"uuid" doc:"A receiver's one endpoint." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	ExpiresAt   rest.Stamp  `json:"expires_at,omitzero" doc:"The key stops working then." example:"2027-07-01T00:00:00Z"`
	CreatedBy   domain.UUID `json:"created_by,omitzero" format:"uuid" doc:"The key with which it was made." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d71"`
	rest.Versions
}

func showKey(k projections.Key) keyOut {
	return keyOut{
		ID: k.ID, Role: k.Role, Name: k.Name, Principal: k.Principal, PrincipalID: k.PrincipalID,
		EndpointID: k.Endpoint,
		ExpiresAt:  rest.Stamp(k.ExpiresAt), CreatedBy: k.MadeBy.Credential,
		Versions: rest.VersionsOf(k.Version, k.Created, k.Updated),
	}
}

type keyIn struct {
	Role       string    `json:"role" doc:"operator and monitor for keys of the instance; admin, producer, auditor, privacy and receiver for those of a tenant." example:"producer"`
	Name       string    `json:"name" minLength:"1" maxLength:"255" doc:"For people." example:"billing service"`
	Principal  string    `json:"principal,omitempty" maxLength:"255" doc:"The person or system behind the key; the name by default. Keys of one principal are one actor." example:"billing"`
	EndpointID string    `json:"endpoint_id,omitempty" format:"uuid" doc:"A receiver's one endpoint." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	ExpiresAt  rest.Time `json:"expires_at,omitzero" doc:"The key stops working then; never by default." example:"2027-07-01T00:00:00Z"`
	rest.ReasonBody
}

type createKeyIn struct {
	rest.TenantPath
	rest.PostHeader
	Body keyIn
}

type createInstanceKeyIn struct {
	rest.PostHeader
	Body keyIn
}

// createKey makes a key of a tenant.
func createKey(ctx context.Context, c *call, in *createKeyIn) (*rest.Made[keyOut], error) {
	return newKey(ctx, c, in.Body, "/v1/tenants/"+string(c.Tenant)+"/keys/")
}

// createInstanceKey makes a key of the instance.
func createInstanceKey(ctx context.Context, c *call, in *createInstanceKeyIn) (*rest.Made[keyOut], error) {
	c.Tenant = domain.InstanceTenant
	return newKey(ctx, c, in.Body, "/v1/keys/")
}

// newKey makes a key and shows it this once.
func newKey(ctx context.Context, c *call, in keyIn, path string) (*rest.Made[keyOut], error) {
	secret := rest.NewKey()
	return rest.Once(ctx, c.Request, rest.Post[rest.Made[keyOut]]{
		Decide: func(ctx context.Context) (domain.Group, error) {
			fact, err := decideKey(ctx, c, in, secret)
			if err != nil {
				return domain.Group{}, err
			}
			if err := rest.CheckReason("body.reason", in.Reason); err != nil {
				return domain.Group{}, err
			}
			group := domain.Group{Drafts: []domain.Draft{{
				Tenant: c.Tenant, Stream: domain.Stream{Kind: domain.StreamKey, ID: fact.Key.ID}, By: c.By(),
				Subject: fact.Key.Subject(), Fact: fact, Reason: in.Reason,
			}}}
			return group, withinLimits(ctx, c, group)
		},
		Answer: func(ctx context.Context, entries []domain.Entry, replayed bool) (*rest.Made[keyOut], error) {
			e := entries[0]
			fact, ok := e.Fact.(*domain.KeyCreated)
			if !ok {
				return nil, rest.Unreadable(e)
			}
			if err := c.Await(ctx, e.Position); err != nil {
				return nil, err
			}
			at := projections.OriginOf(e)
			body := showKey(projections.Key{Key: domain.Key{KeyConfig: fact.Key, Version: 1}, Created: at, Updated: at})
			if !replayed {
				body.Key = secret
			}
			return rest.NewMade(e, replayed, path+fact.Key.ID.String(), body), nil
		},
	})
}

// decideKey decides on a key. Its principal keeps the id under which the log knows it, if it has keys already.
func decideKey(ctx context.Context, c *call, in keyIn, secret string) (*domain.KeyCreated, error) {
	hash := rest.HashKey(secret)
	config := domain.KeyConfig{
		KeyNames: domain.KeyNames{Name: in.Name, Principal: in.Principal},
		KeyRights: domain.KeyRights{
			ID: domain.NewUUID(), Role: domain.Role(in.Role), ExpiresAt: in.ExpiresAt.Std(),
			Hash: hash[:], MadeBy: c.By(), Instance: c.Tenant == domain.InstanceTenant,
		},
	}
	if config.Principal == "" {
		config.Principal = config.Name
	}
	if in.EndpointID != "" {
		id, err := rest.ParseID("body.endpoint_id", in.EndpointID)
		if err != nil {
			return nil, err
		}
		config.Endpoint = id
	}
	fact, err := domain.CreateKey(config, c.Clock())
	if err != nil {
		return nil, err
	}
	_, err = rest.Now(ctx, c.Request, func(r projections.Reader) error {
		if !config.Endpoint.IsZero() {
			if _, err := r.Endpoint(ctx, config.Endpoint, projections.AsOf{}); err != nil {
				return domain.Invalid("endpoint_id", "names an endpoint of this tenant")
			}
		}
		var err error
		fact.Key.PrincipalID, err = principalID(ctx, r, config.Principal)
		return err
	})
	return fact, err
}

// principalID finds a principal by the keys that it has, so that all of them act as one in the log.
func principalID(ctx context.Context, r projections.Reader, principal string) (domain.UUID, error) {
	page := projections.Page{Limit: 1000}
	for {
		keys, err := r.Keys(ctx, page, projections.AsOf{})
		if err != nil {
			return domain.UUID{}, err
		}
		i := slices.IndexFunc(keys, func(k projections.Key) bool { return k.Principal == principal })
		if i >= 0 {
			return keys[i].PrincipalID, nil
		}
		if len(keys) < page.Limit {
			return domain.NewUUID(), nil
		}
		page.After = &keys[len(keys)-1].Created.Sequence
	}
}

type listKeysIn struct {
	rest.TenantPath
	rest.ListQuery
	rest.AsOfQuery
}

type listInstanceKeysIn struct {
	rest.ListQuery
	rest.AsOfQuery
}

// listKeys lists a tenant's keys.
func listKeys(ctx context.Context, c *call, in *listKeysIn) (*rest.Listed[keyOut], error) {
	return keyList(ctx, c, in.ListQuery, in.AsOfQuery)
}

// listInstanceKeys lists the instance's keys.
func listInstanceKeys(ctx context.Context, c *call, in *listInstanceKeysIn) (*rest.Listed[keyOut], error) {
	c.Tenant = domain.InstanceTenant
	return keyList(ctx, c, in.ListQuery, in.AsOfQuery)
}

func keyList(ctx context.Context, c *call, in rest.ListQuery, as rest.AsOfQuery) (*rest.Listed[keyOut], error) {
	l, err := rest.NewWalk(c.Request, in, as.AsOf.Value, as.AsOfSequence)
	if err != nil {
		return nil, err
	}
	var rows []projections.Key
	n, err := rest.View(ctx, c.Request, rest.Moment{AsOfQuery: as, Fresh: true, Pinned: l.Pinned()},
		func(r projections.Reader, as projections.AsOf) (err error) {
			rows, err = r.Keys(ctx, l.Rows(), as)
			return err
		})
	if err != nil {
		return nil, err
	}
	return rest.NewListed(l, n, rows, func(k *projections.Key) []byte { return rest.PlaceAt(k.Created.Sequence) },
		func(k *projections.Key) keyOut { return showKey(*k) }), nil
}

type deleteKeyIn struct {
	rest.ThingPath
	rest.ReasonQuery
}

type deleteInstanceKeyIn struct {
	ID string `path:"id" format:"uuid" doc:"The key's id." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e"`
	rest.ReasonQuery
}

// deleteKey revokes a key of a tenant.
func deleteKey(ctx context.Context, c *call, in *deleteKeyIn) (*rest.Gone, error) {
	return revokeKey(ctx, c, in.ID, in.Reason)
}

// deleteInstanceKey revokes a key of the instance. Never the caller's own: the last operator key would be lost by a
// slip.
func deleteInstanceKey(ctx context.Context, c *call, in *deleteInstanceKeyIn) (*rest.Gone, error) {
	c.Tenant = domain.InstanceTenant
	if in.ID == c.Key.ID.String() {
		return nil, rest.Refuse(http.StatusConflict, "own_key",
			"A key of the instance isn't revoked with itself: make another one, and revoke this one with that.")
	}
	return revokeKey(ctx, c, in.ID, in.Reason)
}

// revokeKey ends a key. When it answers, this process lets the key in no more; others follow as they read the log.
func revokeKey(ctx context.Context, c *call, text, reason string) (*rest.Gone, error) {
	id, err := rest.ParseID("path.id", text)
	if err != nil {
		return nil, err
	}
	if err := rest.CheckReason("query.reason", reason); err != nil {
		return nil, err
	}
	e, err := rest.Change(ctx, c.Request, func(ctx context.Context) (domain.Group, error) {
		var row projections.Key
		_, err := rest.Now(ctx, c.Request, func(r projections.Reader) (err error) {
			row, err = r.Key(ctx, id, projections.AsOf{})
			return err
		})
		if err != nil {
			return domain.Group{}, err
		}
		fact, err := row.Revoke()
		if err != nil {
			return domain.Group{}, err
		}
		return domain.Group{Drafts: []domain.Draft{{
			Tenant: c.Tenant, Stream: domain.Stream{Kind: domain.StreamKey, ID: id}, Expected: row.Version, By: c.By(),
			Subject: row.Subject(), Fact: fact, Reason: reason,
		}}}, nil
	})
	if err != nil {
		return nil, err
	}
	return &rest.Gone{Sequence: rest.SequenceText(e.Sequence)}, c.Await(ctx, e.Position)
}
