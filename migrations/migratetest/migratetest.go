package migratetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/migrations"
	"github.com/jackc/pgx/v5"
)

const (
	// serverRole is whom [Database.URL] logs in as: one for the whole cluster.
	serverRole = "hooktrail_test"
	// templateName is the migrated database that all others are copies of.
	templateName = "hooktrail_test_template"
	// openTimeout bounds making a database; the first one includes making the cluster.
	openTimeout = 2 * time.Minute
)

// Database is a migrated database that belongs to one test.
type Database struct {
	// URL logs in as the server does: by a role of its own with no more rights than the migrations grant.
	URL string
	// AdminURL logs in as a superuser, for what only an operator or an attacker would do.
	AdminURL string
	// Name of the database within its server.
	Name string
}

// Open makes a database for t. It is dropped in t's cleanup, which disconnects whoever is left, so close your pools in cleanups
// registered after Open. Safe for parallel tests.
func Open(t testing.TB) Database {
	t.Helper()
	s, err := shared()
	if err != nil {
		t.Fatalf("a database for tests: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), openTimeout)
	defer cancel()
	name := "hooktrail_test_" + strings.ToLower(rand.Text())
	t.Cleanup(func() { drop(t, s, name) })
	if err := s.create(ctx, name); err != nil {
		t.Fatalf("make a database for the test: %v", err)
	}
	db, err := s.database(name)
	if err != nil {
		t.Fatalf("address the test's database: %v", err)
	}
	return db
}

func drop(t testing.TB, s *server, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	if err := s.exec(ctx, `DROP DATABASE IF EXISTS `+quote(name)+` WITH (FORCE)`); err != nil {
		t.Errorf("drop the test's database: %v", err)
	}
}

// server is the one that this test process makes its databases in.
type server struct {
	adminURL string
	password string // of serverRole: the superuser's, so that all processes on one server agree on it
	copies   bool   // of the template; else each database is migrated by itself
	keep     any    // what must not be collected before the process ends
}

// shared starts the process's server once; a failure is every test's.
//
// A Go test process has no other place than a variable for what all its tests use.
var shared = sync.OnceValues(func() (*server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	if external := os.Getenv("HOOKTRAIL_TEST_DATABASE_URL"); external != "" {
		// Nothing could drop a template at the process's end.
		return newServer(external, false)
	}
	own, err := newCluster(ctx)
	if err != nil {
		return nil, err
	}
	s, err := newServer(own.postgres.URL(), true)
	if err != nil {
		return nil, err
	}
	s.keep = own
	if err := s.migrated(ctx, templateName); err != nil {
		return nil, fmt.Errorf("make the template: %w", err)
	}
	return s, nil
})

func newServer(adminURL string, copies bool) (*server, error) {
	cfg, err := pgx.ParseConfig(adminURL)
	if err != nil {
		return nil, fmt.Errorf("read HOOKTRAIL_TEST_DATABASE_URL (postgres://superuser:password@host:port/postgres): %w", err)
	}
	return &server{adminURL: adminURL, password: cfg.Password, copies: copies}, nil
}

// create makes a migrated database.
func (s *server) create(ctx context.Context, name string) error {
	if s.copies {
		return s.exec(ctx, `CREATE DATABASE `+quote(name)+` TEMPLATE `+quote(templateName))
	}
	return s.migrated(ctx, name)
}

// migrated makes a database and applies all migrations to it.
func (s *server) migrated(ctx context.Context, name string) error {
	if err := s.exec(ctx, `CREATE DATABASE `+quote(name)+` TEMPLATE template0`); err != nil {
		return err
	}
	db, err := s.database(name)
	if err != nil {
		return err
	}
	return migrations.Up(ctx, db.AdminURL, migrations.Options{ServerRole: serverRole, ServerPassword: s.password})
}

// exec runs one statement outside any test's database.
func (s *server) exec(ctx context.Context, sql string) (err error) {
	conn, err := pgx.Connect(ctx, s.adminURL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	_, err = conn.Exec(ctx, sql)
	return err
}

// database derives the two URLs of a database from the superuser's.
func (s *server) database(name string) (Database, error) {
	admin, err := withDatabase(s.adminURL, name)
	if err != nil {
		return Database{}, err
	}
	url, err := migrations.ServerURL(admin, serverRole, s.password)
	if err != nil {
		return Database{}, err
	}
	return Database{URL: url, AdminURL: admin, Name: name}, nil
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
