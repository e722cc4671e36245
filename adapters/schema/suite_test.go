package schema

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// suiteRefused are the groups of the official suite that are refused on purpose, or answered otherwise, by reason; doc.go
// explains each. A group that no longer differs fails the test.
var suiteRefused = map[string][]string{
	"content is an annotation": {
		`optional/content.json | validation of binary string-encoding`,
		`optional/content.json | validation of binary-encoded media type documents`,
		`optional/content.json | validation of string-encoded content based on media type`,
	},
	"dynamic references are refused": {
		`dynamicRef.json | $dynamicRef avoids the root of each schema, but scopes are still registered`,
		`dynamicRef.json | $dynamicRef points to a boolean schema`,
		`dynamicRef.json | $dynamicRef skips over intermediate resources - direct reference`,
		`dynamicRef.json | $ref and $dynamicAnchor are independent of order - $defs first`,
		`dynamicRef.json | $ref and $dynamicAnchor are independent of order - $ref first`,
		`dynamicRef.json | $ref to $dynamicRef finds detached $dynamicAnchor`,
		`dynamicRef.json | A $dynamicRef resolves to the first $dynamicAnchor still in scope that is encountered when the schema is evaluated`,
		`dynamicRef.json | A $dynamicRef that initially resolves to a schema with a matching $dynamicAnchor resolves to the first $dynamicAnchor in the dynamic scope`,
		`dynamicRef.json | A $dynamicRef that initially resolves to a schema without a matching $dynamicAnchor behaves like a normal $ref to $anchor`,
		`dynamicRef.json | A $dynamicRef to a $dynamicAnchor in the same schema resource behaves like a normal $ref to an $anchor`,
		`dynamicRef.json | A $dynamicRef to an $anchor in the same schema resource behaves like a normal $ref to an $anchor`,
		`dynamicRef.json | A $dynamicRef with a non-matching $dynamicAnchor in the same schema resource behaves like a normal $ref to $anchor`,
		`dynamicRef.json | A $dynamicRef with intermediate scopes that don't include a matching $dynamicAnchor does not affect dynamic scope resolution`,
		`dynamicRef.json | A $dynamicRef without a matching $dynamicAnchor in the same schema resource behaves like a normal $ref to $anchor`,
		`dynamicRef.json | A $dynamicRef without anchor in fragment behaves identical to $ref`,
		`dynamicRef.json | A $ref to a $dynamicAnchor in the same schema resource behaves like a normal $ref to an $anchor`,
		`dynamicRef.json | An $anchor with the same name as a $dynamicAnchor is not used for dynamic scope resolution`,
		`dynamicRef.json | after leaving a dynamic scope, it is not used by a $dynamicRef`,
		`dynamicRef.json | multiple dynamic paths to the $dynamicRef keyword`,
		`dynamicRef.json | strict-tree schema, guards against misspelled properties`,
		`dynamicRef.json | tests for implementation dynamic anchor and reference link`,
		`optional/dynamicRef.json | $dynamicRef skips over intermediate resources - pointer reference across resource boundary`,
		`recursiveRef.json | $recursiveRef with $recursiveAnchor: false works like $ref`,
		`recursiveRef.json | $recursiveRef with nesting`,
		`recursiveRef.json | $recursiveRef with no $recursiveAnchor in the initial target schema resource`,
		`recursiveRef.json | $recursiveRef with no $recursiveAnchor in the outer schema resource`,
		`recursiveRef.json | $recursiveRef with no $recursiveAnchor works like $ref`,
		`recursiveRef.json | $recursiveRef without $recursiveAnchor works like $ref`,
		`recursiveRef.json | $recursiveRef without using nesting`,
		`recursiveRef.json | dynamic $recursiveRef destination (not predictable at schema compile time)`,
		`recursiveRef.json | multiple dynamic paths to the $recursiveRef keyword`,
		`ref.json | $ref with $recursiveAnchor`,
		`unevaluatedItems.json | unevaluatedItems with $dynamicRef`,
		`unevaluatedItems.json | unevaluatedItems with $recursiveRef`,
		`unevaluatedProperties.json | unevaluatedProperties with $dynamicRef`,
		`unevaluatedProperties.json | unevaluatedProperties with $recursiveRef`,
	},
	"formats are asserted, not annotations": {
		`format.json | date format`,
		`format.json | date-time format`,
		`format.json | duration format`,
		`format.json | email format`,
		`format.json | hostname format`,
		`format.json | idn-email format`,
		`format.json | idn-hostname format`,
		`format.json | ipv4 format`,
		`format.json | ipv6 format`,
		`format.json | iri format`,
		`format.json | iri-reference format`,
		`format.json | json-pointer format`,
		`format.json | regex format`,
		`format.json | relative-json-pointer format`,
		`format.json | time format`,
		`format.json | uri format`,
		`format.json | uri-reference format`,
		`format.json | uri-template format`,
		`format.json | uuid format`,
	},
	"it has a metaschema of its own": {
		`optional/format-assertion.json | schema that uses custom metaschema with format-assertion: false`,
		`optional/format-assertion.json | schema that uses custom metaschema with format-assertion: true`,
		`vocabulary.json | ignore unrecognized optional vocabulary`,
		`vocabulary.json | schema that uses custom metaschema with with no validation vocabulary`,
	},
	"it refers into an unknown keyword or an annotation": {
		`optional/refOfUnknownKeyword.json | reference internals of known non-applicator`,
		`optional/refOfUnknownKeyword.json | reference of a root arbitrary keyword `,
		`optional/refOfUnknownKeyword.json | reference of a root arbitrary keyword with encoded ref`,
		`optional/refOfUnknownKeyword.json | reference of an arbitrary keyword of a sub-schema`,
		`optional/refOfUnknownKeyword.json | reference of an arbitrary keyword of a sub-schema with encoded ref`,
	},
	"it refers to a document that isn't part of it": {
		`definitions.json | validate definition against metaschema`,
		`defs.json | validate definition against metaschema`,
		`optional/cross-draft.json | refs to future drafts are processed as future drafts`,
		`optional/cross-draft.json | refs to historic drafts are processed as historic drafts`,
		`ref.json | remote ref, containing refs itself`,
		`refRemote.json | $ref to $ref finds detached $anchor`,
		`refRemote.json | $ref to $ref finds location-independent $id`,
		`refRemote.json | Location-independent identifier in remote ref`,
		`refRemote.json | anchor within remote ref`,
		`refRemote.json | base URI change`,
		`refRemote.json | base URI change - change folder`,
		`refRemote.json | base URI change - change folder in subschema`,
		`refRemote.json | fragment within remote ref`,
		`refRemote.json | ref within remote ref`,
		`refRemote.json | remote HTTP ref with different $id`,
		`refRemote.json | remote HTTP ref with different URN $id`,
		`refRemote.json | remote HTTP ref with nested absolute ref`,
		`refRemote.json | remote ref`,
		`refRemote.json | remote ref with ref to definitions`,
		`refRemote.json | remote ref with ref to defs`,
		`refRemote.json | retrieved nested refs resolve relative to their URI not $id`,
		`refRemote.json | root ref in remote ref`,
	},
}

