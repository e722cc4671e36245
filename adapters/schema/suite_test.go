package schema

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// suiteCase is one case of the official suite, by its names.
type suiteCase struct{ file, group, name string }

// suiteDiffers reads the cases that differ on purpose from the package's doc.
func suiteDiffers(t *testing.T) map[suiteCase]bool {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, list, found := strings.Cut(string(text), "// # Official test suite\n")
	if !found {
		t.Fatal("doc.go doesn't list the cases that differ")
	}
	var at [3]string // file, group and case; a deeper line continues the one before
	last := 0
	differs := map[suiteCase]bool{}
	keep := func() {
		if last == 2 {
			differs[suiteCase{at[0], at[1], at[2]}] = true
		}
	}
	for line := range strings.Lines(list) {
		line, listed := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "//\t")
		if !listed {
			continue
		}
		name := strings.TrimLeft(line, " ")
		if level := (len(line) - len(name)) / 2; level > 2 {
			at[last] += " " + name
		} else {
			keep()
			at[level], last = name, level
		}
	}
	keep()
	return differs
}

// The doc lists what it says it does, also where the suite isn't run.
func TestSuite_listed(t *testing.T) {
	t.Parallel()
	differs := suiteDiffers(t)
	for _, want := range []suiteCase{
		{"format.json", "date format", "invalid date string is only an annotation by default"},
		{"optional/content.json", "validation of binary-encoded media type documents", "a validly-encoded invalid JSON document"},
	} {
		if !differs[want] {
			t.Errorf("%v isn't listed", want)
		}
	}
	if len(differs) != 179 {
		t.Errorf("%d cases are listed", len(differs))
	}
}

// TestSuite runs the official test suite of JSON Schema, from the folder that JSON_SCHEMA_SUITE names (the one that
// holds tests/). Without it the package's own cases are all that runs, and this test is reported as skipped.
func TestSuite(t *testing.T) {
	folder := os.Getenv("JSON_SCHEMA_SUITE")
	if folder == "" {
		t.Skip("JSON_SCHEMA_SUITE names no folder: the official suite isn't run")
	}
	ran, differs, seen := 0, suiteDiffers(t), map[suiteCase]bool{}
	for draft, d := range map[string]dialect{"draft2020-12": draft2020, "draft2019-09": draft2019, "draft7": draft7} {
		for _, pattern := range []string{"*.json", "optional/*.json", "optional/format/*.json"} {
			files, err := filepath.Glob(filepath.Join(folder, "tests", draft, pattern))
			if err != nil {
				t.Fatal(err)
			}
			if len(files) == 0 {
				t.Fatalf("no files in %s/tests/%s/%s", folder, draft, pattern)
			}
			for _, file := range files {
				name, err := filepath.Rel(filepath.Join(folder, "tests"), file)
				if err != nil {
					t.Fatal(err)
				}
				ran += suiteFile(t, file, name, d, seen)
			}
		}
	}
	for c := range seen {
		if !differs[c] {
			t.Errorf("%s | %s | %s differs, but isn't listed in the package's doc", c.file, c.group, c.name)
		}
	}
	for c := range differs {
		if !seen[c] {
			t.Errorf("%s | %s | %s no longer differs", c.file, c.group, c.name)
		}
	}
	t.Logf("%d cases, of which %d differ", ran, len(seen))
}

type suiteGroup struct {
	Description string
	Schema      json.RawMessage
	Tests       []struct {
		Description string
		Data        json.RawMessage
		Valid       bool
	}
}

// suiteFile runs the cases of a file, adds those that differ to seen, and returns how many there are.
func suiteFile(t *testing.T, file, name string, d dialect, seen map[suiteCase]bool) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var groups []suiteGroup
	if err := json.Unmarshal(text, &groups); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	ran := 0
	_, short, _ := strings.Cut(name, "/")
	for _, g := range groups {
		document := g.Schema
		var object map[string]json.RawMessage
		if json.Unmarshal(document, &object) == nil && object["$schema"] == nil &&
			!strings.HasSuffix(name, "no-schema.json") {
			object["$schema"] = json.RawMessage(`"` + string(d) + `"`)
			if document, err = json.Marshal(object); err != nil {
				t.Fatal(err)
			}
		}
		s, err := Compile(document)
		for _, c := range g.Tests {
			ran++
			if err != nil || (len(s.violations(c.Data)) == 0) != c.Valid {
				seen[suiteCase{short, strings.TrimSpace(g.Description), c.Description}] = true
			}
		}
	}
	return ran
}
