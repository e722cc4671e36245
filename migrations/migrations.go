package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// FS holds the migrations, named by version and sentence.
//
//go:embed *.sql
var FS embed.FS

// versionTable is goose's list of what was applied.
const versionTable = "schema_version"

// lockTries bounds the wait for another migrator, one try a second: long migrations are waited for.
const lockTries = 600

// Options of [Up].
type Options struct {
	// ServerRole is the name of the role that the server logs in as; it is made when missing. Empty: only the three roles
	// that nobody logs in as are made.
	ServerRole string
	// ServerPassword is given to ServerRole, printable ASCII. Empty: how the role authenticates is left alone.
	ServerPassword string
	// Logger gets one line for each migration applied. Nil: silent.
	Logger *slog.Logger
}

// Up brings the database at migrateURL to the schema of this binary. The URL's login must be able to make roles and must
// own the database, or be a superuser. Any number of processes may call it at once, for one database or for several in one
// cluster; each returns when the schema is complete. A database that a newer program migrated is refused with [ErrSchemaAhead].
func Up(ctx context.Context, migrateURL string, opts Options) error {
	cfg, err := parseURL(migrateURL)
	if err != nil {
		return err
	}
	if err := makeRoles(ctx, cfg); err != nil {
		return err
	}
	if err := apply(ctx, cfg, opts.Logger); err != nil {
		return err
	}
	if opts.ServerRole == "" {
		return nil
	}
	return EnsureServerRole(ctx, migrateURL, opts.ServerRole, opts.ServerPassword)
}

// parseURL never shows the URL, which holds a password, in its error.
func parseURL(url string) (*pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("read the database URL (postgres://user:password@host:port/database): %w", err)
	}
	return cfg, nil
}

// apply runs the missing migrations as the owner role; goose's session lock makes other migrators wait.
func apply(ctx context.Context, admin *pgx.ConnConfig, log *slog.Logger) (err error) {
	cfg := admin.Copy()
	cfg.RuntimeParams["role"] = OwnerRole
	db := stdlib.OpenDB(*cfg)
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := newProvider(db)
	if err != nil {
		return err
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	for _, result := range results {
		if log != nil {
			log.Info("migration_applied", slog.Int64("version", result.Source.Version), slog.Duration("duration", result.Duration))
		}
	}
	// goose passes over versions that it has no file for.
	return check(ctx, cfg)
}

func newProvider(db *sql.DB) (*goose.Provider, error) {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, lockTries))
	if err != nil {
		return nil, fmt.Errorf("make the migration lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, FS, goose.WithSessionLocker(locker), goose.WithTableName(versionTable))
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	return provider, nil
}
