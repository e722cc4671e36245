package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/hooktrail/hooktrail/adapters/schema"
	"github.com/hooktrail/hooktrail/domain"
)

type eventTypesCommand struct {
	Import     eventTypesImportCommand     `cmd:"" help:"Register the event types of a catalogue, all or none."`
	Export     eventTypesExportCommand     `cmd:"" help:"Print a tenant's event types as a catalogue."`
	Catalogues eventTypesCataloguesCommand `cmd:"" help:"List the catalogues that the program brings along, or print one."`
}

type eventTypesImportCommand struct {
	API       apiFlags `embed:""`
	Tenant    string   `name:"tenant" default:"default" help:"Whose event types."`
	Reason    string   `name:"reason" help:"Why, for the log."`
	Catalogue string   `arg:"" help:"A file, or the name of a catalogue that the program brings along."`
}

// Run sends the document as it is, so that schemas and examples keep their bytes.
func (c eventTypesImportCommand) Run(ctx context.Context, p process) error {
	document, err := catalogue(c.Catalogue)
	if err != nil {
		return err
	}
	client, err := c.API.client()
	if err != nil {
		return err
	}
	path := "/v1/tenants/" + c.Tenant + "/event-types/import"
	if c.Reason != "" {
		path += "?reason=" + url.QueryEscape(c.Reason)
	}
	resp, err := client.send(ctx, "POST", path, bytes.NewReader(document))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return problemOf(resp)
	}
	var done struct{ Created, Changed, Unchanged []string }
	if err := json.NewDecoder(resp.Body).Decode(&done); err != nil {
		return fmt.Errorf("decode the answer: %w", err)
	}
	_, err = fmt.Fprintf(
		p.stdout,
		"%d created, %d changed, %d unchanged\n",
		len(done.Created),
		len(done.Changed),
		len(done.Unchanged),
	)
	return err
}

// catalogue reads a file or, where there is none of that name, one of the program's own catalogues.
func catalogue(name string) ([]byte, error) {
	document, err := os.ReadFile(name)
	if !errors.Is(err, os.ErrNotExist) {
		return document, err
	}
	document, embedded := schema.Catalogue(name)
	if errors.Is(embedded, domain.ErrNotFound) {
		names, err := schema.Catalogues()
		if err != nil {
			return nil, err
		}
		return nil, usagef("%s is neither a file nor one of the program's catalogues (%s)", name, strings.Join(names, ", "))
	}
	return document, embedded
}

type eventTypesExportCommand struct {
	API    apiFlags `embed:""`
	Tenant string   `name:"tenant" default:"default" help:"Whose event types."`
}

// Run prints the types in their newest versions. Each member is copied as the server sent it.
func (c eventTypesExportCommand) Run(ctx context.Context, p process) error {
	client, err := c.API.client()
	if err != nil {
		return err
	}
	text := []byte(`{"event_types":[`)
	separator := "\n"
	cursor := ""
	for {
		var page struct {
			Items []map[string]json.RawMessage
			Next  *string
		}
		if err := client.call(ctx, "GET", "/v1/tenants/"+c.Tenant+"/event-types?limit=1000"+cursor, nil, &page); err != nil {
			return err
		}
		for _, item := range page.Items {
			text = appendCatalogued(append(text, separator...), item)
			separator = ",\n"
		}
		if page.Next == nil {
			_, err = p.stdout.Write(append(text, "\n]}\n"...))
			return err
		}
		cursor = "&cursor=" + *page.Next
	}
}

// appendCatalogued writes an event type as a catalogue has it. One without a schema allows any data.
func appendCatalogued(b []byte, item map[string]json.RawMessage) []byte {
	if item["schema"] == nil {
		item["schema"] = json.RawMessage("true")
	}
	separator := byte('{')
	for _, name := range []string{"name", "version", "description", "deprecated", "schema", "examples"} {
		if raw := item[name]; raw != nil {
			b = append(b, separator)
			b = append(b, `"`+name+`":`...)
			b = append(b, raw...)
			separator = ','
		}
	}
	return append(b, '}')
}

type eventTypesCataloguesCommand struct {
	Name string `arg:"" optional:"" help:"The catalogue to print."`
}

// Run needs no server.
func (c eventTypesCataloguesCommand) Run(p process) error {
	if c.Name == "" {
		names, err := schema.Catalogues()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(p.stdout, strings.Join(names, "\n"))
		return err
	}
	document, err := schema.Catalogue(c.Name)
	if err != nil {
		return err
	}
	_, err = p.stdout.Write(document)
	return err
}
