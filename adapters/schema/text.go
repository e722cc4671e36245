package schema

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// add turns the library's tree of errors into findings. None of them repeats a value of the data.
func (f *firsts) add(e *jsonschema.ValidationError) {
	switch k := e.ErrorKind.(type) {
	case *kind.AnyOf:
		f.alternatives(e)
	case *kind.OneOf:
		if k.Subschemas == nil {
			f.alternatives(e)
			return
		}
		f.keep(e.InstanceLocation, func() string { return "must match only one of the alternatives, not several" })
	case *kind.Required:
		f.missing(e, k.Missing)
	case *kind.DependentRequired:
		f.missing(e, k.Missing)
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			f.keep(
				append(slices.Clone(e.InstanceLocation), name),
				func() string { return "isn't allowed here: the schema names all members" },
			)
		}
	case *kind.PropertyNames:
		f.keep(
			append(slices.Clone(e.InstanceLocation), k.Property),
			func() string { return "has a name that the schema doesn't allow" },
		)
	case *kind.Schema, *kind.Group, *kind.AllOf, *kind.Reference:
		for _, cause := range e.Causes {
			f.add(cause)
		}
	default:
		f.keep(e.InstanceLocation, func() string { return expectation(k) })
	}
}

func (f *firsts) missing(e *jsonschema.ValidationError, names []string) {
	for _, name := range names {
		f.keep(e.InstanceLocation, func() string { return "must have the member " + quoted(name) })
	}
}

// alternatives tells of the only alternative whose type fits, if there is one: what fails there is what was meant.
func (f *firsts) alternatives(e *jsonschema.ValidationError) {
	var fitting []*jsonschema.ValidationError
	for _, cause := range e.Causes {
		if !wrongType(cause, len(e.InstanceLocation)) {
			fitting = append(fitting, cause)
		}
	}
	if len(fitting) == 1 {
		f.add(fitting[0])
		return
	}
	f.keep(
		e.InstanceLocation,
		func() string { return fmt.Sprintf("must match one of the %d alternatives", len(e.Causes)) },
	)
}

// wrongType reports whether a value was refused for its type, at this depth.
func wrongType(e *jsonschema.ValidationError, depth int) bool {
	switch e.ErrorKind.(type) {
	case *kind.Type, *kind.FalseSchema:
		return len(e.InstanceLocation) == depth
	case *kind.Reference, *kind.Group, *kind.AllOf:
		return slices.ContainsFunc(e.Causes, func(c *jsonschema.ValidationError) bool { return wrongType(c, depth) })
	}
	return false
}

// expectation says what a schema wants.
func expectation(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Type:
		return "must be " + typeNames(k.Want)
	case *kind.Enum:
		return "must be " + values(k.Want)
	case *kind.Const:
		return "must be " + values([]any{k.Want})
	case *kind.Format:
		return "must have the format " + k.Want
	case *kind.Pattern:
		return "must match the pattern " + clip(k.Want, 100)
	case *kind.FalseSchema:
		return "isn't allowed here"
	case *kind.UniqueItems:
		return "must not contain duplicate elements"
	case *kind.Contains:
		return "must contain an element of the kind that the schema asks for"
	case *kind.Not:
		return "must not be of the kind that the schema excludes"
	}
	if text := bound(k); text != "" {
		return text
	}
	return "must conform to the schema"
}

func bound(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.MinLength:
		return fmt.Sprintf("must have at least %d characters", k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %d characters", k.Want)
	case *kind.MinItems:
		return fmt.Sprintf("must have at least %d elements", k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("must have at most %d elements", k.Want)
	case *kind.MinContains:
		return fmt.Sprintf("must contain at least %d elements of the kind that the schema asks for", k.Want)
	case *kind.MaxContains:
		return fmt.Sprintf("must contain at most %d elements of the kind that the schema asks for", k.Want)
	case *kind.MinProperties:
		return fmt.Sprintf("must have at least %d members", k.Want)
	case *kind.MaxProperties:
		return fmt.Sprintf("must have at most %d members", k.Want)
	case *kind.Minimum:
		return "must be at least " + decimal(k.Want)
	case *kind.Maximum:
		return "must be at most " + decimal(k.Want)
	case *kind.ExclusiveMinimum:
		return "must be more than " + decimal(k.Want)
	case *kind.ExclusiveMaximum:
		return "must be less than " + decimal(k.Want)
	case *kind.MultipleOf:
		return "must be a multiple of " + decimal(k.Want)
	}
	return ""
}

func typeNames(names []string) string {
	for i, name := range names {
		switch name {
		case "null":
		case "array", "integer", "object":
			names[i] = "an " + name
		default:
			names[i] = "a " + name
		}
	}
	return strings.Join(names, " or ")
}

// values are those of a schema, not of the data.
func values(allowed []any) string {
	texts := make([]string, 0, len(allowed))
	length := 0
	for _, v := range allowed {
		text, err := json.Marshal(v)
		if length += len(text); err != nil || length > 200 {
			return fmt.Sprintf("one of the %d values that the schema lists", len(allowed))
		}
		texts = append(texts, string(text))
	}
	if len(texts) == 1 {
		return texts[0]
	}
	return "one of " + strings.Join(texts, ", ")
}

// decimal writes a number of a schema: all have a finite decimal form.
func decimal(r *big.Rat) string {
	digits, _ := r.FloatPrec()
	return clip(r.FloatString(digits), 100)
}
