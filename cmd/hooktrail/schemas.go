package main

import (
	"errors"
	"fmt"

	"github.com/hooktrail/hooktrail/adapters/schema"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi"
)

// schemasFor offers JSON Schema to the HTTP surface. Compiled schemas are kept, so that events cost no compilation.
func schemasFor(cache *schema.Cache) openapi.Schemas {
	return openapi.Schemas{
		Check: func(document string) ([]openapi.Fault, error) {
			_, err := cache.Compile([]byte(document))
			var wrong *schema.DocumentError
			if errors.As(err, &wrong) {
				return documentFaults(wrong), nil
			}
			return nil, err
		},
		Validate: func(document string, data []byte) ([]openapi.Fault, error) {
			s, err := cache.Compile([]byte(document))
			if err != nil {
				return nil, fmt.Errorf("compile a schema that was registered: %w", err)
			}
			var faults []openapi.Fault
			for _, v := range s.Validate(data) {
				faults = append(faults, openapi.Fault(v))
			}
			return faults, nil
		},
		Breaks: func(older, newer string) ([]openapi.Fault, error) {
			from, err := cache.Compile([]byte(older))
			if err != nil {
				return nil, fmt.Errorf("compile a schema that was registered: %w", err)
			}
			to, err := cache.Compile([]byte(newer))
			if err != nil {
				return nil, fmt.Errorf("compile a schema that was checked: %w", err)
			}
			var faults []openapi.Fault
			for _, change := range schema.Breaks(from, to) {
				faults = append(faults, openapi.Fault(change))
			}
			return faults, nil
		},
		Catalogue: readCatalogue,
	}
}

func readCatalogue(document []byte) ([]domain.EventTypeConfig, []openapi.Fault, error) {
	types, err := schema.ParseCatalogue(document)
	var wrong *schema.DocumentError
	if errors.As(err, &wrong) {
		return nil, documentFaults(wrong), nil
	}
	configs := make([]domain.EventTypeConfig, len(types))
	for i, t := range types {
		configs[i] = domain.EventTypeConfig{
			Name: t.Name, Description: t.Description, SchemaVersion: t.Version, Schema: string(t.Schema), Deprecated: t.Deprecated,
		}
		for _, example := range t.Examples {
			configs[i].Examples = append(configs[i].Examples, string(example))
		}
	}
	return configs, nil, err
}

func documentFaults(err *schema.DocumentError) []openapi.Fault {
	faults := make([]openapi.Fault, len(err.Faults))
	for i, f := range err.Faults {
		faults[i] = openapi.Fault(f)
	}
	return faults
}
