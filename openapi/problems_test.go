package openapi_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// secretValue stands in every wrong request: no answer and no log line may hold it.
const secretValue = "V3ryS3cretValue"

// TestProblems: what is refused names what is wrong, echoes no value, and appends nothing.
func TestProblems(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	endpoint := f.post(f.operator, "/v1/tenants/acme/endpoints", `{"name":"e","url":"https://receiver.example/"}`).want(http.StatusCreated).text("id")
	sub := f.post(f.operator, "/v1/tenants/acme/subscriptions", `{"endpoint_id":"`+endpoint+`","event_types":["*"]}`).want(http.StatusCreated).text("id")
	f.event("acme", "taken")
	const events, batch, endpoints = "/v1/tenants/acme/events", "/v1/tenants/acme/events/batch", "/v1/tenants/acme/endpoints"
	big := `{"type":"a.b","data":"` + strings.Repeat("x", 256<<10) + `"}`
	cases := []struct {
		name, method, target, body string
		header                     []string
		status                     int
		code, location             string
	}{
		{"malformed JSON", "POST", endpoints, `{"name":"` + secretValue, nil, 400, "malformed_body", "body"},
		{"malformed event", "POST", events, `{"type":"a.b","data":` + secretValue + `}`, nil, 400, "malformed_body", "body"},
		{"empty body", "POST", events, ``, []string{"Content-Type", "application/json"}, 400, "malformed_body", "body"},
		{"event that is no object", "POST", events, `["` + secretValue + `"]`, nil, 422, "ambiguous_json", "body"},
		{"duplicate member", "POST", endpoints, `{"name":"a","name":"` + secretValue + `","url":"https://a.example/"}`, nil, 422, "ambiguous_json", "body"},
		{"duplicate member in data", "POST", events, `{"type":"a.b","data":{"a":1,"a":"` + secretValue + `"}}`, nil, 422, "ambiguous_json", "body"},
		{"duplicate by escape", "POST", events, `{"type":"a.b","data":{"a":1,"\u0061":2}}`, nil, 422, "ambiguous_json", "body"},
		{"invalid UTF-8", "POST", events, "{\"type\":\"a.b\",\"data\":\"\xff\"}", nil, 422, "ambiguous_json", "body"},
		{"unknown member", "POST", endpoints, `{"name":"a","url":"https://a.example/","colour":"` + secretValue + `"}`, nil, 422, "validation_failed", "body.colour"},
		{"unknown member of an event", "POST", events, `{"type":"a.b","data":1,"colour":"` + secretValue + `"}`, nil, 422, "validation_failed", "body.colour"},
		{"member of another case", "POST", endpoints, `{"Name":"a","url":"https://a.example/"}`, nil, 422, "validation_failed", "body.Name"},
		{"wrong type", "POST", endpoints, `{"name":17,"url":"https://a.example/"}`, nil, 422, "validation_failed", "body.name"},
		{"wrong type in an event", "POST", events, `{"type":17,"data":1}`, nil, 422, "validation_failed", "body.type"},
		{"no data", "POST", events, `{"type":"a.b"}`, nil, 422, "validation_failed", "body.data"},
		{"no type", "POST", events, `{"data":1}`, nil, 422, "validation_failed", "body.type"},
		{"the server's own type", "POST", events, `{"type":"hooktrail.` + secretValue + `","data":1}`, nil, 422, "validation_failed", "body.type"},
		{"event id with a space", "POST", events, `{"id":"a ` + secretValue + `","type":"a.b","data":1}`, nil, 422, "validation_failed", "body.id"},
		{"bad time", "POST", events, `{"type":"a.b","data":1,"occurred_at":"` + secretValue + `"}`, nil, 422, "validation_failed", "body.occurred_at"},
		{"event id that is taken", "POST", events, `{"id":"taken","type":"offer.issued","data":{"id":"` + secretValue + `"}}`, nil, 409, "event_id_conflict", "body.id"},
		{"large data", "POST", events, big, nil, 413, "event_data_too_large", "body.data"},
		{"large body", "POST", events, strings.Repeat(" ", 8<<20) + "{}", nil, 413, "body_too_large", ""},
		{"content type", "POST", events, `{"type":"a.b","data":1}`, []string{"Content-Type", "text/plain"}, 415, "unsupported_media_type", "header.Content-Type"},
		{"charset", "POST", events, `{"type":"a.b","data":1}`, []string{"Content-Type", "application/json; charset=latin1"}, 415, "unsupported_media_type", "header.Content-Type"},
		{"form", "POST", endpoints, `name=a`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "unsupported_media_type", "header.Content-Type"},
		{"patch as text", "PATCH", endpoints + "/" + endpoint, `{"name":"b"}`, []string{"Content-Type", "text/plain"}, 415, "unsupported_media_type", "header.Content-Type"},
		{"event of a batch", "POST", batch, `{"events":[{"type":"a.b","data":1},{"type":"a b","data":1}]}`, nil, 422, "validation_failed", "body.events[1].type"},
		{"conflict in a batch", "POST", batch, `{"events":[{"type":"a.b","data":1},{"id":"taken","type":"a.b","data":1}]}`, nil, 409, "event_id_conflict", "body.events[1].id"},
		{"one id twice in a batch", "POST", batch, `{"events":[{"id":"q","type":"a.b","data":1},{"id":"q","type":"a.b","data":2}]}`, nil, 409, "event_id_conflict", "body.events[1].id"},
		{"large data in a batch", "POST", batch, `{"events":[` + big + `]}`, nil, 413, "event_data_too_large", "body.events[0].data"},
		{"too many events", "POST", batch, `{"events":[` + strings.Repeat(`{"type":"a.b","data":1},`, 1000) + `{"type":"a.b","data":1}]}`, nil, 413, "batch_too_large", "body.events"},
		{"no events", "POST", batch, `{"events":[]}`, nil, 422, "validation_failed", "body.events"},
		{"no list of events", "POST", batch, `{}`, nil, 422, "validation_failed", "body.events"},
		{"element that is no event", "POST", batch, `{"events":[17]}`, nil, 422, "validation_failed", "body.events[0]"},
		{"bad line", "POST", batch, `{"type":"a.b","data":1}` + "\n{", []string{"Content-Type", "application/x-ndjson"}, 400, "malformed_body", "body[1]"},
		{"unknown query parameter", "GET", endpoints + "?colour=" + secretValue, "", nil, 422, "validation_failed", "query.colour"},
		{"limit", "GET", endpoints + "?limit=1001", "", nil, 422, "validation_failed", "query.limit"},
		{"cursor", "GET", endpoints + "?cursor=" + secretValue, "", nil, 400, "invalid_cursor", "query.cursor"},
		{"two moments", "GET", endpoints + "?as_of=2026-01-01T00:00:00Z&as_of_sequence=1", "", nil, 422, "validation_failed", "query.as_of"},
		{"future time", "GET", endpoints + "?as_of=2999-01-01T00:00:00Z", "", nil, 422, "as_of_in_future", "query.as_of"},
		{"future sequence", "GET", endpoints + "?as_of_sequence=99999", "", nil, 422, "as_of_in_future", "query.as_of_sequence"},
		{"sequence not reached", "GET", endpoints + "?min_sequence=99999", "", []string{"Prefer", "wait=0"}, 503, "view_behind", ""},
		{"stale ETag", "PATCH", endpoints + "/" + endpoint, `{"name":"b"}`, []string{"Content-Type", "application/merge-patch+json", "If-Match", `"7"`}, 412, "precondition_failed", "header.If-Match"},
		{"stale ETag of a deletion", "DELETE", "/v1/tenants/acme/subscriptions/" + sub, "", []string{"If-Match", `"7"`}, 412, "precondition_failed", "header.If-Match"},
		{"patch of an unknown member", "PATCH", endpoints + "/" + endpoint, `{"profile":"sparkfly"}`, []string{"Content-Type", "application/merge-patch+json"}, 422, "validation_failed", "body.profile"},
		{"URL with a password", "POST", endpoints, `{"name":"a","url":"https://u:` + secretValue + `@a.example/"}`, nil, 422, "validation_failed", "body.url"},
		{"unknown profile", "POST", endpoints, `{"name":"a","url":"https://a.example/","profile":"` + secretValue + `"}`, nil, 422, "validation_failed", "body.profile"},
		{"bad key", "POST", endpoints, `{"name":"a","url":"https://a.example/","signing_key":"` + secretValue + `"}`, nil, 422, "validation_failed", "body.signing_key"},
		{"bad gap", "POST", endpoints, `{"name":"a","url":"https://a.example/","retry":{"schedule":["5s","` + secretValue + `"]}}`, nil, 422, "validation_failed", "body.retry.schedule[1]"},
		{"bad timeout", "POST", endpoints, `{"name":"a","url":"https://a.example/","timeout":"3h"}`, nil, 422, "validation_failed", "body.timeout"},
		{"bad password", "POST", endpoints, `{"name":"a","url":"https://a.example/","auth":{"type":"bearer","token":"a ` + secretValue + `"}}`, nil, 422, "validation_failed", "body.auth.token"},
		{"ordered endpoint", "POST", endpoints, `{"name":"a","url":"https://a.example/","ordered":true}`, nil, 422, "validation_failed", "body.ordered"},
		{"endpoint that becomes ordered", "PATCH", endpoints + "/" + endpoint, `{"ordered":true}`, []string{"Content-Type", "application/merge-patch+json"}, 422, "validation_failed", "body.ordered"},
		{"members of another type", "POST", endpoints, `{"name":"a","url":"https://a.example/","auth":{"type":"bearer","value":"` + secretValue + `"}}`, nil, 422, "validation_failed", "body.auth"},
		{"hop-by-hop header", "POST", endpoints, `{"name":"a","url":"https://a.example/","headers":{"Connection":"` + secretValue + `"}}`, nil, 422, "validation_failed", "body.headers.Connection"},
		{"header with a line break", "POST", endpoints, `{"name":"a","url":"https://a.example/","headers":{"X-A":"a\r\n` + secretValue + `"}}`, nil, 422, "validation_failed", "body.headers.X-A"},
		{"pattern", "POST", "/v1/tenants/acme/subscriptions", `{"endpoint_id":"` + endpoint + `","event_types":["a..` + secretValue + `"]}`, nil, 422, "validation_failed", "body.event_types[0]"},
		{"another tenant's endpoint", "POST", "/v1/tenants/other/subscriptions", `{"endpoint_id":"` + endpoint + `","event_types":["*"]}`, nil, 422, "validation_failed", "body.endpoint_id"},
		{"filter", "POST", "/v1/tenants/acme/subscriptions", `{"endpoint_id":"` + endpoint + `","event_types":["*"],"filter":"` + secretValue + `"}`, nil, 422, "validation_failed", "body.filter"},
		{"role", "POST", "/v1/tenants/acme/keys", `{"role":"operator","name":"a"}`, nil, 422, "validation_failed", "body.role"},
		{"tenant that exists", "POST", "/v1/tenants", `{"id":"acme"}`, nil, 409, "tenant_exists", ""},
		{"tenant id", "POST", "/v1/tenants", `{"id":"A ` + secretValue + `"}`, nil, 422, "validation_failed", "body.id"},
		{"idempotency key", "POST", events, `{"type":"a.b","data":1}`, []string{"Idempotency-Key", "a b"}, 400, "invalid_idempotency_key", "header.Idempotency-Key"},
		{"reason", "DELETE", "/v1/tenants/acme/subscriptions/" + sub + "?reason=%00" + secretValue, "", nil, 422, "validation_failed", "query.reason"},
		{"stream", "GET", "/v1/tenants/acme/log?stream=" + secretValue, "", nil, 422, "validation_failed", "query.stream"},
		{"kind", "GET", "/v1/tenants/acme/log?kind=" + secretValue, "", nil, 422, "validation_failed", "query.kind"},
		{"path", "GET", "/v1/" + secretValue, "", nil, 404, "not_found", ""},
		{"method", "PUT", "/v1/tenants", `{}`, nil, 405, "method_not_allowed", ""},
		{"path of an event", "GET", "/v1/tenants/acme/events/a/b", "", nil, 404, "not_found", ""},
	}
	before, kept := f.head(), f.secrets.count()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := f.do(f.operator, c.method, c.target, c.body, c.header...)
			got.t = t
			got.problem(c.status, c.code)
			if c.location != "" {
				got.names(c.location)
			}
			if strings.Contains(string(got.Body), secretValue) && c.location != "body."+secretValue {
				t.Errorf("the value is echoed: %s", got.Body)
			}
			if wants := c.status == 503; wants != (got.Header.Get("Retry-After") != "") {
				t.Errorf("Retry-After %q", got.Header.Get("Retry-After"))
			}
		})
	}
	if after := f.head(); after != before {
		t.Errorf("%d entries were appended by requests that were refused", after-before)
	}
	if n := f.secrets.count(); n != kept {
		t.Errorf("%d secrets are kept of requests that were refused", n-kept)
	}
	if strings.Contains(f.logged.String(), secretValue) {
		t.Errorf("the log of the server holds a value: %s", f.logged)
	}
}

