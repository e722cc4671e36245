package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
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
		"long delay":           {[]string{"serve", "--stop-delay", "10m"}, exitUsage, "HOOKTRAIL_STOP_DELAY"},
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

// TestAnnounceKey: only a terminal is shown the key.
func TestAnnounceKey(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	if err := announceKey(&log, "/data/operator.key", "ht_secret"); err != nil || strings.Contains(log.String(), "ht_secret") ||
		!strings.Contains(log.String(), "/data/operator.key") {
		t.Errorf("a log is told %q, %v", log.String(), err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	if isTerminal(w) || !isTerminal(terminal) {
		t.Errorf("a pipe is a terminal: %v; a terminal is one: %v", isTerminal(w), isTerminal(terminal))
	}
}
