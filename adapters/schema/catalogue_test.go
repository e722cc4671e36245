package schema

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// Every embedded catalogue is good, and shows what an event of each type looks like.
func TestCatalogues(t *testing.T) {
	t.Parallel()
	names, err := Catalogues()
	if err != nil || !slices.Equal(names, []string{"coherent-spark", "sparkbox", "sparkfly", "stashfin"}) {
		t.Fatal(names, err)
	}
	for _, name := range names {
		for _, e := range catalogue(t, name) {
			if len(e.Examples) == 0 || e.Description == "" || e.Version != "v1" || e.Deprecated != "" {
				t.Errorf(
					"%s: %s has %d examples, description %q, version %q",
					name,
					e.Name,
					len(e.Examples),
					e.Description,
					e.Version,
				)
			}
			if found := compile(t, string(e.Schema)).violations([]byte(`"no such data"`)); len(found) == 0 {
				t.Errorf("%s: the schema of %s accepts anything", name, e.Name)
			}
		}
	}
}

func catalogue(tb testing.TB, name string) []EventType {
	tb.Helper()
	document, err := Catalogue(name)
	if err != nil {
		tb.Fatal(err)
	}
	types, err := ParseCatalogue(tb.Context(), document, NewBudget(CatalogueSteps))
	if err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
	return types
}

// Profiles that list their vendor's event types have a catalogue with the same ones, in the same order.
func TestCatalogues_areThoseOfTheProfiles(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"coherent-spark", "sparkbox", "stashfin"} {
		document, err := os.ReadFile("../webhook/profiles/" + name + ".v1.json")
		if err != nil {
			t.Fatal(err)
		}
		var profile struct {
			EventTypes []domain.EventType `json:"event_types"`
		}
		if err := json.Unmarshal(document, &profile); err != nil || len(profile.EventTypes) == 0 {
			t.Fatal(profile, err)
		}
		var have []domain.EventType
		for _, e := range catalogue(t, name) {
			have = append(have, e.Name)
		}
		if !slices.Equal(have, profile.EventTypes) {
			t.Errorf("%s: the catalogue has\n%v\nthe profile\n%v", name, have, profile.EventTypes)
		}
	}
}

// A model is described by its 13 fields, and data is one of them or an array.
func TestCatalogues_sparkboxFields(t *testing.T) {
	t.Parallel()
	want := []string{
		"current_price", "department_desc", "division_desc", "end_date", "opt_price", "sku_desc", "sku_id", "start_date",
		"status", "taken", "units_to_md", "uuid", "wave_type",
	}
	for _, e := range catalogue(t, "sparkbox") {
		var s struct {
			Defs struct {
				Model struct{ Properties map[string]any }
			} `json:"$defs"`
		}
		if err := json.Unmarshal(e.Schema, &s); err != nil || !slices.Equal(sortedKeys(s.Defs.Model.Properties), want) {
			t.Errorf("%s has %v, %v", e.Name, sortedKeys(s.Defs.Model.Properties), err)
		}
		found := compile(
			t,
			string(e.Schema),
		).violations([]byte(`[{"uuid":"6f0c2f5e-9a1b-4a57-8f43-0d6f3f1b7c21","units_to_md":"12"}]`))
		if len(found) != 1 || found[0] != (Violation{"/0/units_to_md", "must be null or an integer"}) {
			t.Errorf("%s: a fault in an array gives %v", e.Name, found)
		}
	}
}

// coherent-spark's wire format makes text of six members, whose values must therefore be plain.
func TestCatalogues_coherentSparkMembers(t *testing.T) {
	t.Parallel()
	for _, e := range catalogue(t, "coherent-spark") {
		for _, name := range []string{"FolderName", "ServiceName", "EntityId", "AuditType", "FileName", "ServiceVersionId"} {
			if found := compile(
				t,
				string(e.Schema),
			).violations([]byte(`{"` + name + `":{}}`)); len(found) != 1 ||
				found[0].Pointer != "/"+name {
				t.Errorf("%s: an object as %s gives %v", e.Name, name, found)
			}
		}
	}
}

func TestCatalogue_unknown(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"firespring", "", "../catalogue", "sparkbox.json"} {
		if _, err := Catalogue(name); !errors.Is(err, domain.ErrNotFound) {
			t.Errorf("%q gives %v", name, err)
		}
	}
}

