package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
	"github.com/hooktrail/hooktrail/domain"
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

	changes := []string{"UPDATE data_keys SET tenant = ''", "UPDATE data_keys SET class = 'x'", "DELETE FROM data_keys", "TRUNCATE data_keys"}
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
			"INSERT INTO entries_000000 SELECT * FROM entries", "UPDATE heads SET size = 1", "DELETE FROM data_keys",
			"UPDATE data_keys SET wrapped = NULL, destroyed_at = now(), destroyed_by = 1", "TRUNCATE data_keys",
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

// TestLog_Partitions has the log come near to its second partition, which is then made, and cross into it.
func TestLog_Partitions(t *testing.T) {
	t.Parallel()
	log := open(t)
	admin := connect(t, log.db.AdminURL)
	// skipTo has the instance's log as if it were that long: nobody can wait for a hundred million entries here.
	skipTo := func(position domain.Position) {
		log.stop()
		var at time.Time
		if err := admin.QueryRow(t.Context(), `SELECT recorded_at FROM heads WHERE tenant = ''`).Scan(&at); err != nil {
			t.Fatal(err)
		}
		mac := eventlog.InstanceHeadMAC(log.Log, position, at)
		const ownSQL = `
			SELECT ` + eventlog.HeadColumns + ` FROM heads h
			 WHERE tenant = (SELECT tenant FROM entries ORDER BY position DESC LIMIT 1) ORDER BY position DESC LIMIT 1`
		own, err := eventlog.MovedHead(log.Log, admin.QueryRow(t.Context(), ownSQL), position)
		if err != nil {
			t.Fatal(err)
		}
		mustExec(t, admin, `ALTER TABLE entries_000000 DISABLE TRIGGER entries_refuse_change`)
		mustExec(t, admin, `UPDATE heads SET position = $1, mac = $2 WHERE tenant = (SELECT tenant FROM entries ORDER BY position DESC LIMIT 1)`, position, own)
		mustExec(t, admin, `UPDATE entries SET position = $1 WHERE position = (SELECT max(position) FROM entries)`, position)
		mustExec(t, admin, `ALTER TABLE entries_000000 ENABLE ALWAYS TRIGGER entries_refuse_change`)
		mustExec(t, admin, `UPDATE heads SET position = $1, size = $1, mac = $2 WHERE tenant = ''`, position, mac)
		log = reopen(t, log.db, log.key)
	}
	skipTo(89_999_999)
	log.mustAppend(t, group(event("{}")))
	waitFor(t, "a second partition", func() bool {
		var made bool
		err := admin.QueryRow(t.Context(), `SELECT to_regclass('entries_000001') IS NOT NULL`).Scan(&made)
		return err == nil && made
	})
	skipTo(99_999_990)
	g := group()
	for range 20 {
		g.Drafts = append(g.Drafts, event("{}"))
	}
	entries := log.mustAppend(t, g)
	if first, last := entries[0].Position, entries[len(entries)-1].Position; first != 99_999_991 || last != 100_000_010 {
		t.Fatalf("appended at %d to %d", first, last)
	}
	var inSecond int
	if err := admin.QueryRow(t.Context(), `SELECT count(*) FROM entries_000001`).Scan(&inSecond); err != nil || inSecond != 11 {
		t.Errorf("%d entries in the second partition, want 11 (%v)", inSecond, err)
	}
	mustExec(t, admin, `SET session_replication_role = replica`)
	for _, sql := range []string{"UPDATE entries_000001 SET kind = ''", "DELETE FROM entries_000001", "TRUNCATE entries_000001"} {
		if _, err := admin.Exec(t.Context(), sql); code(err) != restrictViolation {
			t.Errorf("%s: %v, want SQLSTATE %s", sql, err, restrictViolation)
		}
	}
	// Both halves of the log are looked into for what streams there are.
	again := reopen(t, log.db, log.key)
	for _, i := range []int{0, len(entries) - 1} {
		again.mustAppend(t, group(routed(entries[i].Stream, 1)))
		if _, err := domain.AppendOne(t.Context(), again, group(routed(entries[i].Stream, 1))); !errors.Is(err, domain.ErrConflict) {
			t.Errorf("entry %d has a second version: %v", i, err)
		}
	}
	// A stream that can't be in the first partition isn't looked for there.
	appender := connect(t, log.db.URL)
	mustExec(t, appender, `SET plan_cache_mode = force_generic_plan`)
	mustExec(t, appender, `SET enable_seqscan = off`)
	rows, err := appender.Query(t.Context(), `EXPLAIN (ANALYZE, COSTS off, TIMING off) `+eventlog.VersionsSQL,
		[]string{"default"}, []string{"event"}, [][16]byte{entries[0].Stream.ID}, []int64{100_000_000})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range plan {
		if strings.Contains(line, "entries_000000") && !strings.Contains(strings.Join(plan[i:min(i+2, len(plan))], ""), "never executed") {
			t.Errorf("the plan looks into the first partition:\n%s", strings.Join(plan, "\n"))
		}
	}
	page, err := again.Page(t.Context(), 99_999_995, 100)
	if err != nil || len(page) != 17 {
		t.Errorf("a page over the border has %d entries, %v", len(page), err)
	}
}
