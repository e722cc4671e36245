package openapi

import (
	"encoding/json"
	"fmt"

	"github.com/danielgtaylor/huma/v2"
)

// Webhook describes the requests of one wire format, so that a receiver can generate its server from the document.
type Webhook struct {
	Name        string // the profile's
	Description string
	ContentType string
	Headers     []WebhookHeader
	BodySchema  json.RawMessage // JSON Schema 2020-12
	Body        string          // an example
	Answers     []WebhookAnswer
}

// WebhookHeader is one header of a request.
type WebhookHeader struct {
	Name     string
	Text     string
	Example  string
	Required bool // every request has it
}

// WebhookAnswer is what becomes of a delivery by the receiver's answer.
type WebhookAnswer struct {
	Status string // "200", "2XX" or "default"
	Text   string
}

// describeWebhooks puts the wire formats into the document.
func describeWebhooks(doc *huma.OpenAPI, webhooks []Webhook) error {
	if len(webhooks) == 0 {
		return nil
	}
	doc.Tags = append(doc.Tags,
		&huma.Tag{Name: "Webhooks", Description: "What receivers get, one entry for each wire format."})
	doc.Webhooks = make(map[string]*huma.PathItem, len(webhooks))
	for _, w := range webhooks {
		op, err := w.operation()
		if err != nil {
			return fmt.Errorf("describe the webhook %s: %w", w.Name, err)
		}
		doc.Webhooks[w.Name] = &huma.PathItem{Post: op}
	}
	return nil
}

func (w Webhook) operation() (*huma.Operation, error) {
	var schema map[string]any
	if err := json.Unmarshal(w.BodySchema, &schema); err != nil {
		return nil, fmt.Errorf("read the body's schema: %w", err)
	}
	delete(schema, "$schema") // OpenAPI's own dialect holds no less
	op := &huma.Operation{
		OperationID: "receive-" + w.Name, Summary: "Receive events in the format " + w.Name, Description: w.Description,
		Tags: []string{"Webhooks"}, Security: []map[string][]string{}, // the receiver's own affair
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			w.ContentType: {Schema: &huma.Schema{Extensions: schema}, Example: json.RawMessage(w.Body)},
		}},
		Responses: make(map[string]*huma.Response, len(w.Answers)),
	}
	for _, h := range w.Headers {
		parameter := &huma.Param{
			Name: h.Name, In: "header", Description: h.Text, Required: h.Required,
			Schema: &huma.Schema{Type: huma.TypeString},
		}
		if h.Example != "" {
			parameter.Example = h.Example
		}
		op.Parameters = append(op.Parameters, parameter)
	}
	for _, a := range w.Answers {
		op.Responses[a.Status] = &huma.Response{Description: a.Text}
	}
	return op, nil
}
