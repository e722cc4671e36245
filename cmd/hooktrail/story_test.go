package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hooktrail/hooktrail/adapters/localpg"
	"github.com/hooktrail/hooktrail/migrations/migratetest"
)

// TestMain makes the test binary run as hooktrail itself where it is called so, as it is on the PATH of the tests: the
// stories kill a real process.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hooktrail": main})
}

// binary prepares a run of the real program.
func binary(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "hooktrail", args...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "HOOKTRAIL_") })
	return cmd
}

// program is a server under test: the real binary on a data directory.
type program struct {
	t       testing.TB
	dir     string
	env     []string
	address string
	key     string
	prepare func(*exec.Cmd) // what else a start needs; may be nil
	cmd     *exec.Cmd
	output  lockedBuffer
	exited  chan error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const testOperatorKey = "test-operator-key-of-forty-visible-characters"

// newProgram prepares a server on a database of the tests' cluster, unless env names another. It has fsync off and the
// schema there: a private Postgres takes two seconds more.
func newProgram(t testing.TB, env ...string) *program {
	t.Helper()
	const variable = "HOOKTRAIL_DATABASE_URL="
	if !slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, variable) }) {
		env = append(env, variable+migratetest.Open(t).URL)
	}
	return newStandalone(t, env...)
}

// newStandalone prepares a server that makes a Postgres of its own, as one does without configuration.
func newStandalone(t testing.TB, env ...string) *program {
	t.Helper()
	p := &program{t: t, dir: newDataDir(t), env: env, address: freeAddress(t), key: testOperatorKey}
	t.Cleanup(p.stop) // before the directory goes
	return p
}

// newDataDir makes a data directory that a Postgres run as another account can pass through. In t's cleanup it goes,
// with the Postgres that a killed server left running in it.
func newDataDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hooktrail-story-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		private := filepath.Join(dir, postgresDir)
		if _, err := os.Stat(filepath.Join(private, "data", "postmaster.pid")); err == nil {
			// A start stops what was left, to be the only one on the data.
			postgres, err := localpg.Start(context.Background(), localpg.Config{Dir: private})
			if err == nil {
				err = postgres.Stop()
			}
			if err != nil {
				t.Errorf("stop the leftover Postgres: %v", err)
			}
		}
		_ = os.RemoveAll(dir)
	})
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// start runs the server and waits until it is ready.
func (p *program) start() {
	p.t.Helper()
	p.launch()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	ready := make(chan error, 1)
	go func() { ready <- p.client().awaitReady(ctx) }()
	select {
	case err := <-ready:
		if err != nil {
			p.t.Fatalf("%v\n%s", err, p.output.String())
		}
	case err := <-p.exited:
		p.exited <- err
		p.t.Fatalf("the server ended: %v\n%s", err, p.output.String())
	}
}

// launch runs the server.
func (p *program) launch() {
	p.t.Helper()
	p.cmd = binary(context.Background(), "serve")
	if p.prepare != nil {
		p.prepare(p.cmd)
	}
	p.cmd.Env = append(p.cmd.Env, "HOOKTRAIL_DATA_DIR="+p.dir, "HOOKTRAIL_LISTEN="+p.address,
		"HOOKTRAIL_EGRESS_ALLOW=127.0.0.0/8", "HOOKTRAIL_ADMIN_KEY="+p.key, "HOOKTRAIL_LOG_LEVEL=DEBUG",
		"HOOKTRAIL_STOP_DELAY=0s")
	p.cmd.Env = append(p.cmd.Env, p.env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.exited = make(chan error, 1)
	go func(cmd *exec.Cmd) { p.exited <- cmd.Wait() }(p.cmd)
}

// kill ends the server with SIGKILL, as a power cut does.
func (p *program) kill() {
	_ = p.cmd.Process.Kill()
	if err := <-p.exited; err == nil {
		p.t.Error("the server had ended cleanly before it was killed")
	}
	p.cmd = nil
}

// stop ends the server as an operator does, and demands a clean end.
func (p *program) stop() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-p.exited:
		if err != nil {
			p.t.Errorf("the server ended with %v\n%s", err, p.output.String())
		}
	case <-time.After(40 * time.Second):
		_ = p.cmd.Process.Kill()
		p.t.Errorf("the server didn't end\n%s", p.output.String())
	}
	p.cmd = nil
}

func (p *program) client() *apiClient { return newClient("http://"+p.address, p.key) }

// do calls the API and fails the test on any problem.
func (p *program) do(method, path string, body, out any) {
	p.t.Helper()
	if err := p.client().call(p.t.Context(), method, path, body, out); err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
}

// received is a receiver that remembers every request.
type received struct {
	mu       sync.Mutex
	requests []receivedRequest
	status   func(n int) int // of the n-th request, from 1; nil: 200
	server   *httptest.Server
}

type receivedRequest struct {
	ID, Timestamp, Body string
	Path                string
	Header              http.Header
	Status              int
}

func newReceiver(t testing.TB, status func(n int) int) *received {
	r := &received{status: status}
	r.server = httptest.NewServer(r)
	t.Cleanup(r.server.Close)
	return r
}

// ServeHTTP implements http.Handler.
func (r *received) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.WriteHeader(r.note(req, r.status))
}

// note remembers a request and returns the status that it is to be answered with.
func (r *received) note(req *http.Request, answer func(n int) int) int {
	body, _ := io.ReadAll(req.Body) // a broken request shows as a wrong body
	r.mu.Lock()
	defer r.mu.Unlock()
	status := http.StatusOK
	if answer != nil {
		status = answer(len(r.requests) + 1)
	}
	r.requests = append(r.requests, receivedRequest{
		ID: req.Header.Get("Webhook-Id"), Timestamp: req.Header.Get("Webhook-Timestamp"), Body: string(body), Status: status,
		Path: req.URL.Path, Header: req.Header,
	})
	return status
}

