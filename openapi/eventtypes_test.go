package openapi_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// amounts is a schema with white space and spellings that encoding/json wouldn't keep.
const amounts = `{ "type":"object", "properties":{"amount":{"type":"number","minimum":1e0},"note":{"type":"string"}},
	"required":["amount"],"description":"<b>&</b> é é" }`

const typePath = "/v1/tenants/acme/event-types/offer.issued"

func TestEventType_Lifecycle(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	admin := f.key("acme", domain.RoleAdmin)
	examples := `[ {"amount":12.50} , { "amount" : 1e0,"note":"<>" }]`
	put := `{"description":"An offer\nwent out.","schema":` + amounts + `,"examples":` + examples + `,"reason":"pilot"}`
	made := f.put(admin, typePath, put).want(http.StatusCreated)
	if made.text("outcome") != "created" || made.text("version") != "v1" || made.number("revision") != 1 || made.Header.Get("ETag") != `"1"` {
		t.Errorf("%v %s", made.Header, made.Body)
	}
	got := f.get(f.key("acme", domain.RoleProducer), typePath).want(http.StatusOK)
	for _, exact := range []string{`"schema":` + amounts + `,`, `"examples":[{"amount":12.50},{ "amount" : 1e0,"note":"<>" }]`} {
		if !strings.Contains(string(got.Body), exact) {
			t.Errorf("%s isn't in %s", exact, got.Body)
		}
	}
	before := f.head()
	same := f.put(admin, typePath, put).want(http.StatusOK)
	if same.text("outcome") != "unchanged" || same.Header.Get("ETag") != `"1"` || f.head() != before {
		t.Errorf("the same definition again: %s", same.Body)
	}
	f.put(admin, typePath, `{}`, "If-Match", `"7"`).problem(http.StatusPreconditionFailed, "precondition_failed")
	wider := strings.Replace(amounts, `"type":"number"`, `"type":["number","string"]`, 1)
	refused := f.put(admin, typePath, `{"schema":`+wider+`}`).problem(http.StatusConflict, "schema_incompatible").names("body.schema/properties/amount/type")
	if strings.Contains(string(refused.Body), "12.50") || f.head() != before {
		t.Errorf("refused with %s", refused.Body)
	}
	f.put(admin, typePath, `{}`).problem(http.StatusConflict, "schema_incompatible") // without a schema anything may come
	dry := f.put(admin, typePath+"?dry_run=true", `{"schema":`+wider+`}`).want(http.StatusOK)
	if dry.text("outcome") != "refused" || dry.text("changes.0.pointer") != "/properties/amount/type" || f.head() != before {
		t.Errorf("dry run: %s", dry.Body)
	}
	dry = f.put(admin, typePath+"?dry_run=true", `{"schema":`+wider+`,"version":"v2"}`).want(http.StatusOK)
	if dry.text("outcome") != "changed" || f.head() != before {
		t.Errorf("dry run: %s", dry.Body)
	}
	next := f.put(admin, typePath, `{"schema":`+wider+`,"version":"v2","deprecated":"Use offer.sent."}`, "If-Match", `"1"`).want(http.StatusOK)
	if next.text("outcome") != "changed" || next.number("revision") != 2 || next.text("changes.0.pointer") != "/properties/amount/type" ||
		next.number("created_sequence") != made.number("created_sequence") {
		t.Errorf("a new version: %s", next.Body)
	}
	f.put(admin, typePath, `{"schema":true,"version":"v1"}`).problem(http.StatusConflict, "schema_incompatible") // still judged by v1's own
	f.put(admin, typePath, `{"schema":`+amounts+`,"version":"v1"}`).want(http.StatusOK)
	if then := f.get(admin, typePath+"?as_of_sequence="+made.Header.Get("Hooktrail-Sequence")).want(http.StatusOK); then.number("revision") != 1 {
		t.Errorf("as of its registration: %s", then.Body)
	}
	f.put(admin, "/v1/tenants/acme/event-types/a.b", `{"deprecated":null,"examples":[]}`).want(http.StatusCreated)
	for _, none := range []string{`{"examples":[]}`, `{}`} {
		if again := f.put(admin, "/v1/tenants/acme/event-types/a.b", none).want(http.StatusOK); again.text("outcome") != "unchanged" {
			t.Errorf("no examples, again: %s", again.Body)
		}
	}
	var page struct {
		Items []struct{ Name string }
		Next  *string
	}
	first := f.get(admin, "/v1/tenants/acme/event-types?limit=1").want(http.StatusOK)
	first.into(&page)
	if len(page.Items) != 1 || page.Items[0].Name != "offer.issued" || page.Next == nil || first.Header.Get("Link") == "" {
		t.Fatalf("first page %s", first.Body)
	}
	second := f.get(admin, "/v1/tenants/acme/event-types?limit=1&cursor="+*page.Next).want(http.StatusOK)
	second.into(&page)
	if len(page.Items) != 1 || page.Items[0].Name != "a.b" || page.Next != nil {
		t.Errorf("second page %s", second.Body)
	}
	f.get(admin, "/v1/tenants/acme/event-types/none").problem(http.StatusNotFound, "not_found")
	f.get(f.operator, "/v1/tenants/other/event-types/offer.issued").problem(http.StatusNotFound, "not_found")
}

