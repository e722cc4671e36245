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
		if err := event.SetData(cloudevents.ApplicationJSON, []byte(`{"b":1,"a":"x"}`)); err != nil {
			t.Fatal(err)
		}
		if result := client.Send(with(t.Context()), event); !cloudevents.IsACK(result) {
			t.Fatalf("%s: %v", mode, result)
		}
		got := f.get(producer, "/v1/tenants/acme/events/"+mode+"?source=https://shop.example/orders").want(http.StatusOK)
		for member, want := range map[string]any{
			"type": "order.placed", "subject": "kunde é%", "occurred_at": "2026-07-01T12:00:00.000005Z", "dataschema": "https://shop.example/schema/1",
			"extensions.partner": "north", "extensions.count": "7", "data.a": "x",
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
	if got := f.get(f.operator, "/v1/tenants/acme/events/a?source=/s").want(http.StatusOK); got.text("extensions.flag") != "true" {
		t.Errorf("%s", got.Body)
	}
	const one = "application/cloudevents+json"
	for body, location := range map[string]string{
		`{"specversion":"0.3","id":"b","source":"/s","type":"a.b","data":1}`:            "body.specversion",
		`{"specversion":"1.0","source":"/s","type":"a.b","data":1}`:                     "body.id",
		`{"specversion":"1.0","id":"b","type":"a.b","data":1}`:                          "body.source",
		`{"specversion":"1.0","id":"b","source":"/s","data":1}`:                         "body.type",
		`{"specversion":"1.0","id":"b","source":"/s","type":"a.b"}`:                     "body.data",
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
