package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/migrations/migratetest"
)

// ours is a wire format that no vendor has, in two spellings: with a header, and with one that is wrong.
const ours = `{
  "name": "ours", "version": 1, "description": "A format of our own.", "transport": "http_or_https", "content_type": "application/json",
  "envelope": {"kind": "${type}", "payload": "${data}"},
  "headers": {"X-Kind": "${type}"},
  "signature": {"header": "X-Sum", "content": "${body}", "encoding": "hex", "algorithms": {"hmac-sha256": "sha256="}},
  "key": {"format": "text", "generated": true}, "success": ["2xx"], "retry": "default", "honours_retry_after": false
}`

func TestProfileFlags(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := write("good/ours.json", ours)
	write("good/readme.txt", "no profile")
	other := write("other.json", strings.Replace(ours, `"ours"`, `"others"`, 1))
	files, err := profileFlags{Profiles: []string{filepath.Join(dir, "good"), other}}.read()
	if err != nil || len(files) != 2 || files[0].profile.Name != "ours" || files[1].profile.Name != "others" ||
		files[0].path != file {
		t.Fatalf("%v %v", files, err)
	}
	if err := os.Mkdir(filepath.Join(dir, "bad"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ text, want string }{
		"places.json": {strings.Replace(ours, `"X-Kind"`, `"Host"`, 1), "/headers/Host"},
		"syntax.json": {`{"name":`, ""},
		"taken.json":  {strings.Replace(ours, `"ours"`, `"sparkfly"`, 1), "/name"},
		"twice.json":  {strings.Replace(ours, `of our own`, `of our own, changed`, 1), "/version"},
		"none":        {"", "holds no *.json"},
		"missing":     {"", "no such file"},
		"device.json": {"", "is no file"},
	} {
		path := filepath.Join(dir, "bad", name)
		switch {
		case test.text != "":
			write(filepath.Join("bad", name), test.text)
		case name == "none":
			write("bad/none/readme.txt", "")
		case name == "device.json":
			if err := os.Symlink("/dev/zero", path); err != nil {
				t.Fatal(err)
			}
		}
		_, err := profileFlags{Profiles: []string{file, path}}.read()
		var usage *usageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), "HOOKTRAIL_PROFILES") ||
			!strings.Contains(err.Error(), path) ||
			!strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (profileFlags{Profiles: []string{file, ""}}).read(); err == nil {
		t.Error("the comma at the end is taken for the working directory")
	}
}

// TestStory_OperatorsProfile delivers in formats that the operator added, one by a file and one through the API, on
// this node and after a restart, and holds the events to a catalogue that the command line imports.
func TestStory_OperatorsProfile(t *testing.T) {
	t.Parallel()
	receiver := newReceiver(t, func(int) int { return http.StatusOK })
	file := filepath.Join(t.TempDir(), "ours.json")
	if err := os.WriteFile(file, []byte(ours), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newProgram(t, "HOOKTRAIL_PROFILES="+file)
	p.start()

	p.do("POST", "/v1/profiles", json.RawMessage(strings.Replace(ours, `"ours"`, `"theirs"`, 1)), nil)
	_, ourKey := p.endpointTo(receiver.server.URL+"/ours", map[string]any{"profile": "ours"})
	_, theirKey := p.endpointTo(receiver.server.URL+"/theirs", map[string]any{"profile": "theirs"})
	keys := map[string]string{"/ours": ourKey, "/theirs": theirKey}

	p.refusesFaults()
	p.importCatalogue()
	p.enforceSchemas()
	bad := p.client().
		call(t.Context(), "POST", "/v1/tenants/default/events", map[string]any{"type": "points.accrued", "data": map[string]any{"points": "many"}}, nil)
	if bad == nil || !strings.Contains(bad.Error(), "body.data/points") || strings.Contains(bad.Error(), "many") {
		t.Errorf("an event that breaks its schema: %v", bad)
	}
	if got := p.status("GET", "/v1/tenants/default/event-types/points.accrued/guide?profile=ours"); got != http.StatusOK {
		t.Errorf("the guide to an operator's format: status %d", got)
	}
	p.do("POST", "/v1/tenants/default/events", map[string]any{"type": "a.b", "data": map[string]any{"n": 1}}, nil)
	eventually(t, time.Minute, "both endpoints got the event", func() bool { return len(receiver.all()) == 2 })

	p.stop()
	p.start()
	p.do("POST", "/v1/tenants/default/events", map[string]any{"type": "a.b", "data": map[string]any{"n": 2}}, nil)
	eventually(
		t,
		time.Minute,
		"both endpoints got the event after the restart",
		func() bool { return len(receiver.all()) == 4 },
	)
	for _, request := range receiver.all() {
		mac := hmac.New(sha256.New, []byte(keys[request.Path]))
		mac.Write([]byte(request.Body))
		if got := request.Header.Get("X-Sum"); got != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
			t.Errorf("%s is signed with %q", request.Path, got)
		}
		if !strings.HasPrefix(request.Body, `{"kind":"a.b","payload":{"n":`) || request.Header.Get("X-Kind") != "a.b" {
			t.Errorf("%s got %v %s", request.Path, request.Header, request.Body)
		}
	}
	p.addedOnce("ours", "theirs")
	p.stop()
	p.verify()
}

