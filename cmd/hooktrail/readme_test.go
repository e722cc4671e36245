package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReadme runs what the README tells a newcomer to paste into the second terminal, word for word but for the
// addresses, the key, and the binary, which is this one instead of a fresh build.
func TestReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var block string
	for _, found := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		if strings.HasPrefix(found[1], "KEY=") {
			block = found[1]
		}
	}
	key := regexp.MustCompile(`^KEY=.*`)
	p := newProgram(t)
	p.start()
	listenAt := freeAddress(t)
	for pattern, instead := range map[string]string{
		`127.0.0.1:8080`: p.address, `127.0.0.1:9099`: listenAt,
		`go run ./cmd/hooktrail listen`: "hooktrail listen --listen " + listenAt,
	} {
		if !strings.Contains(block, pattern) {
			t.Fatalf("the README's block has no %s any more:\n%s", pattern, block)
		}
		block = strings.ReplaceAll(block, pattern, instead)
	}
	block = key.ReplaceAllLiteralString(block, "KEY="+p.key)

	var output lockedBuffer
	shell := exec.CommandContext(t.Context(), "bash", "-c", block) // the README's own words
	shell.Dir = t.TempDir()
	shell.Stdout, shell.Stderr = &output, &output
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the receiver stays in the background: it goes with the group
	shell.WaitDelay = 30 * time.Second
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) })
	eventually(t, 40*time.Second, "the log is printed", func() bool {
		return strings.Contains(output.String(), `"delivery.attempt_finished"`)
	})
	shown := output.String()
	for _, want := range []string{
		"signature: valid; answered 200", `"data":{"price":19.90,"note":"Café"}`, `"status":"succeeded"`, `"outcome":"succeeded"`,
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("the README's block shows no %s:\n%s", want, shown)
		}
	}
	for _, problem := range []string{"problem", "rror:", "not found"} {
		if strings.Contains(shown, problem) {
			t.Errorf("the README's block shows a %q:\n%s", problem, shown)
		}
	}
}

// TestReadme_LifeOfAnEvent: each file that the README names in the life of an event exists and declares what does that
// step. Where code moves, the README is to follow.
func TestReadme_LifeOfAnEvent(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, life, _ := strings.Cut(string(text), "### The life of an event\n")
	life, _, _ = strings.Cut(life, "\n## ")
	defines := map[string][]string{
		"openapi/internal/rest/gate.go":                {"func (g *Gate) Handle("},
		"openapi/internal/ingest/envelope.go":          {"func parseEvent("},
		"openapi/append.go":                            {"func appendEvent("},
		"adapters/dispatch/router.go":                  {"func (r *Router) Append("},
		"adapters/dispatch/route.go":                   {"func routesOf("},
		"adapters/postgres/eventlog/append_loop.go":    {"func (a *appender) run(", "func (a *appender) commitAndAnswer("},
		"adapters/postgres/eventlog/append_session.go": {"func (s *session) commit("},
		"adapters/dispatch/worker.go":                  {"func (w *worker) run("},
		"adapters/courier/courier.go":                  {"func (c *Courier) Send("},
		"adapters/webhook/sender.go":                   {"func (s *Sender) Send("},
		"adapters/postgres/views/follower.go":          {"func (f *Follower) Run("},
		"projections/apply.go":                         {"func Apply("},
	}
	for _, named := range regexp.MustCompile("`([a-z/_]+\\.go)`").FindAllStringSubmatch(life, -1) {
		path := named[1]
		source, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Errorf("the life of an event names a file that isn't there: %v", err)
			continue
		}
		wanted, known := defines[path]
		if !known {
			t.Errorf("the life of an event names %s; say here what it defines", path)
		}
		for _, declaration := range wanted {
			if !strings.Contains(string(source), "\n"+declaration) {
				t.Errorf("%s doesn't define %s", path, declaration)
			}
		}
		delete(defines, path)
	}
	for path := range defines {
		t.Errorf("the life of an event doesn't name %s", path)
	}
}
