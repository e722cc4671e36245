package schema

import (
	"encoding/json"
	"maps"
	"testing"

	"pgregory.net/rapid"
)

// If nothing breaks, what is valid under the new schema is valid under the old one.
func TestBreaks_isSound(t *testing.T) {
	t.Parallel()
	pool := instances()
	silent, telling := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		oldDoc := drawDocument(t)
		newDoc := drawDocument(t)
		if rapid.IntRange(0, 4).Draw(t, "mutated") > 0 {
			newDoc = mutated(t, oldDoc)
		}
		old, new := compiled(t, oldDoc), compiled(t, newDoc)
		if old == nil || new == nil || len(Breaks(old, new)) > 0 {
			return
		}
		silent++
		for _, data := range pool {
			if len(new.violations(data)) > 0 {
				continue
			}
			telling++
			if found := old.violations(data); len(found) > 0 {
				t.Fatalf(
					"nothing breaks, but %s is valid only under the new schema: %v\nold %s\nnew %s",
					data,
					found,
					text(oldDoc),
					text(newDoc),
				)
			}
		}
	})
	if silent == 0 || telling == 0 {
		t.Fatalf("%d pairs without a break, %d values valid under both: the test shows nothing", silent, telling)
	}
	t.Logf("%d pairs without a break, %d values", silent, telling)
}

// A schema breaks nothing for those who read by it.
func TestBreaks_nothingByItself(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		doc := drawDocument(t)
		s, twin := compiled(t, doc), compiled(t, doc)
		if s == nil {
			return
		}
		if changes := Breaks(s, twin); len(changes) > 0 {
			t.Fatalf("%s breaks itself: %v", text(doc), changes)
		}
	})
}

// compiled is nil for schemas that are refused, such as those that refer in a circle.
func compiled(t *rapid.T, doc any) *Schema {
	s, err := Compile(text(doc))
	if err != nil {
		if _, ok := err.(*DocumentError); !ok { //nolint:errorlint // must be that very type
			t.Fatal(err)
		}
		return nil
	}
	return s
}

func text(doc any) []byte {
	b, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return b
}

func drawDocument(t *rapid.T) any {
	doc := drawSchema(t, 3)
	if object, ok := doc.(map[string]any); ok && rapid.Bool().Draw(t, "defs") {
		object["$defs"] = map[string]any{"x": drawSchema(t, 2), "y": drawSchema(t, 2)}
	}
	return doc
}

func drawSchema(t *rapid.T, depth int) any {
	if depth == 0 || rapid.IntRange(0, 9).Draw(t, "plain") == 0 {
		return rapid.SampledFrom([]any{
			true, false,
			map[string]any{},
			map[string]any{"type": "string"},
			map[string]any{"type": "integer"},
			map[string]any{"const": 1},
			map[string]any{"type": []any{"null", "number"}},
			map[string]any{"enum": []any{"a", 1, nil}},
			map[string]any{"minimum": 1},
			map[string]any{"$ref": "#/$defs/x"},
			map[string]any{"$ref": "#"},
			map[string]any{"format": "date"},
		}).Draw(t, "leaf")
	}
	s := map[string]any{}
	for range rapid.IntRange(1, 3).Draw(t, "keywords") {
		addKeyword(t, s, depth)
	}
	return s
}

