package migratetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/localpg"
)

// dirPrefix is how the directories of test clusters are recognised.
const dirPrefix = "hooktrail-test-postgres-"

// unusedAfter is the age at which a directory that nobody locks is taken for abandoned; a younger one may be about to be locked.
const unusedAfter = 10 * time.Minute

// cluster is a throwaway Postgres in a temporary directory.
type cluster struct {
	postgres *localpg.Server
	dir      string
	guard    io.Closer
}

// Cluster starts a Postgres of its own for t, empty and unmigrated, for tests of what concerns a whole server: its roles, its end,
// several databases. It is stopped and removed in t's cleanup. It takes a second: use [Open] for all else.
func Cluster(t testing.TB) *localpg.Server {
	t.Helper()
	c, err := newCluster(t.Context())
	if err != nil {
		t.Fatalf("a Postgres for the test: %v", err)
	}
	t.Cleanup(func() {
		if err := errors.Join(c.postgres.Stop(), os.RemoveAll(c.dir), c.guard.Close()); err != nil {
			t.Errorf("remove the test's Postgres: %v", err)
		}
	})
	return c.postgres
}

// newCluster starts one that ends with this process at the latest.
func newCluster(ctx context.Context) (*cluster, error) {
	removeAbandoned(ctx)
	dir, err := os.MkdirTemp("", dirPrefix)
	if err != nil {
		return nil, err
	}
	guard, err := startGuard(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	postgres, err := localpg.Start(ctx, localpg.Config{Dir: dir, Settings: settings()})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir), guard.Close())
	}
	return &cluster{postgres: postgres, dir: dir, guard: guard}, nil
}

// settings trade every durability for speed and keep it small: several test processes run at once.
func settings() map[string]string {
	return map[string]string{
		"fsync":              "off",
		"full_page_writes":   "off",
		"synchronous_commit": "off",
		"wal_level":          "minimal",
		"max_wal_senders":    "0",
		"shared_buffers":     "64MB",
		"wal_buffers":        "4MB",
		"max_wal_size":       "1GB",
		"min_wal_size":       "64MB",
		"max_connections":    "300",
	}
}

// guardScript waits for the end of its input, that is of this process, and cleans up. A fast shutdown needs moments without fsync.
const guardScript = `
cat >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
[ -z "$pid" ] || kill -INT "$pid" 2>/dev/null
tries=0
while [ -e "$1/data/postmaster.pid" ] && [ $tries -lt 100 ]; do
	sleep 0.1
	tries=$((tries + 1))
done
[ ! -e "$1/data/postmaster.pid" ] || kill -QUIT "$pid" 2>/dev/null
rm -rf -- "$1"
`

// startGuard starts the guard of dir; closing what it returns, or dying, sets it to work.
func startGuard(dir string) (io.Closer, error) {
	cmd := exec.CommandContext(context.Background(), "sh", "-c", guardScript, "guard", dir)
	cmd.Dir = "/"
	// Ctrl-C and what else hits our process group must not hit the guard.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the guard of the test cluster: %w", err)
	}
	go cmd.Wait() //nolint:errcheck // its end means nothing to us
	return pipe, nil
}

// removeAbandoned removes clusters whose process and guard are both dead. What it can't remove is somebody else's.
func removeAbandoned(ctx context.Context) {
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*"))
	if err != nil {
		return // a TMPDIR that is no valid pattern
	}
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil || time.Since(info.ModTime()) < unusedAfter {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "data", "postmaster.pid")); err == nil {
			// A start is refused while the owner lives, and ends the server that a dead one left running.
			left, err := localpg.Start(ctx, localpg.Config{Dir: dir, Settings: settings()})
			if err != nil || left.Stop() != nil {
				continue
			}
		}
		_ = os.RemoveAll(dir)
	}
}

// withDatabase is the URL with another database.
func withDatabase(databaseURL, name string) (string, error) {
	u, err := url.Parse(databaseURL)
	if err != nil {
		return "", errors.New("the database URL can't be parsed") // and may hold a password
	}
	u.Path = "/" + name
	return u.String(), nil
}
