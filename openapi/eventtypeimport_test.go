package openapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/adapters/schema"
	"github.com/hooktrail/hooktrail/domain"
)

const importPath = "/v1/tenants/acme/event-types/import"

// TestImport_Embedded imports every catalogue that the program brings along into a fresh tenant, twice.
func TestImport_Embedded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	admin := f.key("acme", domain.RoleAdmin)
	names, err := schema.Catalogues()
	if err != nil || len(names) != 4 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		document, err := schema.Catalogue(name)
		if err != nil {
			t.Fatal(err)
		}
		types, err := schema.ParseCatalogue(t.Context(), document, schema.NewBudget(schema.CatalogueSteps))
		if err != nil {
			t.Fatal(err)
		}
		var first, second struct{ Created, Changed, Unchanged []string }
		f.post(admin, importPath, string(document), "Idempotency-Key", name).want(http.StatusOK).into(&first)
		if len(first.Created) != len(types) || len(first.Changed)+len(first.Unchanged) > 0 {
			t.Fatalf("%s: %+v, want %d created", name, first, len(types))
		}
		before := f.head()
		f.post(admin, importPath, string(document)).want(http.StatusOK).into(&second)
		if len(second.Unchanged) != len(types) || len(second.Created)+len(second.Changed) > 0 {
			t.Errorf("%s again: %+v", name, second)
		}
		again := f.post(admin, importPath, string(document), "Idempotency-Key", name).want(http.StatusOK)
		if again.into(&second); len(second.Created) != len(types) || again.Header.Get("Idempotency-Replayed") != "true" || f.head() != before {
			t.Errorf("%s repeated: %s", name, again.Body)
		}
		for _, e := range types {
			got := f.get(admin, "/v1/tenants/acme/event-types/"+string(e.Name)).want(http.StatusOK)
			if !strings.Contains(string(got.Body), `"schema":`+string(e.Schema)) {
				t.Errorf("%s: the schema isn't as it was: %s", e.Name, got.Body)
			}
		}
	}
}

// TestImport_Versions: a type may stand in several versions, on each of which the next is judged.
func TestImport_Versions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	document := func(more string) string {
		return `{"event_types":[{"name":"a.b","version":"v1","schema":{"type":"string"}},{"name":"c.d","version":"v1","schema":true},` +
			`{"name":"a.b","version":"v2","schema":{"type":["string","null"]},"deprecated":"Use c.d."}` + more + `]}`
	}
	f.post(f.operator, importPath, document("")).want(http.StatusOK)
	got := f.get(f.operator, "/v1/tenants/acme/event-types/a.b").want(http.StatusOK)
	if got.text("version") != "v2" || got.number("revision") != 2 || got.text("deprecated") != "Use c.d." {
		t.Errorf("after the import %s", got.Body)
	}
	before := f.head()
	if got := f.post(f.operator, importPath, document("")).want(http.StatusOK); got.text("unchanged.1") != "c.d" || f.head() != before {
		t.Errorf("imported again %s", got.Body)
	}
	third := f.post(f.operator, importPath, document(`,{"name":"a.b","version":"v3","schema":true},{"name":"e.f","version":"v1","schema":true}`)).want(http.StatusOK)
	if third.text("changed.0") != "a.b" || third.text("created.0") != "e.f" || third.text("unchanged.0") != "c.d" {
		t.Errorf("with more %s", third.Body)
	}
	f.mode("enforce")
	for version, want := range map[string]int{"v1": http.StatusUnprocessableEntity, "v2": http.StatusCreated, "v3": http.StatusCreated} {
		f.post(f.operator, acmeEvents, fmt.Sprintf(`{"type":"a.b","schema_version":%q,"data":null}`, version)).want(want)
	}
}

func TestImport_Refused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(f.operator, typePath, `{"schema":`+amounts+`}`).want(http.StatusCreated)
	before := f.head()
	first := `{"name":"a.b","version":"v1","schema":true}`
	for _, test := range []struct {
		types, code, location string
		status                int
	}{
		{`{"name":"c.d","version":"v1","schema":{"type":"strin"}}`, "invalid_catalogue", "body/event_types/1/schema/type", http.StatusUnprocessableEntity},
		{`{"name":"c.d","version":"v1","schema":{"type":"string"},"examples":[1]}`, "invalid_catalogue", "body/event_types/1/examples/0", http.StatusUnprocessableEntity},
		{`{"name":"hooktrail.x","version":"v1","schema":true}`, "invalid_catalogue", "body/event_types/1/name", http.StatusUnprocessableEntity},
		{first, "invalid_catalogue", "body/event_types/1", http.StatusUnprocessableEntity},
		{`{"name":"offer.issued","version":"v1","schema":{"type":"object"}}`, "schema_incompatible", "body/event_types/1/schema/properties/amount", http.StatusConflict},
	} {
		f.post(f.operator, importPath, `{"event_types":[`+first+`,`+test.types+`]}`).problem(test.status, test.code).names(test.location)
	}
	f.post(f.operator, importPath, `{"types":[]}`).problem(http.StatusUnprocessableEntity, "invalid_catalogue").names("body/types")
	if f.head() != before {
		t.Error("something was appended")
	}
}
