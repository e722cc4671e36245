package localpg

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// One directory through all that can happen to it between two starts.
func TestStart_again(t *testing.T) {
	t.Parallel()
	cfg := config(tempDir(t))
	first := started(t, cfg)
	accepts(t, first)
	data, url := first.data(), first.URL()
	canary := filepath.Join(data, "canary")
	write(t, canary, "data")

	if _, err := Start(t.Context(), cfg); !errors.Is(err, ErrOwned) {
		t.Fatalf("a second owner: got %v, expected ErrOwned", err)
	}
	stopped(t, first)
	stopped(t, first) // again: no more to do

	kept := func(t *testing.T, s *Server) {
		t.Helper()
		accepts(t, s)
		if _, err := os.Stat(canary); err != nil {
			t.Errorf("the data is gone: %v", err)
		}
		if s.password == "" || !strings.Contains(url, s.password) {
			t.Error("the password has changed")
		}
		stopped(t, s)
	}
	t.Run("after a stop", func(t *testing.T) { kept(t, started(t, cfg)) })
	t.Run("over a leftover", func(t *testing.T) {
		pid := leaveBehind(t, first, cfg)
		s := started(t, cfg)
		if s.run.pid == pid {
			t.Error("the leftover was adopted")
		}
		if command, err := commandLine(t.Context(), pid); err == nil && serves(command, data) {
			t.Error("the leftover still runs")
		}
		kept(t, s)
	})
	t.Run("beside a process that got a dead server's id", func(t *testing.T) {
		pidFile := filepath.Join(data, "postmaster.pid")
		write(t, pidFile, strconv.Itoa(os.Getpid())+"\n"+data+"\n")
		if err := first.as.own(pidFile); err != nil {
			t.Fatal(err)
		}
		kept(t, started(t, cfg))
	})
	t.Run("after the server was killed", func(t *testing.T) {
		s := started(t, cfg)
		if err := syscall.Kill(s.run.pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-s.Done()
		if err := s.Stop(); !errors.Is(err, errEnded) {
			t.Errorf("stop: got %v, expected that it had ended by itself", err)
		}
		kept(t, started(t, cfg))
	})
	t.Run("after a start that was given up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Start(ctx, cfg); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, expected context.Canceled", err)
		}
		kept(t, started(t, cfg))
	})
	t.Run("refused when the password file is missing", func(t *testing.T) {
		path := passwordFile(first.dir, superuser)
		if err := os.Rename(path, path+".away"); err != nil {
			t.Fatal(err)
		}
		refused(t, cfg.Dir, canary, "password", "restore the file")
		if err := os.Rename(path+".away", path); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("refused when of another major version", func(t *testing.T) {
		version := filepath.Join(data, "PG_VERSION")
		was, err := os.ReadFile(version)
		if err != nil {
			t.Fatal(err)
		}
		write(t, version, "9\n")
		refused(t, cfg.Dir, canary, "made by PostgreSQL 9", "nothing was changed", "pg_upgrade")
		write(t, version, "nonsense\n")
		refused(t, cfg.Dir, canary, "nonsense", "nothing was changed")
		write(t, version, string(was))
		kept(t, started(t, cfg))
	})
	t.Run("refused when PG_VERSION is missing", func(t *testing.T) {
		if err := os.Remove(filepath.Join(data, "PG_VERSION")); err != nil {
			t.Fatal(err)
		}
		refused(t, cfg.Dir, canary, "PG_VERSION is missing", "nothing was changed")
	})
}

// leaveBehind starts a server on the directory of s, which was stopped, as one that outlived its owner.
func leaveBehind(t *testing.T, s *Server, cfg Config) int {
	t.Helper()
	all, err := installations(t.Context(), "", s.as)
	if err != nil {
		t.Fatal(err)
	}
	settings, err := cfg.settings()
	if err != nil {
		t.Fatal(err)
	}
	orphan := &Server{dir: s.dir, as: s.as, log: silent()}
	if err := orphan.launch(t.Context(), all[0], settings); err != nil {
		t.Fatalf("leave a server behind: %v", err)
	}
	t.Cleanup(func() {
		if !orphan.run.ended() {
			_ = orphan.run.terminate()
		}
	})
	return orphan.run.pid
}

func TestStart_repairsAnInterruptedInitdb(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	write(t, filepath.Join(dir, lockName), "")
	write(t, filepath.Join(dir, "data.incomplete", "PG_VERSION"), "15\n")
	accepts(t, started(t, config(dir)))
}

func TestStart_givenUpDuringInitdb(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := Start(ctx, config(dir)); err == nil {
		t.Fatal("a first start in a tenth of a second")
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); err == nil {
		t.Error("half a cluster passes for a whole one")
	}
	accepts(t, started(t, config(dir)))
}

func TestStart_refusesForeignDirectories(t *testing.T) {
	t.Parallel()
	t.Run("with something else in it", func(t *testing.T) {
		dir := tempDir(t)
		write(t, filepath.Join(dir, "thesis.txt"), "years")
		refused(t, dir, filepath.Join(dir, "thesis.txt"), "not empty", "nothing was changed")
		if owner := statOf(t, dir).Uid; int(owner) != os.Getuid() {
			t.Errorf("it was given to user %d", owner)
		}
	})
	t.Run("with something else where the data belongs", func(t *testing.T) {
		dir := tempDir(t)
		write(t, filepath.Join(dir, lockName), "")
		write(t, filepath.Join(dir, "data", "thesis.txt"), "years")
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		// As root, a data directory of root's is refused first.
		if os.Geteuid() == 0 {
			if err := os.Chown(filepath.Join(dir, "data"), 65534, 65534); err != nil {
				t.Fatal(err)
			}
		}
		refused(t, dir, filepath.Join(dir, "data", "thesis.txt"), "PG_VERSION is missing", "nothing was changed")
	})
}

func statOf(t *testing.T, path string) *syscall.Stat_t {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t)
}

