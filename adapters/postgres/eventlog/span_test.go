package eventlog

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/migrations/migratetest"
	"github.com/jackc/pgx/v5"
)

// TestLog_ManyPartitions spreads a log over a hundred partitions, as one of 10 G entries has them. Look-ups still find
// everything, and lock few of them; what the appender asks for stays far from what the table of locks holds.
func TestLog_ManyPartitions(t *testing.T) {
	t.Parallel()
	key, err := seal.LoadOrCreateMasterKey(filepath.Join(t.TempDir(), "master.json"))
	if err != nil {
		t.Fatal(err)
	}
	db := migratetest.Open(t)
	log := runLog(t, db.URL, key, 100)
	if err := Bootstrap(t.Context(), log); err != nil {
		t.Fatal(err)
	}
	const perPartition, partitions = 300, 100
	g := domain.Group{}
	for range 3*perPartition - 1 { // after tenant.created
		g.Drafts = append(g.Drafts, domain.Draft{
			Tenant: domain.DefaultTenant, Stream: domain.Stream{Kind: domain.StreamEvent, ID: domain.NewUUID()},
			Fact: &domain.EventAppended{Data: []byte(`1`), Routing: domain.Routing{Complete: true}},
		})
	}
	made, err := domain.AppendOne(t.Context(), log, g)
	if err != nil {
		t.Fatal(err)
	}
	admin, err := pgx.Connect(t.Context(), db.AdminURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close(context.Background()) }()
	tx, err := admin.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f := &forger{T: t, tx: tx, log: log}
	f.exec(`ALTER TABLE tiles DISABLE TRIGGER ALL`)
	f.exec(`UPDATE tiles SET position = position + 1 WHERE index = 1`)
	check := newCheck(log, tx, CheckOptions{})
	if err := check.all(t.Context()); err == nil || !strings.Contains(err.Error(), "tile 0/1") {
		t.Errorf("a tile that says another position: %v", err)
	}
	check.commitments.close()
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	spread(t, admin, log, perPartition, partitions)

	wide := runLog(t, db.URL, key, 100)
	if _, err := wide.Head(t.Context()); err != nil {
		t.Fatal(err)
	}
	found, err := wide.Entries(t.Context(), domain.DefaultTenant, []domain.Sequence{0, 255, 256, 599, 600, 899})
	if err != nil || len(found) != 6 {
		t.Fatalf("%d entries by sequence, %v", len(found), err)
	}
	for i, partition := range []domain.Position{0, 0, 0, 40, 80, 80} {
		if at := found[i].Position / partitionWidth; at != partition {
			t.Errorf("sequence %d is in partition %d, want %d", found[i].Sequence, at, partition)
		}
	}
	from, to := domain.Sequence(290), domain.Sequence(610)
	for name, q := range map[string]domain.Query{
		"sequences": {From: &from, To: &to},
		"times":     {Since: made[289].RecordedAt, Until: made[609].RecordedAt},
		"a kind":    {From: &from, To: &to, Kind: "event.*"},
		"backwards": {From: &from, To: &to, Descending: true},
	} {
		q.Tenant, q.Limit = domain.DefaultTenant, 1000
		entries, err := domain.Select(t.Context(), wide, q)
		if err != nil || len(entries) != 320 {
			t.Errorf("by %s: %d entries, %v", name, len(entries), err)
		}
	}
	for _, sequence := range []domain.Sequence{0, 255, 599, 600, 899} {
		entry, err := wide.Entries(t.Context(), domain.DefaultTenant, []domain.Sequence{sequence})
		if err != nil || len(entry) != 1 {
			t.Fatal(entry, err)
		}
		for at, want := range map[time.Time]domain.Sequence{
			entry[0].RecordedAt: sequence, entry[0].RecordedAt.Add(-time.Microsecond): sequence - 1,
		} {
			if found, err := wide.SequenceAt(t.Context(), domain.DefaultTenant, 899, at); err != nil || found != want {
				t.Errorf("sequence %d at %v: %d, %v", want, at, found, err)
			}
		}
		if found, err := wide.SequenceAt(t.Context(), domain.DefaultTenant, 300, entry[0].RecordedAt); err != nil || found != min(sequence, 300) {
			t.Errorf("sequence at %v of the first 300: %d, %v", entry[0].RecordedAt, found, err)
		}
	}
	if err := checkHead(t.Context(), wide.pool, wide.heads, domain.DefaultTenant); err != nil {
		t.Error(err)
	}

	tenant := string(domain.DefaultTenant)
	locks := func(name string, most int, settings map[string]string, sql string, args ...any) {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), db.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(context.Background()) }()
		for setting, value := range settings {
			if _, err := conn.Exec(t.Context(), `SELECT set_config($1, $2, false)`, setting, value); err != nil {
				t.Fatal(err)
			}
		}
		// Once, Postgres makes a plan for all values to compare its cost with those of plans for each. That locks all
		// partitions.
		over := 0
		for range 10 {
			tx, err := conn.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			rows, err := tx.Query(t.Context(), sql, args...)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			rows.Close()
			if err := rows.Err(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			var tables, all int
			const held = `
				SELECT count(*) FILTER (WHERE c.relname ~ '^entries_[0-9]+$'), count(*)
				  FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE l.pid = pg_backend_pid() AND c.relname LIKE 'entries%'`
			if err := tx.QueryRow(t.Context(), held).Scan(&tables, &all); err != nil {
				t.Fatal(err)
			}
			if tables > most {
				over++
			}
			if over > 1 || all > 600 {
				t.Fatalf("%s: %d partitions are locked, want at most %d; %d locks in all", name, tables, most, all)
			}
			if err := tx.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	bounds := func(from, to int64) (after, upTo int64) {
		t.Helper()
		a, u, err := span(t.Context(), wide.pool, domain.DefaultTenant, from, to)
		if err != nil {
			t.Fatal(err)
		}
		return int64(a), int64(u)
	}
	// The entries that one tile has may be in several partitions: sequences 512 to 767 are in two here, with what is
	// between.
	after, upTo := bounds(100, 101)
	locks("entries by sequence", 1, nil, entriesSQL, tenant, []int64{100}, after, upTo)
	locks("a time", 1, nil, timeSQL, tenant, int64(100), after, upTo)
	locks("a position", 1, nil, positionSQL, tenant, int64(100), after, upTo)
	locks("leaves", 1, nil, leavesSQL, tenant, int64(100), int64(101), after, upTo)
	locks("a page", 2, nil, logPageSQL, int64(40*partitionWidth+1), 1000, maxPageBytes, int64(40*partitionWidth+1001))
	sql, args := selectSQL(domain.Query{Tenant: domain.DefaultTenant, Kind: "event.*", Limit: 10}, domain.Position(after), domain.Position(upTo))
	locks("a selection", 1, nil, sql, args)
	late := int64(99 * partitionWidth)
	locks("a late stream", 2, nil, streamsSQL, [][16]byte{made[0].Stream.ID}, tenant, "event", int64(math.MaxInt64), late)
	// The appender's statements have plans for all values: they lock every partition, and look into those that can have
	// rows.
	locks("versions", partitions+1, appendSettings, versionsSQL, []string{tenant}, []string{"event"}, [][16]byte{made[0].Stream.ID}, []int64{late})
	locks("the greatest stream", partitions+1, appendSettings, `SELECT stream FROM entries ORDER BY stream DESC LIMIT 1`)
	locks("the last position", partitions+1, appendSettings, `SELECT position FROM entries ORDER BY position DESC LIMIT 1`)
}

// spread moves the default tenant's entries to every fortieth partition, so many at a time, and has the log end beyond
// the last.
func spread(t *testing.T, admin *pgx.Conn, log *Log, each, partitions int) {
	t.Helper()
	err := pgx.BeginFunc(t.Context(), admin, func(tx pgx.Tx) error {
		exec := func(sql string, args ...any) {
			t.Helper()
			if _, err := tx.Exec(t.Context(), sql, args...); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
		for n := 1; n < partitions; n++ {
			name := fmt.Sprintf("entries_%06d", n)
			exec(`CREATE TABLE IF NOT EXISTS ` + name + ` (LIKE entries INCLUDING ALL)`)
			exec(fmt.Sprintf(`ALTER TABLE entries ATTACH PARTITION %s FOR VALUES FROM (%d) TO (%d)`, name, n*partitionWidth, (n+1)*partitionWidth))
		}
		exec(`GRANT SELECT ON ALL TABLES IN SCHEMA public TO hooktrail_server`)
		for _, table := range []string{"entries_000000", "entries_000040", "entries_000080", "entries", "tiles"} {
			exec(`ALTER TABLE ` + table + ` DISABLE TRIGGER ALL`)
		}
		exec(`UPDATE entries SET position = position + (sequence / $1) * 40 * $2::bigint WHERE tenant = 'default' AND sequence >= $1`, each, partitionWidth)
		exec(`UPDATE tiles SET position = (SELECT e.position FROM entries e WHERE e.tenant = 'default' AND e.sequence = index * 256 + 255) WHERE level = 0`)
		for _, tenant := range []domain.TenantID{"", domain.DefaultTenant} {
			_, head, err := log.heads.scan(tx.QueryRow(t.Context(), `SELECT `+headColumns+` FROM heads h WHERE tenant = $1`, string(tenant)))
			if err != nil {
				return err
			}
			head.position += 80 * partitionWidth
			if tenant == "" {
				head.position += 18 * partitionWidth
				head.size = int64(head.position)
			}
			exec(`UPDATE heads SET position = $2, size = $3, mac = $4 WHERE tenant = $1`,
				string(tenant), int64(head.position), head.size, log.heads.mac(tenant, head))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
