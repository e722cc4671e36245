package webhook

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

var update = flag.Bool("update", false, "write the golden files anew")

// checkGolden compares with a file under testdata/golden.
func checkGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (hint: go test -update writes it)", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs\n got %s\nwant %s", path, got, want)
	}
}

// TestBuild_golden pins one whole request of every profile in every version: what receivers were promised.
func TestBuild_golden(t *testing.T) {
	t.Parallel()
	set, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range set.All() {
		e := sampleEvent()
		e.DataSchema = "https://schemas.example/order"
		e.Extensions = map[string]domain.Extension{
			"traceparent": domain.ExtensionText("00-ab-cd-01"),
			"comexample":  domain.ExtensionText("ü 100%"),
		}
		if p.Name == "coherent-spark" {
			e.Data = []byte(
				`{"FolderName":"Pricing \u00e9\"x\"","ServiceName":19.90,"EntityId":true,"AuditType":null,"other":[1]}`,
			)
		}
		r := mustBuild(
			t,
			sampleTarget(t, p, "https://r.example/hook?x=1"),
			e,
			Attempt{Number: 2, At: time.Unix(1700137999, 0), ReplayID: "rp-1"},
		)
		var out strings.Builder
		fmt.Fprintf(&out, "%s %s\n", r.Method, r.URL)
		for _, h := range r.LogHeader() {
			fmt.Fprintf(&out, "%s: %s\n", h.Name, h.Value)
		}
		fmt.Fprintf(&out, "\n%s\n", r.Body)
		checkGolden(t, fmt.Sprintf("%s.v%d.txt", p.Name, p.Version), []byte(out.String()))
	}
}

// TestEmbedded_releasedDocumentsNeverChange pins the digests: a line may be added, never edited, because endpoints name
// their profile by it.
func TestEmbedded_releasedDocumentsNeverChange(t *testing.T) {
	t.Parallel()
	set, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, p := range set.All() {
		fmt.Fprintf(&out, "%s %d %s\n", p.Name, p.Version, p.Digest)
		if set.ByDigest(p.Digest) != p {
			t.Errorf("%s is not found by its digest", p.Name)
		}
		again, err := ParseProfile(p.Document)
		if err != nil || again.Digest != p.Digest {
			t.Errorf("%s: the stored document gives another digest (%v)", p.Name, err)
		}
	}
	checkGolden(t, "digests.txt", []byte(out.String()))
}