func addKeyword(t *rapid.T, s map[string]any, depth int) {
	sub := func() any { return drawSchema(t, depth-1) }
	list := func() []any {
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) any { return drawSchema(t, depth-1) }), 1, 3).Draw(t, "list")
	}
	name := func() string { return rapid.SampledFrom([]string{"a", "b", "ab"}).Draw(t, "name") }
	names := func() []any { return []any{name()} }
	small := func() any { return rapid.IntRange(0, 2).Draw(t, "small") }
	keyword := rapid.SampledFrom([]string{
		"type",
		"enum",
		"const",
		"minimum",
		"exclusiveMinimum",
		"maximum",
		"exclusiveMaximum",
		"multipleOf",
		"minLength",
		"maxLength",
		"pattern",
		"format",
		"minItems",
		"maxItems",
		"uniqueItems",
		"minContains",
		"maxContains",
		"minProperties",
		"maxProperties",
		"required",
		"dependentRequired",
		"dependentSchemas",
		"properties",
		"properties",
		"properties",
		"patternProperties",
		"additionalProperties",
		"additionalProperties",
		"propertyNames",
		"unevaluatedProperties",
		"items",
		"items",
		"prefixItems",
		"contains",
		"unevaluatedItems",
		"allOf",
		"anyOf",
		"anyOf",
		"oneOf",
		"not",
		"if",
		"$ref",
	}).Draw(t, "keyword")
	switch keyword {
	case "type":
		s[keyword] = rapid.SampledFrom([]any{"object", "array", "string", "number", "integer", []any{"object", "null"}, []any{"string", "array"}}).
			Draw(t, "type")
	case "enum":
		s[keyword] = rapid.SliceOfN(rapid.SampledFrom(scalars()), 1, 4).Draw(t, "values")
	case "const":
		s[keyword] = rapid.SampledFrom(scalars()).Draw(t, "value")
	case "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum":
		s[keyword] = rapid.SampledFrom([]any{0, 1, 1.5, 2}).Draw(t, "bound")
	case "multipleOf":
		s[keyword] = rapid.SampledFrom([]any{1, 2, 0.5, 1.5}).Draw(t, "factor")
	case "pattern":
		s[keyword] = rapid.SampledFrom([]any{"a", "^a$", "b"}).Draw(t, "pattern")
	case "format":
		s[keyword] = rapid.SampledFrom([]any{"date", "uuid"}).Draw(t, "format")
	case "uniqueItems":
		s[keyword] = true
	case "required":
		s[keyword] = names()
	case "dependentRequired":
		s[keyword] = map[string]any{name(): names()}
	case "properties", "dependentSchemas":
		s[keyword] = map[string]any{name(): sub(), name(): sub()}
	case "patternProperties":
		s[keyword] = map[string]any{rapid.SampledFrom([]string{"a", "^b"}).Draw(t, "names"): sub()}
	case "additionalProperties", "propertyNames", "unevaluatedProperties", "items", "unevaluatedItems", "not", "contains":
		s[keyword] = sub()
	case "allOf", "anyOf", "oneOf", "prefixItems":
		s[keyword] = list()
	case "if":
		s["if"], s["then"], s["else"] = sub(), sub(), sub()
	case "$ref":
		s[keyword] = rapid.SampledFrom([]any{"#", "#/$defs/x", "#/$defs/y"}).Draw(t, "ref")
	default:
		s[keyword] = small()
	}
}

// mutated changes a schema a little, somewhere.
func mutated(t *rapid.T, doc any) any {
	object, ok := doc.(map[string]any)
	if !ok || len(object) == 0 || rapid.IntRange(0, 3).Draw(t, "here") == 0 {
		if !ok || rapid.IntRange(0, 5).Draw(t, "replaced") == 0 {
			return drawSchema(t, 2)
		}
		object = maps.Clone(object)
		if len(object) > 0 && rapid.Bool().Draw(t, "dropped") {
			delete(object, rapid.SampledFrom(sortedKeys(object)).Draw(t, "keyword"))
			return object
		}
		addKeyword(t, object, 2)
		return object
	}
	object = maps.Clone(object)
	keyword := rapid.SampledFrom(sortedKeys(object)).Draw(t, "keyword")
	switch draft2020.kindOf(keyword) { //exhaustive:ignore
	case aSchema:
		object[keyword] = mutated(t, object[keyword])
	case schemas:
		list := append([]any{}, object[keyword].([]any)...)
		i := rapid.IntRange(0, len(list)-1).Draw(t, "i")
		list[i] = mutated(t, list[i])
		object[keyword] = list
	case namedSchemas:
		named := maps.Clone(object[keyword].(map[string]any))
		name := rapid.SampledFrom(sortedKeys(named)).Draw(t, "name")
		named[name] = mutated(t, named[name])
		object[keyword] = named
	default:
		addKeyword(t, object, 1)
	}
	return object
}

func scalars() []any { return []any{nil, true, 0, 1, 1.5, 2, "", "a", "b", "ab", "2026-11-25"} }

// instances are all scalars, arrays and objects of few of them, and some that go deeper.
func instances() [][]byte {
	var values []any
	add := func(v any) { values = append(values, v) }
	few := []any{nil, 1, 1.5, "a", "b", map[string]any{"a": 1}, []any{"a"}}
	for _, v := range scalars() {
		add(v)
	}
	add([]any{})
	add(map[string]any{})
	for _, v := range append(scalars(), few...) {
		add([]any{v})
		for _, name := range []string{"a", "b", "ab", "c"} {
			add(map[string]any{name: v})
		}
	}
	for _, v := range few {
		for _, w := range few {
			add([]any{v, w})
			add(map[string]any{"a": v, "b": w})
			add(map[string]any{"ab": v, "c": w})
			add(map[string]any{"a": map[string]any{"a": v, "b": w}})
			add([]any{v, w, v})
		}
	}
	data := make([][]byte, len(values))
	for i, v := range values {
		data[i] = text(v)
	}
	return data
}
