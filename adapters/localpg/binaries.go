package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// oldestMajor is the oldest Postgres that Hooktrail works with.
const oldestMajor = 14

// versionTimeout bounds `postgres --version` and `pg_config --bindir`.
const versionTimeout = 10 * time.Second

// ErrNoPostgres is returned by [Start] when no usable binaries were found; its text says how to get them.
var ErrNoPostgres = errors.New("no PostgreSQL 14 or newer found on this machine " +
	"(Debian, Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server; macOS: brew install postgresql@16; " +
	"elsewhere: set PGBIN to the directory of initdb and postgres, or give the URL of a running server)")

// installation is one set of binaries of one major version.
type installation struct {
	bin   string // directory of initdb and postgres
	major int
}

// patterns are the directories where packages put their binaries.
func patterns() []string {
	return []string{
		"/usr/lib/postgresql/*/bin",                               // Debian, Ubuntu
		"/usr/pgsql-*/bin",                                        // packages of postgresql.org for Fedora and RHEL
		"/opt/homebrew/opt/postgresql@*/bin",                      // Homebrew on Apple silicon
		"/usr/local/opt/postgresql@*/bin",                         // Homebrew on Intel
		"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",         // Homebrew on Linux
		"/Applications/Postgres.app/Contents/Versions/[0-9]*/bin", // Postgres.app
	}
}

// installations lists what can be used, newest first; if named or $PGBIN says where, only that.
func installations(ctx context.Context, named string, as account) ([]installation, error) {
	if named == "" {
		named = os.Getenv("PGBIN")
	}
	if named != "" {
		found, err := inspect(ctx, named, as)
		if err != nil {
			return nil, fmt.Errorf("use the PostgreSQL in %s (set by PGBIN): %w", named, err)
		}
		return []installation{found}, nil
	}
	return usable(ctx, candidates(ctx), as)
}

// usable are those of the directories whose binaries run and are new enough, newest first.
func usable(ctx context.Context, dirs []string, as account) ([]installation, error) {
	var all []installation
	var unusable []error
	for _, bin := range dirs {
		found, err := inspect(ctx, bin, as)
		if err != nil {
			unusable = append(unusable, err)
			continue
		}
		all = append(all, found)
	}
	if len(all) == 0 {
		return nil, errors.Join(append([]error{ErrNoPostgres}, unusable...)...)
	}
	slices.SortStableFunc(all, func(a, b installation) int { return b.major - a.major })
	return all, nil
}

// candidates are the directories that hold both programs, each once.
func candidates(ctx context.Context) []string {
	var dirs []string
	add := func(dir string) {
		real, err := filepath.EvalSymlinks(dir)
		if err == nil && !slices.Contains(dirs, real) && executable(real, "initdb") && executable(real, "postgres") {
			dirs = append(dirs, real)
		}
	}
	for _, pattern := range patterns() {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			continue // only a malformed pattern, which a test excludes
		}
		for _, dir := range matches {
			add(dir)
		}
	}
	// A link in PATH usually points at a wrapper's neighbourhood; the program beside it must be the real one.
	for _, program := range []string{"postgres", "initdb"} {
		if path, err := exec.LookPath(program); err == nil {
			if real, err := filepath.EvalSymlinks(path); err == nil {
				add(filepath.Dir(real))
			}
		}
	}
	if out, err := quickOutput(ctx, account{}, "pg_config", "--bindir"); err == nil {
		add(strings.TrimSpace(out))
	}
	return dirs
}

func executable(dir, program string) bool {
	info, err := os.Stat(filepath.Join(dir, program))
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// inspect asks the postgres program in bin for its version, as the account that will run it: a program that this
// account can't reach is useless.
func inspect(ctx context.Context, bin string, as account) (installation, error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return installation{}, err
	}
	for _, program := range []string{"initdb", "postgres"} {
		if !executable(bin, program) {
			return installation{}, fmt.Errorf("%s holds no program %s", bin, program)
		}
	}
	out, err := quickOutput(ctx, as, filepath.Join(bin, "postgres"), "--version")
	if err != nil {
		return installation{}, fmt.Errorf("run %s/postgres as %s: %w", bin, as.name, err)
	}
	major, err := parseMajor(out)
	if err != nil {
		return installation{}, fmt.Errorf("%s/postgres: %w", bin, err)
	}
	if major < oldestMajor {
		return installation{}, fmt.Errorf("%s holds PostgreSQL %d, older than %d", bin, major, oldestMajor)
	}
	return installation{bin: bin, major: major}, nil
}

// parseMajor reads "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)" or "… 18beta1".
func parseMajor(version string) (int, error) {
	found := regexp.MustCompile(`\(PostgreSQL\) (\d+)`).FindStringSubmatch(version)
	if found == nil {
		return 0, fmt.Errorf("no PostgreSQL version in %q", strings.TrimSpace(version))
	}
	return strconv.Atoi(found[1])
}

func quickOutput(ctx context.Context, as account, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = "/", environment(), as.attributes()
	out, err := cmd.Output()
	return string(out), err
}

// choose picks the installation for a cluster of that major version; 0, no cluster yet, picks the newest.
func choose(all []installation, major int, data string) (installation, error) {
	if major == 0 {
		return all[0], nil
	}
	var have []string
	for _, one := range all {
		if one.major == major {
			return one, nil
		}
		have = append(have, fmt.Sprintf("%d in %s", one.major, one.bin))
	}
	return installation{}, fmt.Errorf("%s was made by PostgreSQL %d but this machine has %s; nothing was changed "+
		"(install PostgreSQL %d, or set PGBIN to its binaries, or upgrade the directory with pg_upgrade)",
		data, major, strings.Join(have, ", "), major)
}
