package domain_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

var update = flag.Bool("update", false, "add what is missing in the golden files; what they contain is never changed")

const goldenFile = "testdata/facts.golden.json"

// goldenFact is one fact of one kind and version, as logs contain it.
type goldenFact struct {
	Kind    domain.Kind  `json:"kind"`
	Version int          `json:"version"`
	Parts   []goldenPart `json:"parts"`
	Leaf    string       `json:"leaf"`
}

type goldenPart struct {
	Name     string `json:"name"`
	Personal bool   `json:"personal,omitempty"` // whose a part is decides what an erasure takes
	Text     string `json:"text"`               // all examples are UTF-8
}

// TestGolden_Facts: logs are for ever, so what was written once must stay readable, and what is written today must not
// change without a new version of the kind.
func TestGolden_Facts(t *testing.T) {
	t.Parallel()
	golden := readGolden(t)
	missing := 0
	for kind, fact := range examples() {
		now := goldenOf(t, fact)
		i := slices.IndexFunc(golden, func(g goldenFact) bool { return g.Kind == kind && g.Version == now.Version })
		if i < 0 {
			golden = append(golden, now)
			missing++
			continue
		}
		if was := golden[i]; !slices.Equal(was.Parts, now.Parts) || was.Leaf != now.Leaf {
			t.Errorf("%s version %d isn't written any more as it was: give the new form a new version.\nwas %+v\nnow %+v",
				kind, now.Version, was, now)
		}
	}
	for _, g := range golden {
		readable(t, g)
	}
	switch {
	case missing > 0 && *update:
		writeGolden(t, golden)
	case missing > 0:
		t.Errorf("%d facts have no golden example: go test ./domain -run Golden -update adds them", missing)
	}
}

// readable: a fact of any version that was ever written is decoded, and its leaf parsed.
func readable(t *testing.T, g goldenFact) {
	t.Helper()
	var parts []domain.Part
	for _, p := range g.Parts {
		parts = append(parts, domain.Part{Name: p.Name, Bytes: []byte(p.Text)})
	}
	fact, err := domain.DecodeFact(g.Kind, g.Version, parts, false)
	if err != nil || fact.Kind() != g.Kind {
		t.Errorf("%s version %d: %v", g.Kind, g.Version, err)
	}
	leaf, err := domain.ParseLeaf([]byte(g.Leaf))
	if err != nil || leaf.Kind != g.Kind || leaf.KindVersion != g.Version || len(leaf.Commitments) != len(parts) {
		t.Errorf("%s version %d: leaf %s: %v", g.Kind, g.Version, g.Leaf, err)
	}
}

// goldenOf writes a fact as a log would, with salts that are no secret.
func goldenOf(t *testing.T, fact domain.Fact) goldenFact {
	t.Helper()
	parts, err := domain.EncodeFact(fact)
	if err != nil {
		t.Fatal(err)
	}
	leaf := exampleLeaf()
	leaf.Kind, leaf.KindVersion, leaf.Commitments = fact.Kind(), fact.Kind().Version(), nil
	g := goldenFact{Kind: leaf.Kind, Version: leaf.KindVersion}
	for i, p := range parts {
		g.Parts = append(g.Parts, goldenPart{p.Name, p.Personal(), string(p.Bytes)})
		salt := bytes.Repeat([]byte{byte(i + 1)}, domain.SaltBytes)
		leaf.Commitments = append(leaf.Commitments, domain.Commit(p.Name, salt, p.Bytes))
	}
	g.Leaf = string(leaf.Append(nil))
	return g
}

func readGolden(t *testing.T) []goldenFact {
	t.Helper()
	b, err := os.ReadFile(goldenFile)
	if errors.Is(err, fs.ErrNotExist) && *update {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var golden []goldenFact
	if err := json.Unmarshal(b, &golden); err != nil {
		t.Fatalf("%s: %v", goldenFile, err)
	}
	return golden
}

func writeGolden(t *testing.T, golden []goldenFact) {
	t.Helper()
	slices.SortFunc(golden, func(x, y goldenFact) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Version, y.Version))
	})
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(golden); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(goldenFile), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(goldenFile, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