// refusesFaults: whatever is wrong with a document, the answer points at it.
func (p *program) refusesFaults() {
	p.t.Helper()
	id, _ := p.endpointTo("http://127.0.0.1:1/", nil)
	subscription := func(filter string) map[string]any {
		return map[string]any{"endpoint_id": id, "event_types": []string{"*"}, "filter": filter}
	}
	for _, c := range []struct {
		method, path string
		body         any
		says         string
	}{
		{"POST", "/v1/profiles", json.RawMessage(strings.Replace(ours, `"${type}"}`, `"${tpye}"}`, 1)), "body/headers/X-Kind"},
		{"PUT", "/v1/tenants/default/event-types/a.b", json.RawMessage(`{"schema":{"properties":{"a/b":{"type":"nmuber"}}}}`), "body.schema/properties/a~1b/type"},
		{"PUT", "/v1/tenants/default/event-types/a.b", json.RawMessage(`{"schema":{"$ref":"file:///etc/passwd"}}`), "body.schema/$ref"},
		{"PUT", "/v1/tenants/default/event-types/a.b", json.RawMessage(`{"schema":{"type":"object"},"examples":[{},7]}`), "body.examples[1]"},
		{"POST", "/v1/tenants/default/subscriptions", subscription(`data.a > 1 && nothing`), "body.filter: line 1, column 15"},
		{"POST", "/v1/tenants/default/subscriptions", subscription(`size(type)`), "body.filter: "},
		{"POST", "/v1/tenants/default/filters/test", map[string]any{"filter": `data.a >`}, "body.filter: line 1, column "},
	} {
		err := p.client().call(p.t.Context(), c.method, c.path, c.body, nil)
		if err == nil || !strings.Contains(err.Error(), "422") || !strings.Contains(err.Error(), c.says) {
			p.t.Errorf("%s %s %s: %v, want 422 that says %s", c.method, c.path, c.body, err, c.says)
		}
	}
}

// importCatalogue imports one of the program's catalogues twice, and what is exported then once more.
func (p *program) importCatalogue() {
	p.t.Helper()
	command := func(args ...string) string {
		cmd := binary(p.t.Context(), append([]string{"event-types"}, args...)...)
		cmd.Env = append(cmd.Env, "HOOKTRAIL_URL=http://"+p.address, "HOOKTRAIL_API_KEY="+p.key)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			p.t.Fatalf("event-types %v: %v\n%s", args, err, stderr.String())
		}
		return string(out)
	}
	if got := command(
		"import",
		"stashfin",
		"--reason",
		"pilot",
	); !strings.HasSuffix(got, " created, 0 changed, 0 unchanged\n") ||
		strings.HasPrefix(got, "0") {
		p.t.Errorf("the first import: %s", got)
	}
	if got := command("import", "stashfin"); !strings.HasPrefix(got, "0 created, 0 changed, ") {
		p.t.Errorf("the second import: %s", got)
	}
	exported := filepath.Join(p.t.TempDir(), "exported.json")
	if err := os.WriteFile(exported, []byte(command("export")), 0o600); err != nil {
		p.t.Fatal(err)
	}
	if got := command(
		"import",
		exported,
	); !strings.HasPrefix(got, "0 created, 0 changed, ") ||
		strings.Contains(got, " 0 unchanged") {
		p.t.Errorf("the import of what was exported: %s", got)
	}
}

