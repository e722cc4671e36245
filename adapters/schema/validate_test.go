package schema

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Each rule says where and what it wants, and nothing of what it got.
func TestSchema_Validate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		schema, data string
		want         []string
	}{
		{`true`, `{"a":[1,null]}`, nil},
		{`false`, `1`, []string{" isn't allowed here"}},
		{`{"type":"string"}`, `99`, []string{" must be a string"}},
		{`{"type":["object","null"]}`, `99`, []string{" must be null or an object"}},
		{`{"type":"integer"}`, `1.0`, nil},
		{`{"type":"integer"}`, `99.5`, []string{" must be an integer"}},
		{`{"const":{"a":[1]}}`, `{"a":[99]}`, []string{` must be {"a":[1]}`}},
		{`{"const":1}`, `1.00`, nil},
		{`{"const":1}`, `1.0000000000000000000001`, []string{" must be 1"}},
		{`{"enum":["open",2,null]}`, `"secret"`, []string{` must be one of "open", 2, null`}},
		{`{"enum":["` + strings.Repeat("x", 200) + `",1]}`, `99`, []string{" must be one of the 2 values that the schema lists"}},
		{`{"minimum":9007199254740993}`, `9007199254740992`, []string{" must be at least 9007199254740993"}},
		{`{"maximum":0.1}`, `0.10000000000000000001`, []string{" must be at most 0.1"}},
		{`{"exclusiveMinimum":-1e-3}`, `-0.001`, []string{" must be more than -0.001"}},
		{`{"exclusiveMaximum":1e2}`, `100`, []string{" must be less than 100"}},
		{`{"multipleOf":0.01}`, `19.90`, nil},
		{`{"multipleOf":0.01}`, `19.905`, []string{" must be a multiple of 0.01"}},
		{`{"minLength":2,"maxLength":2}`, `"äö"`, nil},
		{`{"minLength":7}`, `"secret"`, []string{" must have at least 7 characters"}},
		{`{"maxLength":5}`, `"secret"`, []string{" must have at most 5 characters"}},
		{`{"pattern":"^[A-Z]{3}$"}`, `"secret"`, []string{" must match the pattern ^[A-Z]{3}$"}},
		{`{"format":"date-time"}`, `"2026-11-25T08:30:00Z"`, nil},
		{`{"format":"date-time"}`, `"secret"`, []string{" must have the format date-time"}},
		{`{"minItems":3}`, `[99]`, []string{" must have at least 3 elements"}},
		{`{"maxItems":1}`, `[99,99]`, []string{" must have at most 1 elements"}},
		{`{"uniqueItems":true}`, `[99,9.9e1]`, []string{" must not contain duplicate elements"}},
		{`{"contains":{"const":1}}`, `[99]`, []string{" must contain an element of the kind that the schema asks for"}},
		{`{"contains":{"const":1},"minContains":2}`, `[1]`, []string{" must contain at least 2 elements of the kind that the schema asks for"}},
		{`{"contains":{"const":1},"maxContains":1}`, `[1,1]`, []string{" must contain at most 1 elements of the kind that the schema asks for"}},
		{`{"prefixItems":[true,{"type":"null"}],"items":{"type":"null"}}`, `[99,99,99]`, []string{"/1 must be null", "/2 must be null"}},
		{`{"unevaluatedItems":false,"prefixItems":[true]}`, `[1,99]`, []string{"/1 isn't allowed here"}},
		{`{"minProperties":1}`, `{}`, []string{" must have at least 1 members"}},
		{`{"maxProperties":1}`, `{"a":99,"b":99}`, []string{" must have at most 1 members"}},
		{`{"required":["a","b"]}`, `{"c":99}`, []string{` must have the member "a"`, ` must have the member "b"`}},
		{`{"dependentRequired":{"a":["b"]}}`, `{"a":99}`, []string{` must have the member "b"`}},
		{`{"dependentSchemas":{"a":{"required":["b"]}}}`, `{"a":99}`, []string{` must have the member "b"`}},
		{`{"properties":{"a/b~":{"properties":{"":{"type":"null"}}}}}`, `{"a/b~":{"":99}}`, []string{"/a~1b~0/ must be null"}},
		{`{"patternProperties":{"^x":{"type":"null"}}}`, `{"xa":99,"b":99}`, []string{"/xa must be null"}},
		{`{"properties":{"a":true},"additionalProperties":false}`, `{"a":99,"c":99,"b":99}`, []string{
			"/b isn't allowed here: the schema names all members", "/c isn't allowed here: the schema names all members",
		}},
		{`{"unevaluatedProperties":false,"allOf":[{"properties":{"a":true}}]}`, `{"a":99,"b":99}`, []string{"/b isn't allowed here"}},
		{`{"items":{"items":{"propertyNames":{"maxLength":1}}}}`, `[[{"ab":99},{"c":99},{"d":99}]]`, []string{"/0/0/ab has a name that the schema doesn't allow"}},
		{`{"not":{"type":"string"}}`, `"secret"`, []string{" must not be of the kind that the schema excludes"}},
		{`{"if":{"type":"string"},"then":{"minLength":7},"else":{"minimum":100}}`, `"secret"`, []string{" must have at least 7 characters"}},
		{`{"if":{"type":"string"},"then":{"minLength":7},"else":{"minimum":100}}`, `99`, []string{" must be at least 100"}},
		{`{"allOf":[{"minimum":100},{"multipleOf":2}]}`, `99`, []string{" must be a multiple of 2", " must be at least 100"}},
		{`{"anyOf":[{"type":"null"},{"$ref":"#/$defs/a"}],"$defs":{"a":{"type":"object","properties":{"b":{"minimum":100}}}}}`, `{"b":99}`, []string{"/b must be at least 100"}},
		{`{"anyOf":[{"type":"null"},{"type":"string"}]}`, `99`, []string{" must match one of the 2 alternatives"}},
		{`{"oneOf":[{"minimum":1},{"minimum":2}]}`, `99`, []string{" must match only one of the alternatives, not several"}},
		{`{"oneOf":[{"minimum":100},{"minimum":200}]}`, `99`, []string{" must match one of the 2 alternatives"}},
		{`{"items":{"minimum":1e400}}`, `[1e-401,{"a":1e401}]`, []string{"/0 " + numberTooLarge, "/1/a " + numberTooLarge}},
		{`true`, `{"a":`, []string{" must be JSON"}},
		{`true`, `1 2`, []string{" must be JSON"}},
	} {
		var have []string
		for _, v := range compile(t, c.schema).violations([]byte(c.data)) {
			have = append(have, v.Pointer+" "+v.Text)
			if strings.Contains(v.Text, "99") && !strings.Contains(c.schema, "99") || strings.Contains(v.Text, "secret") {
				t.Errorf("%s with %s repeats the value: %s", c.schema, c.data, v.Text)
			}
		}
		if !slices.Equal(have, c.want) {
			t.Errorf("%.100s with %s\ngives %q\nwant  %q", c.schema, c.data, have, c.want)
		}
	}
}

