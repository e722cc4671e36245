package openapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/client"
)

// TestClient drives the server end to end with the client that is generated from the document.
func TestClient(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	server := httptest.NewServer(f.handler)
	t.Cleanup(server.Close)
	c, err := client.NewClientWithResponses(server.URL, client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+f.operator)
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	tenant, err := c.CreateTenantWithResponse(ctx, &client.CreateTenantParams{}, client.TenantRequest{Id: "third"})
	if err != nil || tenant.JSON201 == nil || tenant.JSON201.Name != "third" {
		t.Fatalf("create a tenant: %v %s", err, tenant.Body)
	}
	endpoint, err := c.CreateEndpointWithResponse(ctx, "third", &client.CreateEndpointParams{}, client.EndpointRequest{Name: "e", Url: "https://receiver.example/"})
	if err != nil || endpoint.JSON201 == nil || endpoint.JSON201.SigningKey == nil {
		t.Fatalf("create an endpoint: %v %s", err, endpoint.Body)
	}
	id := endpoint.JSON201.Id
	subscription, err := c.CreateSubscriptionWithResponse(ctx, "third", &client.CreateSubscriptionParams{}, client.SubscriptionRequest{EndpointId: id, EventTypes: []string{"offer.*"}})
	if err != nil || subscription.JSON201 == nil {
		t.Fatalf("create a subscription: %v %s", err, subscription.Body)
	}
	name := "renamed"
	patched, err := c.UpdateEndpointWithApplicationMergePatchPlusJSONBodyWithResponse(ctx, "third", id, &client.UpdateEndpointParams{}, client.EndpointPatch{Name: &name})
	if err != nil || patched.JSON200 == nil || patched.JSON200.Name != name || patched.JSON200.Version != 2 {
		t.Fatalf("change an endpoint: %v %s", err, patched.Body)
	}
	exact := `{"type":"offer.issued","data":{"b": 1.50}}`
	receipt, err := c.AppendEventWithBodyWithResponse(ctx, "third", &client.AppendEventParams{}, "application/json", strings.NewReader(exact))
	if err != nil || receipt.JSON201 == nil {
		t.Fatalf("append an event: %v %s", err, receipt.Body)
	}
	event, err := c.GetEventWithResponse(ctx, "third", receipt.JSON201.Id, &client.GetEventParams{})
	if err != nil || event.JSON200 == nil || !strings.Contains(string(event.Body), `"data":{"b": 1.50}`) {
		t.Fatalf("get an event: %v %s", err, event.Body)
	}
	kind := "endpoint.*"
	log, err := c.ListLogWithResponse(ctx, "third", &client.ListLogParams{Kind: &kind})
	if err != nil || log.JSON200 == nil || len(log.JSON200.Items) != 2 || log.JSON200.Items[1].Kind != string(domain.KindEndpointUpdated) {
		t.Fatalf("ask the log: %v %s", err, log.Body)
	}
	gone, err := c.DeleteTenantWithResponse(ctx, "third", &client.DeleteTenantParams{})
	if err != nil || gone.StatusCode() != http.StatusNoContent {
		t.Fatalf("delete a tenant: %v %s", err, gone.Body)
	}
	missing, err := c.GetTenantWithResponse(ctx, "third", &client.GetTenantParams{})
	if err != nil || missing.ApplicationproblemJSON404 == nil || missing.ApplicationproblemJSON404.Code != "not_found" {
		t.Fatalf("get a tenant that is gone: %v %s", err, missing.Body)
	}
}
