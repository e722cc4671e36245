package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktrail/hooktrail/migrations/migratetest"
)

// closed waits until the server serves nothing, and says so.
func (p *program) closed() {
	p.t.Helper()
	eventually(p.t, 30*time.Second, "/readyz is red", func() bool {
		resp, err := p.client().send(p.t.Context(), http.MethodGet, "/readyz", nil)
		if err != nil {
			return false // it doesn't listen yet
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusServiceUnavailable
	})
	if status := p.status("GET", "/livez"); status != http.StatusOK {
		p.t.Errorf("/livez answers %d", status)
	}
	for path, body := range map[string]any{
		"/v1/tenants/default/events":     map[string]any{"type": "order.paid", "data": 1},
		"/v1/tenants/default/deliveries": nil,
		"/v1/tenants/default/log":        nil,
	} {
		method := "GET"
		if body != nil {
			method = "POST"
		}
		err := p.client().call(p.t.Context(), method, path, body, nil)
		if err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "unavailable") {
			p.t.Errorf("%s %s: %v, want a problem with status 503", method, path, err)
		}
	}
}

// TestStory_OlderCopyWhileRunning: an older copy is put under a running server, which serves nothing from it, also
// after it was started again. When the newest copy is back it goes on by itself.
func TestStory_OlderCopyWhileRunning(t *testing.T) {
	t.Parallel()
	db := migratetest.Open(t)
	older, newest := db.Name+"_older", db.Name+"_newest"
	admin, err := pgx.Connect(t.Context(), strings.Replace(db.AdminURL, "/"+db.Name, "/postgres", 1))
	if err != nil {
		t.Fatal(err)
	}
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := admin.Exec(context.WithoutCancel(t.Context()), sql, args...); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	t.Cleanup(func() {
		exec(`DROP DATABASE IF EXISTS ` + older + ` WITH (FORCE)`)
		exec(`DROP DATABASE IF EXISTS ` + newest + ` WITH (FORCE)`)
		_ = admin.Close(context.Background())
	})
	// replaced shuts the database, puts another one in its place, and opens it.
	replaced := func(change ...string) {
		t.Helper()
		exec(`ALTER DATABASE ` + db.Name + ` ALLOW_CONNECTIONS false`)
		exec(`SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1`, db.Name)
		for _, sql := range change {
			exec(sql)
		}
		exec(`ALTER DATABASE ` + db.Name + ` ALLOW_CONNECTIONS true`)
	}
	p := newProgram(t, "HOOKTRAIL_DATABASE_URL="+db.URL)
	p.start()
	receiver := newReceiver(t, nil)
	p.endpointTo(receiver.server.URL, nil)
	sent := 0
	deliver := func(id string) {
		t.Helper()
		sent++
		eventually(t, 30*time.Second, "an append is accepted", func() bool {
			body := map[string]any{"id": id, "type": "order.paid", "data": 1}
			return p.client().call(t.Context(), "POST", "/v1/tenants/default/events", body, nil) == nil
		})
		eventually(t, 30*time.Second, "it is delivered", func() bool { return len(receiver.all()) >= sent })
	}
	deliver("kept")
	replaced(`CREATE DATABASE ` + older + ` TEMPLATE ` + db.Name)
	deliver("newer")
	replaced(`ALTER DATABASE `+db.Name+` RENAME TO `+newest, `ALTER DATABASE `+older+` RENAME TO `+db.Name)
	ends := func() (head, cursors int64) {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), db.AdminURL)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		const sql = `SELECT (SELECT max(position) FROM entries), (SELECT max(position) FROM cursors)`
		if err := conn.QueryRow(t.Context(), sql).Scan(&head, &cursors); err != nil {
			t.Fatal(err)
		}
		return head, cursors
	}
	head, cursor := ends()
	p.closed()
	p.stop()
	p.launch()
	eventually(t, 30*time.Second, "/readyz says why", func() bool { return strings.Contains(p.refusal("/readyz"), "older copy") })
	p.closed()
	if h, c := ends(); h != head || c != cursor {
		t.Errorf("the copy went on from %d to %d, its views from %d to %d", head, h, cursor, c)
	}
	if n := len(receiver.all()); n != sent {
		t.Errorf("%d requests left for %d events", n, sent)
	}
	replaced(`ALTER DATABASE `+db.Name+` RENAME TO `+older, `ALTER DATABASE `+newest+` RENAME TO `+db.Name)
	deliver("newest")
	p.stop()
	p.verify()
}

// TestStory_Damage: an entry whose content was damaged is shown as such, and hooktrail verify passes once the log says
// who goes on without it.
func TestStory_Damage(t *testing.T) {
	t.Parallel()
	db := migratetest.Open(t)
	p := newProgram(t, "HOOKTRAIL_DATABASE_URL="+db.URL)
	p.start()
	p.do("POST", "/v1/tenants/default/events", map[string]any{"type": "order.paid", "data": 1}, nil)
	admin, err := pgx.Connect(t.Context(), db.AdminURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close(context.Background()) }()
	for _, sql := range []string{
		`ALTER TABLE entries_000000 DISABLE TRIGGER entries_refuse_change`,
		`UPDATE entries SET content = set_byte(content, 40, 255 - get_byte(content, 40)) WHERE tenant = 'default' AND sequence = 1`,
	} {
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	var page struct{ Items []struct{ Damaged bool } }
	p.do("GET", "/v1/tenants/default/log", nil, &page)
	if len(page.Items) != 2 || page.Items[0].Damaged || !page.Items[1].Damaged {
		t.Errorf("the log is shown as %+v", page.Items)
	}
	p.stop()
	at := []string{"--data-dir", p.dir, "--database-url", db.URL}
	var stderr bytes.Buffer
	if code := run(
		t.Context(),
		append([]string{"verify"}, at...),
		process{stdout: io.Discard, stderr: &stderr},
	); code != exitFailed {
		t.Errorf("verify exits %d: %s", code, &stderr)
	}
	if !strings.Contains(stderr.String(), "sequence 1 of tenant default") {
		t.Errorf("verify says %s", &stderr)
	}
	out := tool(
		t,
		append([]string{"recover", "--accept-damage", "default/1", "--by", "ann", "--reason", "a disk"}, at...)...)
	if !strings.Contains(out, "accepted") {
		t.Errorf("recover prints %s", out)
	}
	if out := tool(t, append([]string{"verify"}, at...)...); !strings.Contains(out, "the log is whole") {
		t.Errorf("verify prints %s", out)
	}
	p.start()
	if said := p.logEntries("&kind=damage.accepted"); len(said) != 1 {
		t.Errorf("the log says %+v", said)
	}
}
