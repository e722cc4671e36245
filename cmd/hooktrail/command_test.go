package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/migrations/migratetest"
)

// TestRun_Mistakes: what is wrong with a command line is said in a sentence that tells what to do, with the exit code for
// it, before anything is started.
func TestRun_Mistakes(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	const somewhere = "postgres://u:secret-password@127.0.0.1:1/db"
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no command":           {nil, exitUsage, "Run the server: API, dispatcher and views."},
		"unknown command":      {[]string{"server"}, exitUsage, "hooktrail --help"},
		"unknown flag":         {[]string{"serve", "--port", "8080"}, exitUsage, "unknown flag --port"},
		"unknown log level":    {[]string{"serve", "--log-level", "loud"}, exitUsage, "--log-level"},
		"unknown log format":   {[]string{"serve", "--log-format", "xml"}, exitUsage, "--log-format"},
		"database no URL":      {[]string{"serve", "--database-url", "host=localhost"}, exitUsage, "postgres://user:password@host:5432/database"},
		"migrate URL alone":    {[]string{"serve", "--migrate-url", somewhere}, exitUsage, "set both, or neither"},
		"migrate: URL alone":   {[]string{"migrate", "--migrate-url", somewhere}, exitUsage, "set both, or neither"},
		"no CIDR":              {[]string{"serve", "--egress-allow", "10.0.0.0/8,localhost"}, exitUsage, "HOOKTRAIL_EGRESS_ALLOW"},
		"no CIDR to deny":      {[]string{"serve", "--egress-deny", "25,localhost"}, exitUsage, "HOOKTRAIL_EGRESS_DENY"},
		"no CA file":           {[]string{"serve", "--egress-ca-file", filepath.Join(t.TempDir(), "ca.pem")}, exitUsage, "HOOKTRAIL_EGRESS_CA_FILE"},
		"short operator key":   {[]string{"serve", "--admin-key", "short"}, exitUsage, "32 or more visible"},
		"blank operator key":   {[]string{"serve", "--admin-key", strings.Repeat("k ", 32)}, exitUsage, "32 or more visible"},
		"small data bound":     {[]string{"serve", "--max-data-bytes", "1"}, exitUsage, "between 1024 and"},
		"instance name":        {[]string{"serve", "--instance-name", "Log/Bank"}, exitUsage, "log.bank.example"},
		"profiles for all":     {[]string{"serve", "--debug-listen", "0.0.0.0:6060"}, exitUsage, "loopback address"},
		"refused port":         {[]string{"serve", "--listen", taken.Addr().String()}, exitFailed, "HOOKTRAIL_LISTEN chooses another address"},
		"unreachable database": {[]string{"serve", "--listen", "127.0.0.1:0", "--database-wait", "0s", "--database-url", somewhere}, exitFailed, "127.0.0.1"},
		"long wait":            {[]string{"serve", "--database-wait", "2h"}, exitUsage, "HOOKTRAIL_DATABASE_WAIT"},
		"unknown profile":      {[]string{"listen", "--profile", "morse"}, exitUsage, `no profile "morse"`},
		"no signing key":       {[]string{"listen", "--signing-key", "not a key"}, exitUsage, "--signing-key"},
		"odd status":           {[]string{"listen", "--status", "99"}, exitUsage, "between 200 and 599"},
		"keys without a key":   {[]string{"keys", "list"}, exitUsage, "HOOKTRAIL_API_KEY"},
		"monitor of a tenant":  {[]string{"keys", "create", "--role", "monitor", "--name", "n"}, exitUsage, "add --instance"},
		"keys without a role":  {[]string{"keys", "create", "--name", "n"}, exitUsage, "--role"},
		"tail: no server":      {[]string{"tail", "--key", "k", "--url", "http://127.0.0.1:1"}, exitFailed, "is the server running?"},
		"no server":            {[]string{"keys", "list", "--key", "k", "--url", "http://127.0.0.1:1"}, exitFailed, "is the server running?"},
		"document's format":    {[]string{"openapi", "--format", "toml"}, exitUsage, "--format"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			args := c.args
			if len(args) > 0 && (args[0] == "serve" || args[0] == "migrate" || args[0] == "keys") {
				args = append(args, "--data-dir", t.TempDir())
			}
			var stdout, stderr bytes.Buffer
			code := run(ctx, args, process{stdout: &stdout, stderr: &stderr})
			if code != c.code || !strings.Contains(stderr.String(), c.says) {
				t.Errorf("exit code %d, want %d with %q: %s", code, c.code, c.says, &stderr)
			}
			if stdout.Len() > 0 {
				t.Errorf("standard output holds %s", &stdout)
			}
			if strings.Contains(stderr.String(), "secret-password") {
				t.Errorf("the password is shown: %s", &stderr)
			}
		})
	}
}

