package schema

import (
	"slices"
	"strings"
	"testing"
)

func TestBreaks(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		old, new string
		want     []string
	}{
		// Nothing breaks.
		{`{"type":"object","properties":{"a":true}}`, `{"type":"object","properties":{"a":true,"b":{"type":"string"}}}`, nil},
		{`{"type":"object"}`, `{"type":"object","required":["a"],"additionalProperties":false}`, nil},
		{`{"type":"number"}`, `{"type":"integer"}`, nil},
		{`{"type":["string","null"]}`, `{"type":"string","minLength":1}`, nil},
		{`{"enum":["a","b"]}`, `{"enum":["b"]}`, nil},
		{`{"enum":["a",1,null]}`, `{"const":1.0}`, nil},
		{`{"minimum":0,"exclusiveMaximum":10,"multipleOf":0.5}`, `{"exclusiveMinimum":0,"exclusiveMaximum":9,"multipleOf":1.5}`, nil},
		{`{"type":"string","minimum":1}`, `{"type":"string"}`, nil},
		{`{"format":"date"}`, `{"type":"integer"}`, nil},
		{`{"items":{"type":"number"}}`, `{"prefixItems":[{"const":1}],"items":{"type":"integer"}}`, nil},
		{`{"properties":{"a":{"$ref":"#/$defs/x"}},"$defs":{"x":{"type":"string"}}}`, `{"properties":{"a":{"type":"string"}}}`, nil},
		{`{"$ref":"#/$defs/x","$defs":{"x":{"items":{"$ref":"#"}}}}`, `{"items":{"$ref":"#"}}`, nil},
		{`{"title":"a","$comment":"b","x-c":1}`, `{"title":"d","deprecated":true}`, nil},
		{`{"oneOf":[{"required":["a"]},{"required":["b"]}]}`, `{"oneOf":[{"required":["a"]},{"required":["b"]}],"type":"object"}`, nil},
		{`{"not":{"type":"string"}}`, `{"not":{"type":"string"},"minimum":1}`, nil},
		{`{"additionalProperties":{"type":"number"}}`, `{"properties":{"a":{"type":"integer"}},"additionalProperties":false}`, nil},
		{`{"patternProperties":{"^x-":{"type":"number"}},"additionalProperties":false}`, `{"properties":{"x-a":{"const":1}},"patternProperties":{"^x-":{"type":"integer"}},"additionalProperties":false}`, nil},
		{`true`, `{"type":"string"}`, nil},
		{`{"type":"string"}`, `false`, nil},

		// Nothing breaks, but the comparison is too coarse to tell.
		{`{"type":"string","maxLength":3}`, `{"enum":["a","abc"]}`, []string{"/maxLength is dropped or loosened"}},
		{`{"multipleOf":0.5}`, `{"type":["integer","null"]}`, []string{"/multipleOf is dropped or loosened"}},
		{`{"items":{"type":"number"}}`, `{"prefixItems":[{"const":1}],"maxItems":1}`, []string{"/items/type is widened: the new schema also allows null, boolean, object, array, string"}},
		{`{"uniqueItems":true}`, `{"maxItems":1}`, []string{"/uniqueItems is dropped or changed"}},
		{`{"anyOf":[{"type":"null"},{"type":"string"}]}`, `{"type":["string","null"]}`, []string{"/anyOf " + changed}},
		{`{"anyOf":[{"type":"null"},{"type":"string"},{"type":"array"}]}`, `{"oneOf":[{"type":"array"},{"const":null}]}`, []string{"/anyOf " + changed}},
		{`{"if":{"type":"string"},"then":{"minLength":1}}`, `{"if":{"type":"string"},"then":{"minLength":2}}`, []string{"/if " + changed}},
		{`{"contains":{"type":"number"}}`, `{"contains":{"type":"integer"},"minContains":2}`, []string{"/contains " + changed}},
		{`{"propertyNames":{"maxLength":5}}`, `{"propertyNames":{"maxLength":4}}`, []string{"/propertyNames " + changed}},
		{`{"exclusiveMaximum":10}`, `{"maximum":9}`, []string{"/exclusiveMaximum is dropped or loosened"}},
		{`{"dependentRequired":{"a":["b"]}}`, `{"required":["b"]}`, []string{"/dependentRequired is dropped or changed"}},

		// Members.
		{`{"properties":{"a":true,"b":{"type":"string"}}}`, `{"properties":{"a":true}}`, []string{"/properties/b is removed"}},
		{`{"properties":{"a":{}}}`, `{"properties":{"a":false}}`, []string{"/properties/a is removed"}},
		{`{"required":["a","b"]}`, `{"required":["b"]}`, []string{`/required/0 is dropped: the member "a" may be missing`}},
		{`{"dependentRequired":{"a":["b"]}}`, `{}`, []string{"/dependentRequired is dropped or changed"}},
		{`{"dependentSchemas":{"a":{"minProperties":2}}}`, `{"dependentSchemas":{"a":{"minProperties":1}}}`, []string{"/dependentSchemas " + changed}},
		{`{"properties":{"a":{"type":"object","properties":{"b/c":{"type":"integer"}}}}}`, `{"properties":{"a":{"type":"object","properties":{"b/c":{"type":"number"}}}}}`, []string{
			"/properties/a/properties/b~1c/type is widened: the new schema also allows numbers with a fraction",
		}},
		{`{"additionalProperties":false}`, `{}`, []string{"/additionalProperties is opened: the new schema allows members that the old one doesn't name"}},
		{`{"additionalProperties":false}`, `{"additionalProperties":true}`, []string{"/additionalProperties doesn't allow what the new schema has as further members"}},
		{`{"additionalProperties":false}`, `{"properties":{"a":{}},"additionalProperties":false}`, []string{`/additionalProperties doesn't allow what the new schema has as the member "a"`}},
		{`{"additionalProperties":false}`, `{"patternProperties":{"a":{}},"additionalProperties":false}`, []string{`/additionalProperties doesn't allow what the new schema has as members by a pattern`}},
		{`{"patternProperties":{"^a":{"type":"string"}}}`, `{"patternProperties":{"^ab":{"type":"string"}}}`, []string{"/patternProperties/^a is removed, or its pattern changed"}},
		{`{"propertyNames":{"pattern":"a"}}`, `{}`, []string{"/propertyNames " + changed}},
		{`{"unevaluatedProperties":false,"$ref":"#/$defs/a","$defs":{"a":{"properties":{"a":{}}}}}`, `{"unevaluatedProperties":false,"$ref":"#/$defs/a","$defs":{"a":{"properties":{"a":{},"b":{}}}}}`, []string{
			" " + changed + " (what is unevaluated depends on the whole)",
		}},

		// Values.
		{`{"type":"string"}`, `{}`, []string{"/type is widened: the new schema also allows null, boolean, object, array, number"}},
		{`{"type":"string"}`, `true`, []string{"/type is widened: the new schema also allows null, boolean, object, array, number"}},
		{`{"enum":["a","b"]}`, `{"enum":["b","c","d"]}`, []string{"/enum doesn't allow 2 of the values that the new schema lists"}},
		{`{"enum":["a","b"]}`, `{"type":"string"}`, []string{"/enum is dropped: the new schema doesn't list its values"}},
		{`{"const":"a"}`, `{"const":"b"}`, []string{"/const doesn't allow 1 of the values that the new schema lists"}},
		{`{"type":"number","minimum":0,"maximum":10,"multipleOf":2}`, `{"type":"number","minimum":-1,"maximum":10.5,"multipleOf":3}`, []string{"/maximum is dropped or loosened", "/minimum is dropped or loosened", "/multipleOf is dropped or loosened"}},
		{`{"multipleOf":0.5}`, `{"type":["number","null"]}`, []string{"/multipleOf is dropped or loosened"}},
		{`{"exclusiveMinimum":0}`, `{"minimum":0}`, []string{"/exclusiveMinimum is dropped or loosened"}},
		{`{"minLength":1,"maxLength":2}`, `{"maxLength":3}`, []string{"/maxLength is dropped or loosened", "/minLength is dropped or loosened"}},
		{`{"pattern":"^a","format":"uuid"}`, `{"pattern":"^b"}`, []string{"/format is dropped or changed", "/pattern is dropped or changed"}},
		{`{"contentEncoding":"base64"}`, `{}`, []string{"/contentEncoding is dropped or changed"}},
		{`false`, `{}`, []string{" allows nothing, but the new schema does"}},

		// Elements.
		{`{"minItems":2,"maxItems":3,"uniqueItems":true}`, `{"minItems":1}`, []string{"/maxItems is dropped or loosened", "/minItems is dropped or loosened", "/uniqueItems is dropped or changed"}},
		{`{"items":{"type":"integer"}}`, `{"items":{"type":["integer","null"]}}`, []string{"/items/type is widened: the new schema also allows null"}},
		{`{"items":{"type":"integer"}}`, `{"prefixItems":[{"type":"string"}],"items":{"type":"integer"}}`, []string{"/items/type is widened: the new schema also allows string"}},
		{`{"prefixItems":[{"type":"string"}]}`, `{"items":{"type":"null"}}`, []string{"/prefixItems/0/type is widened: the new schema also allows null"}},
		{`{"contains":{"type":"integer"}}`, `{"contains":{"type":"number"}}`, []string{"/contains " + changed}},
		{`{"contains":{"type":"integer"},"maxContains":1}`, `{"contains":{"const":1},"maxContains":1}`, []string{"/contains " + changed}},
		{`{"contains":{"type":"integer"},"minContains":2}`, `{"contains":{"type":"integer"}}`, []string{"/contains " + changed}},

		// Alternatives.
		{`{"anyOf":[{"type":"null"},{"type":"string"}]}`, `{"anyOf":[{"type":"null"},{"type":["string","boolean"]}]}`, []string{"/anyOf " + changed}},
		{`{"anyOf":[{"type":"null"},{"type":"string"}]}`, `{"anyOf":[{"type":"null"},{"type":"string"},{"type":"array"}]}`, []string{"/anyOf " + changed}},
		{`{"allOf":[{"minimum":1},{"maximum":2}]}`, `{"minimum":1}`, []string{"/allOf/1/maximum is dropped or loosened"}},
		{`{"oneOf":[{"minimum":1},{"maximum":2}]}`, `{"oneOf":[{"minimum":1},{"maximum":1}]}`, []string{"/oneOf " + changed}},
		{`{"not":{"type":"string"}}`, `{"not":{"type":"string","minLength":1}}`, []string{"/not " + changed}},
		{`{"if":{"minimum":1},"then":{"maximum":5}}`, `{"if":{"minimum":2},"then":{"maximum":5}}`, []string{"/if " + changed}},
		{`{"if":{"type":"string"},"else":{"minimum":1}}`, `{"if":{"type":"string"},"else":{"minimum":0}}`, []string{"/if " + changed}},
		{`{"if":{"type":"string"},"else":{"type":"string"}}`, `{"if":{"type":"string"},"then":{"minLength":1}}`, []string{"/if " + changed}},
		{
			`{"oneOf":[{"required":["k"],"properties":{"k":{"const":1}}},{"required":["k"],"properties":{"k":{"const":2}}}]}`,
			`{"type":"string"}`,
			[]string{"/oneOf " + changed},
		},
		{`{"properties":{"a":{"$ref":"#/$defs/x"},"b":{"$ref":"#/$defs/x"}},"$defs":{"x":{"minimum":2}}}`, `{"properties":{"a":{"minimum":2},"b":{"minimum":1}}}`, []string{"/$defs/x/minimum is dropped or loosened"}},
	} {
		var have []string
		for _, change := range Breaks(compile(t, c.old), compile(t, c.new)) {
			have = append(have, change.Pointer+" "+change.Text)
		}
		if !slices.Equal(have, c.want) {
			t.Errorf(
				"%s\n  then %s\ngives %s\nwant  %s",
				c.old,
				c.new,
				strings.Join(have, "\n      "),
				strings.Join(c.want, "\n      "),
			)
		}
	}
}

// Alternatives are compared as a whole: one that became narrower is called breaking too, and the answer says so.
func TestBreaks_alternatives(t *testing.T) {
	t.Parallel()
	kind := func(name, rule string) string {
		return `{"type":"object","required":["kind","value"],"properties":{"kind":{"const":"` + name + `"},"value":` + rule + `}}`
	}
	for _, keyword := range []string{"anyOf", "oneOf"} {
		document := func(rule string) *Schema {
			return compile(
				t,
				`{"`+keyword+`":[`+kind("a", `{"type":"number"}`)+`,`+kind("b", rule)+`],"properties":{"kind":true}}`,
			)
		}
		if changes := Breaks(document(`{"type":"string"}`), document(`{"type":"string","title":"b"}`)); len(changes) > 0 {
			t.Errorf("a title breaks: %v", changes)
		}
		for _, rule := range []string{`{"type":"array"}`, `{"type":"string","minLength":1}`} {
			changes := Breaks(document(`{"type":"string"}`), document(rule))
			if len(changes) != 1 || changes[0].Pointer != "/"+keyword ||
				!strings.Contains(changes[0].Text, "a new version overrides that") {
				t.Errorf("%s gives %v", rule, changes)
			}
		}
	}
}
