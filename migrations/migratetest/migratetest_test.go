package migratetest_test

import (
	"testing"

	"github.com/hooktrail/hooktrail/migrations"
	"github.com/hooktrail/hooktrail/migrations/migratetest"
	"github.com/jackc/pgx/v5"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	one, other := migratetest.Open(t), migratetest.Open(t)
	if one.Name == other.Name {
		t.Fatalf("two tests share database %s", one.Name)
	}
	for _, db := range []migratetest.Database{one, other} {
		if err := migrations.Check(t.Context(), db.URL); err != nil {
			t.Errorf("its schema: %v", err)
		}
	}
	var role, database string
	row(t, one.URL, `SELECT session_user, current_database()`).scan(&role, &database)
	if role != "hooktrail_test" || database != one.Name {
		t.Errorf("URL opens %s as %s, expected %s as the server's role", database, role, one.Name)
	}
	var super bool
	row(t, one.AdminURL, `SELECT rolsuper FROM pg_roles WHERE rolname = session_user`).scan(&super)
	if !super {
		t.Error("AdminURL is no superuser's")
	}
}

type queried struct {
	t   *testing.T
	row pgx.Row
}

func row(t *testing.T, url, sql string) queried {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return queried{t, conn.QueryRow(t.Context(), sql)}
}

func (q queried) scan(into ...any) {
	q.t.Helper()
	if err := q.row.Scan(into...); err != nil {
		q.t.Fatalf("query: %v", err)
	}
}
