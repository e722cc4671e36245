package localpg

import (
	"errors"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tempDir is a directory that the server's account can reach also when the tests run as root: t.TempDir is not.
func tempDir(t *testing.T) string {
	t.Helper()
	parent, err := os.MkdirTemp("", "localpg-test-")
	if err == nil {
		err = os.Chmod(parent, 0o755)
	}
	if err != nil {
		t.Fatalf("make a directory: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(parent); err != nil {
			t.Errorf("remove the directory: %v", err)
		}
	})
	return filepath.Join(parent, "postgres")
}

// config makes a small, fast cluster.
func config(dir string) Config {
	return Config{Dir: dir, Settings: map[string]string{"fsync": "off", "shared_buffers": "1MB", "wal_buffers": "64kB", "min_wal_size": "32MB"}}
}

// started starts a server that is stopped in t's cleanup, if not before.
func started(t *testing.T, cfg Config) *Server {
	t.Helper()
	s, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() { _ = s.Stop() }) // tests of Stop look at its result themselves
	return s
}

func stopped(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Stop(); err != nil {
		t.Fatalf("stop: %v", err)
	}
}

// accepts fails unless something listens where the URL says.
func accepts(t *testing.T, s *Server) {
	t.Helper()
	u, err := url.Parse(s.URL())
	if err != nil {
		t.Fatalf("parse the URL: %v", err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatalf("the server isn't reachable: %v", err)
	}
	conn.Close()
}

// refused starts on dir, expects an error that holds every text, and that path was left as it was.
func refused(t *testing.T, dir, path string, texts ...string) {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read the canary: %v", err)
	}
	s, err := Start(t.Context(), config(dir))
	if err == nil {
		stopped(t, s)
		t.Fatalf("a start on %s wasn't refused", dir)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q doesn't say %q", err, text)
		}
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("%s was touched: %v", path, err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatalf("write %s: %v", path, err)
	}
}

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }
