package domain_test

import (
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

func TestEventType_Register(t *testing.T) {
	t.Parallel()
	config := exampleEventType()
	registered, err := domain.RegisterEventType(config)
	if err != nil || registered.EventType.Schema != config.Schema {
		t.Fatalf("%+v, %v", registered, err)
	}
	d := domain.EventTypeDefinition{EventTypeConfig: config}
	changed := config
	changed.Name, changed.SchemaVersion = "other.name", "v3"
	if updated, err := d.Update(changed); err != nil || updated.EventType.Name != config.Name || updated.EventType.SchemaVersion != "v3" {
		t.Errorf("the name must stay: %+v, %v", updated, err)
	}
	for field, change := range map[string]func(*domain.EventTypeConfig){
		"name":        func(c *domain.EventTypeConfig) { c.Name = "hooktrail.endpoint.disabled" },
		"version":     func(c *domain.EventTypeConfig) { c.SchemaVersion = "" },
		"description": func(c *domain.EventTypeConfig) { c.Description = "a\x00b" },
		"deprecated":  func(c *domain.EventTypeConfig) { c.Deprecated = strings.Repeat("x", 5000) },
		"schema":      func(c *domain.EventTypeConfig) { c.Schema = `{"a":1,"a":2}` },
		"examples[1]": func(c *domain.EventTypeConfig) { c.Examples = []string{"1", "{"} },
		"examples[2]": func(c *domain.EventTypeConfig) {
			long := `"` + strings.Repeat("x", 40<<10) + `"`
			c.Examples = []string{"1", long, long}
		},
		"examples": func(c *domain.EventTypeConfig) { c.Examples = make([]string, 21) },
	} {
		wrong := config
		change(&wrong)
		_, err := domain.RegisterEventType(wrong)
		wrongField(t, err, field)
	}
}