// tool runs a subcommand in this process and demands success.
func tool(t testing.TB, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), args, process{stdout: &stdout, stderr: &stderr}); code != exitOK {
		t.Fatalf("hooktrail %v: exit code %d: %s", args, code, &stderr)
	}
	return stdout.String()
}

func TestRun_OpenAPIAndVersion(t *testing.T) {
	t.Parallel()
	checkedIn, err := os.ReadFile(filepath.Join("..", "..", "openapi", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if tool(t, "openapi") != string(checkedIn) {
		t.Error("hooktrail openapi prints another document than openapi/openapi.yaml (go generate ./openapi)")
	}
	for format, version := range map[string]string{"json": "3.1", "json30": "3.0"} {
		var document struct{ OpenAPI string }
		path := filepath.Join(t.TempDir(), "document.json")
		tool(t, "openapi", "--format", format, "--output", path)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &document); err != nil || !strings.HasPrefix(document.OpenAPI, version) {
			t.Errorf("%s is of version %q: %v", format, document.OpenAPI, err)
		}
	}
	if got := tool(t, "version"); !regexp.MustCompile(`^hooktrail \d+\.\d+\.\d+(\+[0-9a-f]{12})?\n$`).MatchString(got) {
		t.Errorf("hooktrail version prints %q", got)
	}
}

// TestStory_FirstDay: an operator starts without configuration, uses the key that is printed once, and meets the egress
// guard; a second server on the same directory is refused.
func TestStory_FirstDay(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "HOOKTRAIL_ADMIN_KEY=", "HOOKTRAIL_EGRESS_ALLOW=")
	p.start()
	kept := filepath.Join(p.dir, operatorKeyFile)
	text, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	p.key = strings.TrimSpace(string(text))
	if strings.Count(p.output.String(), p.key) != 1 {
		t.Errorf("the operator key isn't printed once:\n%s", p.output.String())
	}
	for _, name := range []string{operatorKeyFile, masterKeyFile} {
		if info, err := os.Stat(filepath.Join(p.dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}

	second := binary(t.Context(), "serve", "--data-dir", p.dir, "--listen", "127.0.0.1:0")
	if out, err := second.CombinedOutput(); second.ProcessState.ExitCode() != exitFailed || !strings.Contains(string(out), "HOOKTRAIL_DATA_DIR") {
		t.Errorf("a second server on the directory: %v\n%s", err, out)
	}
	p.keysAndTail()
	p.refusedAddress()

	before := len(p.output.String())
	p.stop()
	p.start()
	if again := p.output.String()[before:]; strings.Contains(again, p.key) || strings.Contains(again, "operator key") {
		t.Errorf("the second start tells of the operator key:\n%s", again)
	}
	p.do("GET", "/v1/whoami", nil, nil)
}

// keysAndTail uses the tools of an operator against the running server, with the key that they find in the directory.
func (p *program) keysAndTail() {
	t := p.t
	server := []string{"--url", "http://" + p.address, "--data-dir", p.dir}
	with := func(args ...string) []string { return append(args, server...) }
	made := strings.TrimSpace(tool(t, with("keys", "create", "--role", "producer", "--name", "billing")...))
	producer := newClient("http://"+p.address, made)
	var who struct{ ID, Role string }
	if err := producer.call(t.Context(), "GET", "/v1/whoami", nil, &who); err != nil || who.Role != "producer" {
		t.Fatalf("the key that was made: %+v, %v", who, err)
	}
	list := tool(t, with("keys", "list")...)
	row := regexp.MustCompile(`(?m)^(\S+)\s+producer\s+billing\s`).FindStringSubmatch(list)
	if row == nil || strings.Contains(list, made) {
		t.Fatalf("hooktrail keys list prints\n%s", list)
	}
	var event struct{ Sequence int64 }
	if err := producer.call(t.Context(), "POST", "/v1/tenants/default/events", map[string]any{"type": "first.event", "data": 1}, &event); err != nil {
		t.Fatal(err)
	}
	tool(t, with("keys", "revoke", row[1])...)
	eventually(t, 10*time.Second, "the revoked key opens nothing", func() bool {
		return producer.call(t.Context(), "GET", "/v1/whoami", nil, nil) != nil
	})

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var out, said lockedBuffer
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, with("tail", "--from", "0"), process{stdout: &out, stderr: &said}) }()
	eventually(t, 15*time.Second, "tail prints the whole log", func() bool { return strings.Contains(out.String(), `"key.revoked"`) })
	cancel()
	if code := <-ended; code != exitOK {
		t.Errorf("an interrupted tail ends with %d: %s", code, said.String())
	}
	for i, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		var entry logEntry
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Sequence != int64(i) {
			t.Errorf("tail's line %d: %v: %s", i, err, line)
		}
	}
}