// Of many violations the first are named, always the same ones, by place.
func TestSchema_Validate_order(t *testing.T) {
	t.Parallel()
	s := compile(t, `{"additionalProperties":{"items":{"type":"string"}}}`)
	var members []string
	for i := range 30 {
		members = append(members, fmt.Sprintf(`"m%02d":[%s0]`, i, strings.Repeat("0,", 11)))
	}
	data := []byte("{" + strings.Join(members, ",") + "}")
	for range 20 {
		found := s.violations(data)
		if len(found) != MaxViolations {
			t.Fatalf("%d violations", len(found))
		}
		for i, v := range found {
			if want := fmt.Sprintf("/m%02d/%d", i/12, i%12); v.Pointer != want {
				t.Fatalf("violation %d is at %s, not %s", i, v.Pointer, want)
			}
		}
	}
}

func TestSchema_Validate_longNames(t *testing.T) {
	t.Parallel()
	found := compile(t, `{"additionalProperties":false}`).violations([]byte(`{"` + strings.Repeat("ä", 5000) + `":1}`))
	if len(found) != 1 || len(found[0].Pointer) > maxPointerBytes+4 || !strings.HasSuffix(found[0].Pointer, "ä…") {
		t.Errorf("%.600v", found)
	}
}

// Data of the largest size that is made of ordinary events stays far within the bounds.
func TestSchema_Validate_largeData(t *testing.T) {
	t.Parallel()
	e := catalogue(t, "sparkbox")[0]
	n := domain.MaxDataBytes / (len(e.Examples[0]) + 1)
	data := []byte("[" + strings.Repeat(string(e.Examples[0])+",", n-1) + string(e.Examples[0]) + "]")
	if found := compile(t, string(e.Schema)).violations(data); found != nil {
		t.Errorf("%d models: %v", n, found)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if b := (counter{left: maxSteps / 10}); !b.eval(compile(t, string(e.Schema)).root, v) {
		t.Errorf("%d models take more than a tenth of the steps", n)
	}
}
