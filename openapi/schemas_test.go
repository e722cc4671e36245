package openapi_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// registered is a tenant whose offer.issued has the schema amounts in version v1 and one with texts in v2, its newest.
func registered(t *testing.T, mode string) *fixture {
	f := newFixture(t)
	f.put(f.operator, typePath, `{"schema":`+amounts+`}`).want(http.StatusCreated)
	f.put(f.operator, typePath, `{"version":"v2","schema":{"properties":{"amount":{"type":"string"}},"required":["amount"]}}`).want(http.StatusOK)
	f.mode(mode)
	return f
}

func (f *fixture) mode(mode string) {
	f.t.Helper()
	f.patch(f.operator, "/v1/tenants/acme", `{"schema_validation":"`+mode+`"}`).want(http.StatusOK)
}

const (
	acmeEvents = "/v1/tenants/acme/events"
	badEvent   = `{"type":"offer.issued","data":{"amount":4711}}`
)

func TestSchemas_Mode(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if got := f.get(f.operator, "/v1/tenants/acme").text("schema_validation"); got != "off" {
		t.Errorf("at first %q", got)
	}
	f.mode("warn")
	if got := f.get(f.operator, "/v1/tenants/acme").text("schema_validation"); got != "warn" {
		t.Errorf("then %q", got)
	}
	f.patch(f.operator, "/v1/tenants/acme", `{"schema_validation":"strict"}`).problem(http.StatusUnprocessableEntity, "validation_failed").names("body.schema_validation")
	f.post(f.operator, "/v1/tenants", `{"id":"third","schema_validation":"strict"}`).problem(http.StatusUnprocessableEntity, "validation_failed").names("body.schema_validation")
	f.post(f.operator, "/v1/tenants", `{"id":"third","schema_validation":"enforce"}`).want(http.StatusCreated)
	if got := f.patch(f.operator, "/v1/tenants/third", `{"schema_validation":null}`).want(http.StatusOK).text("schema_validation"); got != "off" {
		t.Errorf("after null %q", got)
	}
}

// TestSchemas_Enforce sends data that breaks its schema in every form that events come in.
func TestSchemas_Enforce(t *testing.T) {
	t.Parallel()
	f := registered(t, "enforce")
	before := f.head()
	const good = `{"type":"offer.issued","data":{"amount":"4711"}}`
	cloud := `{"specversion":"1.0","id":"c","source":"/s","type":"offer.issued","data":{"amount":4711}}`
	for _, test := range []struct {
		target, body, location string
		header                 []string
	}{
		{"", badEvent, "body.data/amount", nil},
		{"", `{"type":"offer.issued","schema_version":"v1","data":{"amount":4711,"note":1}}`, "body.data/note", nil},
		{"", `{"type":"offer.issued","schema_version":"v3","data":{}}`, "body.schema_version", nil},
		{"", cloud, "body.data/amount", []string{"Content-Type", "application/cloudevents+json"}},
		{"", `{"amount":4711}`, "body/amount", []string{"Ce-Specversion", "1.0", "Ce-Id", "c", "Ce-Source", "/s", "Ce-Type", "offer.issued"}},
		{"/batch", `{"events":[` + good + `,` + good + `,` + badEvent + `]}`, "body.events[2].data/amount", nil},
		{"/batch", good + "\n" + badEvent, "body[1].data/amount", []string{"Content-Type", "application/x-ndjson"}},
		{"/batch", "[" + cloud + "]", "body[0].data/amount", []string{"Content-Type", "application/cloudevents-batch+json"}},
	} {
		got := f.post(f.operator, acmeEvents+test.target, test.body, test.header...).problem(http.StatusUnprocessableEntity, "schema_violation").names(test.location)
		if strings.Contains(string(got.Body), "4711") {
			t.Errorf("echoes the value: %s", got.Body)
		}
	}
	if f.head() != before {
		t.Error("something was appended")
	}
	made := f.post(f.operator, acmeEvents, good).want(http.StatusCreated)
	if event := f.get(f.operator, acmeEvents+"/"+made.text("id")); event.text("schema_version") != "v2" {
		t.Errorf("the version isn't the type's newest: %s", event.Body)
	}
	f.post(f.operator, acmeEvents, `{"type":"offer.issued","schema_version":"v1","data":{"amount":4711}}`).want(http.StatusCreated)
	other := f.post(f.operator, acmeEvents, `{"type":"never.registered","data":4711}`).want(http.StatusCreated)
	if event := f.get(f.operator, acmeEvents+"/"+other.text("id")); event.text("schema_version") != "v1" {
		t.Errorf("the version of an unregistered type: %s", event.Body)
	}
	f.post(f.operator, "/v1/tenants/other/events", badEvent).want(http.StatusCreated)
}

