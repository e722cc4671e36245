package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/migrations/migratetest"
)

// TestStory_DatabaseComesLater: a server that is started before its database waits for it, says so once, and serves
// when it is there.
func TestStory_DatabaseComesLater(t *testing.T) {
	t.Parallel()
	line := newBrokenLine(t, migratetest.Open(t).URL)
	line.cut()
	p := newProgram(t, "HOOKTRAIL_DATABASE_URL="+line.url)
	p.launch()
	const waiting = "waiting for the database"
	eventually(t, 20*time.Second, "the server says that it waits", func() bool {
		return strings.Contains(p.output.String(), waiting)
	})
	<-time.After(3 * databasePause)
	line.mend()
	eventually(t, 30*time.Second, "the server is ready", func() bool {
		return strings.Contains(p.output.String(), "serving") && p.status("GET", "/readyz") == http.StatusOK
	})
	if n := strings.Count(p.output.String(), waiting); n != 1 {
		t.Errorf("the wait is logged %d times:\n%s", n, p.output.String())
	}
}

// TestStory_PrivatePostgresDies: a private Postgres that is killed is started again, and the server goes on.
func TestStory_PrivatePostgresDies(t *testing.T) {
	t.Parallel()
	p := newStandalone(t)
	p.start()
	receiver := newReceiver(t, nil)
	p.endpointTo(receiver.server.URL, nil)
	work := &outage{program: p, ids: map[string]bool{}}
	for n := range 2 {
		if err := syscall.Kill(postgresPID(t, p.dir), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, 30*time.Second, "Postgres is started again", func() bool {
			return strings.Count(p.output.String(), "postgres_restarted") > n
		})
		eventually(t, 30*time.Second, "an append is accepted after Postgres was killed", func() bool {
			return work.append() == http.StatusCreated
		})
	}
	eventually(t, 30*time.Second, "everything is delivered", func() bool {
		all := p.deliveries()
		for _, d := range all {
			if d.Status != "succeeded" {
				return false
			}
		}
		return len(all) >= work.promised
	})
	p.stop()
	p.verify()
}

// postgresPID returns the process of a server's private Postgres.
func postgresPID(t testing.TB, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, postgresDir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}
