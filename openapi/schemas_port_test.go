package openapi_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/hooktrail/hooktrail/adapters/schema"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi"
)

// schemaPort offers JSON Schema as the program does.
func schemaPort() openapi.Schemas {
	cache := schema.NewCache()
	return openapi.Schemas{
		Check: func(ctx context.Context, tenant domain.TenantID, document string) ([]openapi.Fault, error) {
			_, err := cache.Compile(ctx, string(tenant), []byte(document))
			var wrong *schema.DocumentError
			if !errors.As(err, &wrong) {
				return nil, err
			}
			var faults []openapi.Fault
			for _, f := range wrong.Faults {
				faults = append(faults, openapi.Fault(f))
			}
			return faults, nil
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
			from, err := cache.Compile(ctx, string(tenant), []byte(older))
			if err != nil {
				return nil, err
			}
			to, err := cache.Compile(ctx, string(tenant), []byte(newer))
			if err != nil {
				return nil, err
			}
			var faults []openapi.Fault
			for _, change := range schema.Breaks(from, to) {
				faults = append(faults, openapi.Fault(change))
			}
			return faults, nil
		},
		Catalogue: func(document []byte) ([]domain.EventTypeConfig, []openapi.Fault, error) {
			types, err := schema.ParseCatalogue(context.Background(), document, schema.NewBudget(schema.CatalogueSteps))
			var wrong *schema.DocumentError
			if errors.As(err, &wrong) {
				var faults []openapi.Fault
				for _, f := range wrong.Faults {
					faults = append(faults, openapi.Fault(f))
				}
				return nil, faults, nil
			}
			var configs []domain.EventTypeConfig
			for _, t := range types {
				config := domain.EventTypeConfig{
					Name: t.Name, Description: t.Description, SchemaVersion: t.Version, Schema: string(t.Schema), Deprecated: t.Deprecated,
				}
				for _, example := range t.Examples {
					config.Examples = append(config.Examples, string(example))
				}
				configs = append(configs, config)
			}
			return configs, nil, err
		},
	}
}
