package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/hooktrail/hooktrail/adapters/localpg"
)

// makeDataDir makes the data directory, and takes rights away that other accounts have to it and to the keys in it. As
// root, others may pass through it, since a private Postgres runs as another account.
func (f storageFlags) makeDataDir(dir string, log *slog.Logger) error {
	most := fs.FileMode(0o700)
	if os.Geteuid() == 0 {
		most = 0o711
	}
	if err := os.MkdirAll(dir, most); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	if err := narrowDataDir(dir, most, log); err != nil {
		return err
	}
	for _, name := range privateFiles() {
		if err := localpg.Narrow(filepath.Join(dir, name), 0o600, log); err != nil {
			return err
		}
	}
	if f.MasterKeyFile == "" {
		return nil
	}
	// Secrets that are mounted into a container are often another account's, for this one to read by its group.
	most = 0o600
	if ours, err := isOurs(f.MasterKeyFile); err == nil && !ours {
		most = 0o640
	}
	return localpg.Narrow(f.MasterKeyFile, most, log)
}

// privateFiles are what is kept in the data directory itself.
func privateFiles() []string {
	return []string{operatorKeyFile, masterKeyFile, nodeFile, lockFile, knownFile}
}

// narrowDataDir changes nothing about a directory that holds something else or belongs to somebody else: it refuses one
// that others may write to, or that lies open although it is this account's.
func narrowDataDir(dir string, most fs.FileMode, log *slog.Logger) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("look at the data directory: %w", err)
	}
	if info.Mode().Perm()&^most == 0 {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("look into the data directory: %w", err)
	}
	known := func(e fs.DirEntry) bool {
		return e.Name() == postgresDir || e.Name() == exportsDir || slices.Contains(privateFiles(), e.Name())
	}
	made := len(entries) == 0 || slices.ContainsFunc(entries, known)
	ours, err := isOurs(dir)
	switch {
	case err != nil:
		return fmt.Errorf("look at the data directory: %w", err)
	case ours && made:
		return localpg.Narrow(dir, most, log)
	case !ours && info.Mode().Perm()&0o002 == 0:
		log.Warn("the data directory belongs to another account, and others may look into it", slog.String("path", dir),
			slog.String("mode", fmt.Sprintf("%04o", info.Mode().Perm())))
		return nil
	}
	return usagef(
		"other accounts have rights to the data directory %s (mode %04o), which holds or may hold something else: "+
			"choose one of Hooktrail's own (HOOKTRAIL_DATA_DIR), or chmod %04o it",
		dir,
		info.Mode().Perm(),
		most,
	)
}

// isOurs reports whether this account may change the rights to a file.
func isOurs(path string) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return false, errors.New("the system doesn't say who owns files")
	}
	return os.Geteuid() == 0 || int(owner.Uid) == os.Geteuid(), nil
}
