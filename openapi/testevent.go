package openapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/ingest"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// What a test is where its sender says nothing else. The type is the server's own, so no producer's event looks like
// it.
const (
	testType = "hooktrail.test"
	testData = `{"test":true,"message":"A test of this endpoint: nothing happened."}`
)

type testEndpointIn struct {
	rest.ThingPath
	rest.PostHeader
	HopsHeader
	Body *testIn
}

type testIn struct {
	Type string          `json:"type,omitempty" maxLength:"255" doc:"The type of the sample; hooktrail.test by default. A receiver names one that it may subscribe to." example:"offer.issued"`
	Data json.RawMessage `json:"data,omitempty" doc:"Its data, kept byte for byte; by default the registered type's first example, or a small built-in sample." example:"{\"amount\":12.50}"`
	rest.ReasonBody
}

// testOut is a test on its way.
type testOut struct {
	EventID    string      `json:"event_id" doc:"The event that was appended for it, marked as a test." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e"`
	Sequence   int64       `json:"sequence" doc:"Its place in the tenant's log." example:"41"`
	Type       string      `json:"type" doc:"Its type." example:"offer.issued"`
	EndpointID domain.UUID `json:"endpoint_id" format:"uuid" doc:"The one endpoint that it goes to." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	Deliveries string      `json:"deliveries" doc:"Where its delivery can be watched." example:"/v1/tenants/acme/deliveries?event_id=01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e"`
}

// testEndpoint appends a sample that is routed to one endpoint and to no other, and travels as any event does.
func testEndpoint(ctx context.Context, c *call, in *testEndpointIn) (*rest.Made[testOut], error) {
	id, err := in.UUID()
	if err != nil {
		return nil, err
	}
	var body testIn
	if in.Body != nil {
		body = *in.Body
	}
	if err := rest.CheckReason("body.reason", body.Reason); err != nil {
		return nil, err
	}
	return rest.Once(ctx, c.Request, rest.Post[rest.Made[testOut]]{
		Decide: func(ctx context.Context) (domain.Group, error) { return decideTest(ctx, c, id, body) },
		Answer: func(_ context.Context, entries []domain.Entry, replayed bool) (*rest.Made[testOut], error) {
			e := entries[0]
			attrs, err := appendedEvent(entries, 0)
			if err != nil {
				return nil, err
			}
			watch := "/v1/tenants/" + string(c.Tenant) + "/deliveries?event_id=" + url.QueryEscape(attrs.ID)
			out := rest.NewMade(e, replayed, watch, testOut{
				EventID: attrs.ID, Sequence: int64(e.Sequence), Type: string(attrs.Type), EndpointID: id,
				Deliveries: watch,
			})
			out.ETag = ""
			return out, nil
		},
	})
}

// decideTest decides on the event of a test, and counts it against the endpoint's limit.
func decideTest(ctx context.Context, c *call, endpoint domain.UUID, in testIn) (domain.Group, error) {
	if err := checkTest(ctx, c, endpoint, in); err != nil {
		return domain.Group{}, err
	}
	attrs, data := sampleOf(c, in)
	if len(data) > c.Limits.DataBytes {
		return domain.Group{}, rest.Refuse(http.StatusRequestEntityTooLarge, "event_data_too_large",
			"An event's data is larger than the server accepts.",
			rest.NewFault("body.data", fmt.Sprintf("has at most %d bytes", c.Limits.DataBytes)))
	}
	hops, err := hopsOf(c.HTTP.Header)
	if err != nil {
		return domain.Group{}, err
	}
	if err := c.probes.take(endpoint, c.Clock()); err != nil {
		return domain.Group{}, err
	}
	id := domain.NewUUID()
	attrs.ID, attrs.Source = id.String(), ingest.DefaultSource(c.Tenant)
	attrs.Hops = hops
	attrs.Test = &domain.TestTarget{Endpoint: endpoint}
	return domain.Group{Drafts: []domain.Draft{{
		Tenant: c.Tenant, Stream: domain.Stream{Kind: domain.StreamEvent, ID: id}, By: c.By(), Reason: in.Reason,
		Fact: &domain.EventAppended{Event: attrs, Data: data},
	}}}, nil
}

// sampleOf is the event that a test sends, as far as its sender and the registered type say.
func sampleOf(c *call, in testIn) (domain.EventAttributes, []byte) {
	attrs := domain.EventAttributes{EventClass: domain.EventClass{Type: domain.EventType(in.Type), SchemaVersion: "v1"}}
	if attrs.Type == "" {
		attrs.Type = testType
	}
	data := []byte(testData)
	if registered, ok := c.Directory.EventType(c.Tenant, attrs.Type); ok {
		attrs.SchemaVersion = registered.SchemaVersion
		if len(registered.Examples) > 0 {
			data = []byte(registered.Examples[0])
		}
	}
	if len(in.Data) > 0 {
		data = in.Data
	}
	return attrs, data
}

// checkTest refuses a test that would go nowhere, and one of a type that its receiver has nothing to do with: the
// type's example isn't for everybody.
func checkTest(ctx context.Context, c *call, id domain.UUID, in testIn) error {
	if !c.Opens(id) {
		return rest.NotFound()
	}
	typ := domain.EventType(in.Type)
	if typ != "" {
		if err := typ.Validate("type"); err != nil {
			return err
		}
	}
	var tenant projections.Tenant
	var endpoint projections.Endpoint
	chosen := typ == "" || c.Key.Role != domain.RoleReceiver
	_, err := rest.Now(ctx, c.Request, func(r projections.Reader) (err error) {
		if endpoint, err = r.Endpoint(ctx, id, projections.AsOf{}); err != nil {
			return err
		}
		if !chosen {
			types, err := concernedTypes(ctx, c, r)
			if err != nil {
				return err
			}
			chosen = types.Matches(typ)
		}
		tenant, err = r.Tenant(ctx, projections.AsOf{})
		return err
	})
	switch {
	case err != nil:
		return err
	case !chosen:
		return domain.Invalid("type", "is one that the endpoint's subscriptions choose or its registration allows")
	case !tenant.WebhooksEnabled:
		return rest.Refuse(http.StatusConflict, "webhooks_off",
			"The tenant's webhooks are switched off: nothing would be sent.")
	case tenant.Bars(endpoint.EndpointConfig) == domain.SkipHTTPSOnly:
		return rest.Refuse(http.StatusConflict, "https_only",
			"The tenant lets nothing out over plain http: nothing would be sent.")
	case endpoint.Disabled != "":
		return rest.Refuse(http.StatusConflict, "endpoint_disabled",
			"The server stopped delivering to the endpoint: resume it first.")
	case endpoint.Unverified:
		return rest.Refuse(http.StatusConflict, "endpoint_unverified",
			"The endpoint hasn't passed its handshake yet: nothing would be sent.")
	}
	return nil
}
