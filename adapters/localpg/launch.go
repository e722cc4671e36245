package localpg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const (
	// launchTries bounds the tries after a failure that passes by itself: another program took the port, or children
	// of a killed server still hold its shared memory.
	launchTries = 10
	launchPause = 200 * time.Millisecond
	// serverLogLimit is the size past which a start moves the server's log out of the way, in bytes.
	serverLogLimit = 1 << 20
)

// process is a postgres that we started.
type process struct {
	pid  int
	done chan struct{}
	err  error // of waiting for it; read after done
}

// launch starts postgres on a free port and waits until it accepts connections.
func (s *Server) launch(ctx context.Context, from installation, settings map[string]string) error {
	for try := 1; ; try++ {
		said, err := s.launchOnce(ctx, from, settings)
		if err == nil || !passing(said) || try == launchTries {
			return err
		}
		s.log.Warn("postgres_start_again", slog.Int("try", try))
		select {
		case <-time.After(launchPause):
		case <-ctx.Done():
			return err
		}
	}
}

// passing reports whether what the server said (in English, by lc_messages) may not hold a moment later.
func passing(said string) bool {
	return strings.Contains(said, "Address already in use") || strings.Contains(said, "could not create any TCP/IP sockets") ||
		strings.Contains(said, "shared memory block") && strings.Contains(said, "still in use")
}

// launchOnce also returns what a server that failed to start wrote.
func (s *Server) launchOnce(ctx context.Context, from installation, settings map[string]string) (said string, err error) {
	logFile, err := openServerLog(s.dir, s.as)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, logFile.Close()) }()
	start, err := logFile.Seek(0, io.SeekEnd)
	if err != nil {
		return "", fmt.Errorf("find the end of the server's log: %w", err)
	}
	port := s.port
	if port == 0 { // clients know the port of a server that has run
		if port, err = freePort(ctx); err != nil {
			return "", err
		}
	}
	// Not ctx, which ends with the start.
	cmd := exec.CommandContext(context.Background(), filepath.Join(from.bin, "postgres"), arguments(s.data(), settings, port)...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = s.data(), environment(), s.as.attributes()
	cmd.Stdout, cmd.Stderr = logFile, logFile
	dieWithParent(cmd.SysProcAttr)
	if s.run, err = spawn(cmd); err != nil {
		return "", fmt.Errorf("run PostgreSQL %d as %s: %w", from.major, s.as.name, err)
	}
	err = s.run.awaitReady(ctx, s.data())
	if err == nil {
		s.port = port
		return "", nil
	}
	if !s.run.ended() {
		err = errors.Join(err, s.run.terminate())
	}
	said = readFrom(logFile.Name(), start)
	return said, fmt.Errorf("the server of PostgreSQL %d didn't come up: %w; its log says: %s", from.major, err, lastLines([]byte(said)))
}

// spawn starts cmd on a thread that lives as long as the child: see dieWithParent.
func spawn(cmd *exec.Cmd) (*process, error) {
	p := &process{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer close(p.done)
		err := cmd.Start()
		if err != nil {
			started <- err
			return
		}
		p.pid = cmd.Process.Pid
		started <- nil
		p.err = cmd.Wait()
	}()
	return p, <-started
}

// awaitReady returns when the server accepts connections, has ended, or ctx has.
func (p *process) awaitReady(ctx context.Context, data string) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.done:
			return errEnded
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		found, err := readPostmaster(data)
		if err != nil {
			return err
		}
		if found.pid == p.pid && found.ready {
			return nil
		}
	}
}

// errEnded is the failure of a server that ended when nobody had told it to; its log says why.
var errEnded = errors.New("it ended by itself")

func (p *process) ended() bool { return p.endsWithin(0) }

// terminate stops the process. One that had ended before is a failure, and its id is no longer ours to signal.
func (p *process) terminate() error {
	if p.ended() {
		return errors.Join(errEnded, p.err)
	}
	if err := terminate(context.Background(), p.pid, p.endsWithin); err != nil {
		return err
	}
	return p.err
}

// endsWithin waits for the process's end; with 0 it only looks.
func (p *process) endsWithin(limit time.Duration) bool {
	select {
	case <-p.done:
		return true
	default:
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		return false
	}
}

// openServerLog opens dir/server.log for appending; an old long one is moved away first.
func openServerLog(dir string, as account) (*os.File, error) {
	path := filepath.Join(dir, "server.log")
	if info, err := os.Stat(path); err == nil && info.Size() > serverLogLimit {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("move the old server log away: %w", err)
		}
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look at the server's log: %w", err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the server's log: %w", err)
	}
	if err := as.own(path); err != nil {
		return nil, errors.Join(fmt.Errorf("own the server's log to %s: %w", as.name, err), file.Close())
	}
	return file, nil
}

// readFrom is the text of a file after offset; empty if it can't be read, since it only adorns an error.
func readFrom(path string, offset int64) string {
	text, err := os.ReadFile(path)
	if err != nil || int64(len(text)) < offset {
		return ""
	}
	return string(text[offset:])
}

// freePort asks the kernel for one. Somebody else may take it before Postgres does: launch tries again then.
func freePort(ctx context.Context) (int, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free loopback port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
