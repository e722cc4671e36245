package migratetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/localpg"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// beKilledVariable makes the test binary a program with a cluster that waits to be killed.
const beKilledVariable = "MIGRATETEST_BE_KILLED"

func TestMain(m *testing.M) {
	if os.Getenv(beKilledVariable) == "" {
		os.Exit(m.Run())
	}
	c, err := newCluster(context.Background())
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Printf("ready %s\n", c.dir)
	select {}
}

func TestCluster_endsWithAKilledProcess(t *testing.T) {
	t.Parallel()
	owner := exec.CommandContext(t.Context(), os.Args[0])
	owner.Env = append(os.Environ(), beKilledVariable+"=1")
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatalf("start the process: %v", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	dir, ready := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if !ready {
		t.Fatalf("the process said %q, %v", line, err)
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait() // says that it was killed

	tick, deadline := time.NewTicker(20*time.Millisecond), time.After(30*time.Second)
	defer tick.Stop()
	for {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s is still there", dir)
		}
	}
}

func TestRemoveAbandoned(t *testing.T) {
	t.Parallel()
	old := time.Now().Add(-2 * unusedAfter)
	made := func(age time.Time) string {
		dir, err := os.MkdirTemp("", dirPrefix)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) }) // mostly gone
		if err := os.WriteFile(filepath.Join(dir, "owner.lock"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(dir, age, age); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	abandoned, young := made(old), made(time.Now())
	owned, err := newCluster(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer owned.guard.Close()
	if err := os.Chtimes(owned.dir, old, old); err != nil {
		t.Fatal(err)
	}

	removeAbandoned(t.Context())

	if _, err := os.Stat(abandoned); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the abandoned directory is still there: %v", err)
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("a directory that may be about to be used is gone: %v", err)
	}
	if _, err := os.Stat(filepath.Join(owned.dir, "data", "PG_VERSION")); err != nil {
		t.Errorf("a directory in use is gone: %v", err)
	}
	if err := errors.Join(owned.postgres.Stop(), os.RemoveAll(owned.dir)); err != nil {
		t.Error(err)
	}
}

// What only a client can see of localpg, which has none.
func TestCluster_isClosedAndChecked(t *testing.T) {
	t.Parallel()
	cluster := Cluster(t)
	conn, err := pgx.Connect(t.Context(), cluster.URL())
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	for name, want := range map[string]string{
		"data_checksums": "on", "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "password_encryption": "scram-sha-256",
		"server_encoding": "UTF8", "TimeZone": "UTC", "jit": "off", "fsync": "off",
	} {
		var got string
		if err := conn.QueryRow(t.Context(), `SELECT current_setting($1)`, name).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, %v, expected %q", name, got, err, want)
		}
	}
	var weak int
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'`).Scan(&weak); err != nil || weak != 0 {
		t.Errorf("%d ways in without a password, %v", weak, err)
	}
	var stored string
	if err := conn.QueryRow(t.Context(), `SELECT left(rolpassword, 13) FROM pg_authid WHERE rolname = current_user`).Scan(&stored); err != nil || stored != "SCRAM-SHA-256" {
		t.Errorf("the password is stored as %s, %v", stored, err)
	}
	u, err := url.Parse(cluster.URL())
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("postgres", "guess")
	var refused *pgconn.PgError
	if _, err := pgx.Connect(t.Context(), u.String()); !errors.As(err, &refused) || refused.Code != "28P01" {
		t.Errorf("a guessed password: got %v, expected SQLSTATE 28P01", err)
	}
}

// The product's own settings never trade durability away.
func TestDefaults_areDurable(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", dirPrefix)
	if err != nil {
		t.Fatal(err)
	}
	guard, err := startGuard(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = guard.Close() }) // it removes dir
	server, err := localpg.Start(t.Context(), localpg.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	conn, err := pgx.Connect(t.Context(), server.URL())
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	for _, name := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
		var got string
		if err := conn.QueryRow(t.Context(), `SELECT current_setting($1)`, name).Scan(&got); err != nil || got == "off" {
			t.Errorf("%s is %s, %v", name, got, err)
		}
	}
}

// An existing server instead of an own one: databases are migrated singly.
func TestServer_withoutTemplate(t *testing.T) {
	t.Parallel()
	s, err := newServer(Cluster(t).URL(), false)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.create(t.Context(), "single"); err != nil {
		t.Fatalf("make a database: %v", err)
	}
	db, err := s.database("single")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), db.URL)
	if err != nil {
		t.Fatalf("connect as the server: %v", err)
	}
	_ = conn.Close(t.Context())
	drop(t, s, "single")
}