// TestStart_narrowsModes: rights that other accounts were given to a private cluster are taken away at the next start.
func TestStart_narrowsModes(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	c := config(tempDir(t))
	c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	s := started(t, c)
	stopped(t, s)
	password := passwordFile(s.dir, superuser)
	if err := errors.Join(os.Chmod(s.dir, 0o755), os.Chmod(password, 0o644)); err != nil {
		t.Fatal(err)
	}
	accepts(t, started(t, c))
	if dir, file := statOf(t, s.dir).Mode&0o777, statOf(t, password).Mode&0o777; dir != 0o700 || file != 0o600 {
		t.Errorf("the directory has mode %o and the password %o", dir, file)
	}
	if warned := strings.Count(log.String(), "level=WARN"); warned != 2 {
		t.Errorf("%d warnings: %s", warned, &log)
	}
}

func TestServer_secretsAreReadableByTheOwnerOnly(t *testing.T) {
	t.Parallel()
	s := started(t, config(tempDir(t)))
	made, err := s.RolePassword("app")
	if err != nil {
		t.Fatalf("password of a role: %v", err)
	}
	if again, err := s.RolePassword("app"); err != nil || again != made || len(made) < 26 {
		t.Errorf("password of the role, again: %q, %v; expected %q, of 128 bits or more", again, err, made)
	}
	for _, name := range []string{"", "../app", "a/b", superuser} {
		if _, err := s.RolePassword(name); err == nil {
			t.Errorf("a password file for role %q", name)
		}
	}
	for _, role := range []string{superuser, "app"} {
		stat := statOf(t, passwordFile(s.dir, role))
		if stat.Mode&0o777 != 0o600 {
			t.Errorf("password file of %s has mode %o, expected 600", role, stat.Mode&0o777)
		}
	}
	if mode := statOf(t, s.dir).Mode & 0o777; mode != 0o700 {
		t.Errorf("directory has mode %o, expected 700", mode)
	}
	command, err := commandLine(t.Context(), s.run.pid)
	if err != nil || strings.Contains(strings.Join(command, " "), s.password) {
		t.Errorf("the command line holds the password, or can't be read: %v", err)
	}
}
