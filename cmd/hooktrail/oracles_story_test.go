package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// npmLibrary is the reference library for TypeScript that is asked, beside the one for Go.
const npmLibrary = "standardwebhooks@1.1.1"

// verifyScript prints, for each request, which of the keys verify it.
const verifyScript = `
const { Webhook } = require("standardwebhooks");
const { keys, requests } = JSON.parse(require("fs").readFileSync(process.argv[2], "utf8"));
const verifies = (key, { body, headers }) => {
  try { new Webhook(key).verify(body, headers); return true } catch (e) {
    if (e.name === "WebhookVerificationError") return false;
    throw e;
  }
};
console.log(JSON.stringify(requests.map(r => keys.map(k => verifies(k, r)))));
`

// captured is a request as the libraries take it.
type captured struct {
	Body    string            `json:"body"`
	Headers map[string]string `json:"headers"`
}

// TestStory_StandardWebhooksLibraries has the libraries of the standard's own authors verify deliveries: before a
// rotation, during it, when two signatures stand in the header, and after it.
func TestStory_StandardWebhooksLibraries(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.start()
	var mu sync.Mutex // guards requests
	var requests []captured
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		a := arrivalOf(r)
		c := captured{string(a.body), map[string]string{}}
		for name, values := range a.header {
			c.Headers[name] = strings.Join(values, ", ")
		}
		mu.Lock()
		defer mu.Unlock()
		requests = append(requests, c)
	}))
	t.Cleanup(receiver.Close)
	endpoint, first := p.endpointTo(receiver.URL, nil)
	keys := []string{first}
	rotate := func(overlap string) {
		var rotated struct {
			SigningKey string `json:"signing_key"`
		}
		p.do("POST", "/v1/tenants/default/endpoints/"+endpoint+"/rotate-key", map[string]any{"overlap": overlap}, &rotated)
		keys = append(keys, rotated.SigningKey)
	}
	n := 0
	deliver := func(body string) {
		t.Helper()
		resp, err := p.client().send(t.Context(), "POST", "/v1/tenants/default/events", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusCreated {
			t.Fatal(problemOf(resp))
		}
		n++
		eventually(t, 20*time.Second, "the event is delivered", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(requests) == n
		})
	}
	deliver(`{"type":"offer.issued","data":{"price":19.90,"note":"Café \u00e9 日本"}}`)
	rotate("1h")
	deliver(`{"id":"order-7","type":"offer.issued","data":[1.0, 2]}`)
	deliver(`{"id":"with.a.dot","type":"offer.issued","data":"text"}`)
	rotate("0s")
	deliver(`{"type":"offer.issued","data":{}}`)
	mu.Lock()
	defer mu.Unlock()
	spoiled := captured{strings.Replace(requests[0].Body, "19.90", "19.9", 1), requests[0].Headers}
	want := [][]bool{
		{true, false, false},
		{true, true, false},
		{true, true, false},
		{false, false, true},
		{false, false, false},
	}
	all := append(slices.Clone(requests), spoiled)
	if got := verifiedInGo(t, keys, all); !reflect.DeepEqual(got, want) {
		t.Errorf("the library for Go verifies %v, want %v", got, want)
	}
	if got := verifiedInNode(t, keys, all); got != nil && !reflect.DeepEqual(got, want) {
		t.Errorf("the library for TypeScript verifies %v, want %v", got, want)
	}
}

func verifiedInGo(t testing.TB, keys []string, requests []captured) [][]bool {
	var matrix [][]bool
	for _, r := range requests {
		header := http.Header{}
		for name, value := range r.Headers {
			header.Set(name, value)
		}
		var row []bool
		for _, key := range keys {
			library, err := standardwebhooks.NewWebhook(key)
			if err != nil {
				t.Fatal(err)
			}
			row = append(row, library.Verify([]byte(r.Body), header) == nil)
		}
		matrix = append(matrix, row)
	}
	return matrix
}

// verifiedInNode is nil on a developer's machine that can't get the library; CI must.
func verifiedInNode(t testing.TB, keys []string, requests []captured) [][]bool {
	t.Helper()
	dir := t.TempDir()
	lacking := func(why string, err error) {
		t.Helper()
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s: %v (install Node.js 18 or newer with npm, and let it reach its registry)", why, err)
		}
		t.Logf("not verified with %s: %s: %v", npmLibrary, why, err)
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		lacking("there is no npm", err)
		return nil
	}
	install := exec.CommandContext(
		t.Context(),
		npm,
		"install",
		"--prefix",
		dir,
		"--no-save",
		"--ignore-scripts",
		"--no-audit",
		"--no-fund",
		"--loglevel=error",
		npmLibrary,
	)
	if out, err := install.CombinedOutput(); err != nil {
		lacking("npm install: "+string(out), err)
		return nil
	}
	input, err := json.Marshal(map[string]any{"keys": keys, "requests": requests})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"input.json": input, "verify.js": []byte(verifyScript)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	node := exec.CommandContext(t.Context(), "node", filepath.Join(dir, "verify.js"), filepath.Join(dir, "input.json"))
	var stderr bytes.Buffer
	node.Stderr = &stderr
	out, err := node.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, &stderr)
	}
	var matrix [][]bool
	if err := json.Unmarshal(out, &matrix); err != nil {
		t.Fatalf("node printed %s: %v", out, err)
	}
	return matrix
}
