package openapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// GuideOrder says what an integration guide is about.
type GuideOrder struct {
	Tenant   domain.TenantID
	Type     domain.EventTypeConfig
	Digest   string           // of the profile
	Endpoint *domain.Endpoint // nil: any endpoint of the profile
}

// Guide is a page and the Content-Security-Policy under which it works.
type Guide struct {
	Page   []byte
	Policy string
}

type getGuideIn struct {
	EventTypePath
	EndpointID string `query:"endpoint_id" format:"uuid" doc:"For this endpoint; a receiver's own by default." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e"`
	Profile    string `query:"profile" maxLength:"64" doc:"For any endpoint of this wire format; without both: standard-webhooks." example:"sparkfly"`
	AsOfQuery
}

// guideAnswer is a page. It holds nothing that a browser could run, and its policy says so too.
type guideAnswer struct {
	ContentType string `header:"Content-Type"`
	Sequence    string `header:"Hooktrail-Sequence" doc:"The sequence of the tenant's log that the page reflects." example:"41"`
	Policy      string `header:"Content-Security-Policy" doc:"Nothing but the page's own style." example:"default-src 'none'"`
	Sniff       string `header:"X-Content-Type-Options" doc:"nosniff" example:"nosniff"`
	Referrer    string `header:"Referrer-Policy" doc:"no-referrer" example:"no-referrer"`
	Body        []byte
}

func htmlPage(op *huma.Operation) {
	op.Metadata[documentedKey] = handwritten{answers: map[string]documented{"text/html": {schema: plain}}, status: []string{"200"}}
	op.Errors = append(op.Errors, http.StatusConflict)
}

// getGuide writes the integration guide of an event type.
func getGuide(ctx context.Context, c *call, in *getGuideIn) (*guideAnswer, error) {
	endpoint, err := c.guided(in)
	if err != nil {
		return nil, err
	}
	m, err := c.moment(ctx, in.AsOfQuery, fresh, nil)
	if err != nil {
		return nil, err
	}
	order := GuideOrder{Tenant: c.tenant}
	n, err := c.view(ctx, m, func(r projections.Reader, as projections.AsOf) error {
		row, err := c.openType(ctx, r, domain.EventType(in.Name), as)
		if err != nil || endpoint.IsZero() {
			order.Type = row.EventTypeConfig
			return err
		}
		e, err := r.Endpoint(ctx, endpoint, as)
		if err == nil && c.key.Role == domain.RoleRegistrant && e.Registration != c.key.ID {
			err = domain.ErrNotFound
		}
		order.Type, order.Endpoint, order.Digest = row.EventTypeConfig, &e.Endpoint, e.ProfileDigest
		return err
	})
	if err != nil {
		return nil, err
	}
	if order.Endpoint == nil {
		order.Digest, err = c.profileDigest(ctx, in.Profile)
	} else {
		_, err = c.profileOf(ctx, order.Endpoint.EndpointConfig)
	}
	if err != nil {
		return nil, err
	}
	guide, err := c.Guide(ctx, order)
	if err != nil {
		return nil, within("query", err)
	}
	return &guideAnswer{
		ContentType: "text/html; charset=utf-8", Sequence: sequenceText(n), Policy: guide.Policy, Sniff: "nosniff", Referrer: "no-referrer",
		Body: guide.Page,
	}, nil
}

// guided is the endpoint that a guide is asked for; zero for none.
func (c *call) guided(in *getGuideIn) (domain.UUID, error) {
	switch {
	case in.EndpointID == "" && in.Profile == "":
		return c.receiver(), nil
	case in.EndpointID == "":
		return domain.UUID{}, nil
	case in.Profile != "":
		return domain.UUID{}, invalid("query.profile", "is given without endpoint_id, which has its own")
	}
	id, err := parseID("query.endpoint_id", in.EndpointID)
	if err == nil && !c.opens(id) {
		err = notFound()
	}
	return id, err
}

func (c *call) profileDigest(ctx context.Context, name string) (string, error) {
	if name == "" {
		name = defaultProfile
	}
	p, ok, err := c.profile(ctx, name)
	if err == nil && !ok {
		err = refuse(http.StatusNotFound, "not_found", "There is no such profile: GET /v1/profiles lists those there are.",
			fault{"query.profile", "names a profile of this server"})
	}
	return p.Digest, err
}
