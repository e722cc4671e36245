package migrations_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/migrations"
	"github.com/hooktrail/hooktrail/migrations/migratetest"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"
)

// Four migrators each of three databases in one new cluster, where not even the roles exist.
func TestUp_manyAtOnce(t *testing.T) {
	t.Parallel()
	cluster := migratetest.Cluster(t)
	admin := connect(t, cluster.URL())
	var databases []string
	for i := range 3 {
		name := fmt.Sprintf("race_%d", i)
		exec(t, admin, `CREATE DATABASE `+name)
		databases = append(databases, withDatabase(t, cluster.URL(), name))
	}
	group, ctx := errgroup.WithContext(t.Context())
	for _, database := range databases {
		for range 4 {
			group.Go(func() error {
				return migrations.Up(ctx, database, migrations.Options{ServerRole: "app", ServerPassword: "secret"})
			})
		}
	}
	if err := group.Wait(); err != nil {
		t.Fatalf("migrate: %v", err)
	}
	for _, database := range databases {
		served, err := migrations.ServerURL(database, "app", "secret")
		if err != nil {
			t.Fatal(err)
		}
		if err := migrations.Check(t.Context(), served); err != nil {
			t.Errorf("%s: %v", database, err)
		}
		var double int
		query(t, connect(t, database), `SELECT count(*) - count(DISTINCT version_id) FROM schema_version`, &double)
		if double != 0 {
			t.Errorf("%d migrations were applied twice", double)
		}
	}
	// A migrated cluster has the roles, a new database in it nothing yet.
	exec(t, admin, `CREATE DATABASE fresh`)
	if err := migrations.Check(t.Context(), withDatabase(t, cluster.URL(), "fresh")); !errors.Is(err, migrations.ErrSchemaBehind) {
		t.Errorf("check of a new database: got %v, expected ErrSchemaBehind", err)
	}
}

// As one does who rents a database: no superuser.
func TestUp_asTheDatabasesOwner(t *testing.T) {
	t.Parallel()
	cluster := migratetest.Cluster(t)
	admin := connect(t, cluster.URL())
	exec(t, admin, `CREATE ROLE tenant LOGIN CREATEROLE PASSWORD 'rent'`)
	exec(t, admin, `CREATE DATABASE rented OWNER tenant`)
	url, err := migrations.ServerURL(withDatabase(t, cluster.URL(), "rented"), "tenant", "rent")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing to do
		if err := migrations.Up(t.Context(), url, migrations.Options{ServerRole: "app", ServerPassword: "secret"}); err != nil {
			t.Fatalf("migrate: %v", err)
		}
	}
	served, err := migrations.ServerURL(url, "app", "secret")
	if err != nil {
		t.Fatal(err)
	}
	if err := migrations.Check(t.Context(), served); err != nil {
		t.Errorf("check as the server: %v", err)
	}
}

func TestCheck_schemaAhead(t *testing.T) {
	t.Parallel()
	db := migratetest.Open(t)
	exec(t, connect(t, db.AdminURL), `INSERT INTO schema_version (version_id, is_applied) VALUES (999999, true)`)
	if err := migrations.Check(t.Context(), db.URL); !errors.Is(err, migrations.ErrSchemaAhead) {
		t.Errorf("check: got %v, expected ErrSchemaAhead", err)
	}
	if err := migrations.Up(t.Context(), db.AdminURL, migrations.Options{}); !errors.Is(err, migrations.ErrSchemaAhead) {
		t.Errorf("migrate: got %v, expected ErrSchemaAhead", err)
	}
}

// The server's role has what was granted to it and no way to more.
func TestServerRole(t *testing.T) {
	t.Parallel()
	db := migratetest.Open(t)
	server := connect(t, db.URL)
	for _, sql := range []string{
		`CREATE TABLE public.mine (a int)`,
		`CREATE SCHEMA mine`,
		`SET ROLE hooktrail_owner`,
		`INSERT INTO schema_version (version_id, is_applied) VALUES (999999, true)`,
		`DELETE FROM schema_version`,
		`DROP TABLE schema_version`,
		`ALTER ROLE CURRENT_USER SUPERUSER`,
		`CREATE ROLE mine`,
		`GRANT hooktrail_owner TO CURRENT_USER`,
		`SET session_replication_role = replica`,
		`COPY (SELECT 1) TO PROGRAM 'true'`,
	} {
		_, err := server.Exec(t.Context(), sql)
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || refused.Code != "42501" {
			t.Errorf("%s: got %v, expected SQLSTATE 42501", sql, err)
		}
	}
	var owners string
	query(t, server, `SELECT string_agg(DISTINCT tableowner, ',') FROM pg_tables WHERE schemaname = 'public'`, &owners)
	if owners != migrations.OwnerRole {
		t.Errorf("tables are owned by %s, expected only %s", owners, migrations.OwnerRole)
	}
	var logins int
	query(t, server, `SELECT count(*) FROM pg_roles WHERE rolcanlogin AND rolname IN ('hooktrail_owner', 'hooktrail_server')`, &logins)
	if logins != 0 {
		t.Error("somebody can log in as a role that nobody should")
	}
	// A new function may run with the owner's rights: nobody calls it before it is granted.
	exec(t, connect(t, db.AdminURL), `SET ROLE hooktrail_owner; CREATE FUNCTION mighty() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'`)
	if _, err := server.Exec(t.Context(), `SELECT mighty()`); err == nil {
		t.Error("a function that wasn't granted can be called")
	}
}

