package localpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// superuser is the name of the bootstrap role of every cluster made here.
const superuser = "postgres"

// majorOf is the major version of the cluster in data, 0 if there is none yet. What is there but isn't a cluster is
// an error: it may be somebody's data.
func majorOf(data string) (int, error) {
	entries, err := os.ReadDir(data)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look into the data directory: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	switch {
	case errors.Is(err, fs.ErrNotExist) && len(entries) == 0:
		return 0, nil
	case errors.Is(err, fs.ErrNotExist):
		return 0, fmt.Errorf("%s is not empty and is no Postgres data directory (PG_VERSION is missing); nothing was changed "+
			"(hint: move what is in it elsewhere, restore it from a backup, or choose another data directory)", data)
	case err != nil:
		return 0, fmt.Errorf("read the version of the data directory: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s/PG_VERSION holds %q, no version of PostgreSQL; nothing was changed (hint: restore it from a backup)",
			data, strings.TrimSpace(string(text)))
	}
	return major, nil
}

// prepareDir makes dir. One that holds something else is refused: it would be given to the account of the server.
func prepareDir(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil { //nolint:gosec // the server's account must pass through
		return fmt.Errorf("make the directory above %s: %w", dir, err)
	}
	err := os.Mkdir(dir, 0o700)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("look into the directory (hint: it must be this user's): %w", err)
	}
	ours := func(entry fs.DirEntry) bool { return entry.Name() == lockName }
	if len(entries) > 0 && !slices.ContainsFunc(entries, ours) {
		return fmt.Errorf("%s is not empty and wasn't made by this program (%s is missing); nothing was changed "+
			"(hint: choose a directory that is empty or absent)", dir, lockName)
	}
	return nil
}

// makeCluster runs initdb beside data and renames the result when it is whole.
func makeCluster(ctx context.Context, dir string, from installation, as account, sync bool) error {
	incomplete, data := filepath.Join(dir, "data.incomplete"), filepath.Join(dir, "data")
	if err := os.RemoveAll(incomplete); err != nil {
		return fmt.Errorf("remove what an interrupted start left: %w", err)
	}
	if err := os.Mkdir(incomplete, 0o700); err != nil {
		return fmt.Errorf("make a directory for the cluster: %w", err)
	}
	if err := as.own(incomplete); err != nil {
		return fmt.Errorf("own a directory to %s: %w", as.name, err)
	}
	if err := initdb(ctx, dir, incomplete, from, as, sync); err != nil {
		return errors.Join(err, os.RemoveAll(incomplete))
	}
	if err := os.Rename(incomplete, data); err != nil {
		return fmt.Errorf("put the new cluster in place: %w", err)
	}
	return syncDir(dir)
}

func initdb(ctx context.Context, dir, target string, from installation, as account, sync bool) error {
	args := []string{
		"-D", target, "--username=" + superuser, "--pwfile=" + passwordFile(dir, superuser), "--auth=scram-sha-256",
		"--encoding=UTF8", "--locale=C", "--data-checksums",
	}
	if !sync {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, filepath.Join(from.bin, "initdb"), args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = target, environment(), as.attributes()
	// initdb starts postgres: all of them must go when ctx ends.
	cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb of PostgreSQL %d as %s: %w: %s", from.major, as.name, err, lastLines(out))
	}
	return nil
}

// syncDir makes a rename or a new file in dir survive a power cut.
func syncDir(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open %s to sync it: %w", dir, err)
	}
	return errors.Join(file.Sync(), file.Close())
}

// lastLines is the end of a program's output, for an error.
func lastLines(out []byte) string {
	const limit = 1000
	text := strings.TrimSpace(string(out))
	if len(text) > limit {
		text = "…" + text[len(text)-limit:]
	}
	return strings.ReplaceAll(text, "\n", " | ")
}
