package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/migrations/migratetest"
)

// refusal asks for a path, and returns what a problem with status 503 says there; "" while nothing listens, or for any
// other answer.
func (p *program) refusal(path string) string {
	p.t.Helper()
	resp, err := p.client().send(p.t.Context(), http.MethodGet, path, nil)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		return ""
	}
	if resp.Header.Get("Retry-After") == "" {
		p.t.Errorf("%s: 503 without Retry-After", path)
	}
	var problem struct{ Detail string }
	if err := json.NewDecoder(resp.Body).Decode(&problem); err != nil {
		p.t.Errorf("%s: %v", path, err)
	}
	return problem.Detail
}

// TestStory_NoDatabaseYet: a server whose database isn't there yet answers from the first moment, and says what it is
// waiting for. It can be stopped, and goes on when the database comes.
func TestStory_NoDatabaseYet(t *testing.T) {
	t.Parallel()
	line := newBrokenLine(t, migratetest.Open(t).URL)
	line.cut()
	p := newProgram(t, "HOOKTRAIL_DATABASE_URL="+line.url)
	const waiting = "waiting for the database"
	for _, end := range []func(){p.stop, func() {}} {
		p.launch()
		eventually(t, 10*time.Second, "/readyz says why", func() bool { return strings.Contains(p.refusal("/readyz"), waiting) })
		if detail := p.refusal("/v1/tenants"); !strings.Contains(detail, waiting) {
			t.Errorf("the API answers %q", detail)
		}
		if status := p.status("GET", "/livez"); status != http.StatusOK {
			t.Errorf("/livez answers %d", status)
		}
		end()
	}
	line.mend()
	eventually(t, 30*time.Second, "it serves", func() bool { return p.status("GET", "/readyz") == http.StatusOK })
}

// TestStory_Stop: a server that is told to stop says so at /readyz first and goes on meanwhile, and a second signal ends
// it at once.
func TestStory_Stop(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.env = append(p.env, "HOOKTRAIL_STOP_DELAY=1s")
	p.start()
	signal := func() {
		t.Helper()
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	signal()
	eventually(t, 10*time.Second, "/readyz says why", func() bool { return strings.Contains(p.refusal("/readyz"), "stop") })
	p.do("POST", "/v1/tenants/default/events", map[string]any{"type": "order.paid", "data": 1}, nil)
	p.awaitEnd(func(err error) bool { return err == nil })

	p.env = append(p.env, "HOOKTRAIL_STOP_DELAY=1m")
	p.start()
	signal()
	eventually(t, 10*time.Second, "the log says what a second signal does", func() bool {
		return strings.Contains(p.output.String(), "a second signal ends the process at once") && p.refusal("/readyz") != ""
	})
	signal()
	p.awaitEnd(func(err error) bool {
		ended := new(exec.ExitError)
		status, ok := syscall.WaitStatus(0), errors.As(err, &ended)
		if ok {
			status, ok = ended.Sys().(syscall.WaitStatus)
		}
		return ok && status.Signaled() && status.Signal() == syscall.SIGTERM
	})
}

// awaitEnd demands that the server ends soon, as it should.
func (p *program) awaitEnd(should func(error) bool) {
	p.t.Helper()
	select {
	case err := <-p.exited:
		if !should(err) {
			p.t.Errorf("the server ended with %v\n%s", err, p.output.String())
		}
		p.cmd = nil
	case <-time.After(20 * time.Second):
		p.t.Fatalf("the server goes on\n%s", p.output.String())
	}
}

// TestStory_StoppedWhilePostgresStarts: a server that is told to stop before its private Postgres is there ends cleanly.
func TestStory_StoppedWhilePostgresStarts(t *testing.T) {
	t.Parallel()
	p := newStandalone(t)
	p.launch()
	eventually(t, 20*time.Second, "/readyz says why", func() bool {
		return strings.Contains(p.refusal("/readyz"), "waiting for the database")
	})
	p.stop()
	if said := p.output.String(); !strings.Contains(said, "stopped while Postgres started") {
		t.Errorf("it says %s", said)
	}
}