// TestProblems_Generated sends every operation of the document what none may take, with ids of what is really there.
func TestProblems_Generated(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	acme := oneOfEach(f, "acme")
	f.settle()
	before := f.head()
	refused := func(name string, got answer, status int, code, location string) {
		if got.Code != status || got.text("code") != code || strings.Contains(string(got.Body), secretValue) {
			t.Errorf("%s: status %d %s, want %d %s", name, got.Code, got.Body, status, code)
		} else if location != "" {
			got.names(location)
		}
		if after := f.head(); after != before {
			t.Fatalf("%s: %d entries were appended", name, after-before)
		}
	}
	var cursors, bodies, conditions int
	for _, op := range operations(t, f) {
		target := acme.target(op, "acme")
		key := f.operator
		if len(op.Roles) == 0 {
			key = ""
		}
		harmless := map[bool]string{true: `{}`}[op.Body != ""]
		refused(op.ID+" with an unknown parameter", f.do(key, op.Method, target+"?colour="+secretValue, harmless, "Content-Type", op.Body),
			422, "validation_failed", "query.colour")
		if slices.Contains(op.Query, "cursor") {
			cursors++
			refused(op.ID+" with a bad cursor", f.get(key, target+"?cursor="+secretValue), 400, "invalid_cursor", "query.cursor")
		}
		if slices.Contains(op.Header, "If-Match") {
			conditions++
			refused(op.ID+" of a stale version", f.do(key, op.Method, target, harmless, "Content-Type", op.Body, "If-Match", `"99"`),
				412, "precondition_failed", "header.If-Match")
		}
		for _, contentType := range op.Bodies {
			if op.ID == "create-reconciliation" && contentType != "application/json" {
				continue // a list of any length, read line by line: TestReconciliations_Refused
			}
			bodies++
			send := func(body string) answer { return f.do(key, op.Method, target, body, "Content-Type", contentType) }
			open, end, at := "", "", "body"
			switch {
			case strings.Contains(contentType, "batch"):
				open, end = "[", "]"
			case slices.Contains([]string{"application/x-ndjson", "application/ndjson", "application/jsonl"}, contentType):
				at = "body[0]"
			}
			name := op.ID + " with " + contentType
			refused(name+" that is malformed", send(open+`{"reason":"`+secretValue), 400, "malformed_body", at)
			refused(name+" of two minds", send(open+`{"reason":"a","reason":"`+secretValue+`"}`+end), 422, "ambiguous_json", at)
			refused(name+" of no UTF-8", send(open+"{\"reason\":\"\xff"+secretValue+"\"}"+end), 422, "ambiguous_json", at)
			refused(name+" that is too large", send(open+strings.Repeat(" ", 8<<20)+"{}"+end), 413, "body_too_large", "")
		}
	}
	if cursors < 8 || bodies < 15 || conditions < 6 {
		t.Errorf("tried %d cursors, %d bodies and %d conditions: the document has lost some", cursors, bodies, conditions)
	}
}

