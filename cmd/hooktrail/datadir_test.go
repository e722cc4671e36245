package main

import (
	"bytes"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// made makes a file, or a directory if it has no text, with exactly a mode.
func made(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	var err error
	if text == "" {
		err = os.Mkdir(path, 0o700)
	} else {
		err = os.WriteFile(path, []byte(text), 0o600)
	}
	if err == nil {
		err = os.Chmod(path, mode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func modeOf(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

// TestMakeDataDir_modes: rights that other accounts have to the data directory, to what is kept in it and to the master
// key are taken away, with a warning each.
func TestMakeDataDir_modes(t *testing.T) {
	t.Parallel()
	dir, keyFile := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "outside.key")
	made(t, dir, "", 0o755)
	made(t, keyFile, "a key", 0o644)
	wide := []string{filepath.Join(dir, masterKeyFile), filepath.Join(dir, operatorKeyFile), keyFile}
	made(t, wide[0], "a key", 0o666)
	made(t, wide[1], "a key", 0o640)
	var log bytes.Buffer
	flags, logger := storageFlags{MasterKeyFile: keyFile}, slog.New(slog.NewTextHandler(&log, nil))
	if err := flags.makeDataDir(dir, logger); err != nil {
		t.Fatal(err)
	}
	if mode := modeOf(t, dir); mode != 0o700 && (os.Geteuid() != 0 || mode != 0o711) {
		t.Errorf("the data directory has mode %o", mode)
	}
	for _, path := range wide {
		if mode := modeOf(t, path); mode != 0o600 || !strings.Contains(log.String(), path) {
			t.Errorf("%s has mode %o; logged: %s", path, mode, &log)
		}
	}
	log.Reset()
	if err := flags.makeDataDir(dir, logger); err != nil || log.Len() > 0 {
		t.Errorf("the second start: %v: %s", err, &log)
	}
}

// TestMakeDataDir_new: a directory that isn't there is made for this account alone.
func TestMakeDataDir_new(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "above", "data")
	if err := (storageFlags{}).makeDataDir(dir, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if mode := modeOf(t, dir); mode&0o066 != 0 {
		t.Errorf("mode %o", mode)
	}
}

// TestMakeDataDir_foreign: a directory that holds something else isn't changed.
func TestMakeDataDir_foreign(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "home")
	made(t, dir, "", 0o755)
	made(t, filepath.Join(dir, "letters.txt"), "something else", 0o644)
	err := (storageFlags{}).makeDataDir(dir, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "HOOKTRAIL_DATA_DIR") || modeOf(t, dir) != 0o755 {
		t.Errorf("%v, mode %o", err, modeOf(t, dir))
	}
}
