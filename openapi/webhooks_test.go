package openapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi"
	"github.com/hooktrail/hooktrail/openapi/client"
)

// webhooks describes the embedded profiles as the program does.
func webhooks(t testing.TB) []openapi.Webhook {
	t.Helper()
	profiles, err := webhook.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	var list []openapi.Webhook
	for _, p := range profiles.All() {
		d, err := p.Describe(webhook.Sample{})
		if err != nil {
			t.Fatal(err)
		}
		text := []string{d.Text, "Transport: " + d.Transport + ". A complete answer within " + d.Timeout + " counts."}
		w := openapi.Webhook{Name: d.Name, ContentType: d.ContentType, BodySchema: d.BodySchema, Body: d.Body}
		for _, h := range d.Headers {
			switch {
			case h.Prefix:
				text = append(text, "`"+h.Name+"…`: "+h.Text)
			case h.Name != "content-type":
				w.Headers = append(w.Headers, openapi.WebhookHeader{Name: h.Name, Text: h.Text, Example: h.Example, Required: h.Required})
			}
		}
		for _, a := range d.Answers {
			w.Answers = append(w.Answers, openapi.WebhookAnswer(a))
		}
		w.Description = strings.Join(text, "\n\n")
		list = append(list, w)
	}
	return list
}

// describedWebhook is what the served document says of a wire format.
type describedWebhook struct {
	Parameters []struct {
		Name     string
		Required bool
	}
	RequestBody struct {
		Content map[string]struct {
			Schema  json.RawMessage
			Example json.RawMessage
		}
	}
	Responses map[string]json.RawMessage
}

func (w describedWebhook) has(header string) bool {
	for _, p := range w.Parameters {
		if strings.EqualFold(p.Name, header) {
			return true
		}
	}
	return false
}

// TestWebhooks holds really built requests of every profile to what the document says of them.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var doc struct {
		Webhooks map[string]struct{ Post describedWebhook }
	}
	f.get("", "/openapi.json").want(http.StatusOK).into(&doc)
	if len(doc.Webhooks) < 8 {
		t.Fatalf("the document has %d webhooks", len(doc.Webhooks))
	}
	for _, p := range f.profiles.All() {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			described := doc.Webhooks[p.Name].Post
			content, ok := described.RequestBody.Content[p.ContentType]
			if !ok || described.Responses["default"] == nil {
				t.Fatalf("the document says %+v", described)
			}
			schema := compile(t, content.Schema)
			if err := validate(schema, content.Example); err != nil {
				t.Errorf("the example: %v", err)
			}
			if err := validate(schema, []byte(`{"nonsense":1}`)); err == nil && p.Name != "cloudevents" { // whose body is the data
				t.Error("anything passes")
			}
			for _, data := range []string{`{"FolderName":"a","n":19.90}`, `{}`} {
				request := built(t, p, data)
				if err := validate(schema, request.Body); err != nil {
					t.Errorf("%s: %v", request.Body, err)
				}
				for _, parameter := range described.Parameters {
					if parameter.Required && request.Header.Get(parameter.Name) == "" {
						t.Errorf("the header %s is missing", parameter.Name)
					}
				}
				for name := range request.Header {
					if name != "Content-Type" && !described.has(name) {
						t.Errorf("the header %s isn't described", name)
					}
				}
			}
		})
	}
	old := f.get("", "/openapi-3.0.json").want(http.StatusOK)
	if strings.Contains(string(old.Body), `"webhooks":`) {
		t.Error("the 3.0 document has webhooks")
	}
}

// TestWebhooks_Generated: the types that a generator makes of the document take every request whole.
func TestWebhooks_Generated(t *testing.T) {
	t.Parallel()
	types := map[string]any{
		"cloudevents":            new(map[string]any), // whose body is the data
		"cloudevents-structured": new(client.ReceiveCloudeventsStructuredApplicationCloudeventsPlusJSONBody),
		"coherent-spark":         new(client.ReceiveCoherentSparkJSONBody),
		"firespring":             new(client.ReceiveFirespringJSONBody),
		"sparkbox":               new(client.ReceiveSparkboxJSONBody),
		"sparkfly":               new(client.ReceiveSparkflyJSONBody),
		"standard-webhooks":      new(client.ReceiveStandardWebhooksJSONBody),
		"stashfin":               new(client.ReceiveStashfinJSONBody),
	}
	profiles, err := webhook.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range profiles.All() {
		body := built(t, p, `{"FolderName":"a","n":19.90}`).Body
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(types[p.Name]); err != nil {
			t.Errorf("%s: %v in %s", p.Name, err, body)
			continue
		}
		again, err := json.Marshal(types[p.Name])
		if err != nil {
			t.Fatal(err)
		}
		var want, got any
		if err := errors.Join(json.Unmarshal(body, &want), json.Unmarshal(again, &got)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %s is taken as %s (%v)", p.Name, body, again, err)
		}
	}
}

func compile(t *testing.T, document []byte) *jsonschema.Schema {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("urn:body", parsed); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("urn:body")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(schema *jsonschema.Schema, body []byte) error {
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(parsed)
}

// built is a request as the sender would make it, with a key where the profile has one.
func built(t *testing.T, p *webhook.Profile, data string) *webhook.Request {
	t.Helper()
	config := webhook.TargetConfig{
		Profile: p, EndpointID: domain.NewUUID().String(), URL: "https://receiver.example/", UserAgent: "Hooktrail/1",
		Auth: p.WithDefaults(webhook.Auth{Type: "api_key", In: "header", Value: "k"}),
	}
	if p.KeyGenerated {
		key, err := p.ParseKey(domain.NewUUID(), p.NewSigningKey())
		if err != nil {
			t.Fatal(err)
		}
		config.Keys = append(config.Keys, key)
	}
	if !p.AuthRequired() {
		config.Auth = webhook.Auth{}
	}
	target, err := webhook.NewTarget(config)
	if err != nil {
		t.Fatal(err)
	}
	request, err := target.Build(&webhook.Event{
		ID: "order-4711", InternalID: domain.NewUUID(), Sequence: 41, Tenant: "acme", Source: "/tenants/acme", Type: "AddProduct",
		Subject: "customer-17", SchemaVersion: "v1", OccurredAt: time.Now().UTC(), Data: []byte(data),
	}, webhook.Attempt{Number: 2, At: time.Now().UTC(), Test: true})
	if err != nil {
		t.Fatal(err)
	}
	return request
}
