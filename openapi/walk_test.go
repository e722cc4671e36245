package openapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// TestWalk goes the way of a newcomer: endpoint, subscription, event, and what the log says of them.
func TestWalk(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	admin, producer := f.key("acme", domain.RoleAdmin), f.key("acme", domain.RoleProducer)

	made := f.post(admin, "/v1/tenants/acme/endpoints", `{"name":"orders","url":"https://receiver.example/hooks?token=t0ps3cret"}`).want(http.StatusCreated)
	endpoint := made.text("id")
	if made.text("signing_key") == "" || made.Header.Get("ETag") != `"1"` || made.Header.Get("Location") != "/v1/tenants/acme/endpoints/"+endpoint {
		t.Fatalf("%v %s", made.Header, made.Body)
	}
	got := f.get(admin, "/v1/tenants/acme/endpoints/"+endpoint).want(http.StatusOK)
	if v, _ := got.value("signing_key").(string); v != "" {
		t.Fatalf("the signing key is shown again: %s", got.Body)
	}
	sub := f.post(admin, "/v1/tenants/acme/subscriptions", `{"endpoint_id":"`+endpoint+`","event_types":["offer.*"]}`).want(http.StatusCreated)
	_ = sub
	receipt := f.post(producer, "/v1/tenants/acme/events", `{"type":"offer.issued","data":{"b": 1,"a":[1.50]}}`).want(http.StatusCreated)
	event := f.get(producer, "/v1/tenants/acme/events/"+receipt.text("id")).want(http.StatusOK)
	if want := `,"data":{"b": 1,"a":[1.50]}}`; !strings.HasSuffix(string(event.Body), want) {
		t.Errorf("event %s, want it to end in %s", event.Body, want)
	}
	entry := f.get(f.operator, "/v1/tenants/acme/log/"+receipt.Header.Get("Hooktrail-Sequence")).want(http.StatusOK)
	if entry.text("leaf_hash") != receipt.text("leaf_hash") || !strings.Contains(string(entry.Body), `"data":{"b": 1,"a":[1.50]}`) {
		t.Errorf("entry %s of receipt %s", entry.Body, receipt.Body)
	}
}
