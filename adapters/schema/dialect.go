package schema

import (
	"slices"
	"strings"
)

// dialect is a version of JSON Schema, by the address of its metaschema.
type dialect string

const (
	draft2020 dialect = "https://json-schema.org/draft/2020-12/schema"
	draft2019 dialect = "https://json-schema.org/draft/2019-09/schema"
	draft7    dialect = "http://json-schema.org/draft-07/schema"
)

func dialects() []dialect { return []dialect{draft2020, draft2019, draft7} }

// dialectOf is what $schema at the top names; 2020-12 if it isn't there.
func dialectOf(doc any) (dialect, error) {
	object, _ := doc.(map[string]any)
	text, ok := object["$schema"].(string)
	if !ok {
		return draft2020, nil // if it's there and no string, the metaschema says so
	}
	d := dialect(strings.TrimSuffix(text, "#"))
	if strings.HasSuffix(string(d), "//json-schema.org/draft-07/schema") {
		d = draft7 // is often written with https
	}
	if !slices.Contains(dialects(), d) {
		return "", &DocumentError{
			[]Fault{{Pointer: "/$schema", Text: "must be " + string(draft2020) + ", " + string(draft2019) + " or " +
				string(draft7) + "#"}},
		}
	}
	return d, nil
}

// holds is what a keyword's value is.
type holds uint8

const (
	aNote      holds = iota // a value that doesn't bear on validity, or an unknown keyword's
	aRule                   // a value that bears on validity
	aReference              // $ref, $anchor and $id
	aSchema
	schemas      // an array of them
	namedSchemas // an object of them
	items        // a schema, or an array of them before 2020-12
	dependencies // an object of schemas and arrays of names
	unavailable  // refused on purpose
)

// kindOf classifies a keyword. One that the dialect doesn't know is an annotation.
func (d dialect) kindOf(keyword string) holds {
	switch keyword {
	case "not", "if", "then", "else", "additionalProperties", "propertyNames", "contains":
		return aSchema
	case "allOf", "anyOf", "oneOf":
		return schemas
	case "properties", "patternProperties":
		return namedSchemas
	case "definitions", "$defs": // each is what a reference may lead into, whatever the dialect
		return namedSchemas
	case "items":
		return items
	case "dependencies": // kept in force since draft 7 for compatibility
		return dependencies
	case "type", "enum", "const", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
		"minLength", "maxLength", "pattern", "format", "minItems", "maxItems", "uniqueItems",
		"minProperties", "maxProperties", "required", "contentEncoding", "contentMediaType":
		return aRule
	case "$id", "$ref", "$schema":
		return aReference
	}
	if d == draft7 {
		if keyword == "additionalItems" {
			return aSchema
		}
		return aNote
	}
	switch keyword {
	case "unevaluatedProperties", "unevaluatedItems", "contentSchema":
		return aSchema
	case "dependentSchemas":
		return namedSchemas
	case "minContains", "maxContains", "dependentRequired":
		return aRule
	case "$anchor":
		return aReference
	case "$vocabulary":
		return aNote
	}
	switch {
	case d == draft2019 && keyword == "additionalItems":
		return aSchema
	case d == draft2020 && keyword == "prefixItems":
		return schemas
	case d == draft2019 && (keyword == "$recursiveRef" || keyword == "$recursiveAnchor"),
		d == draft2020 && (keyword == "$dynamicRef" || keyword == "$dynamicAnchor"):
		return unavailable
	}
	return aNote
}
