package openapi_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"

	"github.com/hooktrail/hooktrail/domain"
)

// contract validates requests and answers against the checked-in document.
type contract struct {
	f         *fixture
	validator validator.Validator
	covered   map[string]bool // "GET /v1/…" with its parameters' names
	paths     []documented
}

func newContract(t *testing.T, f *fixture) *contract {
	t.Helper()
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := libopenapi.NewDocument(text)
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(doc)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if ok, problems := v.ValidateDocument(); !ok {
		t.Fatalf("the document is no OpenAPI 3.1: %v", problems)
	}
	return &contract{f: f, validator: v, covered: make(map[string]bool), paths: operations(t, f)}
}

// do sends a request and holds both sides of the exchange to the document.
func (c *contract) do(id, target, body string, header ...string) answer {
	c.f.t.Helper()
	method, contentType := c.method(id)
	if body != "" {
		header = append([]string{"Content-Type", contentType}, header...)
	}
	got := c.f.do(c.f.operator, method, target, body, header...)
	request := httptest.NewRequest(method, target, strings.NewReader(body))
	request.Header.Set("Authorization", "Bearer "+c.f.operator)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	if got.Code < 300 && body != "" && strings.HasSuffix(request.Header.Get("Content-Type"), "json") {
		if ok, problems := c.validator.ValidateHttpRequest(request); !ok {
			c.f.t.Errorf("%s: the request isn't what the document says: %v", id, problems)
		}
		request.Body = http.NoBody
	}
	answered := &http.Response{StatusCode: got.Code, Header: got.Header, Body: readCloser(got.Body), Request: request}
	if got.Code != http.StatusNoContent && strings.HasSuffix(got.Header.Get("Content-Type"), "json") {
		if ok, problems := c.validator.ValidateHttpResponse(request, answered); !ok {
			for _, p := range problems {
				c.f.t.Errorf("%s: the answer isn't what the document says: %s %s %v", id, p.Message, p.Reason, p.SchemaValidationErrors)
			}
		}
	}
	if got.Code < 300 {
		c.covered[id] = true
	}
	return got
}

func (c *contract) method(id string) (method, contentType string) {
	for _, p := range c.paths {
		if p.ID == id {
			return p.Method, p.Body
		}
	}
	c.f.t.Fatalf("the document has no %s", id)
	return "", ""
}

type body struct{ *bytes.Reader }

func (body) Close() error { return nil }

func readCloser(b []byte) body { return body{bytes.NewReader(b)} }

