// Package guide writes integration guides: one HTML page that tells a receiver's developer everything about one type of
// event in one wire format, with programs that verify it. All of it is generated from the profile's own description, so
// an operator's format gets the same page as those that the program brings along.
//
// # Decisions
//
// A page is self-contained and has no script: it can be saved, printed, and served under a strict policy. Rejected:
// tabs and highlighting, which need scripts. Consequence: its one style is named in [Policy] by its hash.
//
// The programs are whole receivers, not fragments, because tests run them against requests that are really built.
package guide

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/domain"
)

//go:embed page.html.tmpl style.css
var pages embed.FS

//go:embed style.css
var style string

// Guide is what a page is about.
type Guide struct {
	Profile       *webhook.Profile
	Type          string // of the event
	Description   string // of the type; "": none
	SchemaVersion string // "": "v1"
	Schema        []byte // of the data, JSON Schema; nil: none is known
	Example       []byte // data that fits the schema; nil: made up

	// Of one endpoint; all of them may be empty, for any endpoint of the profile.
	EndpointID string
	URL        string // shown as it is: redact it first
	Success    webhook.Statuses
	Timeout    time.Duration
	Retry      domain.Schedule

	// Events is where this server answers for the tenant's events, such as
	// "https://hooktrail.example/v1/tenants/acme/events"; "": a placeholder is shown instead of the server.
	Events string
}

// Policy is the Content-Security-Policy under which a page works: its own style, and nothing else.
func Policy() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// page is what the template knows.
type page struct {
	Type, Text, URL, EndpointID string
	D                           webhook.Description
	Receivers                   bool // whether there are programs that receive
	Keyed                       bool
	KeyHeader                   string
	Body, Data                  []member
	BodySchema, DataSchema      string
	Fetch, Ownership, Digest    string
	Snippets                    []Snippet
}

// Write writes a page. An example that the format can't carry is refused with a *webhook.RefusedError; then nothing is
// written.
func Write(w io.Writer, g Guide) error {
	d, err := g.Profile.Describe(webhook.Sample{
		EndpointID: g.EndpointID, Type: g.Type, SchemaVersion: g.SchemaVersion, Data: g.Example,
		Success: g.Success, Timeout: g.Timeout, Retry: g.Retry,
	})
	if err != nil {
		return fmt.Errorf("describe the profile %s: %w", g.Profile.Name, err)
	}
	status := g.status()
	snippets, err := Snippets(d, status)
	if err != nil {
		return err
	}
	v := newVerification(d, status)
	parsed, err := template.New("page.html.tmpl").Funcs(template.FuncMap{"add": func(a, b int) int {
		return a +
			b
	}}).ParseFS(pages, "page.html.tmpl", "style.css")
	if err != nil {
		return fmt.Errorf("parse the guide's page: %w", err)
	}
	p := page{
		Type: g.Type, Text: g.Description, URL: g.URL, EndpointID: g.EndpointID, D: d,
		Receivers: v.can("go"), Keyed: v.Keyed, KeyHeader: v.KeyHeader, Body: members(d.BodySchema), Data: members(g.Schema),
		BodySchema: indented(d.BodySchema), DataSchema: indented(g.Schema), Fetch: g.fetch(d), Ownership: g.ownership(),
		Digest: g.Profile.Digest, Snippets: snippets,
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, p); err != nil {
		return fmt.Errorf("write the guide to %s: %w", g.Profile.Name, err)
	}
	_, err = out.WriteTo(w)
	return err
}

// status is what the programs answer: without a body if that is a success, else the first success.
func (g Guide) status() int {
	success := g.Success
	if success == (webhook.Statuses{}) {
		success = g.Profile.Success()
	}
	const noContent = 204
	for status := 200; !success.Has(noContent) && status < 300; status++ {
		if success.Has(status) {
			return status
		}
	}
	return noContent
}

// fetch is the address by which the example's event could be fetched.
func (g Guide) fetch(d webhook.Description) string {
	if !d.Identity.Number {
		return ""
	}
	events := g.Events
	if events == "" {
		events = "https://HOOKTRAIL/v1/tenants/TENANT/events"
	}
	return shellQuote(strings.TrimSuffix(events, "/") + "/by-sequence/4711")
}

// ownership is an ownership check as it would arrive.
func (g Guide) ownership() string {
	id := g.EndpointID
	if id == "" {
		id = "01939f2d-51c0-7b1a-8f3e-6a5b4c3d2e1f"
	}
	return fmt.Sprintf(`{"type":%q,"endpoint_id":%q,"challenge":"Zm9yIHRyeWluZyBvbmx5LCBub2JvZHkgaXMgYXNrZWQ"}`,
		webhook.OwnershipCheckType, id)
}
