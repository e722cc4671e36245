package openapi_test

import (
	"bufio"
	"maps"
	"net/http"
	"net/textproto"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/domain"
)

// scenario is one example of a scenario of CloudEvents' conformance suite: an HTTP request, and the event that it is.
type scenario struct {
	name, request, data string
	attributes          map[string]string
}

// scenarios reads the suite's outlines, as far as Gherkin is needed for them: a table of examples each, whose values
// take the places of <contentType>.
func scenarios(t *testing.T, path string) (all []scenario) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, outline := range strings.Split(string(text), "Scenario Outline:")[1:] {
		body, examples, ok := strings.Cut(outline, "Examples:")
		parts := strings.Split(body, `"""`)
		if !ok || len(parts) != 5 {
			t.Fatalf("not an outline with a request, attributes, data and examples: %s", outline)
		}
		name, _, _ := strings.Cut(strings.TrimSpace(outline), "\n")
		for _, row := range rows(examples)[1:] {
			fill := func(s string) string { return strings.ReplaceAll(s, "<contentType>", row[0]) }
			s := scenario{name: fill(name), request: fill(dedent(parts[1])), data: dedent(parts[3]), attributes: make(map[string]string)}
			for _, pair := range rows(parts[2])[1:] {
				s.attributes[pair[0]] = fill(pair[1])
			}
			all = append(all, s)
		}
	}
	return all
}

// rows reads a table.
func rows(text string) (all [][]string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "|") {
			var cells []string
			for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
				cells = append(cells, strings.TrimSpace(cell))
			}
			all = append(all, cells)
		}
	}
	return all
}

// dedent takes the indentation of a text's first line off all of them.
func dedent(text string) string {
	text = strings.Trim(text, "\n")
	indent := text[:len(text)-len(strings.TrimLeft(text, " "))]
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], indent)
	}
	return strings.TrimRight(strings.Join(lines, "\n"), " \n")
}

// TestCloudEvents_conformance: what the suite's requests are read as goes out again with the same attributes and data.
func TestCloudEvents_conformance(t *testing.T) {
	t.Parallel()
	profiles, err := webhook.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	all := scenarios(t, "testdata/cloudevents/http-protocol-binding.feature")
	if len(all) != 4 {
		t.Fatalf("%d scenarios, want 4", len(all))
	}
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			head, body, _ := strings.Cut(s.request, "\n\n")
			_, fields, _ := strings.Cut(head, "\n") // the path is ours
			header, err := textproto.NewReader(bufio.NewReader(strings.NewReader(fields + "\n\n"))).ReadMIMEHeader()
			if err != nil {
				t.Fatal(err)
			}
			header.Del("Content-Length")
			var pairs []string
			for name := range maps.Keys(header) {
				pairs = append(pairs, name, header.Get(name))
			}
			f.post(f.operator, "/v1/tenants/acme/events", body, pairs...).want(http.StatusCreated)

			read := f.get(f.operator, "/v1/tenants/acme/events/"+s.attributes["id"]+"?source="+s.attributes["source"]).want(http.StatusOK)
			for attribute, member := range map[string]string{
				"id": "id", "source": "source", "type": "type", "datacontenttype": "datacontenttype",
			} {
				if got := read.text(member); got != s.attributes[attribute] {
					t.Errorf("%s reads back as %q, want %q", attribute, got, s.attributes[attribute])
				}
			}
			var want any
			answer{t: t, Body: []byte(s.data)}.into(&want)
			if diff := cmp.Diff(want, read.value("data")); diff != "" {
				t.Errorf("the data: %s", diff)
			}

			at := domain.Sequence(read.number("sequence"))
			to := at + 1
			entries, err := domain.Select(t.Context(), f.log, domain.Query{Tenant: "acme", From: &at, To: &to, Limit: 1})
			if err != nil {
				t.Fatal(err)
			}
			fact := entries[0].Fact.(*domain.EventAppended)
			sent, err := profiles.Named("cloudevents-structured").Body("e", &webhook.Event{
				ID: fact.Event.ID, Tenant: "acme", Source: fact.Event.Source, Type: string(fact.Event.Type), Subject: fact.Event.Subject,
				OccurredAt: fact.Event.OccurredAt, DataContentType: fact.Event.DataContentType, Data: fact.Data,
			}, webhook.Attempt{})
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]any
			answer{t: t, Body: sent}.into(&got)
			data := got["data"]
			delete(got, "data")
			attributes := make(map[string]any)
			for name, value := range s.attributes {
				attributes[name] = value
			}
			if diff := cmp.Diff(attributes, got) + cmp.Diff(want, data); diff != "" {
				t.Errorf("what is sent: %s", diff)
			}
		})
	}
}
