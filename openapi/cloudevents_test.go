package openapi_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"github.com/hooktrail/hooktrail/domain"
)

// TestCloudEvents has the CloudEvents SDK's own client send, in both modes, and finds everything it sent.
func TestCloudEvents(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	server := httptest.NewServer(f.handler)
	t.Cleanup(server.Close)
	producer := f.key("acme", domain.RoleProducer)
	protocol, err := cloudevents.NewHTTP(
		cloudevents.WithTarget(server.URL+"/v1/tenants/acme/events"), cehttp.WithHeader("Authorization", "Bearer "+producer))
	if err != nil {
		t.Fatal(err)
	}
	client, err := cloudevents.NewClient(protocol)
	if err != nil {
		t.Fatal(err)
	}
	for mode, with := range map[string]func(context.Context) context.Context{"binary": binding.WithForceBinary, "structured": binding.WithForceStructured} {
		event := cloudevents.NewEvent()
		event.SetID(mode)
		event.SetSource("https://shop.example/orders")
		event.SetType("order.placed")
		event.SetSubject("kunde é%")
		event.SetTime(time.Date(2026, 7, 1, 12, 0, 0, 5000, time.UTC))
		event.SetDataSchema("https://shop.example/schema/1")
		event.SetExtension("partner", "north")
		event.SetExtension("count", 7)
		event.SetExtension("urgent", true)
		if err := event.SetData(cloudevents.ApplicationJSON, []byte(`{"b":1,"a":"x"}`)); err != nil {
			t.Fatal(err)
		}
		if result := client.Send(with(t.Context()), event); !cloudevents.IsACK(result) {
			t.Fatalf("%s: %v", mode, result)
		}
		got := f.get(producer, "/v1/tenants/acme/events/"+mode+"?source=https://shop.example/orders").want(http.StatusOK)
		count, urgent := any(7.0), any(true)
		if mode == "binary" { // headers are texts
			count, urgent = "7", "true"
		}
		for member, want := range map[string]any{
			"type": "order.placed", "subject": "kunde é%", "occurred_at": "2026-07-01T12:00:00.000005Z", "dataschema": "https://shop.example/schema/1",
			"extensions.partner": "north", "extensions.count": count, "extensions.urgent": urgent, "datacontenttype": "application/json", "data.a": "x",
		} {
			if have := got.value(member); have != want {
				t.Errorf("%s: %s is %v, want %v", mode, member, have, want)
			}
		}
	}
}