func TestParseCatalogue(t *testing.T) {
	t.Parallel()
	types, err := ParseCatalogue(t.Context(), []byte(` {"event_types": [
		{"name": "a.b", "version": "v1", "schema": {"minimum": 1.50}, "examples": [ 2.00 , "x"], "deprecated": "Use c.d."},
		{"name": "a.b", "version": "v2", "schema": true} ]} `), NewBudget(CatalogueSteps))
	if err != nil || len(types) != 2 {
		t.Fatal(types, err)
	}
	first := types[0]
	if first.Name != "a.b" || first.Version != "v1" || first.Deprecated != "Use c.d." ||
		string(first.Schema) != `{"minimum": 1.50}` ||
		string(first.Examples[0]) != "2.00" {
		t.Errorf("%+v", first)
	}
	if len(types[1].Examples) != 0 || types[1].Deprecated != "" ||
		compile(t, string(types[1].Schema)).violations([]byte("1")) != nil {
		t.Errorf("%+v", types[1])
	}
}

func TestParseCatalogue_refused(t *testing.T) {
	t.Parallel()
	one := func(members string) string { return `{"event_types":[{` + members + `}]}` }
	for document, want := range map[string]string{
		``:                      "the document is not JSON that every parser reads alike: the JSON text ends too early at byte 0",
		`[]`:                    "the document must be an object",
		`{}`:                    "/event_types is missing",
		`{"event_types":{}}`:    "/event_types must be an array",
		`{"event_types":[1,1]}`: "/event_types/0 must be an object; /event_types/1 must be an object",
		`{"event_types":[{"name":"a","name":"b"}]}`:                            "the document is not JSON that every parser reads alike: duplicate member name at byte 28",
		`{"event_types":[],"a/b":1}`:                                           "/a~1b is an unknown member: known are event_types",
		one(`"version":"v1"`):                                                  "/event_types/0/name is missing; /event_types/0/schema is missing",
		one(`"name":"a b","version":"v1","schema":true`):                       "/event_types/0/name must contain only letters",
		one(`"name":"hooktrail.a","version":"v1","schema":true`):               "/event_types/0/name ",
		one(`"name":1,"version":"","schema":true`):                             "/event_types/0/name must be a string",
		one(`"name":"a","version":"","schema":true`):                           "/event_types/0/version must have 1 to 64 bytes",
		one(`"name":"a","version":"v1","schema":{"type":"text"}`):              `/event_types/0/schema/type must be one of "array"`,
		one(`"name":"a","version":"v1","schema":{"type":"text"}`) + "}":        "something follows the JSON value",
		one(`"name":"a","version":"v1","schema":true,"deprecated":true`):       "/event_types/0/deprecated must be a string",
		one(`"name":"a","version":"v1","schema":true,"description":"a\u0007"`): "/event_types/0/description must not contain control characters",
		one(`"name":"a","version":"v1","schema":{"properties":{"b":{"type":"string"}}},"examples":[{},{"b":"secret"},{"b":42}]`): "/event_types/0/examples/2/b must be a string",
		one(`"name":"a","version":"v1","schema":true,"examples":[` + strings.Repeat("1,", MaxExamples) + `1]`):                   "/event_types/0/examples has more than 20 examples",
		`{"event_types":[{"name":"a","version":"v1","schema":true},{"name":"a","version":"v1","schema":true}]}`:                  "/event_types/1 has the name and version of an earlier one",
		strings.Repeat(" ", MaxCatalogueBytes) + "1":                                                                             "the document has more than 4194304 bytes",
	} {
		_, err := ParseCatalogue(t.Context(), []byte(document), NewBudget(CatalogueSteps))
		var bad *DocumentError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") ||
			strings.Contains(err.Error(), "42") {
			t.Errorf("%.100s\ngives %v\nwant  %s", document, err, want)
		}
	}
}

