package migrations

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
)

// The ways in which a database doesn't fit this binary. Their texts say what to do.
var (
	ErrSchemaBehind = errors.New("the database's schema is older than this program (hint: run `hooktrail migrate`)")
	ErrSchemaAhead  = errors.New("the database's schema is newer than this program (hint: start the newer program)")
)

// SchemaVersion is the number of the newest migration in this binary.
func SchemaVersion() (int64, error) {
	names, err := fs.Glob(FS, "*.sql")
	if err != nil {
		return 0, err
	}
	var newest int64
	for _, name := range names {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return 0, fmt.Errorf("migration %s: %w", name, err)
		}
		newest = max(newest, version)
	}
	return newest, nil
}

// Check fails with [ErrSchemaBehind] or [ErrSchemaAhead] unless the database at url, opened with the server's role or any other
// that may read there, has exactly this binary's schema.
func Check(ctx context.Context, url string) error {
	cfg, err := parseURL(url)
	if err != nil {
		return err
	}
	return check(ctx, cfg)
}

func check(ctx context.Context, cfg *pgx.ConnConfig) (err error) {
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("connect to check the schema: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	want, err := SchemaVersion()
	if err != nil {
		return err
	}
	have, err := appliedVersion(ctx, conn)
	switch {
	case err != nil:
		return fmt.Errorf("check the schema: %w", err)
	case have < want:
		return fmt.Errorf("schema version %d, expected %d: %w", have, want, ErrSchemaBehind)
	case have > want:
		return fmt.Errorf("schema version %d, expected %d: %w", have, want, ErrSchemaAhead)
	}
	return nil
}

// appliedVersion is 0 for a database that was never migrated.
func appliedVersion(ctx context.Context, conn *pgx.Conn) (int64, error) {
	var version int64
	err := conn.QueryRow(ctx, `SELECT coalesce(max(version_id), 0) FROM schema_version WHERE is_applied`).Scan(&version)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == "42P01" { // undefined_table
		return 0, nil
	}
	return version, err
}