// TestCloudEvents_Headers: values in every form that the HTTP binding allows.
func TestCloudEvents_Headers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for i, c := range [][2]string{
		{"plain", "plain"}, {"a%20b", "a b"}, {`"quoted \" \\"`, `quoted " \`}, {"kunde %C3%A9%25", "kunde é%"}, {"100%", "100%"}, {"%zz", "%zz"},
	} {
		id := fmt.Sprint("h", i)
		f.post(f.operator, "/v1/tenants/acme/events", `1`, "Ce-Specversion", "1.0", "Ce-Id", id, "Ce-Source", "/tenants/acme", "Ce-Type", "a.b", "Ce-Subject", c[0]).
			want(http.StatusCreated)
		if got := f.get(f.operator, "/v1/tenants/acme/events/"+id).text("subject"); got != c[1] {
			t.Errorf("%s is read as %s, want %s", c[0], got, c[1])
		}
	}
}

func TestCloudEvents_Batch(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const batch = "application/cloudevents-batch+json"
	event := `{"specversion":"1.0","id":"a","source":"/s","type":"a.b","flag":true,"subject":null,"data":{"x": 1}}`
	got := f.post(f.operator, "/v1/tenants/acme/events/batch", ` [`+event+`] `, "Content-Type", batch).want(http.StatusCreated)
	if got.text("items.0.id") != "a" {
		t.Errorf("%s", got.Body)
	}
	if got := f.get(f.operator, "/v1/tenants/acme/events/a?source=/s").want(http.StatusOK); got.value("extensions.flag") != true {
		t.Errorf("%s", got.Body)
	}
	const one = "application/cloudevents+json"
	for body, location := range map[string]string{
		`{"specversion":"0.3","id":"b","source":"/s","type":"a.b","data":1}`:            "body.specversion",
		`{"specversion":"1.0","source":"/s","type":"a.b","data":1}`:                     "body.id",
		`{"specversion":"1.0","id":"b","type":"a.b","data":1}`:                          "body.source",
		`{"specversion":"1.0","id":"b","source":"/s","data":1}`:                         "body.type",
		`{"specversion":"1.0","id":"b","source":"a b","type":"a.b"}`:                    "body.source",
		`{"specversion":"1.0","id":"b","source":"/%zz","type":"a.b"}`:                   "body.source",
		`{"specversion":"1.0","id":"b","source":"/s","type":"a.b","dataschema":"<x>"}`:  "body.dataschema",
		`{"specversion":"1.0","id":"b","source":"/s","type":"a.b","data":1,"x":{}}`:     "body.x",
		`{"specversion":"1.0","id":"b","source":"/s","type":"a.b","data":1,"time":"x"}`: "body.time",
	} {
		f.post(f.operator, "/v1/tenants/acme/events", body, "Content-Type", one).problem(http.StatusUnprocessableEntity, "validation_failed").names(location)
	}
	f.post(f.operator, "/v1/tenants/acme/events", `{"specversion":"1.0","id":"b","source":"/s","type":"a.b","data_base64":"AA=="}`, "Content-Type", one).
		problem(http.StatusUnsupportedMediaType, "unsupported_media_type").names("body.data_base64")
	f.post(f.operator, "/v1/tenants/acme/events", fmt.Sprintf(`{"a":%d}`, 1), "Ce-Specversion", "1.0", "Ce-Id", "c", "Ce-Source", "/s").
		problem(http.StatusUnprocessableEntity, "validation_failed").names("header.type")
}

// TestCloudEvents_Data: data is optional, and none is something else than null; every media type of JSON is JSON, in
// either mode, and kept; reserved names are refused in each form.
func TestCloudEvents_Data(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const events, one, batch = "/v1/tenants/acme/events", "application/cloudevents+json", "application/cloudevents-batch+json"
	binary := func(id string, more ...string) []string {
		return append([]string{"Ce-Specversion", "1.0", "Ce-Id", id, "Ce-Source", "/tenants/acme", "Ce-Type", "a.b"}, more...)
	}
	structured := func(id, more string) string {
		return `{"specversion":"1.0","id":"` + id + `","source":"/tenants/acme","type":"a.b"` + more + `}`
	}
	f.post(f.operator, events, structured("s-none", ""), "Content-Type", one).want(http.StatusCreated)
	f.post(f.operator, events, structured("s-null", `,"data":null`), "Content-Type", one).want(http.StatusCreated)
	f.post(f.operator, events, structured("s-typed", `,"data":1,"datacontenttype":"application/vnd.a+json; v=1"`), "Content-Type", one).
		want(http.StatusCreated)
	f.post(f.operator, events, "", binary("b-none")...).want(http.StatusCreated)
	f.post(f.operator, events, "null", binary("b-null", "Content-Type", "application/json")...).want(http.StatusCreated)
	f.post(f.operator, events, "1", binary("b-typed", "Content-Type", "application/vnd.a+json; v=1")...).want(http.StatusCreated)
	for id, want := range map[string][2]any{
		"s-none": {false, nil}, "s-null": {true, nil}, "s-typed": {true, "application/vnd.a+json; v=1"},
		"b-none": {false, nil}, "b-null": {true, "application/json"}, "b-typed": {true, "application/vnd.a+json; v=1"},
	} {
		var got map[string]any
		f.get(f.operator, events+"/"+id).want(http.StatusOK).into(&got)
		if _, there := got["data"]; there != want[0] || got["datacontenttype"] != want[1] {
			t.Errorf("%s: data %v, datacontenttype %v, want %v", id, there, got["datacontenttype"], want)
		}
	}
	// None and null are two events, and the default spelled out is the same one.
	f.post(f.operator, events, structured("s-none", `,"data":null`), "Content-Type", one).problem(http.StatusConflict, "event_id_conflict")
	f.post(f.operator, events, structured("s-null", `,"data":null,"datacontenttype":"application/json"`), "Content-Type", one).want(http.StatusOK)

	f.post(f.operator, events, "1", "Content-Type", "application/vnd.a+json").problem(http.StatusUnsupportedMediaType, "unsupported_media_type")
	f.post(f.operator, events, "1", binary("x", "Content-Type", "text/plain")...).problem(http.StatusUnsupportedMediaType, "unsupported_media_type")
	f.post(f.operator, events, "1", binary("x", "Ce-Data", "1")...).problem(http.StatusUnprocessableEntity, "validation_failed").names("header.data")
	f.post(f.operator, events, "1", binary("x", "Ce-Datacontenttype", "application/json")...).
		problem(http.StatusUnprocessableEntity, "validation_failed").names("header.datacontenttype")
	for _, name := range []string{"data", "id", "time", "specversion"} {
		f.post(f.operator, events, `{"type":"a.b","data":1,"extensions":{"`+name+`":"x"}}`).
			problem(http.StatusUnprocessableEntity, "validation_failed").names("body.extensions")
	}
	f.post(f.operator, events, `{"type":"a.b","data":1,"source":"a b"}`).problem(http.StatusUnprocessableEntity, "validation_failed").names("body.source")

	none := f.post(f.operator, events+"/batch", `[]`, "Content-Type", batch).want(http.StatusOK)
	if string(none.Body) != `{"items":[]}` || none.Header.Get("Hooktrail-Sequence") != "" {
		t.Errorf("an empty batch: %s %v", none.Body, none.Header)
	}
	for _, lines := range []string{"application/x-ndjson", "application/ndjson", "application/jsonl"} {
		f.post(f.operator, events+"/batch", "{\"type\":\"a.b\",\"data\":1}\n", "Content-Type", lines).want(http.StatusCreated)
	}
	f.post(f.operator, events+"/batch", "{\"type\":\"a.b\",\"data\":1}\n{}", "Content-Type", "application/jsonl").
		problem(http.StatusUnprocessableEntity, "validation_failed").names("body[1].data")
}

// TestAppend_defaultSpelledOut: an event that is repeated with its defaults spelled out, or without them, is the same.
func TestAppend_defaultSpelledOut(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const events = "/v1/tenants/acme/events"
	const plain, spelled = `{"id":"a","type":"a.b","data":1}`, `{"id":"a","type":"a.b","data":1,"schema_version":"v1","source":"/tenants/acme"}`
	f.post(f.operator, events, plain).want(http.StatusCreated)
	f.post(f.operator, events, spelled).want(http.StatusOK)
	f.post(f.operator, events+"/batch", `{"events":[`+spelled+`,`+plain+`]}`).want(http.StatusOK)
	f.post(f.operator, events, `{"id":"a","type":"a.b","data":1,"schema_version":"v2"}`).problem(http.StatusConflict, "event_id_conflict")
}
