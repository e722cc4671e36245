package eventlog_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
)

// shut ends all sessions of a database, lets change it, and lets it be connected to again.
func shut(t *testing.T, admin *pgx.Conn, name string, change func()) {
	t.Helper()
	mustExec(t, admin, `ALTER DATABASE `+name+` ALLOW_CONNECTIONS false`)
	mustExec(t, admin, `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1`, name)
	change()
	mustExec(t, admin, `ALTER DATABASE `+name+` ALLOW_CONNECTIONS true`)
}

// TestLog_OlderCopy puts an older copy of the database under a running process, and before a start of it: nothing is
// appended and nothing read, until the newest one is back.
func TestLog_OlderCopy(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "known.json")
	log := open(t, func(c *eventlog.Config) { c.KnownFile = file })
	name := log.db.Name
	older, newest := name+"_older", name+"_newest"
	admin := connect(t, strings.Replace(log.db.AdminURL, "/"+name, "/postgres", 1))
	log.mustAppend(t, group(event(`1`)))
	shut(t, admin, name, func() { mustExec(t, admin, `CREATE DATABASE `+older+` TEMPLATE `+name) })
	t.Cleanup(func() {
		for _, name := range []string{older, newest} {
			if _, err := admin.Exec(context.Background(), `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`); err != nil {
				t.Error(err)
			}
		}
	})
	appends := func() bool {
		_, err := domain.AppendOne(t.Context(), log, group(event(`2`)))
		return err == nil
	}
	waitFor(t, "appends to go on", appends)
	last := log.mustAppend(t, group(event(`3`), event(`4`)))[1].Position

	shut(t, admin, name, func() {
		mustExec(t, admin, `ALTER DATABASE `+name+` RENAME TO `+newest)
		mustExec(t, admin, `ALTER DATABASE `+older+` RENAME TO `+name)
		mustExec(t, admin, `ALTER DATABASE `+newest+` ALLOW_CONNECTIONS true`)
	})
	waitFor(t, "the copy to be noticed", func() bool { return errors.Is(log.Ready(t.Context()), eventlog.ErrReplaced) })
	if _, err := domain.AppendOne(t.Context(), log, group(event(`5`))); !errors.Is(err, eventlog.ErrReplaced) {
		t.Errorf("append: %v", err)
	}
	if page, err := log.Page(t.Context(), last-1, 10); err == nil {
		t.Errorf("a page of the copy, or of what was remembered: %+v", page)
	}
	other := connect(t, log.db.AdminURL)
	var position domain.Position
	if err := other.QueryRow(t.Context(), `SELECT max(position) FROM entries`).Scan(&position); err != nil || position != 5 {
		t.Errorf("the copy ends at %d: %v", position, err)
	}

	// The next start notices as well, by the file.
	log.stop()
	config := eventlog.Config{URL: log.db.URL, MasterKey: log.key, KnownFile: file}
	if again, err := eventlog.Open(t.Context(), config); !errors.Is(err, eventlog.ErrReplaced) {
		t.Errorf("opened on an older copy: %v, %v", again, err)
	} else if !strings.Contains(err.Error(), "hooktrail recover") {
		t.Errorf("the error doesn't say what to do: %v", err)
	}
	_ = other.Close(t.Context())
	shut(t, admin, name, func() {
		mustExec(t, admin, `ALTER DATABASE `+name+` RENAME TO `+older)
		mustExec(t, admin, `ALTER DATABASE `+older+` ALLOW_CONNECTIONS true`)
		mustExec(t, admin, `ALTER DATABASE `+newest+` RENAME TO `+name)
	})
	back := reopen(t, log.db, log.key, func(c *eventlog.Config) { c.KnownFile = file })
	if e := back.mustAppend(t, group(event(`6`)))[0]; e.Position != last+1 {
		t.Errorf("goes on at %d, want %d", e.Position, last+1)
	}
	back.check(t)
	// An operator may accept what was lost.
	back.stop()
	if err := os.WriteFile(file, []byte(`{"position":1000,"leaf_sha256":"`+strings.Repeat("ab", 32)+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	accepting := reopen(t, log.db, log.key)
	loss, err := eventlog.Replaced(t.Context(), accepting.Log, file)
	if err != nil || loss == nil || loss.Known != 1000 || loss.Head != last+1 || len(loss.HeadLeaf) != 64 {
		t.Fatalf("lost: %+v, %v", loss, err)
	}
	if err := eventlog.AcceptLoss(t.Context(), accepting.Log, file, *loss, domain.Person{Name: "ann"}, "the disk burned"); err != nil {
		t.Fatal(err)
	}
	said, err := accepting.Entries(t.Context(), domain.InstanceTenant, []domain.Sequence{3})
	if err != nil || len(said) != 1 || said[0].Reason != "the disk burned" {
		t.Fatalf("the instance's log says %+v, %v", said, err)
	}
	if diff := cmp.Diff(said[0].Fact, domain.Fact(&domain.LossAccepted{Loss: *loss, Person: domain.Person{Name: "ann"}})); diff != "" {
		t.Error(diff)
	}
	accepting.check(t)
	accepting.stop()
	reopen(t, log.db, log.key, func(c *eventlog.Config) { c.KnownFile = file }).mustAppend(t, group(event(`7`)))
}

// TestLog_HeadGoesBack: the log ends earlier than this process saw, while its connection lasts. Appends fail until what
// was there is back, and the process goes on.
func TestLog_HeadGoesBack(t *testing.T) {
	t.Parallel()
	log := open(t)
	last := log.mustAppend(t, group(event(`1`)))[0]
	admin := connect(t, log.db.AdminURL)
	setHead := func(position domain.Position) {
		mac := eventlog.InstanceHeadMAC(log.Log, position, last.RecordedAt)
		mustExec(t, admin, `UPDATE heads SET position = $1, size = $1, mac = $2 WHERE tenant = ''`, int64(position), mac)
	}
	setHead(last.Position - 1)
	if _, err := domain.AppendOne(t.Context(), log, group(event(`2`))); !errors.Is(err, domain.ErrUnavailable) {
		t.Errorf("append behind a head that went back: %v", err)
	}
	setHead(last.Position)
	if next := log.mustAppend(t, group(event(`3`)))[0]; next.Position != last.Position+1 {
		t.Errorf("goes on at position %d, want %d", next.Position, last.Position+1)
	}
	log.check(t)
}

// TestLog_Stray adds entries as the server's role could: the database refuses those that don't follow on the heads, and
// so none can stop the log.
func TestLog_Stray(t *testing.T) {
	t.Parallel()
	log := open(t)
	log.mustAppend(t, group(event(`1`)))
	server := connect(t, log.db.URL)
	const insert = `
		INSERT INTO entries (position, sequence, recorded_at, stream, data_key, stream_version, kind_version, tenant, stream_kind, kind, leaf, content)
		SELECT position + $1, sequence + $2, recorded_at, stream, data_key, stream_version + 1, kind_version, tenant, stream_kind, kind, leaf, content
		  FROM entries ORDER BY position DESC LIMIT 1`
	for _, at := range [][2]int{{1, 1}, {2, 1}, {1000, 1000}, {1, 0}, {1, 2}} {
		if _, err := server.Exec(t.Context(), insert, at[0], at[1]); code(err) != restrictViolation {
			t.Errorf("an entry %v behind the last: %v", at, err)
		}
	}
	// Nor with a head of its own, unless all of it fits.
	err := pgx.BeginFunc(t.Context(), server, func(tx pgx.Tx) error {
		const head = `
			INSERT INTO heads (tenant, position, size, recorded_at, configuration, claims, claims_sum, deleted, origin, frontier, mac)
			SELECT tenant, position + 1, size + 1, recorded_at, configuration, claims, claims_sum, deleted, origin, frontier, mac FROM heads WHERE tenant = ''`
		if _, err := tx.Exec(t.Context(), head); err != nil {
			return err
		}
		_, err := tx.Exec(t.Context(), insert, 1, 1)
		return err
	})
	if code(err) != restrictViolation {
		t.Errorf("an entry with the instance's head alone: %v", err)
	}
	log.mustAppend(t, group(event(`2`)))
	log.check(t)
}

// TestLog_ForgedHead starts a process on heads that aren't those of the entries.
func TestLog_ForgedHead(t *testing.T) {
	t.Parallel()
	log := open(t)
	g := group()
	for range 600 {
		g.Drafts = append(g.Drafts, event(`1`))
	}
	log.mustAppend(t, g)
	admin := connect(t, log.db.AdminURL)
	for name, forge := range map[string][2]string{
		"frontier": {
			`UPDATE heads SET frontier = overlay(frontier PLACING '\x00000000' FROM 5) WHERE tenant = 'default'`,
			`UPDATE heads SET frontier = $1 WHERE tenant = 'default'`,
		},
		"size": {
			`UPDATE heads SET size = size - 1 WHERE tenant = 'default'`, `UPDATE heads SET size = size + 1, frontier = $1 WHERE tenant = 'default'`,
		},
		"position": {
			`UPDATE heads SET position = position - 1, size = size - 1 WHERE tenant = ''`,
			`UPDATE heads SET position = position + (tenant = '')::int, size = size + (tenant = '')::int,
			        frontier = CASE tenant WHEN 'default' THEN $1 ELSE frontier END`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var frontier []byte
			if err := admin.QueryRow(t.Context(), `SELECT frontier FROM heads WHERE tenant = 'default'`).Scan(&frontier); err != nil {
				t.Fatal(err)
			}
			mustExec(t, admin, forge[0])
			started := reopen(t, log.db, log.key)
			_, err := domain.AppendOne(t.Context(), started, group(event(`2`)))
			if !errors.Is(err, domain.ErrUnavailable) {
				t.Errorf("append: %v", err)
			}
			started.stop()
			mustExec(t, admin, forge[1], frontier)
		})
	}
	log.stop()
	back := reopen(t, log.db, log.key)
	back.mustAppend(t, group(event(`3`)))
	back.check(t)
}
