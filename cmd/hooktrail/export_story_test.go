package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestStory_ExportKilled: exports whose server is killed with -9, before they begin, while they are written and when they have
// just ended, come out byte for byte as one that nobody disturbed. What the command line downloads has the manifest's hash.
func TestStory_ExportKilled(t *testing.T) {
	t.Parallel()
	const kills, batches, batch = 4, 6, 1000
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	moments := rand.New(rand.NewPCG(seed, 9))

	p := newProgram(t)
	p.start()
	var body strings.Builder
	for n := range batch {
		fmt.Fprintf(&body, `,{"type":"offer.issued","data":{"n":%d,"text":"=1+1"}}`, n)
	}
	events := []byte(`{"events":[` + body.String()[1:] + `]}`)
	for range batches {
		resp, err := p.client().send(t.Context(), http.MethodPost, "/v1/tenants/default/events/batch", bytes.NewReader(events))
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != http.StatusCreated {
			t.Fatal(problemOf(resp))
		}
	}
	const exports = "/v1/tenants/default/exports"
	for _, request := range []map[string]any{
		{"what": "log", "format": "ndjson", "compression": "zstd"},
		{"what": "events", "format": "parquet"},
	} {
		request["filter"] = map[string]any{"to_sequence": batches*batch + 1}
		ask := func() string {
			var made exportManifest
			p.do(http.MethodPost, exports, request, &made)
			return exports + "/" + made.ID
		}
		ended := func(at string) (m exportManifest) {
			eventually(t, time.Minute, "the export ended", func() bool {
				p.do(http.MethodGet, at, nil, &m)
				return m.Status != "queued" && m.Status != "running"
			})
			if m.Status != "succeeded" {
				t.Fatalf("%s: %+v", at, m)
			}
			return m
		}
		began := time.Now()
		undisturbed := ended(ask())
		took := time.Since(began)
		for range kills / 2 {
			at := ask()
			<-time.After(time.Duration(moments.Int64N(int64(took)))) // anywhere within what goes on
			p.kill()
			p.start()
			if m := ended(at); m.Files[0] != undisturbed.Files[0] {
				t.Errorf("killed: %+v, undisturbed: %+v", m.Files[0], undisturbed.Files[0])
			}
		}
	}

	// The same from the command line, to standard output and to a file.
	dir := t.TempDir()
	file := filepath.Join(dir, "log.csv")
	var stdout, stderr [2]bytes.Buffer
	for i, output := range []string{"-", file} {
		code := run(t.Context(), []string{
			"export", "--url", "http://" + p.address, "--key", p.key, "--what", "log", "--format", "csv", "--to-sequence", "100",
			"--reason", "audit", "--delete", "--output", output,
		}, process{stdout: &stdout[i], stderr: &stderr[i]})
		if code != exitOK {
			t.Fatalf("exit code %d: %s", code, &stderr[i])
		}
	}
	text, err := os.ReadFile(file)
	sum := sha256.Sum256(text)
	if err != nil || !bytes.Equal(text, stdout[0].Bytes()) || bytes.Count(text, []byte("\r\n")) != 101 ||
		!strings.Contains(stderr[1].String(), hex.EncodeToString(sum[:])) {
		t.Errorf("%d bytes in the file, %d on standard output, %v; said %s", len(text), stdout[0].Len(), err, &stderr[1])
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	said := p.logEntries("&kind=export.*&order=desc")
	var kinds []string
	for _, e := range said[:4] {
		kinds = append(kinds, e.Kind)
	}
	if got := strings.Join(kinds, " "); got != "export.expired export.downloaded export.finished export.created" {
		t.Errorf("the log says %s", got)
	}
	p.stop()
	p.verify()
}
