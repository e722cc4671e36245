package schema

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

func compile(tb testing.TB, document string) *Schema {
	tb.Helper()
	s, err := Compile([]byte(document))
	if err != nil {
		tb.Fatalf("%.200s is refused: %v", document, err)
	}
	return s
}

func TestCompile_refused(t *testing.T) {
	t.Parallel()
	for document, want := range map[string][]string{
		``:                     {" is not JSON that every parser reads alike: the JSON text ends too early at byte 0"},
		`{"type":1,"type":2}`:  {" is not JSON that every parser reads alike: duplicate member name at byte 10"},
		"{\"title\":\"\xff\"}": {" is not JSON that every parser reads alike: a string isn't UTF-8 at byte 10"},
		strings.Repeat(" ", MaxSchemaBytes) + `{}`: {" has more than 65536 bytes"},
		`1`: {" must be a boolean or an object"},
		`{"$schema":"http://json-schema.org/draft-04/schema#"}`: {
			"/$schema must be https://json-schema.org/draft/2020-12/schema, https://json-schema.org/draft/2019-09/schema or " +
				"http://json-schema.org/draft-07/schema#",
		},
		`{"items":{"$schema":"https://json-schema.org/draft/2019-09/schema"}}`: {
			"/items/$schema must be the dialect of the whole: a schema is one document in one dialect",
		},
		`{"type":"text","properties":{"a":{"minLength":-1},"b":{"required":"c"}},"items":[]}`: {
			"/items must be a boolean or an object", "/properties/a/minLength must be at least 0",
			"/properties/a/minLength must be a whole number from 0 to 2147483647", "/properties/b/required must be an array",
			`/type must be one of "array", "boolean", "integer", "null", "number", "object", "string"`,
		},
		`{"$dynamicRef":"#a"}`: {"/$dynamicRef isn't available: where it leads depends on who asks; write $ref"},
		`{"$ref":"https://example.com/a.json","items":{"$ref":"file:///etc/passwd"},"contains":{"$ref":"other.json#/a"}}`: {
			`/$ref leads to no schema of this document; it begins with "#", as in "#/$defs/money"`,
			`/contains/$ref leads to no schema of this document; it begins with "#", as in "#/$defs/money"`,
			`/items/$ref leads to no schema of this document; it begins with "#", as in "#/$defs/money"`,
		},
		`{"$ref":"#/examples/0","examples":[true]}`: {`/$ref leads to no schema of this document; it begins with "#", as in "#/$defs/money"`},
		`{"$ref":"#/$defs/b","$defs":{"a":true}}`:   {`/$ref leads to no schema of this document; it begins with "#", as in "#/$defs/money"`},
		`{"$ref":"#"}`: {" leads back to itself without going into the value"},
		`{"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/b"}]},"b":{"not":{"$ref":"#/$defs/a"}}}}`: {
			"/$defs/a leads back to itself without going into the value",
		},
		`{"$defs":{"a":{"$anchor":"x"},"b":{"$anchor":"x"}}}`: {"/$defs/b/$anchor is a duplicate"},
		`{"pattern":"(?=a)","properties":{"a":{"pattern":"("},"b":{"pattern":"(a{30}){30}"}},"patternProperties":{"\\1":true}}`: {
			"/pattern is not a regular expression that runs in linear time (no look-around, no back-references)",
			`/patternProperties/\1 is not a regular expression that runs in linear time (no look-around, no back-references)`,
			"/properties/a/pattern is not a regular expression that runs in linear time (no look-around, no back-references)",
			"/properties/b/pattern is too large a regular expression: repetitions count as often as they repeat",
		},
		`{"pattern":"` + strings.Repeat("a", 1001) + `"}`: {"/pattern has more than 1000 bytes"},
		`{"minimum":1e401,"enum":[[{"a":` + strings.Repeat("1", 101) + `}]]}`: {
			"/enum/0/0/a " + numberTooLarge, "/minimum " + numberTooLarge,
		},
		`{"maxItems":2147483648,"minItems":1.5}`: {
			"/maxItems must be a whole number from 0 to 2147483647", "/minItems must be an integer", "/minItems must be a whole number from 0 to 2147483647",
		},
		`{"multipleOf":0}`: {"/multipleOf must be more than 0"},
		`{"properties":{"` + strings.Repeat("n", 257) + `":true}}`: {"/properties/" + strings.Repeat("n", 257) + " has a name of more than 256 bytes"},
		`{"anyOf":[` + strings.Repeat("true,", 2000) + `true]}`:    {" has more than 2000 subschemas"},
		doubling(10): {"/$defs/d0 tries more than 1000 subschemas on one value"},
	} {
		_, err := Compile([]byte(document))
		var bad *DocumentError
		if !errors.As(err, &bad) {
			t.Errorf("%.100s\ngives %v", document, err)
			continue
		}
		var have []string
		for _, f := range bad.Faults {
			have = append(have, f.Pointer+" "+f.Text)
		}
		if !slices.Equal(have, want) {
			t.Errorf("%.100s\ngives %s\nwant  %s", document, strings.Join(have, "\n      "), strings.Join(want, "\n      "))
		}
	}
}

