package guide

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// startTimeout bounds how long a receiver may take to listen, on a busy machine.
const startTimeout = 60 * time.Second

// program is a snippet made ready to run.
type program struct {
	name string
	args []string
	dir  string
}

// prepared makes programs ready, each once however many profiles have it.
type prepared struct {
	mu       sync.Mutex
	programs map[string]*program // by language and code; guarded by mu
}

// prepare writes a snippet to a file, and builds it where it is compiled. It returns nil if the machine doesn't have
// what the snippet needs.
func (p *prepared) prepare(t *testing.T, s Snippet) *program {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	key := s.ID + "\n" + s.Code
	if have, ok := p.programs[key]; ok {
		return have
	}
	p.programs[key] = ready(t, s)
	return p.programs[key]
}

// ready writes a program to a folder of its own.
func ready(t *testing.T, s Snippet) *program {
	t.Helper()
	dir, err := os.MkdirTemp("", "hooktrail-guide-")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, s.File)
	out := &program{dir: dir}
	switch s.ID {
	case "go":
		write(t, filepath.Join(dir, "go.mod"), "module receiver\n\ngo 1.22\n")
		out.name = filepath.Join(dir, "receiver")
	case "typescript":
		var code string
		if out.args, code = nodeArgs(t, file, s.Code); out.args == nil {
			return nil
		}
		out.name, s.Code, file = "node", code, out.args[0]
	case "python":
		out.name, out.args = "python3", []string{file}
	default:
		out.name, out.args = "sh", []string{file}
	}
	write(t, file, s.Code)
	if s.ID == "go" {
		build := exec.CommandContext(t.Context(), "go", "build", "-o", out.name, ".")
		build.Dir, build.Env = dir, append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
		if output, err := build.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s\n%s", err, output, s.Code)
		}
	}
	for _, needed := range needs(s.ID) {
		if _, err := exec.LookPath(needed); err != nil {
			t.Logf("%s was not run: this machine has no %s", s.File, needed)
			return nil
		}
	}
	return out
}

// needs lists the commands without which a program can't run.
func needs(program string) []string {
	switch program {
	case "python":
		return []string{"python3"}
	case "check":
		return []string{"openssl"}
	case "try":
		return []string{"openssl", "curl"}
	}
	return nil
}

// nodeArgs returns how Node runs a TypeScript file: as it is, if Node is new enough to drop the types itself (22.18),
// else what is left of it without its type annotations, which are these few.
func nodeArgs(t *testing.T, file, code string) (args []string, run string) {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "node", "--version").Output()
	if err != nil {
		t.Logf("%s was not run: this machine has no node", filepath.Base(file))
		return nil, ""
	}
	version := regexp.MustCompile(`^v(\d+)\.(\d+)`).FindStringSubmatch(string(output))
	if version == nil {
		t.Fatalf("node says that it is %q", output)
	}
	major, _ := strconv.Atoi(version[1])
	minor, _ := strconv.Atoi(version[2])
	if major > 23 || major == 23 && minor >= 6 || major == 22 && minor >= 18 {
		module := strings.TrimSuffix(file, ".ts") + ".mts"
		return []string{module}, code
	}
	module := strings.TrimSuffix(file, ".ts") + ".mjs"
	types := regexp.MustCompile(`: (string|number|boolean|Buffer)(\[\])?([,) ])`)
	return []string{module}, types.ReplaceAllString(code, "$3")
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// serve runs a receiver until the test ends and returns where it listens.
func (p *program) serve(t *testing.T, env ...string) string {
	t.Helper()
	var said string
	for range 3 { // between choosing a port and listening on it somebody else may take it
		port := freePort(t)
		var ok bool
		if said, ok = p.listen(t, port, env); ok {
			return "http://127.0.0.1:" + port + "/webhooks"
		}
	}
	t.Fatalf("%s doesn't listen: %s", p.name, said)
	return ""
}

// listen starts a receiver and waits until it listens; false if it ended instead, with what it said.
func (p *program) listen(t *testing.T, port string, env []string) (string, bool) {
	t.Helper()
	var output bytes.Buffer
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*startTimeout)
	cmd := exec.CommandContext(ctx, p.name, p.args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, &output, &output
	cmd.Env = append(append(os.Environ(), "PORT="+port), env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it is killed at the end, or its output says why it ended before
		close(ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		if t.Failed() {
			t.Logf("%s said: %s", p.name, output.String())
		}
	})
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); {
		c, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = c.Close()
		}
		select {
		case <-ended:
			return output.String(), false
		case <-time.After(20 * time.Millisecond):
			if err == nil {
				return "", true
			}
		}
	}
	return "nothing in time", false
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// run runs a script to its end and returns what it printed and its exit code.
func (p *program) run(t *testing.T, env []string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), p.name, append(append([]string(nil), p.args...), args...)...)
	cmd.Dir, cmd.Env = p.dir, append(os.Environ(), env...)
	output, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(output), cmd.ProcessState.ExitCode()
}

// post sends a request as it was built and returns the answer.
func post(t *testing.T, url string, header http.Header, body []byte) (status int, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header.Clone()
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(fmt.Errorf("post to the receiver: %w", err))
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(said)
}
