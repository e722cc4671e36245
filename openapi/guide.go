package openapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

type getGuideIn struct {
	EventTypePath
	EndpointID string `query:"endpoint_id" format:"uuid" doc:"For this endpoint; a receiver's own by default." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e"`
	Profile    string `query:"profile" maxLength:"64" doc:"For any endpoint of this wire format; without both: standard-webhooks." example:"sparkfly"`
	rest.AsOfQuery
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
	rest.Handwritten{
		Answers: map[string]rest.Media{"text/html": {Schema: rest.TextSchema}},
		Status:  []string{"200"},
	}.SetOn(op)
	op.Errors = append(op.Errors, http.StatusConflict)
}

// guideBytes is what a guide holds while it is made: a type's schema and examples, and the page with them.
const guideBytes = 1 << 20

// getGuide writes the integration guide of an event type.
func getGuide(ctx context.Context, c *call, in *getGuideIn) (*guideAnswer, error) {
	endpoint, err := guidedEndpoint(c, in)
	if err != nil {
		return nil, err
	}
	leave, err := rest.Scan(c.Request)
	if err != nil {
		return nil, err
	}
	defer leave()
	if !c.Hold.Grow(guideBytes) {
		return nil, rest.Full()
	}
	order := domain.GuideOrder{Tenant: c.Tenant}
	n, err := rest.View(ctx, c.Request, rest.Moment{AsOfQuery: in.AsOfQuery, Fresh: true},
		func(r projections.Reader, as projections.AsOf) error {
			row, err := visibleType(ctx, c, r, domain.EventType(in.Name), as)
			if err != nil || endpoint.IsZero() {
				order.Type = row.EventTypeConfig
				return err
			}
			e, err := r.Endpoint(ctx, endpoint, as)
			if err == nil && c.Key.Role == domain.RoleRegistrant && e.Registration != c.Key.ID {
				err = domain.ErrNotFound
			}
			order.Type, order.Endpoint, order.Digest = row.EventTypeConfig, &e.Endpoint, e.ProfileDigest
			return err
		})
	if err != nil {
		return nil, err
	}
	if order.Endpoint == nil {
		order.Digest, err = profileDigest(ctx, c, in.Profile)
	} else {
		_, err = profileOf(ctx, c, order.Endpoint.EndpointConfig)
	}
	if err != nil {
		return nil, err
	}
	guide, err := c.Guides.Guide(ctx, order)
	if err != nil {
		return nil, rest.Within("query", err)
	}
	return &guideAnswer{
		ContentType: "text/html; charset=utf-8", Sequence: rest.SequenceText(n), Policy: guide.Policy, Sniff: "nosniff",
		Referrer: "no-referrer",
		Body:     guide.HTML,
	}, nil
}

// guidedEndpoint is the endpoint that a guide is for; zero for none.
func guidedEndpoint(c *call, in *getGuideIn) (domain.UUID, error) {
	switch {
	case in.EndpointID == "" && in.Profile == "":
		return c.Receiver(), nil
	case in.EndpointID == "":
		return domain.UUID{}, nil
	case in.Profile != "":
		return domain.UUID{}, rest.Invalid("query.profile", "is given without endpoint_id, which has its own")
	}
	id, err := rest.ParseID("query.endpoint_id", in.EndpointID)
	if err == nil && !c.Opens(id) {
		err = rest.NotFound()
	}
	return id, err
}

// profileDigest is the digest of the newest version of a profile; "" is the default profile.
func profileDigest(ctx context.Context, c *call, name string) (string, error) {
	if name == "" {
		name = defaultProfile
	}
	p, ok, err := profileNamed(ctx, c, name)
	if err == nil && !ok {
		err = rest.Refuse(http.StatusNotFound, "not_found",
			"There is no such profile: GET /v1/profiles lists all.",
			rest.NewFault("query.profile", "names a profile of this server"))
	}
	return p.Digest, err
}
