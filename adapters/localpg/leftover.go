package localpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// postmaster is what postmaster.pid says of a server.
type postmaster struct {
	pid   int
	ready bool
}

// readPostmaster reads data/postmaster.pid; the zero value means that there is none. Its lines: pid, data directory,
// start time, port, socket directory, listen address, shared memory key, status.
func readPostmaster(data string) (postmaster, error) {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return postmaster{}, nil
	}
	if err != nil {
		return postmaster{}, fmt.Errorf("read postmaster.pid: %w", err)
	}
	lines := strings.Split(string(text), "\n")
	pid, _ := strconv.Atoi(strings.TrimSpace(lines[0])) // 0 while it is being written
	// A single-user server stands there with its id negated.
	return postmaster{pid: max(pid, -pid), ready: len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready"}, nil
}

// stopLeftover stops the server that a dead process left running in data. The caller holds the directory's lock.
func stopLeftover(ctx context.Context, data string, log *slog.Logger) error {
	left, err := readPostmaster(data)
	if err != nil || left.pid == 0 || !alive(left.pid) {
		return err
	}
	command, err := commandLine(ctx, left.pid)
	if err != nil && alive(left.pid) {
		return fmt.Errorf("find out whether process %d is a Postgres of %s: %w", left.pid, data, err)
	}
	if !serves(command, data) {
		// The id went to another process, as it does after a restart of the machine or container. Postgres itself would
		// refuse to start over this file; a server that really ran would still be seen by its shared memory.
		log.Warn("removed_stale_postmaster_pid", slog.Int("pid", left.pid))
		return os.Remove(filepath.Join(data, "postmaster.pid"))
	}
	log.Warn("stopping_leftover_postgres", slog.Int("pid", left.pid))
	err = terminate(ctx, left.pid, func(within time.Duration) bool { return waitGone(ctx, left.pid, within) })
	if errors.Is(err, errUnclean) {
		log.Warn("killed_leftover_postgres", slog.Int("pid", left.pid)) // no reason not to start: recovery follows
		return nil
	}
	return err
}

// serves reports whether the command line is that of a postgres with this data directory.
func serves(command []string, data string) bool {
	if len(command) == 0 || !strings.HasPrefix(filepath.Base(command[0]), "post") { // postgres, postmaster
		return false
	}
	line := strings.Join(command, " ") + " "
	return strings.Contains(line, "-D "+data+" ") || strings.Contains(line, "-D"+data+" ")
}

// How long each kind of shutdown may take: fast, then immediate, then none at all.
const (
	fastShutdown      = 60 * time.Second
	immediateShutdown = 5 * time.Second
	killed            = 5 * time.Second
)

// errUnclean says that the server had to be killed; its log repairs the data at the next start.
var errUnclean = errors.New("it didn't shut down in time and was killed; it will recover at its next start")

// terminate stops the postmaster, harder and harder; gone waits for its end. When ctx ends, nothing harder follows.
func terminate(ctx context.Context, pid int, gone func(within time.Duration) bool) error {
	if err := signal(pid, syscall.SIGINT); err != nil {
		return err
	}
	if gone(fastShutdown) {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := signal(pid, syscall.SIGQUIT); err != nil {
		return err
	}
	if gone(immediateShutdown) {
		return errUnclean
	}
	if err := killGroup(pid); err != nil {
		return err
	}
	if gone(killed) {
		return errUnclean
	}
	return fmt.Errorf("process %d, Postgres, can't be stopped (hint: look at what its disk is doing)", pid)
}

// signal sends sig to a process; one that is gone is no error.
func signal(pid int, sig syscall.Signal) error {
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("send %v to Postgres, process %d: %w", sig, pid, err)
	}
	return nil
}

// killGroup kills a child and all that it started: we made each leader of its own group.
func killGroup(pid int) error { return signal(-pid, syscall.SIGKILL) }

func alive(pid int) bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

// waitGone polls for the end of a process that isn't our child. A zombie, which nobody may ever reap in a container,
// has ended too: it has no command line any more.
func waitGone(ctx context.Context, pid int, within time.Duration) bool {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for alive(pid) {
		if command, err := commandLine(ctx, pid); err == nil && len(command) == 0 {
			return true
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}
