package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/hooktrail/hooktrail/adapters/schema"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi"
)

// schemasFor offers JSON Schema to the HTTP surface. Compiled schemas are kept, so that events cost no compilation.
func schemasFor(cache *schema.Cache) openapi.Schemas {
	return openapi.Schemas{
		Check: func(ctx context.Context, tenant domain.TenantID, document string) ([]openapi.Fault, error) {
			_, err := cache.Compile(ctx, string(tenant), []byte(document))
			var wrong *schema.DocumentError
			if errors.As(err, &wrong) {
				return documentFaults(wrong), nil
			}
			return nil, err
		},
		Validator: func(tenant domain.TenantID) openapi.Validator {
			session := cache.Session(string(tenant), schema.NewBudget(schema.RequestSteps))
			return func(ctx context.Context, document string, data []byte) ([]openapi.Fault, error) {
				found, err := session.Validate(ctx, document, data)
				if err != nil {
					return nil, fmt.Errorf("validate data: %w", err)
				}
				var faults []openapi.Fault
				for _, v := range found {
					faults = append(faults, openapi.Fault(v))
				}
				return faults, nil
			}
		},
		Breaks: func(ctx context.Context, tenant domain.TenantID, older, newer string) ([]openapi.Fault, error) {
			changes, err := cache.Breaks(ctx, string(tenant), []byte(older), []byte(newer))
			if err != nil {
				return nil, fmt.Errorf("compare schemas: %w", err)
			}
			var faults []openapi.Fault
			for _, change := range changes {
				faults = append(faults, openapi.Fault(change))
			}
			return faults, nil
		},
		Catalogue: readCatalogue,
	}
}

func readCatalogue(document []byte) ([]domain.EventTypeConfig, []openapi.Fault, error) {
	types, err := schema.ParseCatalogue(context.Background(), document, schema.NewBudget(schema.CatalogueSteps))
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