// refusedAddress: without HOOKTRAIL_EGRESS_ALLOW nothing reaches a receiver on this machine, and the attempt says why.
func (p *program) refusedAddress() {
	t := p.t
	receiver := newReceiver(t, nil)
	p.endpointTo(receiver.server.URL, map[string]any{"retry": map[string]any{"schedule": []string{"1h"}}})
	p.do("POST", "/v1/tenants/default/events", map[string]any{"type": "second.event", "data": 2}, nil)
	var page struct {
		Items []struct{ Outcome, Error string }
	}
	eventually(t, 15*time.Second, "an attempt is recorded", func() bool {
		all := p.deliveries()
		if len(all) != 1 || all[0].Status != "retrying" {
			return false
		}
		p.do("GET", "/v1/tenants/default/deliveries/"+all[0].ID+"/attempts", nil, &page)
		return true
	})
	if len(page.Items) != 1 || page.Items[0].Outcome != "failed" || page.Items[0].Error != "address_refused" {
		t.Errorf("the attempt is recorded as %+v", page.Items)
	}
	if n := len(receiver.all()); n != 0 {
		t.Errorf("%d requests reached loopback", n)
	}
}

// TestStory_Migrate: an empty database is refused with what to do, made ready by a role that may, and found ready by the
// server's own role from then on.
func TestStory_Migrate(t *testing.T) {
	t.Parallel()
	beside := migratetest.Open(t)
	name := beside.Name + "_empty"
	conn, err := pgx.Connect(t.Context(), beside.AdminURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := conn.Exec(context.Background(), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
		_ = conn.Close(context.Background())
	})
	if _, err := conn.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	server, admin := named(t, beside.URL, name), named(t, beside.AdminURL, name)
	migrate := []string{"migrate", "--data-dir", t.TempDir(), "--database-url", server}

	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), migrate, process{stdout: &stdout, stderr: &stderr}); code != exitFailed || !strings.Contains(stderr.String(), "HOOKTRAIL_MIGRATE_URL") {
		t.Errorf("migrate as the server's role: exit code %d: %s", code, &stderr)
	}
	for _, args := range [][]string{append(slices.Clone(migrate), "--migrate-url", admin), migrate} {
		if out := tool(t, args...); out != "the schema is up to date\n" {
			t.Errorf("hooktrail migrate prints %q", out)
		}
	}
	if out := tool(t, append(slices.Clone(migrate), "--raise-format")...); !strings.Contains(out, fmt.Sprintf("the log has format %d already", domain.Format)) {
		t.Errorf("hooktrail migrate --raise-format prints %q", out)
	}
}

// named is the URL of another database in the same cluster.
func named(t testing.TB, databaseURL, name string) string {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}
