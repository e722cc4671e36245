package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/hooktrail/hooktrail/domain"
)

// node is this process as an owner of leases. Its data directory is locked, so the id that the directory's last owner
// used belongs to a process that has ended, and its leases can be taken over at once.
type node struct {
	id        domain.UUID
	displaced []domain.UUID
	lock      *os.File
}

// newNode locks the data directory, which must exist, and writes a new id into it.
func newNode(dir string) (*node, error) {
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the data directory's lock: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another hooktrail runs on %s: stop it, or give this one a directory of its own (HOOKTRAIL_DATA_DIR)", dir)
		}
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	n := &node{id: domain.NewUUID(), lock: lock}
	path := filepath.Join(dir, nodeFile)
	if before, err := os.ReadFile(path); err == nil {
		if id, err := domain.ParseUUID(string(before)); err == nil {
			n.displaced = append(n.displaced, id)
		}
	}
	if err := os.WriteFile(path, []byte(n.id.String()), 0o600); err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return n, nil
}

// Close gives the data directory free.
func (n *node) Close() error { return n.lock.Close() }
