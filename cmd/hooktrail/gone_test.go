package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/migrations/migratetest"
)

// TestStory_PostgresGone: without its database the server answers 503 with Retry-After, and goes on by itself when it
// is back; what was answered with 201 is there, and nothing that wasn't asked for.
func TestStory_PostgresGone(t *testing.T) {
	t.Parallel()
	database := migratetest.Open(t)
	line := newBrokenLine(t, database.URL)
	p := newProgram(t, "HOOKTRAIL_DATABASE_URL="+line.url)
	p.start()
	receiver := newReceiver(t, nil)
	p.endpointTo(receiver.server.URL, map[string]any{"retry": map[string]any{"schedule": []string{"200ms", "500ms"}}})

	work := &outage{program: p, ids: map[string]bool{}}
	if status := work.append(); status != http.StatusCreated {
		t.Fatalf("an append is answered with %d", status)
	}
	line.cut()
	refused := 0
	eventually(t, 20*time.Second, "appends are refused", func() bool {
		if work.append() == http.StatusServiceUnavailable {
			refused++
		}
		return refused == 3
	})
	if status := p.status("GET", "/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz answers %d without a database", status)
	}
	if status := p.status("GET", "/livez"); status != http.StatusOK {
		t.Errorf("/livez answers %d without a database", status)
	}

	line.mend()
	eventually(
		t,
		30*time.Second,
		"an append is accepted again",
		func() bool { return work.append() == http.StatusCreated },
	)
	inLog := 0
	for _, e := range p.logEntries("&kind=event.appended") {
		var event struct{ ID string }
		if err := json.Unmarshal(e.Data["identity"], &event); err != nil {
			t.Fatalf("entry %d: %v", e.Sequence, err)
		}
		inLog++
		if work.ids[event.ID] {
			work.accepted--
			delete(work.ids, event.ID)
		}
	}
	for _, said := range []string{"appends_fail", "appends_work_again"} {
		if n := strings.Count(p.output.String(), said); n != 1 {
			t.Errorf("%s is logged %d times for one outage", said, n)
		}
	}
	if work.accepted != 0 {
		t.Errorf("%d accepted events aren't in the log: %v", work.accepted, work.ids)
	}
	// An append that was answered with 503 may have been committed, once.
	if most := work.promised + work.unknown; inLog > most {
		t.Errorf("the log has %d events; %d were accepted and %d have an unknown outcome", inLog, work.promised, work.unknown)
	}
	eventually(t, 30*time.Second, "everything in the log is delivered", func() bool {
		all := p.deliveries()
		return len(all) == inLog && !slices.ContainsFunc(all, func(d deliveryRow) bool { return d.Status != "succeeded" })
	})
	p.stop()
	p.env = []string{"HOOKTRAIL_DATABASE_URL=" + database.URL}
	p.verify()
}

// outage appends events, each without an id of the producer's, and counts the answers.
type outage struct {
	program                     *program
	ids                         map[string]bool // of accepted events
	accepted, promised, unknown int
}

// append returns the answer's status, which is 201, or 503 with what a client needs to try again.
func (o *outage) append() int {
	t := o.program.t
	t.Helper()
	resp, err := o.program.client().
		send(t.Context(), "POST", "/v1/tenants/default/events", strings.NewReader(`{"type":"story.event","data":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusCreated:
		var event struct{ ID string }
		if err := json.NewDecoder(resp.Body).Decode(&event); err != nil {
			t.Fatal(err)
		}
		o.ids[event.ID] = true
		o.accepted++
		o.promised++
	case http.StatusServiceUnavailable:
		var problem struct{ Code string }
		if err := json.NewDecoder(resp.Body).Decode(&problem); err != nil {
			t.Fatal(err)
		}
		if resp.Header.Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
		if problem.Code != "busy" { // which says that nothing was appended
			o.unknown++
		}
	default:
		t.Errorf("an append is answered with %v", problemOf(resp))
	}
	return resp.StatusCode
}

// brokenLine is a TCP connection to a database that can be cut and mended.
type brokenLine struct {
	url      string
	upstream string
	listener net.Listener
	mu       sync.Mutex // guards all below
	broken   bool
	open     map[net.Conn]bool
}

func newBrokenLine(t testing.TB, databaseURL string) *brokenLine {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	l := &brokenLine{upstream: u.Host, open: map[net.Conn]bool{}}
	if l.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	u.Host = l.listener.Addr().String()
	l.url = u.String()
	go l.accept()
	t.Cleanup(func() {
		_ = l.listener.Close()
		l.cut()
	})
	return l
}

func (l *brokenLine) accept() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", l.upstream)
		l.mu.Lock()
		if err != nil || l.broken {
			_ = client.Close()
			if err == nil {
				_ = server.Close()
			}
			l.mu.Unlock()
			continue
		}
		l.open[client], l.open[server] = true, true
		l.mu.Unlock()
		pump := func(to, from net.Conn) {
			_, _ = io.Copy(to, from) // ends with either side
			_, _ = to.Close(), from.Close()
		}
		go pump(server, client)
		go pump(client, server)
	}
}

func (l *brokenLine) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = true
	for conn := range l.open {
		_ = conn.Close()
	}
	clear(l.open)
}

func (l *brokenLine) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = false
}