func (r *received) all() []receivedRequest {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

// eventually asks until it is true.
func eventually(t testing.TB, within time.Duration, what string, ask func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ask() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within %s: %s", within, what)
		case <-tick.C:
		}
	}
}

// endpointTo makes an endpoint with a subscription to everything and returns its id and signing key.
func (p *program) endpointTo(url string, more map[string]any) (id, signingKey string) {
	p.t.Helper()
	body := map[string]any{"name": "receiver", "url": url}
	for member, value := range more {
		body[member] = value
	}
	var endpoint struct {
		ID         string
		SigningKey string `json:"signing_key"`
	}
	p.do("POST", "/v1/tenants/default/endpoints", body, &endpoint)
	p.do(
		"POST",
		"/v1/tenants/default/subscriptions",
		map[string]any{"endpoint_id": endpoint.ID, "event_types": []string{"*"}},
		nil,
	)
	return endpoint.ID, endpoint.SigningKey
}

type deliveryRow struct {
	ID       string
	EventID  string `json:"event_id"`
	Status   string
	Attempts int
}

func (p *program) deliveries() []deliveryRow {
	p.t.Helper()
	var all []deliveryRow
	cursor := ""
	for {
		var page struct {
			Items []deliveryRow
			Next  *string
		}
		p.do("GET", "/v1/tenants/default/deliveries?limit=1000"+cursor, nil, &page)
		all = append(all, page.Items...)
		if page.Next == nil {
			return all
		}
		cursor = "&cursor=" + *page.Next
	}
}

type logEntry struct {
	Sequence int64
	Kind     string
	Stream   string
	Data     map[string]json.RawMessage
}

func (p *program) logEntries(filter string) []logEntry {
	p.t.Helper()
	var all []logEntry
	cursor := ""
	for {
		var page struct {
			Items []logEntry
			Next  *string
		}
		p.do("GET", "/v1/tenants/default/log?limit=1000"+filter+cursor, nil, &page)
		all = append(all, page.Items...)
		if page.Next == nil {
			return all
		}
		cursor = "&cursor=" + *page.Next
	}
}

// TestStory_EventToWebhook is the main job: an event goes in over HTTP, a signed webhook arrives at `hooktrail listen`,
// and the log tells everything about it.
func TestStory_EventToWebhook(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.start()
	listenAt := freeAddress(t)
	endpointID, signingKey := p.endpointTo("http://"+listenAt+"/hooks?x=1", nil)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	listen := binary(ctx, "listen", "--listen", listenAt, "--signing-key", signingKey)
	out, err := listen.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := listen.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "the receiver listens", func() bool {
		conn, err := net.Dial("tcp", listenAt)
		if err != nil {
			return false
		}
		_ = conn.Close()
		return true
	})

	const data = `{"price":19.90,"big":12345678901234567890,"note":"Café \u00e9","z":1,"a":2}`
	var event struct{ ID string }
	p.do(
		"POST",
		"/v1/tenants/default/events",
		json.RawMessage(`{"type":"offer.issued","subject":"member/42","data":`+data+`}`),
		&event,
	)

	printed := make(chan string, 1)
	go func() {
		var text strings.Builder
		for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "----"; {
			fmt.Fprintln(&text, lines.Text())
		}
		printed <- text.String()
	}()
	select {
	case text := <-printed:
		for _, want := range []string{"signature: valid; answered 200", "webhook-id: " + event.ID, `"data":` + data} {
			if !strings.Contains(text, want) {
				t.Errorf("listen printed no %q:\n%s", want, text)
			}
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("nothing arrived\n%s", p.output.String())
	}

	eventually(t, 10*time.Second, "the delivery succeeded", func() bool {
		all := p.deliveries()
		return len(all) == 1 && all[0].Status == "succeeded" && all[0].Attempts == 1
	})
	// The body can be made again to the byte, also after the endpoint's keys are destroyed and the server is another.
	delivery := p.deliveries()[0]
	var attempts struct {
		Items []struct {
			Request struct {
				BodySHA256 string `json:"body_sha256"`
			}
		}
	}
	p.do("GET", "/v1/tenants/default/deliveries/"+delivery.ID+"/attempts", nil, &attempts)
	var kinds []string
	for _, e := range p.logEntries("") {
		kinds = append(kinds, e.Kind)
	}
	want := []string{
		"tenant.created", "endpoint.created", "subscription.created", "event.appended", "delivery.attempt_finished",
	}
	if !slices.Equal(kinds, want) {
		t.Errorf("the log holds %v, want %v", kinds, want)
	}
	p.do("DELETE", "/v1/tenants/default/endpoints/"+endpointID, nil, nil)
	p.stop()
	p.start()
	resp, err := p.client().send(t.Context(), "GET", "/v1/tenants/default/deliveries/"+delivery.ID+"/attempts/1/body", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, resp.Body); err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != attempts.Items[0].Request.BodySHA256 {
		t.Errorf(
			"the body made again (status %d) has the hash %s, the log says %s",
			resp.StatusCode,
			got,
			attempts.Items[0].Request.BodySHA256,
		)
	}
}

// verify has the binary recompute the log and the views of a server that was stopped.
func (p *program) verify() {
	p.t.Helper()
	cmd := binary(p.t.Context(), "verify", "--views")
	cmd.Env = append(cmd.Env, "HOOKTRAIL_DATA_DIR="+p.dir)
	cmd.Env = append(cmd.Env, p.env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Errorf("hooktrail verify --views: %v\n%s", err, out)
	}
}

// status calls the API and returns the status alone.
func (p *program) status(method, path string) int {
	p.t.Helper()
	resp, err := p.client().send(p.t.Context(), method, path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}
