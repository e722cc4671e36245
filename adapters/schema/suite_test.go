package schema

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// suiteRefused are the groups of the official suite whose schemas are refused on purpose, by file, and why; doc.go
// explains each reason. A reason that no group needs any more fails the test.
var suiteRefused = map[string]string{}

// TestSuite runs the official test suite of JSON Schema, from the folder that JSON_SCHEMA_SUITE names (the one that
// holds tests/). Without it the package's own cases are all that runs, and this test is reported as skipped.
func TestSuite(t *testing.T) {
	folder := os.Getenv("JSON_SCHEMA_SUITE")
	if folder == "" {
		t.Skip("JSON_SCHEMA_SUITE names no folder: the official suite isn't run")
	}
	ran := 0
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
				ran += suiteFile(t, file, name, d)
			}
		}
	}
	t.Logf("%d cases", ran)
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

func suiteFile(t *testing.T, file, name string, d dialect) int {
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
	for _, g := range groups {
		document := g.Schema
		var object map[string]json.RawMessage
		if json.Unmarshal(document, &object) == nil && object["$schema"] == nil && !strings.HasSuffix(name, "no-schema.json") {
			object["$schema"] = json.RawMessage(`"` + string(d) + `"`)
			if document, err = json.Marshal(object); err != nil {
				t.Fatal(err)
			}
		}
		s, err := Compile(document)
		if err != nil {
			if expected(name, g.Description, "") == "" {
				t.Errorf("REFUSED %s | %s: %v", name, g.Description, err)
			}
			continue
		}
		for _, c := range g.Tests {
			ran++
			if found := s.Validate(c.Data); (len(found) == 0) != c.Valid && expected(name, g.Description, c.Description) == "" {
				t.Errorf("%s | %s | %s: %.80s gives %v, valid is %t", name, g.Description, c.Description, c.Data, found, c.Valid)
			}
		}
	}
	return ran
}

// expected is the reason why a group or a case differs, or nothing.
func expected(name, group, test string) string {
	file := name[strings.IndexByte(name, '/')+1:]
	for _, key := range []string{file, file + " | " + group, file + " | " + group + " | " + test} {
		if why, ok := suiteRefused[key]; ok {
			return why
		}
	}
	return ""
}