// failingLog refuses every append in one way.
type failingLog struct {
	domain.Log
	err error
}

func (l failingLog) Append(_ context.Context, groups ...domain.Group) []domain.Outcome {
	outcomes := make([]domain.Outcome, len(groups))
	for i := range outcomes {
		outcomes[i].Err = fmt.Errorf("append to the table "+secretValue+": %w", l.err)
	}
	return outcomes
}

func TestProblems_Log(t *testing.T) {
	t.Parallel()
	cases := []struct {
		err    error
		status int
		code   string
	}{
		{domain.ErrBusy, 503, "busy"},
		{domain.ErrUnavailable, 503, "unavailable"},
		{context.Canceled, 503, "unavailable"},
		{domain.ErrRefused, 422, "refused"},
		{domain.ErrUnknownTenant, 404, "not_found"},
		{fmt.Errorf("relation entries does not exist"), 500, "internal_error"},
	}
	for _, c := range cases {
		t.Run(c.err.Error(), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.server.Log = failingLog{f.log, c.err}
			f.useServer()
			got := f.post(f.operator, "/v1/tenants/acme/events", `{"type":"a.b","data":1}`).problem(c.status, c.code)
			if strings.Contains(string(got.Body), "table") {
				t.Errorf("tells of the inside: %s", got.Body)
			}
			if (got.Header.Get("Retry-After") != "") != (c.status == 503) {
				t.Errorf("Retry-After %q", got.Header.Get("Retry-After"))
			}
			f.post(f.operator, "/v1/tenants/acme/endpoints", `{"name":"e","url":"https://receiver.example/"}`).problem(c.status, c.code)
			if stay := c.status == 503 && c.code == "unavailable"; stay != (f.secrets.count() == 1) {
				t.Errorf("%d secrets are kept", f.secrets.count())
			}
		})
	}
}
