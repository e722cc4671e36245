package main

import (
	"fmt"
	"os"

	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/openapi"
)

type openapiCommand struct {
	Format string `name:"format" enum:"yaml,json,json30" default:"yaml" help:"yaml or json (OpenAPI 3.1), or json30 (3.0, for older tools)."`
	Output string `name:"output" type:"path" help:"Write to this file instead of standard output."`
}

// Run needs no server: the document is made from the operations themselves.
func (c openapiCommand) Run(p process) error {
	profiles, err := webhook.Embedded()
	if err != nil {
		return err
	}
	webhooks, err := webhooksOf(profiles)
	if err != nil {
		return err
	}
	document, err := openapi.NewDocument(version, webhooks)
	if err != nil {
		return err
	}
	write := document.YAML
	switch c.Format {
	case "json":
		write = document.JSON
	case "json30":
		write = document.JSON30
	}
	text, err := write()
	if err != nil {
		return err
	}
	if c.Output == "" {
		_, err = p.stdout.Write(text)
		return err
	}
	if err := os.WriteFile(c.Output, text, 0o644); err != nil { //nolint:gosec // a public document
		return fmt.Errorf("write the document: %w", err)
	}
	return nil
}