// enforceSchemas has the default tenant refuse events that break their types' schemas.
func (p *program) enforceSchemas() {
	p.t.Helper()
	r, err := http.NewRequestWithContext(
		p.t.Context(),
		http.MethodPatch,
		"http://"+p.address+"/v1/tenants/default",
		strings.NewReader(`{"schema_validation":"enforce"}`),
	)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.key)
	r.Header.Set("Content-Type", "application/merge-patch+json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		p.t.Fatal(problemOf(resp))
	}
}

// addedOnce holds the log to have each wire format of the program, and some that an operator added, once.
func (p *program) addedOnce(more ...string) {
	p.t.Helper()
	set, err := webhook.Embedded()
	if err != nil {
		p.t.Fatal(err)
	}
	want := make(map[string]int)
	for _, profile := range set.All() {
		want[profile.Name]++
	}
	for _, name := range more {
		want[name]++
	}
	have := make(map[string]int)
	for _, e := range p.instanceEntries("profile.added") {
		var entry struct {
			Data struct {
				Detail   domain.ProfileName
				Document json.RawMessage
			}
		}
		if err := json.Unmarshal(e, &entry); err != nil {
			p.t.Fatal(err)
		}
		have[entry.Data.Detail.Name]++
		if sum := sha256.Sum256(entry.Data.Document); hex.EncodeToString(sum[:]) != entry.Data.Detail.Digest {
			p.t.Errorf("the document of %s doesn't have its digest", entry.Data.Detail.Name)
		}
	}
	if diff := cmp.Diff(have, want); diff != "" {
		p.t.Errorf("profiles in the instance's log, and wanted:\n%s", diff)
	}
}

// TestStory_BuiltInProfiles: nodes that start at once on a new database put the program's wire formats into its log
// once, and what began to serve, with its egress rules.
func TestStory_BuiltInProfiles(t *testing.T) {
	t.Parallel()
	db := migratetest.Open(t)
	env := []string{
		"HOOKTRAIL_DATABASE_URL=" + db.URL, "HOOKTRAIL_MASTER_KEY_FILE=" + filepath.Join(t.TempDir(), "master.key"),
		"HOOKTRAIL_EGRESS_DENY=25, 203.0.113.0/24",
	}
	if _, err := seal.LoadOrCreateMasterKey(strings.TrimPrefix(env[1], "HOOKTRAIL_MASTER_KEY_FILE=")); err != nil {
		t.Fatal(err)
	}
	nodes := []*program{newProgram(t, env...), newProgram(t, env...), newProgram(t, env...)}
	for _, p := range nodes {
		p.launch()
	}
	for _, p := range nodes {
		eventually(t, time.Minute, "a node is ready", func() bool { return p.client().awaitReady(t.Context()) == nil })
	}
	nodes[0].addedOnce()
	nodes[0].stop()
	nodes[0].start()
	nodes[0].addedOnce()
	started := nodes[0].instanceEntries("server.started")
	if len(started) != len(nodes)+1 {
		t.Errorf("%d starts in the log", len(started))
	}
	for _, e := range started {
		var entry struct {
			Data struct{ Detail domain.ServerStarted }
		}
		if err := json.Unmarshal(e, &entry); err != nil {
			t.Fatal(err)
		}
		d := entry.Data.Detail
		if d.Version == "" || len(d.ConfigurationDigest) != 64 || !slices.Equal(d.EgressAllow, []string{"127.0.0.0/8"}) ||
			!slices.Equal(d.EgressDeny, []string{"25", "203.0.113.0/24"}) {
			t.Errorf("a start says %+v", d)
		}
	}
}

// TestBuiltInProfiles: a program of another version adds only the formats that are new.
func TestBuiltInProfiles(t *testing.T) {
	t.Parallel()
	set, err := webhook.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	added := make(map[string]bool)
	for _, p := range set.All() {
		added[p.Digest] = true
	}
	if groups := builtInProfiles(set, added); len(groups) != 0 {
		t.Errorf("%d formats are added again", len(groups))
	}
	newest := set.Named("standard-webhooks")
	delete(added, newest.Digest)
	groups := builtInProfiles(set, added)
	if len(groups) != 1 || groups[0].Drafts[0].Fact.(*domain.ProfileAdded).Profile.Digest != newest.Digest {
		t.Errorf("added: %+v", groups)
	}
}

// instanceEntries are entries of a kind in the instance's log.
func (p *program) instanceEntries(kind string) []json.RawMessage {
	p.t.Helper()
	var page struct{ Items []json.RawMessage }
	p.do("GET", "/v1/tenants/_instance/log?limit=1000&kind="+kind, nil, &page)
	return page.Items
}
