package openapi

import (
	"context"
	"net/http"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// endpointNow loads the newest version of an endpoint that the call may change.
func endpointNow(ctx context.Context, c *call, id domain.UUID) (row projections.Endpoint, err error) {
	if !c.Opens(id) {
		return row, rest.NotFound()
	}
	_, err = rest.Now(ctx, c.Request, func(r projections.Reader) (err error) {
		row, err = r.Endpoint(ctx, id, projections.AsOf{})
		return err
	})
	return row, err
}

// endpointOf makes the row that an entry of an endpoint's stream leads to.
func endpointOf(ctx context.Context, c *call, e domain.Entry) (projections.Endpoint, error) {
	config, ok := endpointConfig(e.Fact)
	if !ok {
		return projections.Endpoint{}, rest.Unreadable(e)
	}
	at := projections.OriginOf(e)
	row := projections.Endpoint{
		Endpoint: domain.Endpoint{ID: e.Stream.ID, Tenant: e.Tenant, Version: e.StreamVersion, EndpointConfig: config},
		Created:  at, Updated: at,
	}
	if e.StreamVersion == 1 {
		return row, nil
	}
	created, err := rest.Created(ctx, c.Request, e.Stream)
	row.Created = created
	return row, err
}

// endpointConfig is the configuration that a fact of an endpoint's stream leads to.
func endpointConfig(fact domain.Fact) (domain.EndpointConfig, bool) {
	switch f := fact.(type) {
	case *domain.EndpointCreated:
		return f.Endpoint, true
	case *domain.EndpointUpdated:
		return f.Endpoint, true
	case *domain.EndpointKeyRotated:
		return f.Endpoint, true
	case *domain.EndpointPaused:
		return f.Endpoint, true
	case *domain.EndpointResumed:
		return f.Endpoint, true
	case *domain.EndpointDisabled:
		return f.Endpoint, true
	case *domain.EndpointHandshakeStarted:
		return f.Endpoint, true
	case *domain.EndpointHandshakeFinished:
		return f.Endpoint, true
	}
	return domain.EndpointConfig{}, false
}

// endpointGroup is a change of an endpoint on its way into the log.
func endpointGroup(c *call, e domain.Endpoint, fact domain.Fact, reason string) domain.Group {
	return domain.Group{Drafts: []domain.Draft{{
		Tenant: c.Tenant, Stream: domain.Stream{Kind: domain.StreamEndpoint, ID: e.ID}, Expected: e.Version, By: c.By(),
		Fact: fact, Reason: reason,
	}}}
}

// pauseEndpoint holds back the endpoint's deliveries.
func pauseEndpoint(ctx context.Context, c *call, in *rest.ActionInput) (*rest.Made[endpointOut], error) {
	return switchEndpoint(ctx, c, in, func(e domain.Endpoint) (domain.Fact, error) {
		fact, err := e.Pause()
		if fact == nil {
			return nil, err
		}
		return fact, err
	})
}

// resumeEndpoint ends a pause or a disabling. The two are different people's decisions: a receiver ends only what the
// server did.
func resumeEndpoint(ctx context.Context, c *call, in *rest.ActionInput) (*rest.Made[endpointOut], error) {
	return switchEndpoint(ctx, c, in, func(e domain.Endpoint) (domain.Fact, error) {
		if e.Paused && c.Key.Role == domain.RoleReceiver {
			return nil, rest.Refuse(http.StatusForbidden, "forbidden",
				"The endpoint was paused by the tenant's admins, who alone resume it. A receiver ends what the "+
					"server disabled.")
		}
		fact, err := e.Resume()
		if fact == nil {
			return nil, err
		}
		return fact, err
	})
}

// switchEndpoint pauses or resumes; an endpoint that is in that state already is returned as it is.
func switchEndpoint(
	ctx context.Context, c *call, in *rest.ActionInput, decide func(domain.Endpoint) (domain.Fact, error),
) (*rest.Made[endpointOut], error) {
	id, err := in.UUID()
	if err != nil {
		return nil, err
	}
	if err := rest.CheckReason("body.reason", in.Reason()); err != nil {
		return nil, err
	}
	var row projections.Endpoint
	return rest.Once(ctx, c.Request, rest.Post[rest.Made[endpointOut]]{
		Decide: func(ctx context.Context) (domain.Group, error) {
			if row, err = endpointNow(ctx, c, id); err != nil {
				return domain.Group{}, err
			}
			fact, err := decide(row.Endpoint)
			if fact == nil || err != nil {
				return domain.Group{}, err
			}
			return withNotice(ctx, c, endpointGroup(c, row.Endpoint, fact, in.Reason()), id)
		},
		Idle: func(context.Context) (*rest.Made[endpointOut], error) {
			return &rest.Made[endpointOut]{
				Sequence: rest.SequenceText(row.Updated.Sequence), ETag: rest.ETag(row.Version),
				Location: endpointPath(c, id), Body: showEndpoint(row),
			}, nil
		},
		Answer: func(ctx context.Context, entries []domain.Entry, replayed bool) (*rest.Made[endpointOut], error) {
			row, err := endpointOf(ctx, c, entries[0])
			if err != nil {
				return nil, err
			}
			return rest.NewMade(entries[0], replayed, endpointPath(c, id), showEndpoint(row)), nil
		},
	})
}

func endpointPath(c *call, id domain.UUID) string {
	return c.Path("endpoints", id.String())
}

type deleteEndpointIn struct {
	rest.ThingPath
	rest.MatchHeader
	rest.ReasonQuery
}

// deleteEndpoint ends an endpoint and destroys its credentials.
func deleteEndpoint(ctx context.Context, c *call, in *deleteEndpointIn) (*rest.Gone, error) {
	id, err := in.UUID()
	if err != nil {
		return nil, err
	}
	if err := rest.CheckReason("query.reason", in.Reason); err != nil {
		return nil, err
	}
	var row projections.Endpoint
	e, err := rest.Change(ctx, c.Request, func(ctx context.Context) (domain.Group, error) {
		if row, err = endpointNow(ctx, c, id); err != nil {
			return domain.Group{}, err
		}
		if err := in.Check(row.Version); err != nil {
			return domain.Group{}, err
		}
		fact, err := row.Delete()
		if err != nil {
			return domain.Group{}, err
		}
		return withNotice(ctx, c, endpointGroup(c, row.Endpoint, fact, in.Reason), id)
	})
	if err != nil {
		return nil, err
	}
	dropSecrets(ctx, c, secretsOf(row.EndpointConfig)...)
	return &rest.Gone{Sequence: rest.SequenceText(e.Sequence)}, c.Await(ctx, e.Position) // its receiver's keys open no more
}

// httpsOnly reports whether an endpoint's URL must begin with https.
func httpsOnly(ctx context.Context, c *call, profile domain.Profile) (bool, error) {
	var tenant projections.Tenant
	_, err := rest.Now(ctx, c.Request, func(r projections.Reader) (err error) {
		tenant, err = r.Tenant(ctx, projections.AsOf{})
		return err
	})
	return profile.HTTPSOnly || tenant.HTTPSOnly, err
}
