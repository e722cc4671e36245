package openapi

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// Document is the OpenAPI document of this program, without a server behind it.
type Document struct {
	openapi *huma.OpenAPI
}

// NewDocument makes the document. version is the program's: "1.2.3".
func NewDocument(version string, webhooks []Webhook) (Document, error) {
	s := &Server{Version: version, Webhooks: webhooks, Logger: slog.New(slog.DiscardHandler)}
	doc, err := registerAll(s, http.NewServeMux())
	if err != nil {
		return Document{}, err
	}
	return Document{doc}, nil
}

// YAML is the document in OpenAPI 3.1 as YAML: the contract.
func (d Document) YAML() ([]byte, error) { return d.openapi.YAML() }

// JSON is the document in OpenAPI 3.1 as JSON.
func (d Document) JSON() ([]byte, error) { return json.MarshalIndent(d.openapi, "", "  ") }

// JSON30 is the document in OpenAPI 3.0, for tools that know nothing newer.
func (d Document) JSON30() ([]byte, error) {
	older := *d.openapi
	older.Webhooks = nil // 3.0 has none
	text, err := older.Downgrade()
	if err != nil {
		return nil, fmt.Errorf("write the document in OpenAPI 3.0: %w", err)
	}
	var doc any
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("read the document in OpenAPI 3.0: %w", err)
	}
	return json.MarshalIndent(older30(doc), "", "  ")
}

// older30 takes out what 3.0 doesn't know and Huma leaves in.
func older30(v any) any {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "contentMediaType")
		if identifier, ok := v["identifier"]; ok && v["name"] == identifier {
			delete(v, "identifier") // of the license
		}
		if constant, ok := v["const"]; ok {
			delete(v, "const")
			v["enum"] = []any{constant}
		}
		for name, member := range v {
			v[name] = older30(member)
		}
	case []any:
		for i := range v {
			v[i] = older30(v[i])
		}
	}
	return v
}
