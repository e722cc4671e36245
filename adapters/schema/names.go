package schema

import (
	"maps"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// subschemas are all that a compiled schema leads to; some may be nil.
func subschemas(s *jsonschema.Schema) []*jsonschema.Schema {
	list := []*jsonschema.Schema{
		s.Ref,
		s.Not,
		s.If,
		s.Then,
		s.Else,
		s.PropertyNames,
		s.UnevaluatedProperties,
		s.Contains,
		s.Items2020,
		s.UnevaluatedItems,
	}
	if additional, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
		list = append(list, additional)
	}
	for _, v := range []any{s.AdditionalItems, s.Items} {
		switch v := v.(type) {
		case *jsonschema.Schema:
			list = append(list, v)
		case []*jsonschema.Schema:
			list = append(list, v...)
		}
	}
	for _, v := range s.Dependencies {
		if sub, ok := v.(*jsonschema.Schema); ok {
			list = append(list, sub)
		}
	}
	list = slices.Concat(list, s.AllOf, s.AnyOf, s.OneOf, s.PrefixItems)
	list = slices.AppendSeq(list, maps.Values(s.Properties))
	list = slices.AppendSeq(list, maps.Values(s.PatternProperties))
	return slices.AppendSeq(list, maps.Values(s.DependentSchemas))
}

// nameRule is propertyNames. The library's own shares the place that it reports with whatever is looked at next.
type nameRule struct{ names *jsonschema.Schema }

// checkNames puts a nameRule where a compiled schema has propertyNames.
func checkNames(s *jsonschema.Schema) {
	if s.PropertyNames != nil {
		s.Extensions = append(s.Extensions, nameRule{s.PropertyNames})
		s.PropertyNames = nil
	}
}

// Validate implements jsonschema.SchemaExt.
func (r nameRule) Validate(ctx *jsonschema.ValidatorContext, v any) {
	object, _ := v.(map[string]any)
	for name := range object {
		if r.names.Validate(name) != nil {
			ctx.AddError(&kind.PropertyNames{Property: name})
		}
	}
}
