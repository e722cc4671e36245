package views_test

import (
	"crypto/rand"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres/views"
	"github.com/hooktrail/hooktrail/migrations"
	"github.com/hooktrail/hooktrail/migrations/migratetest"
	"github.com/jackc/pgx/v5"
)

// quietDatabase is the migrated, only database of a Postgres that writes nothing by itself.
func quietDatabase(t *testing.T) migratetest.Database {
	t.Helper()
	const role = "hooktrail_test"
	db, password := migratetest.Database{AdminURL: migratetest.Cluster(t).URL(), Name: "postgres"}, rand.Text()
	err := migrations.Up(t.Context(), db.AdminURL, migrations.Options{ServerRole: role, ServerPassword: password})
	if err != nil {
		t.Fatal(err)
	}
	if db.URL, err = migrations.ServerURL(db.AdminURL, role, password); err != nil {
		t.Fatal(err)
	}
	admin := connect(t, db.AdminURL)
	mustExec(t, admin, `ALTER SYSTEM SET autovacuum = off`)
	mustExec(t, admin, `ALTER SYSTEM SET checkpoint_timeout = '1h'`)
	mustExec(t, admin, `SELECT pg_reload_conf()`)
	return db
}

// written is how far a whole Postgres has written: the end of its write-ahead log, and the next transaction id.
type written struct {
	wal, xid string
}

func readWritten(t *testing.T, admin *pgx.Conn) (w written) {
	t.Helper()
	const sql = `SELECT pg_current_wal_insert_lsn()::text, pg_snapshot_xmax(pg_current_snapshot())::text`
	if err := admin.QueryRow(t.Context(), sql).Scan(&w.wal, &w.xid); err != nil {
		t.Fatal(err)
	}
	return w
}

// Idle means idle: a log and a follower that run, and find nothing new, write not a byte of write-ahead log and consume
// no transaction id. Both counters are those of the whole server, which therefore is the test's own.
func TestFollower_IdleWritesNothing(t *testing.T) {
	t.Parallel()
	var awaits atomic.Int64
	log := openIn(t, quietDatabase(t))
	f := foldedIn(t, log, func(l views.Log) views.Log { return &watchedLog{Log: l, awaits: &awaits} })
	admin := connect(t, log.db.AdminURL)
	looks := func(n int64, each func()) {
		t.Helper()
		for until := awaits.Load() + n; awaits.Load() < until; {
			start := awaits.Load()
			waitFor(t, "the follower to look", func() bool { return awaits.Load() > start })
			each()
		}
	}
	before := readWritten(t, admin)
	awaitFold(t, f, f.mustAppend(t, group(event(`1`)))[0])
	after := readWritten(t, admin)
	if after.wal == before.wal || after.xid == before.xid {
		t.Fatalf("an append moved %+v to %+v: the measure shows nothing", before, after)
	}
	// What reading leaves behind of the append, such as pruned pages, is written once.
	for settled := false; !settled; {
		before = readWritten(t, admin)
		looks(1, func() {})
		settled = readWritten(t, admin) == before
	}
	begin := time.Now()
	looks(3, func() {
		if now := readWritten(t, admin); now != before {
			t.Fatalf("%v idle moved %+v to %+v", time.Since(begin), before, now)
		}
	})
	if _, err := log.Head(t.Context()); err != nil {
		t.Error(err)
	}
	if now := readWritten(t, admin); now != before {
		t.Errorf("reading the head moved %+v to %+v", before, now)
	}
}
