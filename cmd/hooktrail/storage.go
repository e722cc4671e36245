package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"

	"github.com/hooktrail/hooktrail/adapters/localpg"
	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/adapters/postgres/views"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/migrations"
)

// Names in a private Postgres.
const (
	databaseName = "hooktrail"
	serverRole   = "hooktrail"
)

// storage is the database that a server works on, migrated.
type storage struct {
	url     string          // logs in as the server's role
	private *localpg.Server // nil when the database is somebody else's
}

// open starts or finds the database and brings its schema up to date.
func (f storageFlags) open(ctx context.Context, dir string, log *slog.Logger) (*storage, error) {
	if f.DatabaseURL != "" {
		return &storage{url: f.DatabaseURL}, f.migrate(ctx, log)
	}
	private, err := localpg.Start(ctx, localpg.Config{Dir: filepath.Join(dir, postgresDir), Logger: log})
	if err != nil {
		return nil, fmt.Errorf("start a private Postgres (to use another one set HOOKTRAIL_DATABASE_URL): %w", err)
	}
	serverURL, err := preparePrivate(ctx, private, log)
	if err != nil {
		return nil, errors.Join(err, private.Stop())
	}
	return &storage{url: serverURL, private: private}, nil
}

// preparePrivate makes and migrates the database, and returns the URL of the server's role.
func preparePrivate(ctx context.Context, private *localpg.Server, log *slog.Logger) (string, error) {
	adminURL, err := makeDatabase(ctx, private.URL())
	if err != nil {
		return "", err
	}
	password, err := private.RolePassword(serverRole)
	if err != nil {
		return "", err
	}
	options := migrations.Options{ServerRole: serverRole, ServerPassword: password, Logger: log}
	if err := migrations.Up(ctx, adminURL, options); err != nil {
		return "", err
	}
	return migrations.ServerURL(adminURL, serverRole, password)
}

// makeDatabase makes the database if it isn't there and returns its URL.
func makeDatabase(ctx context.Context, clusterURL string) (string, error) {
	conn, err := pgx.Connect(ctx, clusterURL)
	if err != nil {
		return "", fmt.Errorf("connect to the private Postgres: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var exists bool
	const query = `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`
	if err := conn.QueryRow(ctx, query, databaseName).Scan(&exists); err != nil {
		return "", fmt.Errorf("look for the database: %w", err)
	}
	if !exists {
		if _, err := conn.Exec(ctx, `CREATE DATABASE `+databaseName); err != nil {
			return "", fmt.Errorf("make the database: %w", err)
		}
	}
	u, err := url.Parse(clusterURL)
	if err != nil {
		return "", errors.New("the private Postgres has a URL that can't be read") // and holds a password
	}
	u.Path = "/" + databaseName
	return u.String(), nil
}

// migrate brings somebody else's database up to date or, without the right to, checks that it is.
func (f storageFlags) migrate(ctx context.Context, log *slog.Logger) error {
	if f.MigrateURL == "" {
		err := migrations.Check(ctx, f.DatabaseURL)
		if errors.Is(err, migrations.ErrSchemaBehind) {
			return fmt.Errorf("%w with HOOKTRAIL_MIGRATE_URL set: the same database as a role that may create tables and roles", err)
		}
		return err
	}
	server, err := pgx.ParseConfig(f.DatabaseURL)
	if err != nil {
		return usagef("HOOKTRAIL_DATABASE_URL can't be read: write it like postgres://user:password@host:5432/database")
	}
	return migrations.Up(ctx, f.MigrateURL, migrations.Options{
		ServerRole: server.User, ServerPassword: server.Password, Logger: log,
	})
}

// masterKey reads the key-encryption key. Only the one in the data directory is made when it isn't there: a key that was
// said to be somewhere is never replaced by a new one, which would open nothing.
func (f storageFlags) masterKey(dir string) (*seal.MasterKey, error) {
	if f.MasterKeyFile != "" {
		return seal.LoadMasterKey(f.MasterKeyFile)
	}
	return seal.LoadOrCreateMasterKey(filepath.Join(dir, masterKeyFile))
}

// Close stops a private Postgres.
func (s *storage) Close() error {
	if s.private == nil {
		return nil
	}
	return s.private.Stop()
}

type migrateCommand struct {
	Storage storageFlags `embed:""`
	Log     logFlags     `embed:""`

	RaiseFormat bool `name:"raise-format" help:"Say in the log that every program which reads it is of this version or newer: kinds of entries that older ones don't know may be written from then on."`
}

// Run migrates and exits; serve does the same at every start when it may.
func (c migrateCommand) Run(ctx context.Context, p process) (err error) {
	if err := c.Storage.validate(); err != nil {
		return err
	}
	dir, err := dataDir(c.Storage.DataDir)
	if err != nil {
		return err
	}
	log := c.Log.logger(os.Stderr)
	if err := c.Storage.makeDataDir(dir, log); err != nil {
		return err
	}
	s, err := c.Storage.open(ctx, dir, log)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(p.stdout, "the schema is up to date"); err != nil {
		return errors.Join(err, s.Close())
	}
	if err := s.Close(); err != nil || !c.RaiseFormat {
		return err
	}
	return c.Storage.withLog(ctx, c.Log, func(log *eventlog.Log, _ *views.Views) error { return raiseFormat(ctx, log, p) })
}

func raiseFormat(ctx context.Context, log *eventlog.Log, p process) error {
	raised := false
	err := appending(ctx, log, func() (err error) {
		raised, err = eventlog.RaiseFormat(ctx, log, domain.Format, domain.Actor{})
		return err
	})
	if err != nil {
		return err
	}
	said := "the log has format %d already\n"
	if raised {
		said = "the log is raised to format %d\n"
	}
	_, err = fmt.Fprintf(p.stdout, said, domain.Format)
	return err
}
