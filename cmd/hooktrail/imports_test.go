package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/hooktrail/hooktrail"

// goPackage is what these rules need of `go list -json`.
type goPackage struct {
	ImportPath   string
	Name         string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// rel is the package's place in the project: "adapters/postgres".
func (p goPackage) rel() string { return inModule(p.ImportPath) }

// tests are the imports of the package's test files.
func (p goPackage) tests() []string { return slices.Concat(p.TestImports, p.XTestImports) }

// layer says which packages of the project one part may import. A part reaches to its sub-packages.
type layer struct {
	part string
	may  []string
	why  string
}

// layers holds the most particular part first. Imports within a part are always allowed.
var layers = []layer{
	{
		"cmd",
		[]string{"adapters", "openapi", "migrations", "projections", "domain"},
		"only the binary knows all parts: it wires them by hand",
	},
	{
		"openapi/internal/ingest",
		[]string{"domain"},
		"what a producer's event is doesn't depend on requests, keys or views",
	},
	{
		"openapi/internal/rest",
		[]string{"projections", "domain"},
		"the kit knows no resource, so that none can grow into it",
	},
	{"openapi", []string{"projections", "domain"}, "the HTTP surface must not depend on how the log is stored or sent"},
	{
		"migrations/migratetest",
		[]string{"migrations", "adapters/localpg"},
		"a test's database is a private Postgres with the migrations applied",
	},
	{"migrations", nil, "released SQL must not change because Go code did"},
	{
		"adapters/postgres/views",
		[]string{"adapters/postgres", "projections", "domain"},
		"the tables are one more store of the same fold",
	},
	{
		"adapters/postgres/eventlog",
		[]string{"adapters/postgres", "adapters/postgres/seal", "domain"},
		"the log is the truth: it knows nothing of what is folded from it",
	},
	{"adapters/postgres/seal/sealtest", []string{"migrations", "domain"}, "a test destroys secrets by the role that will"},
	{
		"adapters/postgres/seal",
		[]string{"adapters/postgres", "domain"},
		"who seals a content doesn't ask where it is kept",
	},
	{"adapters/postgres", []string{"domain"}, "what the rooms below share must not depend on any of them"},
	{"adapters/bucket", nil, "where files are kept knows nothing of what is in them"},
	{
		"adapters/export",
		[]string{"projections", "domain"},
		"an export is one more fold of the log; log, views and files are ports",
	},
	{
		"adapters/reconcile",
		[]string{"projections", "domain"},
		"it compares the log with the views; both are ports",
	},
	{
		"adapters/dispatch",
		[]string{"projections", "domain"},
		"its working state is the fold in memory; log and sender are ports, so it runs without either",
	},
	{
		"adapters/replay",
		[]string{"projections", "domain"},
		"it walks the views and appends; what becomes of its facts is the dispatcher's",
	},
	{
		"adapters/courier",
		[]string{"adapters/webhook", "domain"},
		"an attempt is made in the webhook adapter's words: an interface between the two would repeat all of them. The only adapter that knows another",
	},
	{"adapters/webhook", []string{"domain"}, "one HTTP attempt needs no log"},
	{"adapters/localpg", nil, "starting a Postgres knows nothing of what it is for"},
	{"adapters", []string{"domain"}, "one package per technology: adapters never import one another, cmd joins them"},
	{"projections", []string{"domain"}, "an auditor's machine folds an export with this code and nothing else"},
	{"domain", nil, "what was decided must be readable for as long as Go is, whatever becomes of the technology"},
}

// confined modules may be imported by the named parts only.
var confined = []struct {
	module string
	parts  []string
	why    string
}{
	{"github.com/jackc/pgx", []string{"adapters/postgres", "migrations", "cmd"}, "all SQL stands in one place"},
	{
		"github.com/ThreeDotsLabs",
		[]string{"adapters/postgres", "migrations", "cmd"},
		"Watermill carries the log; the log's meaning must not depend on it",
	},
	{"github.com/minio/minio-go", []string{"adapters/bucket"}, "one place speaks with object storage"},
	{"github.com/parquet-go/parquet-go", []string{"adapters/export"}, "one package writes Parquet"},
	{"github.com/danielgtaylor/huma", []string{"openapi", "cmd"}, "the HTTP framework can be replaced in one package"},
}

// TestImports holds the project to its dependency rule. Test files are freer: nothing that they import reaches the
// binary, and a test that wires real parts beats one that fakes them. So they may import any package of the project but
// cmd, and any module, except that domain and projections are tested without an adapter: what needs one is not theirs
// to test.
func TestImports(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		t.Run(p.rel(), func(t *testing.T) {
			t.Parallel()
			checkName(t, p)
			checkLayer(t, p)
			checkConfined(t, p)
			checkShipped(t, p)
			checkTests(t, p)
			if inPart(p.rel(), "domain") {
				checkStandardOnly(t, p)
			}
		})
	}
}

