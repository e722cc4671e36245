package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// connect opens a connection that the test closes.
func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func mustExec(t testing.TB, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func code(err error) string {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return server.Code
	}
	return fmt.Sprint(err)
}

const (
	restrictViolation     = "23001"
	insufficientPrivilege = "42501"
)

// TestLog_Protection tries to change the log as the server does it, who lacks the right, and as the owner, whom the
// triggers stop.
func TestLog_Protection(t *testing.T) {
	t.Parallel()
	log := open(t)
	var drafts []string
	for range 300 { // one tile, so that there is a row in each table
		drafts = append(drafts, "")
	}
	many := group()
	for range drafts {
		many.Drafts = append(many.Drafts, event("{}"))
	}
	many.Claims = append(many.Claims, claim("a", 0, 1))
	log.mustAppend(t, many)

	changes := []string{}
	for _, table := range []string{"entries", "entries_000000", "tiles", "claims"} {
		column := map[string]string{"tiles": "level = 1", "claims": "count = 9"}[table]
		if column == "" {
			column = "kind = 'event.forged'"
		}
		changes = append(changes, "UPDATE "+table+" SET "+column, "DELETE FROM "+table, "TRUNCATE "+table)
	}
	t.Run("the server", func(t *testing.T) {
		conn := connect(t, log.db.URL)
		more := []string{
			"ALTER TABLE entries DISABLE TRIGGER ALL", "ALTER TABLE entries_000000 DISABLE TRIGGER entries_refuse_change",
			"DROP TRIGGER entries_refuse_truncate ON entries_000000", "ALTER TABLE entries DETACH PARTITION entries_000000",
			"DROP TABLE entries_000000", "DROP FUNCTION refuse_change() CASCADE", "SET session_replication_role = replica",
			"INSERT INTO entries_000000 SELECT * FROM entries", "UPDATE heads SET size = 1", "DELETE FROM data_keys", "UPDATE data_keys SET tenant = ''",
			"UPDATE instance SET name = 'x'", "SET ROLE hooktrail_owner", "CREATE TABLE public.mine ()",
		}
		for _, sql := range append(changes, more...) {
			if _, err := conn.Exec(t.Context(), sql); code(err) != insufficientPrivilege {
				t.Errorf("%s: %v, want SQLSTATE %s", sql, err, insufficientPrivilege)
			}
		}
	})
	for _, role := range []string{"origin", "replica"} {
		t.Run("the owner as "+role, func(t *testing.T) {
			conn := connect(t, log.db.AdminURL)
			mustExec(t, conn, "SET session_replication_role = "+role)
			mustExec(t, conn, "SET ROLE hooktrail_owner")
			for _, sql := range changes {
				if _, err := conn.Exec(t.Context(), sql); code(err) != restrictViolation {
					t.Errorf("%s: %v, want SQLSTATE %s", sql, err, restrictViolation)
				}
			}
		})
	}
	log.check(t)
}

// TestLog_Partitions has the log cross into its second partition, and a third one made ahead of need.
func TestLog_Partitions(t *testing.T) {
	t.Parallel()
	log := open(t)
	log.stop()
	admin := connect(t, log.db.AdminURL)
	// The instance's log as if it were ten million entries long: nobody can wait for them here.
	mustExec(t, admin, `UPDATE heads SET position = 9999990, size = 9999990 WHERE tenant = ''`)
	again := reopen(t, log.db, log.key)
	var many []string
	g := group()
	for range 20 {
		g.Drafts = append(g.Drafts, event("{}"))
		many = append(many, "")
	}
	entries := again.mustAppend(t, g)
	if first, last := entries[0].Position, entries[len(many)-1].Position; first != 9_999_991 || last != 10_000_010 {
		t.Fatalf("appended at %d to %d", first, last)
	}
	again.mustAppend(t, group(event("{}")))
	waitFor(t, "a third partition", func() bool {
		var made bool
		err := admin.QueryRow(t.Context(), `SELECT to_regclass('entries_000002') IS NOT NULL`).Scan(&made)
		return err == nil && made
	})
	var inSecond int
	if err := admin.QueryRow(t.Context(), `SELECT count(*) FROM entries_000001`).Scan(&inSecond); err != nil || inSecond != 12 {
		t.Errorf("%d entries in the second partition, want 12 (%v)", inSecond, err)
	}
	mustExec(t, admin, `SET session_replication_role = replica`)
	for _, sql := range []string{"UPDATE entries_000001 SET kind = ''", "DELETE FROM entries_000001", "TRUNCATE entries_000002"} {
		if _, err := admin.Exec(t.Context(), sql); code(err) != restrictViolation {
			t.Errorf("%s: %v, want SQLSTATE %s", sql, err, restrictViolation)
		}
	}
	page, err := again.Page(t.Context(), 9_999_995, 100)
	if err != nil || len(page) != 16 {
		t.Errorf("a page over the border has %d entries, %v", len(page), err)
	}
}