// TestSuite runs the official test suite of JSON Schema, from the folder that JSON_SCHEMA_SUITE names (the one that
// holds tests/). Without it the package's own cases are all that runs, and this test is reported as skipped.
func TestSuite(t *testing.T) {
	folder := os.Getenv("JSON_SCHEMA_SUITE")
	if folder == "" {
		t.Skip("JSON_SCHEMA_SUITE names no folder: the official suite isn't run")
	}
	ran, seen := 0, map[string]bool{}
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
	for why, groups := range suiteRefused {
		for _, group := range groups {
			if !seen[group] {
				t.Errorf("%s no longer differs: %s", group, why)
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

func suiteFile(t *testing.T, file, name string, d dialect, seen map[string]bool) int {
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
			if !differs(name, g.Description, seen) {
				t.Errorf("REFUSED %s | %s: %v", name, g.Description, err)
			}
			continue
		}
		for _, c := range g.Tests {
			ran++
			if found := s.Validate(c.Data); (len(found) == 0) != c.Valid && !differs(name, g.Description, seen) {
				t.Errorf("%s | %s | %s: %.80s gives %v, valid is %t", name, g.Description, c.Description, c.Data, found, c.Valid)
			}
		}
	}
	return ran
}

// differs reports whether a group is one that differs on purpose, and notes that it does.
func differs(name, group string, seen map[string]bool) bool {
	key := name[strings.IndexByte(name, '/')+1:] + " | " + group
	for _, groups := range suiteRefused {
		if slices.Contains(groups, key) {
			seen[key] = true
			return true
		}
	}
	return false
}
