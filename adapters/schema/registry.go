package schema

import (
	"context"
	"errors"
	"fmt"

	"github.com/hooktrail/hooktrail/domain"
)

// Check returns where a document isn't a schema that this package accepts; nothing: it is one. Accepted schemas are
// kept compiled.
func (c *Cache) Check(ctx context.Context, tenant domain.TenantID, document string) ([]domain.Fault, error) {
	_, err := c.Compile(ctx, string(tenant), []byte(document))
	var wrong *DocumentError
	if errors.As(err, &wrong) {
		return wrong.Faults, nil
	}
	return nil, err
}

// Validator begins a session of a tenant's with the budget of one request.
func (c *Cache) Validator(tenant domain.TenantID) domain.Validator {
	session := c.Session(string(tenant), NewBudget(RequestSteps))
	return func(ctx context.Context, document string, data []byte) ([]domain.Fault, error) {
		found, err := session.Validate(ctx, document, data)
		if err != nil {
			return nil, fmt.Errorf("validate data: %w", err)
		}
		faults := make([]domain.Fault, len(found))
		for i, v := range found {
			faults[i] = domain.Fault(v)
		}
		return faults, nil
	}
}

// Catalogue reads a catalogue as ParseCatalogue does, or returns where it is wrong. It takes one of the tenant's slots.
func (c *Cache) Catalogue(
	ctx context.Context,
	tenant domain.TenantID,
	document []byte,
) ([]domain.EventTypeConfig, []domain.Fault, error) {
	release, err := c.acquire(ctx, string(tenant))
	if err != nil {
		return nil, nil, err
	}
	defer release()
	types, err := ParseCatalogue(ctx, document, NewBudget(CatalogueSteps))
	var wrong *DocumentError
	if errors.As(err, &wrong) {
		return nil, wrong.Faults, nil
	}
	configs := make([]domain.EventTypeConfig, len(types))
	for i, t := range types {
		configs[i] = domain.EventTypeConfig{
			Name: t.Name, Description: t.Description, SchemaVersion: t.Version, Schema: string(t.Schema),
			Deprecated: t.Deprecated,
		}
		for _, example := range t.Examples {
			configs[i].Examples = append(configs[i].Examples, string(example))
		}
	}
	return configs, nil, err
}
