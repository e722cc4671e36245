package main

import (
	"fmt"
	"strings"

	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/openapi"
)

// webhooksOf describes the newest version of each profile that the program brings along.
func webhooksOf(profiles *webhook.Profiles) ([]openapi.Webhook, error) {
	var list []openapi.Webhook
	for _, p := range profiles.All() {
		if profiles.Named(p.Name) != p {
			continue
		}
		d, err := p.Describe(webhook.Sample{})
		if err != nil {
			return nil, fmt.Errorf("describe the profile %s: %w", p.Name, err)
		}
		list = append(list, webhookOf(d))
	}
	return list, nil
}

func webhookOf(d webhook.Description) openapi.Webhook {
	text := []string{d.Text, "Transport: " + d.Transport + ". A complete answer within " + d.Timeout + " counts."}
	w := openapi.Webhook{Name: d.Name, ContentType: d.ContentType, BodySchema: d.BodySchema, Body: d.Body}
	for _, h := range d.Headers {
		switch {
		case h.Prefix: // no parameter has a name that is open
			text = append(text, "`"+h.Name+"…`: "+h.Text)
		case h.Name != "content-type": // OpenAPI says it elsewhere
			w.Headers = append(
				w.Headers,
				openapi.WebhookHeader{Name: h.Name, Text: h.Text, Example: h.Example, Required: h.Required},
			)
		}
	}
	for _, a := range d.Answers {
		w.Answers = append(w.Answers, openapi.WebhookAnswer(a))
	}
	w.Description = strings.Join(text, "\n\n")
	return w
}
