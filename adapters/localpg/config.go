package localpg

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Config says where a private Postgres lives and how it is tuned.
type Config struct {
	// Dir is the directory that belongs to this Postgres alone; it is made when absent. Required. Run as root, every
	// directory above it must be passable for the account that the server runs as.
	Dir string
	// BinDir holds initdb and postgres. Empty: $PGBIN, then the usual places, newest first.
	BinDir string
	// Settings override and extend the defaults, by the names of postgresql.conf. With fsync=off the cluster is also
	// made without syncing: for tests only. Where and how the server listens can't be set.
	Settings map[string]string
	// Logger gets a line for each change of state. Nil: silent.
	Logger *slog.Logger
}

// defaults suit an append-mostly log on a machine shared with the server itself. Durability is never traded away.
func defaults() map[string]string {
	return map[string]string{
		"fsync":              "on",
		"full_page_writes":   "on",
		"synchronous_commit": "on",

		"max_connections": "100",
		"shared_buffers":  "256MB",
		// Appending rewrites no page twice between checkpoints if these are rare.
		"max_wal_size":                 "4GB",
		"min_wal_size":                 "512MB",
		"checkpoint_timeout":           "15min",
		"checkpoint_completion_target": "0.9",
		// Sealed contents and hashes don't compress: trying takes several times as long as writing them.
		"wal_compression":  "off",
		"wal_buffers":      "16MB",
		"random_page_cost": "1.1",
		// Short statements: compiling them costs more than it gains.
		"jit": "off",

		"timezone":     "UTC",
		"log_timezone": "UTC",
		"lc_messages":  "C", // launch reads what a failed server said
		// Errors go to the client, which knows what is secret in them; a statement or a value must not reach a file.
		"log_min_messages":        "log",
		"log_min_error_statement": "panic",
		"log_error_verbosity":     "terse",
		"log_checkpoints":         "off",
	}
}

// reserved are decided by this package alone: loopback only, no socket that other users could reach, files in Dir.
func reserved() []string {
	return []string{
		"config_file", "data_directory", "external_pid_file", "hba_file", "ident_file", "listen_addresses",
		"logging_collector", "port", "unix_socket_directories",
	}
}

// settings merges the caller's settings over the defaults.
func (c Config) settings() (map[string]string, error) {
	merged := defaults()
	for name, value := range c.Settings {
		if slices.Contains(reserved(), name) {
			return nil, fmt.Errorf("setting %s of the private Postgres can't be changed", name)
		}
		merged[name] = value
	}
	return merged, nil
}

// arguments are the postgres command line for the settings and port, in a stable order.
func arguments(data string, settings map[string]string, port int) []string {
	args := []string{
		"-D", data,
		"-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=",
		"-c", fmt.Sprintf("port=%d", port),
	}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	return args
}

// environment is all that the programs of Postgres get to see of ours.
func environment() []string {
	env := []string{"LC_ALL=C"}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// DefaultDir is where an application of that name keeps its data when nothing was configured: /var/lib/app as root,
// so that the unprivileged account of the server can reach it, else app under $XDG_DATA_HOME or ~/.local/share.
func DefaultDir(app string) (string, error) {
	if os.Geteuid() == 0 {
		return filepath.Join("/var/lib", app), nil
	}
	if xdg := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(xdg) {
		return filepath.Join(xdg, app), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find a directory for data (set $HOME or name one): %w", err)
	}
	return filepath.Join(home, ".local", "share", app), nil
}