// TestContract exercises every operation of the document and holds requests, answers and problems to it.
func TestContract(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := newContract(t, f)
	const acme = "/v1/tenants/acme"
	c.do("create-tenant", "/v1/tenants", `{"id":"third","name":"Third","https_only":true,"reason":"pilot"}`, "Idempotency-Key", "a")
	c.do("list-tenants", "/v1/tenants?limit=2", "")
	c.do("get-tenant", acme, "")
	c.do("update-tenant", "/v1/tenants/third", `{"https_only":null}`)
	c.do("delete-tenant", "/v1/tenants/third", "")
	made := c.do("create-instance-key", "/v1/keys", `{"role":"monitor","name":"m"}`)
	c.do("list-instance-keys", "/v1/keys", "")
	c.do("revoke-instance-key", "/v1/keys/"+made.text("id"), "")
	made = c.do("create-key", acme+"/keys", `{"role":"producer","name":"p","expires_at":"2999-01-01T00:00:00Z"}`)
	c.do("list-keys", acme+"/keys?order=desc", "")
	c.do("revoke-key", acme+"/keys/"+made.text("id"), "")
	c.do("get-whoami", "/v1/whoami", "")

	c.do("put-event-type", acme+"/event-types/a.b", `{"description":"d","schema":true,"examples":[1],"version":"v1","reason":"pilot"}`)
	c.do("put-event-type", acme+"/event-types/a.b?dry_run=true", `{"schema":{"type":"object"},"version":"v2","deprecated":"x"}`)
	c.do("import-event-types", acme+"/event-types/import?reason=pilot", `{"event_types":[{"name":"c.d","version":"v1","schema":{"type":"object"},"examples":[{}]}]}`)
	c.do("list-event-types", acme+"/event-types?limit=1", "")
	c.do("get-event-type", acme+"/event-types/a.b", "")

	c.do("get-event-type-guide", acme+"/event-types/a.b/guide?profile=sparkfly", "")
	c.do("create-profile", "/v1/profiles", mine)
	c.do("list-profiles", "/v1/profiles?limit=2&order=desc", "")
	c.do("get-profile", "/v1/profiles/mine", "")

	made = c.do("create-endpoint", acme+"/endpoints", `{"name":"e","url":"https://receiver.example/","auth":{"type":"basic","username":"u","password":"p"},"headers":{"X-A":"a"},
		"rate_limit":{"per_second":1.5,"burst":2},"retry":{"schedule":["5s"]},"metadata":{"a":"b"},"timeout":"5s"}`)
	endpoint := made.text("id")
	c.do("handshake-endpoint", acme+"/endpoints/"+endpoint+"/handshake", `{"kind":"ownership","reason":"first"}`)
	c.do("test-endpoint", acme+"/endpoints/"+endpoint+"/test", `{"type":"a.b","data":{"a":1}}`)
	c.do("list-endpoints", acme+"/endpoints?as_of_sequence=1", "")
	c.do("get-state", acme+"/state", "")
	reconciliation := c.do("create-reconciliation", acme+"/reconciliations", `{}`)
	c.do("list-reconciliations", acme+"/reconciliations", "")
	c.do("get-reconciliation", acme+"/reconciliations/"+reconciliation.text("id"), "")
	c.do("diff-state", acme+"/state/diff?from_sequence=0", "")
	c.do("list-endpoints", acme+"/endpoints?limit=1", "")
	c.do("get-endpoint", acme+"/endpoints/"+endpoint, "")
	c.do("update-endpoint", acme+"/endpoints/"+endpoint, `{"rate_limit":null,"headers":{"X-A":null},"retry":{"jitter":0.1}}`)
	c.do("rotate-endpoint-key", acme+"/endpoints/"+endpoint+"/rotate-key", `{"overlap":"1h"}`)
	c.do("pause-endpoint", acme+"/endpoints/"+endpoint+"/pause", `{"reason":"x"}`)
	c.do("resume-endpoint", acme+"/endpoints/"+endpoint+"/resume", "")
	made = c.do("create-subscription", acme+"/subscriptions", `{"endpoint_id":"`+endpoint+`","event_types":["*"]}`)
	sub := acme + "/subscriptions/" + made.text("id")
	c.do("list-subscriptions", acme+"/subscriptions?endpoint_id="+endpoint, "")
	c.do("get-subscription", sub, "")
	c.do("update-subscription", sub, `{"event_types":["a.*"]}`)
	c.do("pause-subscription", sub+"/pause", "")
	c.do("resume-subscription", sub+"/resume", "")

	c.do("test-filter", acme+"/filters/test", `{"event_types":["a.*"],"event":{"type":"a.b","data":1}}`)
	c.do("preview-routing", acme+"/route-previews", `{"event":{"id":"p","type":"a.b","data":1},"as_of_sequence":1}`)

	c.do("append-event", acme+"/events", `{"id":"a","type":"a.b","subject":"s","occurred_at":"2026-07-01T12:00:00Z","extensions":{"a":"b"},"data":[1]}`)
	c.do("append-event", acme+"/events", `{"specversion":"1.0","id":"ce","source":"/s","type":"a.b","ext":7,"data":{"a":null}}`, "Content-Type", "application/cloudevents+json")
	c.do("append-events", acme+"/events/batch", `{"events":[{"type":"a.b","data":null},{"id":"a","type":"a.c","data":[1],"source":"/x"}]}`)
	c.do("append-events", acme+"/events/batch", `[{"specversion":"1.0","id":"ce2","source":"/s","type":"a.b","data":1}]`, "Content-Type", "application/cloudevents-batch+json")
	c.do("list-events", acme+"/events?limit=2", "")
	c.do("get-event", acme+"/events/a", "")
	event := f.event("acme", "x")
	c.do("get-event-by-sequence", acme+"/events/by-sequence/"+f.get(f.operator, acme+"/events/x").Header.Get("Hooktrail-Sequence"), "")
	id := f.deliver(event, endpoint)
	f.attempt(event, endpoint, id, 1, domain.DeliveryRetrying)
	f.attempt(event, endpoint, id, 2, domain.DeliveryDead)
	f.settle()
	delivery := acme + "/deliveries/" + id.String()
	c.do("test-filter", acme+"/filters/test", `{"limit":3,"from":"2026-01-01T00:00:00Z"}`)
	c.do("preview-routing", acme+"/route-previews", `{"event":{"type":"a.b","data":1}}`)
	c.do("get-event-routing", acme+"/events/x/routing", "")
	c.do("get-event-routing-by-sequence", fmt.Sprintf("%s/events/by-sequence/%d/routing", acme, event.Sequence), "")
	c.do("list-deliveries", acme+"/deliveries?status=dead&event_id=x", "")
	c.do("get-delivery", delivery, "")
	c.do("list-attempts", delivery+"/attempts", "")
	c.do("get-attempt-body", delivery+"/attempts/1/body", "")
	c.do("redrive-delivery", delivery+"/redrive", `{}`)
	c.do("retry-delivery", delivery+"/retry", `{"reason":"now"}`)
	c.do("resend-event", acme+"/events/a/resend", `{"endpoint_id":"`+endpoint+`","reason":"lost"}`)
	for _, kind := range []string{"redrive", "replay"} {
		all := acme + "/" + kind + "s"
		c.do("create-"+kind, all, `{"reason":"x","dry_run":true}`)
		c.do("create-"+kind, all, `{"reason":"x","approval":true,"rate_limit":5}`)
		id := domain.NewUUID() // of one that somebody else asked for
		f.append(domain.Draft{
			Tenant: "acme", Stream: domain.Stream{Kind: domain.StreamReplay, ID: id}, By: domain.Actor{Principal: domain.NewUUID()},
			Fact: &domain.ReplayCreated{Replay: domain.ReplayConfig{As: domain.ReplayAs(kind), Approval: true}},
		})
		one := all + "/" + id.String()
		c.do("list-"+kind+"s", all+"?limit=1", "")
		c.do("get-"+kind, one, "")
		c.do("approve-"+kind, one+"/approve", `{"reason":"x"}`)
		c.do("pause-"+kind, one+"/pause", `{"reason":"x"}`)
		c.do("resume-"+kind, one+"/resume", "")
		c.do("cancel-"+kind, one+"?reason=over", "")
	}
	c.do("list-log", acme+"/log?limit=1000", "")
	c.do("list-log", acme+"/log?limit=1&order=desc&kind=endpoint.*", "")
	c.do("get-log-entry", acme+"/log/0", "")
	made = c.do("create-registration", acme+"/registrations", `{"name":"r","event_types":["a.*"],"handshake":"ownership","expires_at":"2999-01-01T00:00:00Z"}`)
	c.do("list-registrations", acme+"/registrations?limit=1", "")
	c.do("get-registration", acme+"/registrations/"+made.text("id"), "")
	c.do("delete-registration", acme+"/registrations/"+made.text("id")+"?reason=over", "")
	c.do("list-skips", acme+"/skips", "")
	f.writeExports()
	c.do("create-export", acme+"/exports", `{"what":"log","format":"csv","dry_run":true}`)
	made = c.do("create-export", acme+"/exports", `{"what":"deliveries","format":"csv","filter":{"from":"2020-01-01T00:00:00Z"}}`)
	exported := acme + "/exports/" + made.text("id")
	f.exported(exported)
	c.do("get-export", exported, "")
	c.do("list-exports", acme+"/exports?limit=1", "")
	c.do("get-export-content", exported+"/content", "")
	c.do("delete-export", exported, "")
	c.do("delete-subscription", sub, "")
	c.do("delete-endpoint", acme+"/endpoints/"+endpoint, "")
	for _, path := range []string{"livez", "readyz", "metrics"} {
		c.do("get-"+path, "/"+path, "")
	}

	c.do("create-endpoint", acme+"/endpoints", `{"name":"e"}`).want(http.StatusUnprocessableEntity)
	c.do("list-endpoints", acme+"/endpoints?cursor=x", "").want(http.StatusBadRequest)
	c.do("get-endpoint", acme+"/endpoints/"+endpoint, "").want(http.StatusNotFound)
	for _, op := range c.paths {
		if op.ID != "tail-log" && !c.covered[op.ID] { // a stream; TestTail
			t.Errorf("%s was never answered as the document says", op.ID)
		}
	}
}