// doubling tries a subschema 2^n times on each value.
func doubling(n int) string {
	s := fmt.Sprintf(`{"$defs":{"d%d":{}`, n)
	for i := range n {
		s += fmt.Sprintf(`,"d%d":{"allOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]}`, i, i+1, i+1)
	}
	return s + "}}"
}

func TestCompile_accepted(t *testing.T) {
	t.Parallel()
	for _, document := range []string{
		`true`, `false`, `{}`, doubling(7),
		`{"$schema":"https://json-schema.org/draft/2020-12/schema#","$id":"https://example.com/a","$comment":"x"}`,
		`{"$id":"https://json-schema.org/draft/2020-12/schema","$ref":"#/$defs/a","$defs":{"a":true}}`,
		`{"properties":{"a":{"$ref":"#"},"b":{"$ref":"#m"},"c":{"$ref":"#/$defs/a~1b%20%25"}},"$defs":{"a/b %":{"$anchor":"m"}}}`,
		`{"title":"t","description":"d","default":1,"examples":[1],"deprecated":true,"readOnly":true,"writeOnly":true,"x-a":{"type":"?"}}`,
		`{"contentEncoding":"base64","contentMediaType":"application/json","contentSchema":{"type":"object"}}`,
		`{"minLength":1.0,"maxLength":1e2}`, `{"minimum":-1.5e-400,"const":1e400,"enum":[]}`,
		`{"requierd":["a"],"x-owner":"pricing","properties":{"requierd":{"example":1}},"format":"money"}`,
		`{"$schema":"http://json-schema.org/draft-07/schema#","definitions":{"a":{"$id":"#b"}},"items":[{"$ref":"#b"}],"additionalItems":false}`,
		`{"$schema":"https://json-schema.org/draft/2019-09/schema","dependentSchemas":{"a":{"$ref":"#/$defs/b"}},"$defs":{"b":true}}`,
		`{"$id":"https://a.example/b","items":{"$ref":"c"},"$defs":{"d":{"$id":"c","type":"null"}}}`,
		`{"then":{"$ref":"#/else"},"else":{"minimum":1}}`,
	} {
		compile(t, document)
	}
}

// A document has no second life: nothing of what was compiled depends on the caller's bytes.
func TestCompile_keepsNoBytes(t *testing.T) {
	t.Parallel()
	document := []byte(`{"const":"abc"}`)
	s, err := Compile(document)
	if err != nil {
		t.Fatal(err)
	}
	copy(document, `{"const":"xyz"}`)
	if found := s.violations([]byte(`"abc"`)); found != nil {
		t.Error(found)
	}
}

func TestSchema_Validate_concurrently(t *testing.T) {
	t.Parallel()
	s := compile(t, `{"propertyNames":{"pattern":"^[a-z]$"},"additionalProperties":{"type":"integer"}}`)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if found := s.violations(
					[]byte(`{"a":1,"b":"x","A":2}`),
				); len(found) != 2 || found[0].Pointer != "/A" ||
					found[1].Pointer != "/b" {
					t.Errorf("%v", found)
				}
			}
		})
	}
	wg.Wait()
}

// violations validates with a budget of its own.
func (s *Schema) violations(data []byte) []Violation {
	found, err := s.Validate(context.Background(), data, NewBudget(maxSteps))
	if err != nil {
		panic(err) // a context that never ends has no error
	}
	return found
}