func TestEventType_Refused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	admin := f.key("acme", domain.RoleAdmin)
	before := f.head()
	for _, test := range []struct{ body, code, location string }{
		{`{"schema":{"properties":{"amount":{"type":"nmuber"}}}}`, "invalid_schema", "body.schema/properties/amount/type"},
		{`{"schema":{"properties":{"a":{"$ref":"file:///etc/passwd"}}}}`, "invalid_schema", "body.schema/properties/a/$ref"},
		{`{"schema":7}`, "invalid_schema", "body.schema"},
		{`{"schema":` + amounts + `,"examples":[{"amount":2},{"amount":"s3cret"}]}`, "invalid_example", "body.examples[1]/amount"},
		{`{"examples":{}}`, "validation_failed", "body.examples"},
		{`{"examples":[` + strings.Repeat("1,", 20) + `1]}`, "validation_failed", "body.examples"},
		{`{"version":"` + strings.Repeat("v", 65) + `"}`, "validation_failed", "body.version"},
		{`{"description":1}`, "validation_failed", "body.description"},
		{`{"deprecated":"a\u0007"}`, "validation_failed", "body.deprecated"},
		{`{"reason":"a\u0007"}`, "validation_failed", "body.reason"},
		{`{"scheme":{}}`, "validation_failed", "body.scheme"},
		{`{"schema":{"a":1,"a":2}}`, "ambiguous_json", "body"},
	} {
		got := f.put(admin, typePath, test.body).problem(http.StatusUnprocessableEntity, test.code).names(test.location)
		if strings.Contains(string(got.Body), "s3cret") {
			t.Errorf("echoes the value: %s", got.Body)
		}
	}
	f.put(admin, typePath, `[]`).problem(http.StatusUnprocessableEntity, "ambiguous_json")
	f.put(admin, typePath, `{`).problem(http.StatusBadRequest, "malformed_body")
	f.put(admin, "/v1/tenants/acme/event-types/hooktrail.delivery.dead", `{}`).problem(http.StatusUnprocessableEntity, "validation_failed").names("path.name")
	f.put(admin, "/v1/tenants/acme/event-types/a..b", `{}`).problem(http.StatusUnprocessableEntity, "validation_failed").names("path.name")
	f.put(admin, "/v1/tenants/acme/event-types/a%20b", `{}`).problem(http.StatusUnprocessableEntity, "validation_failed").names("path.name")
	if f.head() != before {
		t.Error("something was appended")
	}
}

// TestEventType_AtOnce registers one type many times at once: one stream comes of it, and every answer is true of it.
func TestEventType_AtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	admin := f.key("acme", domain.RoleAdmin)
	var all sync.WaitGroup
	codes := make([]int, 8)
	for i := range codes {
		all.Go(func() {
			codes[i] = f.put(admin, typePath, fmt.Sprintf(`{"description":"the %d-th"}`, i%2)).Code
		})
	}
	all.Wait()
	created := 0
	for _, code := range codes {
		switch code {
		case http.StatusCreated:
			created++
		case http.StatusOK, http.StatusConflict:
		default:
			t.Errorf("status %d", code)
		}
	}
	entries, err := domain.Select(context.Background(), f.log, domain.Query{Tenant: "acme", Kind: domain.KindEventTypeRegistered, Limit: 10})
	if err != nil || created != 1 || len(entries) != 1 {
		t.Errorf("%d answers say that they created it, the log has it %d times (%v)", created, len(entries), err)
	}
}