func checkName(t *testing.T, p goPackage) {
	t.Helper()
	for _, elem := range strings.Split(p.rel(), "/") {
		switch elem {
		case "internal":
			if !inPart(p.rel(), "openapi/internal") {
				t.Error(
					"internal is allowed below openapi only: its rooms need walls against one another, and nobody outside needs them",
				)
			}
		case "util", "utils", "common", "helpers", "models", "pkg":
			t.Errorf("%q is no name: a package is called after what it provides", elem)
		}
	}
}

func checkLayer(t *testing.T, p goPackage) {
	t.Helper()
	i := slices.IndexFunc(layers, func(l layer) bool { return inPart(p.rel(), l.part) })
	if i < 0 {
		t.Fatalf("no layer for this package: put it below cmd, openapi, migrations, adapters, projections or domain")
	}
	own := part(p.rel())
	if room := layers[i].part; inPart(room, "openapi/internal") {
		own = room // a room of its own: neither the other rooms nor the resources
	}
	for _, imported := range p.Imports {
		to, ours := strings.CutPrefix(imported, module+"/")
		if !ours || inPart(to, own) || inAny(to, layers[i].may) {
			continue
		}
		t.Errorf("imports %s; %s may import only %v: %s", to, layers[i].part, layers[i].may, layers[i].why)
	}
}

func checkConfined(t *testing.T, p goPackage) {
	t.Helper()
	for _, c := range confined {
		if inAny(p.rel(), c.parts) {
			continue
		}
		for _, imported := range p.Imports {
			if inPart(imported, c.module) {
				t.Errorf("imports %s, which only %v may: %s", imported, c.parts, c.why)
			}
		}
	}
}

// checkShipped keeps what only tests need out of the binary.
func checkShipped(t *testing.T, p goPackage) {
	t.Helper()
	if strings.HasSuffix(p.Name, "test") {
		return
	}
	for _, imported := range p.Imports {
		if imported == "testing" || inPart(inModule(imported), "migrations/migratetest") {
			t.Errorf("imports %s outside its tests: the program must not carry what only tests use", imported)
		}
	}
}

func checkTests(t *testing.T, p goPackage) {
	t.Helper()
	pure := inAny(p.rel(), []string{"domain", "projections"})
	for _, imported := range p.tests() {
		to, ours := strings.CutPrefix(imported, module+"/")
		switch {
		case !ours || inPart(to, part(p.rel())):
		case inPart(to, "cmd"):
			t.Errorf("a test imports %s: stories of the whole program are told in cmd", to)
		case pure && !inAny(to, []string{"domain", "projections"}):
			t.Errorf("a test imports %s: move the test to where both are known", to)
		}
	}
}

// checkStandardOnly goes by the import path: only the standard library's first element has no dot. jsonModule is the
// one module that the domain may import: the standard library's encoding/json/v2 of Go 1.27, until that is the Go that
// everybody has. Facts are kept for ever in what it writes.
const jsonModule = "github.com/go-json-experiment/json"

func checkStandardOnly(t *testing.T, p goPackage) {
	t.Helper()
	for _, imported := range p.Imports {
		first, _, _ := strings.Cut(imported, "/")
		if strings.Contains(first, ".") && !inPart(inModule(imported), "domain") && !strings.HasPrefix(imported, jsonModule) {
			t.Errorf("imports %s: the domain knows only the standard library", imported)
		}
	}
}

// listPackages fails the test when a package's imports don't resolve.
func listPackages(t *testing.T) []goPackage {
	t.Helper()
	sourceFiles(t) // a cached result is good while the files opened here are unchanged; go list's own reads don't count
	cmd := exec.CommandContext(
		t.Context(),
		"go",
		"list",
		"-json=ImportPath,Name,Imports,TestImports,XTestImports",
		"./...",
	)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var packages []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	if len(packages) < 2 {
		t.Fatalf("go list found %d packages: the rules would hold of nothing", len(packages))
	}
	return packages
}

// part is what counts as one: a first element, or one adapter.
func part(rel string) string {
	first, rest, _ := strings.Cut(rel, "/")
	if first != "adapters" {
		return first
	}
	second, _, _ := strings.Cut(rest, "/")
	return path.Join(first, second)
}

func inModule(importPath string) string { return strings.TrimPrefix(importPath, module+"/") }

func inPart(name, part string) bool { return name == part || strings.HasPrefix(name, part+"/") }

func inAny(name string, parts []string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return inPart(name, p) })
}
