package main

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
	"github.com/hooktrail/hooktrail/migrations/migratetest"
)

// TestStorage_MigrateOlderCopy: a database that lacks what this node knows isn't migrated, whichever URL may migrate it. Its schema
// may be older, too: that isn't what the server stops for.
func TestStorage_MigrateOlderCopy(t *testing.T) {
	t.Parallel()
	db := migratetest.Open(t)
	admin, err := pgx.Connect(t.Context(), db.AdminURL)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(t.Context())
	version := func() (n int) {
		t.Helper()
		if err := admin.QueryRow(t.Context(), `SELECT max(version_id) FROM schema_version`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if _, err := admin.Exec(t.Context(), `DELETE FROM schema_version WHERE version_id = $1`, version()); err != nil {
		t.Fatal(err)
	}
	before := version()
	file := filepath.Join(t.TempDir(), knownFile)
	if err := os.WriteFile(file, []byte(`{"position":7,"leaf_sha256":"`+strings.Repeat("ab", 32)+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, flags := range map[string]storageFlags{
		"server's role": {DatabaseURL: db.URL}, "migrating role": {DatabaseURL: db.URL, MigrateURL: db.AdminURL},
	} {
		s, err := flags.start(t.Context(), t.TempDir(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.migrate(t.Context(), file); !errors.Is(err, eventlog.ErrReplaced) {
			t.Errorf("%s: migrate: %v, want %v", name, err, eventlog.ErrReplaced)
		}
		if after := version(); after != before {
			t.Errorf("%s: the older copy was migrated from version %d to %d", name, before, after)
		}
	}
	if _, err := admin.Exec(t.Context(), `ALTER TABLE entries RENAME TO others`); err != nil {
		t.Fatal(err)
	}
	if err := eventlog.CheckKnownFile(t.Context(), db.AdminURL, file); !errors.Is(err, eventlog.ErrReplaced) {
		t.Errorf("a database without entries: %v", err)
	}
}