func TestEnsureServerRole(t *testing.T) {
	t.Parallel()
	cluster := migratetest.Cluster(t)
	url := cluster.URL()
	if err := migrations.Up(t.Context(), url, migrations.Options{ServerRole: "app", ServerPassword: "first"}); err != nil {
		t.Fatalf("migrate: %v", err)
	}
	admin := connect(t, url)
	t.Run("changes the password", func(t *testing.T) {
		if err := migrations.EnsureServerRole(t.Context(), url, "app", `se'cond \ %2F`); err != nil {
			t.Fatal(err)
		}
		canLogIn(t, url, "app", `se'cond \ %2F`, true)
		canLogIn(t, url, "app", "first", false)
	})
	t.Run("leaves the password alone", func(t *testing.T) {
		if err := migrations.EnsureServerRole(t.Context(), url, "app", ""); err != nil {
			t.Fatal(err)
		}
		canLogIn(t, url, "app", `se'cond \ %2F`, true)
	})
	t.Run("quotes the name", func(t *testing.T) {
		if err := migrations.EnsureServerRole(t.Context(), url, `odd"; name`, "third"); err != nil {
			t.Fatal(err)
		}
		canLogIn(t, url, `odd"; name`, "third", true)
	})
	t.Run("refuses what could do more than serve", func(t *testing.T) {
		exec(t, admin, `CREATE ROLE member LOGIN IN ROLE pg_read_all_data; CREATE ROLE maker LOGIN CREATEROLE; CREATE ROLE passer LOGIN BYPASSRLS`)
		for _, role := range []string{"postgres", "member", "maker", "passer"} {
			if err := migrations.EnsureServerRole(t.Context(), url, role, ""); !errors.Is(err, migrations.ErrMightyRole) {
				t.Errorf("%s: got %v, expected ErrMightyRole", role, err)
			}
		}
		for _, role := range []string{"", migrations.OwnerRole, migrations.ServerGroup} {
			if err := migrations.EnsureServerRole(t.Context(), url, role, ""); err == nil {
				t.Errorf("%q was accepted", role)
			}
		}
	})
	t.Run("refuses a password that SASLprep would change", func(t *testing.T) {
		if err := migrations.EnsureServerRole(t.Context(), url, "app", "pässword"); err == nil || strings.Contains(err.Error(), "pässword") {
			t.Errorf("got %v, expected a refusal that doesn't show it", err)
		}
	})
}

func TestServerURL(t *testing.T) {
	t.Parallel()
	got, err := migrations.ServerURL("postgresql://root:a%2Fb@h1:1,h2:2/db?sslmode=verify-full&user=x&password=y", "app", "p@/ss")
	if want := "postgresql://app:p%40%2Fss@h1:1,h2:2/db?sslmode=verify-full"; err != nil || got != want {
		t.Errorf("got %q, %v, expected %q", got, err, want)
	}
	for _, bad := range []string{"host=h user=u password=secret", "mysql://u:secret@h/db", "postgres://u:secret%zz@h/db"} {
		if _, err := migrations.ServerURL(bad, "app", ""); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v, expected a refusal that doesn't show the password", err)
		}
	}
}

func TestUp_errors(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"postgres://u:secret@127.0.0.1:1/db?connect_timeout=1", "postgres://u:secret%zz@h/db"} {
		if err := migrations.Up(t.Context(), bad, migrations.Options{}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v, expected an error that doesn't show the password", err)
		}
	}
}

// The rules of doc.go for the files.
func TestFS(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	head := regexp.MustCompile(`^-- \+goose Up\n(--.*\n)*SET LOCAL lock_timeout = '\d+m?s';\nSET LOCAL statement_timeout = '\d+(ms|s|min)';\n`)
	for i, name := range names {
		text, err := fs.ReadFile(migrations.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(name, fmt.Sprintf("%04d_", i+1)) || !regexp.MustCompile(`^\d{4}_[a-z0-9_]+\.sql$`).MatchString(name) {
			t.Errorf("%s: expected number %04d and a name in lower case", name, i+1)
		}
		if !head.Match(text) {
			t.Errorf("%s doesn't begin as doc.go says", name)
		}
		if regexp.MustCompile(`(?im)^-- \+goose (Down|NO TRANSACTION)`).Match(text) {
			t.Errorf("%s: forward only, in one transaction", name)
		}
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func canLogIn(t *testing.T, adminURL, role, password string, want bool) {
	t.Helper()
	url, err := migrations.ServerURL(adminURL, role, password)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if (err == nil) != want {
		t.Errorf("%s logs in: %v, expected %v", role, err, want)
	}
	if err == nil {
		_ = conn.Close(t.Context())
	}
}

func exec(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func query(t *testing.T, conn *pgx.Conn, sql string, into any) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), sql).Scan(into); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func withDatabase(t *testing.T, database, name string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}
