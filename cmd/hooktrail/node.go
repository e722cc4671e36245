package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/hooktrail/hooktrail/domain"
)

// node is this process as an owner of leases. Its data directory is locked, so the ids that the directory's former
// owners used belong to processes that have ended, and their leases can be taken over at once: also those of one that
// ended before its successor, which ended as well, had taken them all.
type node struct {
	id        domain.UUID
	displaced []domain.UUID
	lock      *os.File
}

// keptNodes is how many former owners are remembered: more than can end within the time that leases take to expire.
const keptNodes = 32

// newNode locks the data directory, which must exist, and writes a new id into it.
func newNode(dir string) (*node, error) {
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the data directory's lock: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf(
				"another hooktrail runs on %s: stop it, or give this one a directory of its own (HOOKTRAIL_DATA_DIR)",
				dir,
			)
		}
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	n := &node{id: domain.NewUUID(), lock: lock}
	path := filepath.Join(dir, nodeFile)
	if before, err := os.ReadFile(path); err == nil {
		for line := range strings.Lines(string(before)) {
			if id, err := domain.ParseUUID(strings.TrimSpace(line)); err == nil && len(n.displaced) < keptNodes {
				n.displaced = append(n.displaced, id)
			}
		}
	}
	lines := n.id.String() + "\n"
	for _, id := range n.displaced {
		lines += id.String() + "\n"
	}
	if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return n, nil
}

// Close gives the data directory free.
func (n *node) Close() error { return n.lock.Close() }
