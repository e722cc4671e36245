package schema

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/hooktrail/hooktrail/domain"
)

// documents are schemas to start from: those of the catalogues, and what the tests look at.
func documents(f *testing.F) []string {
	all := []string{
		`{"$ref":"#/$defs/a~1b%20","$defs":{"a/b ":{"$anchor":"m"}}}`,
		`{"$id":"urn:x","$ref":"urn:x#/a"}`,
		`{"$ref":"#"}`,
		`{"$anchor":""}`,
		`{"format":"date","minimum":1e400,"pattern":"(a{9}){9}"}`,
		`{"items":{"items":{"propertyNames":{"maxLength":1}}}}`,
		doubling(5),
		`{"unevaluatedProperties":false,"anyOf":[{"properties":{"a":true}},{"required":["b"]}],"uniqueItems":true}`,
		`{"oneOf":[{"const":1},{"enum":[1,"a"]}],"not":{"type":"string"},"if":{"type":"number"},"then":{"multipleOf":0.1}}`,
		`{"items":{"$ref":"#"},"contains":{"$ref":"#"},"prefixItems":[{"$ref":"#"}]}`,
		`{"":{},"~":1,"x-/":2}`,
		`{"const":{"$ref":"http://a/"}}`,
	}
	for _, name := range []string{"coherent-spark", "sparkbox", "sparkfly", "stashfin"} {
		for _, e := range catalogue(f, name)[:1] {
			all = append(all, string(e.Schema))
		}
	}
	return all
}

// FuzzCompile: every text is compiled or refused with places, within moments; and a schema breaks nothing by itself.
func FuzzCompile(f *testing.F) {
	for _, document := range documents(f) {
		f.Add([]byte(document))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		began := time.Now()
		s, err := Compile(document)
		var bad *DocumentError
		if err != nil {
			if !errors.As(err, &bad) || len(bad.Faults) == 0 || len(bad.Faults) > maxFaults ||
				strings.Contains(err.Error(), "library") {
				t.Fatalf("%q: %v", document, err)
			}
			checkPlaces(t, bad.Faults)
			return
		}
		s.violations([]byte(`{"a":[1,"a",null,{"a":1.5}],"b":{}}`))
		if changes := Breaks(s, s); len(changes) > 0 {
			t.Fatalf("%q breaks itself: %v", document, changes)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Fatalf("%q took %s", document, took)
		}
	})
}

func checkPlaces(t *testing.T, faults []Fault) {
	for _, f := range faults {
		if f.Text == "" || f.Pointer != "" && f.Pointer[0] != '/' || !utf8.ValidString(f.Pointer+f.Text) ||
			len(f.Pointer)+len(f.Text) > 2000 {
			t.Fatalf("%+v", f)
		}
	}
}

// FuzzSchema_Validate: whatever schema and data, the answer comes soon and is always the same.
func FuzzSchema_Validate(f *testing.F) {
	for _, document := range documents(f) {
		for _, data := range []string{`{"a":[1,"a",null,{"a":1.5}],"b":{}}`, `[[{"ab":1},{"c":2}],1e400,1e999999,-0]`, `"2026-11-25"`, `{`} {
			f.Add([]byte(document), []byte(data))
		}
	}
	f.Fuzz(func(t *testing.T, document, data []byte) {
		s, err := Compile(document)
		if err != nil || domain.CheckJSON("", data) != nil {
			return
		}
		began := time.Now()
		first := s.violations(data)
		if took := time.Since(began); took > 3*time.Second {
			t.Fatalf("%q with %q took %s", document, data, took)
		}
		if second := s.violations(data); len(first) > MaxViolations || !reflect.DeepEqual(first, second) {
			t.Fatalf("%q with %q gives %v, then %v", document, data, first, second)
		}
		for _, v := range first {
			checkPlaces(t, []Fault{Fault(v)})
		}
	})
}

// A schema can't read files, not even one beside the program.
func TestCompile_readsNoFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.json")
	if err := os.WriteFile(path, []byte(`true`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{path, "file://" + path, "a.json"} {
		for _, document := range []string{`{"$ref":"` + ref + `"}`, `{"$id":"file://` + path + `","items":{"$ref":"#x"}}`, `{"$schema":"file://` + path + `"}`} {
			if _, err := Compile([]byte(document)); err == nil {
				t.Errorf("%s compiles", document)
			}
		}
	}
}