// TestSchemas_Warn: the event is appended, and what is wrong stands in its receipt, its entry and the event, without a value.
func TestSchemas_Warn(t *testing.T) {
	t.Parallel()
	f := registered(t, "warn")
	named := `{"id":"a",` + badEvent[1:]
	first := f.post(f.operator, acmeEvents, named, "Idempotency-Key", "k").want(http.StatusCreated)
	if warning := first.text("warnings.0"); !strings.HasPrefix(warning, "data/amount: ") || strings.Contains(warning, "4711") {
		t.Errorf("warnings %s", first.Body)
	}
	if event := f.get(f.operator, acmeEvents+"/a"); event.text("schema_problem") != first.text("warnings.0") {
		t.Errorf("the event says %s", event.Body)
	}
	f.mode("off")
	f.put(f.operator, typePath, `{"version":"v3"}`).want(http.StatusOK)
	f.mode("enforce")
	for what, again := range map[string]answer{
		"the same key": f.post(f.operator, acmeEvents, named, "Idempotency-Key", "k").want(http.StatusCreated),
		"the same id":  f.post(f.operator, acmeEvents, named).want(http.StatusOK),
	} {
		if !bytes.Equal(again.Body, first.Body) {
			t.Errorf("%s: %s, first %s", what, again.Body, first.Body)
		}
	}
	f.mode("warn")
	many := f.post(f.operator, acmeEvents+"/batch", `{"events":[`+named+`,`+`{"type":"offer.issued","schema_version":"v9","data":1}`+`]}`).want(http.StatusCreated)
	if many.text("items.0.warnings.0") != first.text("warnings.0") || !strings.HasPrefix(many.text("items.1.warnings.0"), "schema_version: ") {
		t.Errorf("batch %s", many.Body)
	}
	if f.post(f.operator, acmeEvents, `{"type":"offer.issued","data":1}`).want(http.StatusCreated).value("warnings") != nil {
		t.Error("a version without a schema warns")
	}
}

// TestSchemas_Earlier: what was appended before is answered as it was, also when its type's schema would refuse it by now.
func TestSchemas_Earlier(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	named := `{"id":"a",` + badEvent[1:]
	batch := `{"events":[` + named + `,` + badEvent + `]}`
	first := f.post(f.operator, acmeEvents, named, "Idempotency-Key", "one").want(http.StatusCreated)
	both := f.post(f.operator, acmeEvents+"/batch", batch, "Idempotency-Key", "two").want(http.StatusCreated)
	f.put(f.operator, typePath, `{"schema":false}`).want(http.StatusCreated)
	f.mode("enforce")
	before := f.head()
	for want, again := range map[*answer]answer{
		&first: f.post(f.operator, acmeEvents, named, "Idempotency-Key", "one").want(http.StatusCreated),
		&both:  f.post(f.operator, acmeEvents+"/batch", batch, "Idempotency-Key", "two").want(http.StatusCreated),
	} {
		if !bytes.Equal(again.Body, want.Body) || again.Header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s, first %s", again.Body, want.Body)
		}
	}
	f.post(f.operator, acmeEvents, named).want(http.StatusOK)
	f.post(f.operator, acmeEvents, named+" ", "Idempotency-Key", "one").problem(http.StatusConflict, "idempotency_mismatch")
	f.post(f.operator, acmeEvents, `{"id":"a","type":"offer.issued","data":1}`).problem(http.StatusConflict, "event_id_conflict")
	f.post(f.operator, acmeEvents+"/batch", batch).problem(http.StatusUnprocessableEntity, "schema_violation").names("body.events[1].data")
	if f.head() != before {
		t.Error("something was appended")
	}
}

// TestSchemas_Bounds: what is said of hostile data stays small.
func TestSchemas_Bounds(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(f.operator, typePath, `{"schema":{"additionalProperties":{"type":"string"}}}`).want(http.StatusCreated)
	f.mode("warn")
	members := make([]string, 500)
	for i := range members {
		members[i] = fmt.Sprintf(`"%s\n%d":1`, strings.Repeat("é", 100), i)
	}
	event := `{"type":"offer.issued","data":{` + strings.Join(members, ",") + `}}`
	got := f.post(f.operator, acmeEvents, event).want(http.StatusCreated)
	var receipt struct{ Warnings []string }
	got.into(&receipt)
	if len(receipt.Warnings) < 2 || len(strings.Join(receipt.Warnings, "\n")) > 1024 {
		t.Errorf("%d warnings: %s", len(receipt.Warnings), got.Body)
	}
	for _, warning := range receipt.Warnings {
		if !strings.HasPrefix(warning, "data/é") {
			t.Errorf("a name made a warning of its own: %q", warning)
		}
	}
	f.mode("enforce")
	batch := `{"events":[` + strings.Repeat(event+",", 20) + event + `]}`
	if got := f.post(f.operator, acmeEvents+"/batch", batch).problem(http.StatusUnprocessableEntity, "schema_violation"); len(got.Body) > 100<<10 {
		t.Errorf("the problem has %d bytes", len(got.Body))
	}
}

func TestSchemas_Deprecated(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(f.operator, typePath, `{"deprecated":"Use offer.sent."}`).want(http.StatusCreated)
	since := f.get(f.operator, typePath)
	f.put(f.operator, typePath, `{"deprecated":"Use offer.sent, please."}`).want(http.StatusOK)
	want := fmt.Sprintf("@%d", f.recordedAt("acme", since.Header.Get("Hooktrail-Sequence")).Unix())
	link := `<` + typePath + `>; rel="deprecation"`
	single := f.post(f.operator, acmeEvents, `{"type":"offer.issued","data":1}`).want(http.StatusCreated)
	batch := f.post(f.operator, acmeEvents+"/batch", `{"events":[{"type":"a.b","data":1},{"type":"offer.issued","data":1},{"type":"offer.issued","data":1}]}`).want(http.StatusCreated)
	for _, got := range []answer{single, batch} {
		if got.Header.Get("Deprecation") != want || got.Header.Get("Link") != link {
			t.Errorf("header %v, want %s %s", got.Header, want, link)
		}
	}
	f.put(f.operator, typePath, `{}`).want(http.StatusOK)
	if got := f.post(f.operator, acmeEvents, `{"type":"offer.issued","data":1}`); got.Header.Get("Deprecation") != "" || got.Header.Get("Link") != "" {
		t.Errorf("header %v", got.Header)
	}
}
