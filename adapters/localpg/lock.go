package localpg

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lockName is the file whose lock is the ownership of its directory, and the mark of a directory of ours.
const lockName = "owner.lock"

// ErrOwned is returned when another living process owns the directory.
var ErrOwned = errors.New("another process is using this directory (hint: stop it, or choose another data directory)")

// lockDir takes the directory for this process. unlock, or dying, gives it up.
//
// The file is closed on exec (Go's default), so a server that outlives us doesn't hold the lock.
func lockDir(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of %s (hint: it must be writable for this user): %w", dir, err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrOwned
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), file.Close())
	}
	return file, nil
}

// unlock gives the directory up. Closing the file alone could leave it locked for a moment: a child that another goroutine
// has forked has the file open until its own exec.
func unlock(file *os.File) error {
	return errors.Join(syscall.Flock(int(file.Fd()), syscall.LOCK_UN), file.Close())
}
