package localpg

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInstallations(t *testing.T) {
	t.Parallel()
	t.Run("none says how to get one", func(t *testing.T) {
		t.Parallel()
		_, err := usable(t.Context(), nil, account{})
		if !errors.Is(err, ErrNoPostgres) {
			t.Fatalf("got %v, expected ErrNoPostgres", err)
		}
		for _, hint := range []string{"apt-get install postgresql", "brew install postgresql@16", "PGBIN"} {
			if !strings.Contains(err.Error(), hint) {
				t.Errorf("error %q doesn't say %q", err, hint)
			}
		}
	})
	t.Run("a named directory without the programs", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		if _, err := installations(t.Context(), dir, account{}); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("got %v, expected an error that names %s", err, dir)
		}
	})
	t.Run("too old, broken, newest first", func(t *testing.T) {
		t.Parallel()
		old, broken, fourteen, eighteen := fake(t, "13.9"), fake(t, "gone"), fake(t, "14.2"), fake(t, "18beta1")
		if err := os.Remove(filepath.Join(broken, "initdb")); err != nil {
			t.Fatal(err)
		}
		all, err := usable(t.Context(), []string{old, fourteen, broken, eighteen}, account{})
		if err != nil {
			t.Fatal(err)
		}
		want := []installation{{bin: eighteen, major: 18}, {bin: fourteen, major: 14}}
		if len(all) != 2 || all[0] != want[0] || all[1] != want[1] {
			t.Errorf("got %v, expected %v", all, want)
		}
		if _, err := usable(t.Context(), []string{old}, account{}); !errors.Is(err, ErrNoPostgres) || !strings.Contains(err.Error(), "older than 14") {
			t.Errorf("only an old one: got %v, expected ErrNoPostgres with the reason", err)
		}
	})
}

// fake makes a directory of programs that say they are that version.
func fake(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	for _, program := range []string{"initdb", "postgres"} {
		script := "#!/bin/sh\necho '" + program + " (PostgreSQL) " + version + " (Debian)'\n"
		writeProgram(t, filepath.Join(dir, program), []byte(script))
	}
	return dir
}

func TestChoose(t *testing.T) {
	t.Parallel()
	all := []installation{{"/18", 18}, {"/16", 16}}
	for major, want := range map[int]string{0: "/18", 16: "/16", 18: "/18"} {
		if got, err := choose(all, major, "/data"); err != nil || got.bin != want {
			t.Errorf("for %d: got %v, %v, expected %s", major, got, err, want)
		}
	}
	if _, err := choose(all, 15, "/data"); err == nil || !strings.Contains(err.Error(), "18 in /18, 16 in /16") {
		t.Errorf("for 15: got %v, expected an error that lists what there is", err)
	}
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	for _, pattern := range patterns() {
		if _, err := filepath.Glob(pattern); err != nil {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	merged, err := Config{Settings: map[string]string{"jit": "on"}}.settings()
	if err != nil || merged["jit"] != "on" || merged["fsync"] != "on" || merged["synchronous_commit"] != "on" {
		t.Errorf("got %v, %v, expected jit overridden and durability on", merged, err)
	}
	for _, name := range []string{"listen_addresses", "port", "unix_socket_directories"} {
		if _, err := Start(t.Context(), Config{Dir: t.TempDir(), Settings: map[string]string{name: "*"}}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("setting %s: got %v, expected a refusal that names it", name, err)
		}
	}
}
