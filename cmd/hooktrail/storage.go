package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktrail/hooktrail/adapters/localpg"
	"github.com/hooktrail/hooktrail/adapters/postgres"
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

// storage is the database that a server works on.
type storage struct {
	url      string          // logs in as the server's role
	private  *localpg.Server // nil when the database is somebody else's
	adminURL string          // of a private one
	password string          // of the server's role in a private one
	flags    storageFlags
	log      *slog.Logger
}

// open starts or finds the database and brings its schema up to date, whatever this node knows of the log.
func (f storageFlags) open(ctx context.Context, dir string, log *slog.Logger) (*storage, error) {
	s, err := f.start(ctx, dir, log)
	if err != nil {
		return nil, err
	}
	if err := s.migrate(ctx, ""); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// start starts or finds the database.
func (f storageFlags) start(ctx context.Context, dir string, log *slog.Logger) (*storage, error) {
	s := &storage{url: f.DatabaseURL, flags: f, log: log}
	if f.DatabaseURL != "" {
		return s, nil
	}
	var err error
	if s.private, err = localpg.Start(ctx, localpg.Config{Dir: filepath.Join(dir, postgresDir), Logger: log}); err != nil {
		return nil, fmt.Errorf("start a private Postgres (to use another one set HOOKTRAIL_DATABASE_URL): %w", err)
	}
	if err := s.preparePrivate(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// preparePrivate makes the database in a private Postgres, and the URLs of its roles.
func (s *storage) preparePrivate(ctx context.Context) (err error) {
	if s.adminURL, err = makeDatabase(ctx, s.private.URL()); err != nil {
		return err
	}
	if s.password, err = s.private.RolePassword(serverRole); err != nil {
		return err
	}
	s.url, err = migrations.ServerURL(s.adminURL, serverRole, s.password)
	return err
}

// migrate brings the schema up to date, unless the database lacks the last entry that the file of this node names
// (eventlog.ErrReplaced): an older copy stays as it was put back until somebody has decided on it. An empty name is of no file.
func (s *storage) migrate(ctx context.Context, knownFile string) error {
	if s.private == nil {
		return s.flags.migrateWhenThere(ctx, knownFile, s.log)
	}
	if err := eventlog.CheckKnownFile(ctx, s.adminURL, knownFile); err != nil {
		return err
	}
	return migrations.Up(ctx, s.adminURL, migrations.Options{ServerRole: serverRole, ServerPassword: s.password, Logger: s.log})
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

// databasePause is how long a start waits before it tries again to reach the database.
const databasePause = time.Second

// migrateWhenThere migrates, and waits for a database that can't be reached yet: it may be starting beside this server.
// Only that is waited for; a wrong password or schema is the operator's to mend.
func (f storageFlags) migrateWhenThere(ctx context.Context, knownFile string, log *slog.Logger) error {
	begin := time.Now()
	for waited := false; ; waited = true {
		err := f.migrate(ctx, knownFile, log)
		switch {
		case !unreachable(err):
			if waited && err == nil {
				log.InfoContext(ctx, "the database is there", slog.Duration("after", time.Since(begin).Round(time.Millisecond)))
			}
			return err
		case time.Since(begin)+databasePause > f.DatabaseWait:
			return err
		case !waited:
			log.WarnContext(ctx, "waiting for the database, which can't be reached (HOOKTRAIL_DATABASE_WAIT bounds this)",
				slog.Duration("at_most", f.DatabaseWait), slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(databasePause):
		}
	}
}

// unreachable reports whether an error is that no Postgres answers, or one that still starts, stops or recovers.
func unreachable(err error) bool {
	const cannotConnectNow = "57P03"
	if state := postgres.SQLState(err); state != "" {
		return state == cannotConnectNow
	}
	connecting := new(pgconn.ConnectError)
	return errors.As(err, &connecting)
}

// Bounds of restarting the private Postgres.
const (
	restartTries = 5                      // in a row; a server that ran for restartReset begins a new row
	restartPause = 500 * time.Millisecond // before the second try; doubled before each further one
	restartReset = time.Minute
)

// keepPrivate starts the private Postgres again whenever it ends, until ctx ends (nil) or it can't be kept running.
func (s *storage) keepPrivate(ctx context.Context, log *slog.Logger) error {
	if s.private == nil {
		return nil
	}
	tries, began := 0, time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.private.Done():
		}
		if time.Since(began) > restartReset {
			tries = 0
		}
		if tries++; tries > restartTries {
			return errPostgresEnded
		}
		log.ErrorContext(ctx, "the private Postgres ended and is started again (its server.log in the data directory says why)",
			slog.Int("try", tries))
		if tries > 1 {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(restartPause << (tries - 2)):
			}
		}
		if err := s.private.Restart(ctx); err != nil {
			log.ErrorContext(ctx, "the private Postgres doesn't start", slog.Any("error", err))
		}
		began = time.Now()
	}
}

var errPostgresEnded = errors.New(
	"the private Postgres ended again and again (its server.log in the data directory says why): start again")

// migrate brings somebody else's database up to date or, without the right to, checks that it is.
func (f storageFlags) migrate(ctx context.Context, knownFile string, log *slog.Logger) error {
	if err := eventlog.CheckKnownFile(ctx, cmp.Or(f.MigrateURL, f.DatabaseURL), knownFile); err != nil {
		return err
	}
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
	s, err := c.Storage.start(ctx, dir, log)
	if err != nil {
		return err
	}
	if err := s.migrate(ctx, filepath.Join(dir, knownFile)); err != nil {
		return errors.Join(err, s.Close())
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
