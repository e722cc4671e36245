package domain

import "fmt"

// EventTypeConfig is what a tenant says about the events of one type, at one version of its stream. Whether schema and
// examples fit together is checked by the caller, who has a JSON Schema implementation.
type EventTypeConfig struct {
	Name        EventType `json:"name"`
	Description string    `json:"description,omitempty"`
	// SchemaVersion is what the schema is called, such as "v1": the default of the type's events. A schema of an
	// earlier version remains in force for events that name it.
	SchemaVersion string `json:"schema_version"`
	// Schema is JSON Schema, and Examples are JSON: texts, since JSON within JSON wouldn't keep its bytes.
	Schema     string   `json:"schema,omitempty"` // none: any data
	Examples   []string `json:"examples,omitempty"`
	Deprecated string   `json:"deprecated,omitempty"` // why, and what to use instead; empty: it isn't
}

// Bounds of an event type.
const (
	MaxSchemaBytes  = 64 << 10
	maxExamples     = 20
	maxExampleBytes = 64 << 10 // of all examples together: every node holds them in memory
	maxDescription  = 4096
)

// EventTypeDefinition is an event type at one version of its stream.
type EventTypeDefinition struct {
	ID      UUID // of its stream
	Tenant  TenantID
	Version int
	Deleted bool // its content was destroyed; nothing else ends a type
	EventTypeConfig
}

// RegisterEventType decides on a new type.
func RegisterEventType(config EventTypeConfig) (*EventTypeRegistered, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	return &EventTypeRegistered{config}, nil
}

// Update decides on a changed definition; the name stays.
func (d EventTypeDefinition) Update(config EventTypeConfig) (*EventTypeUpdated, error) {
	config.Name = d.Name
	if err := config.validate(); err != nil {
		return nil, err
	}
	return &EventTypeUpdated{config}, nil
}

func (c EventTypeConfig) validate() error {
	if err := c.Name.Validate("name"); err != nil {
		return err
	}
	if err := ValidateText("version", c.SchemaVersion, 1, 64); err != nil {
		return err
	}
	if err := ValidateProse("description", c.Description, maxDescription); err != nil {
		return err
	}
	if err := ValidateProse("deprecated", c.Deprecated, maxDescription); err != nil {
		return err
	}
	switch {
	case len(c.Schema) > MaxSchemaBytes:
		return Invalid("schema", "must have at most %d bytes", MaxSchemaBytes)
	case len(c.Examples) > maxExamples:
		return Invalid("examples", "must have at most %d members", maxExamples)
	}
	if len(c.Schema) > 0 {
		if err := CheckJSON("schema", []byte(c.Schema)); err != nil {
			return err
		}
	}
	size := 0
	for i, example := range c.Examples {
		field := fmt.Sprintf("examples[%d]", i)
		if size += len(example); size > maxExampleBytes {
			return Invalid(field, "must have at most %d bytes together with the other examples", maxExampleBytes)
		}
		if err := CheckJSON(field, []byte(example)); err != nil {
			return err
		}
	}
	return nil
}
