package openapi_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi"
)

var update = flag.Bool("update", false, "write docs/exports.md from the table of columns")

// TestExportsPage: the page that is served and the document say of exports what the table of columns says.
func TestExportsPage(t *testing.T) {
	t.Parallel()
	const name = "docs/exports.md"
	page := openapi.ExportsPage()
	if *update {
		if err := os.WriteFile(name, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if file, err := os.ReadFile(name); err != nil || string(file) != page {
		t.Errorf("%s isn't what the columns say (go test ./openapi -run ExportsPage -update writes it): %v", name, err)
	}
	document, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range domain.ExportWhats() {
		for _, c := range domain.ExportColumns(what) {
			if !strings.Contains(string(document), "        "+c.Name+":\n") {
				t.Errorf("the document has no column %s of %s", c.Name, what)
			}
		}
	}
}