// A catalogue takes a bounded time and memory, whatever it is made of.
func TestParseCatalogue_hostile(t *testing.T) {
	many := func(n int, item func(i int) string) string {
		items := make([]string, n)
		for i := range items {
			items[i] = item(i)
		}
		return strings.Join(items, ",")
	}
	types := func(n int, members string) string {
		return `{"event_types":[` + many(n, func(i int) string {
			return fmt.Sprintf(`{"name":"a%d","version":"v1",%s}`, i, members)
		}) + `]}`
	}
	heavy := `"schema":{"properties":{` + many(80, func(i int) string {
		return fmt.Sprintf(`"a%d":{"pattern":"(b{9}){40}%d"}`, i, i)
	}) + `}}`
	for name, c := range map[string]struct{ document, want string }{
		"many subschemas": {
			types(MaxEventTypes, `"schema":{"allOf":[`+strings.TrimSuffix(strings.Repeat("{},", 900), ",")+`]}`), "more than can be checked at once",
		},
		"many patterns": {types(MaxEventTypes, heavy), "more than can be checked at once"},
		"slow examples": {
			types(700, `"schema":{"uniqueItems":true},"examples":[`+many(20, func(int) string {
				return "[" + many(90, func(i int) string { return fmt.Sprint(i) }) + "]"
			})+`]`), "more than can be checked at once",
		},
		"wrong examples": {
			types(900, `"schema":{"items":{"type":"string"}},"examples":[`+many(20, func(int) string { return `[1,1,1,1,1,1,1,1]` })+`]`), "must be a string",
		},
		"unknown members": {`{"event_types":[],` + many(200_000, func(i int) string { return fmt.Sprintf(`"m%d":1`, i) }) + `}`, "is an unknown member"},
		"wrong types":     {`{"event_types":[` + many(MaxEventTypes, func(int) string { return `[]` }) + `]}`, "must be an object"},
		"deep examples":   {types(900, `"schema":true,"examples":[`+strings.Repeat("[", 70)+strings.Repeat("]", 70)+`]`), "nested too deep"},
	} {
		if len(c.document) > MaxCatalogueBytes {
			t.Fatalf("%s has %d bytes", name, len(c.document))
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		_, err := ParseCatalogue(t.Context(), []byte(c.document), NewBudget(CatalogueSteps))
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		megabytes := (after.TotalAlloc - before.TotalAlloc) >> 20
		t.Logf("%-16s %7d bytes took %-12s %5d MB: %.120v", name, len(c.document), took, megabytes, err)
		var bad *DocumentError
		if !errors.As(err, &bad) || len(bad.Faults) > maxFaults || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %.300v", name, err)
		}
		if took > 20*time.Second || megabytes > 2000 { // two seconds, unless the machine has much else to do
			t.Errorf("%s took %s and %d MB", name, took, megabytes)
		}
	}
}

// The largest catalogue of ordinary types fits into the budget, and one whose caller has gone isn't read on.
func TestParseCatalogue_budget(t *testing.T) {
	t.Parallel()
	e := catalogue(t, "sparkbox")[0]
	one := `"version":"v1","schema":` + string(e.Schema) + `,"examples":[` + string(e.Examples[0]) + `]}`
	document := []byte(`{"event_types":[`)
	for i := 0; len(document)+len(one)+100 < MaxCatalogueBytes && i < MaxEventTypes; i++ {
		document = fmt.Appendf(document, `{"name":"a%d",%s,`, i, one)
	}
	document = append(bytes.TrimSuffix(document, []byte(",")), "]}"...)
	budget, began := NewBudget(CatalogueSteps), time.Now()
	if _, err := ParseCatalogue(t.Context(), document, budget); err != nil {
		t.Errorf("%d bytes: %.300v", len(document), err)
	}
	t.Logf("%d bytes take %d steps and %s", len(document), CatalogueSteps-budget.left, time.Since(began))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ParseCatalogue(gone, document, NewBudget(CatalogueSteps)); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that has gone: %v", err)
	}
}

func FuzzParseCatalogue(f *testing.F) {
	for _, name := range []string{"sparkbox", "stashfin"} {
		document, err := Catalogue(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(document)
	}
	f.Add([]byte(`{"event_types":[{"name":"a","version":"v1","schema":{"a":1},"examples":[[[]]],"deprecated":null}]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		types, err := ParseCatalogue(t.Context(), document, NewBudget(CatalogueSteps))
		var bad *DocumentError
		if err != nil && !errors.As(err, &bad) {
			t.Fatal(err)
		}
		for _, e := range types {
			if _, err := Compile(e.Schema); err != nil || e.Name.Validate("") != nil || !bytes.Contains(document, e.Schema) {
				t.Fatalf("%+v", e)
			}
		}
	})
}
