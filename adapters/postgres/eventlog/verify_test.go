package eventlog

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/migrations/migratetest"
	"github.com/jackc/pgx/v5"
)

// forger changes a database as somebody does who has all of it, but not the master key.
type forger struct {
	*testing.T
	tx  pgx.Tx
	log *Log
}

func (f *forger) exec(sql string, args ...any) {
	f.Helper()
	if _, err := f.tx.Exec(f.Context(), sql, args...); err != nil {
		f.Fatalf("%s: %v", sql, err)
	}
}

// spell has the rows tell their leaves whole, which the forgeries write over.
func (f *forger) spell() {
	f.Helper()
	rows, err := f.tx.Query(f.Context(), `SELECT `+headerColumnsSQL+` FROM entries`)
	if err != nil {
		f.Fatal(err)
	}
	entries, err := readRows(rows)
	if err != nil {
		f.Fatal(err)
	}
	for i := range entries {
		f.exec(`UPDATE entries SET leaf = $2 WHERE position = $1`, int64(entries[i].Position), entries[i].Leaf)
	}
}

// rewrite replaces text in the leaf of the entry at a sequence of the default tenant.
func (f *forger) rewrite(sequence int, old, text string) {
	f.Helper()
	var leaf []byte
	const sql = `SELECT leaf FROM entries WHERE tenant = 'default' AND sequence = $1`
	if err := f.tx.QueryRow(f.Context(), sql, sequence).Scan(&leaf); err != nil {
		f.Fatal(err)
	}
	changed := bytes.Replace(leaf, []byte(old), []byte(text), 1)
	if bytes.Equal(changed, leaf) {
		f.Fatalf("%q isn't in %s", old, leaf)
	}
	f.exec(`UPDATE entries SET leaf = $2 WHERE tenant = 'default' AND sequence = $1`, sequence, changed)
}

// recompute makes the trees again from the leaves. authenticated has the heads say so as well as if the forger could
// make their MACs, which shows that the entries alone give a forgery away.
func (f *forger) recompute(authenticated bool) {
	f.Helper()
	const sql = `SELECT tenant, leaf FROM entries ORDER BY position`
	rows, err := f.tx.Query(f.Context(), sql) //nolint:rowserrcheck // pgx.ForEachRow checks it
	if err != nil {
		f.Fatal(err)
	}
	trees := make(map[domain.TenantID]*tree)
	var tenant domain.TenantID
	var leaf []byte
	if _, err := pgx.ForEachRow(rows, []any{&tenant, &leaf}, func() error {
		if trees[tenant] == nil {
			trees[tenant], _ = newTree(0, nil, nil)
		}
		return trees[tenant].add(0, leaf)
	}); err != nil {
		f.Fatal(err)
	}
	for tenant, t := range trees {
		f.exec(`UPDATE heads SET frontier = $2, size = $3 WHERE tenant = $1`, string(tenant), t.bytes(), t.size())
	}
	f.exec(`UPDATE heads SET position = s.n, size = s.n FROM (SELECT max(position) AS n FROM entries) AS s WHERE tenant = ''`)
	if !authenticated {
		return
	}
	for _, tenant := range []domain.TenantID{"", "default"} {
		h := new(tenantHead)
		const sql = `
			SELECT position, size, recorded_at, configuration, claims, claims_sum, deleted, origin, frontier
			  FROM heads WHERE tenant = $1`
		row := f.tx.QueryRow(f.Context(), sql, string(tenant))
		var sum int64
		err := row.Scan(&h.position, &h.size, &h.recordedAt, &h.configuration, &h.claims.number, &sum, &h.deleted, &h.origin, &h.frontier)
		h.claims.sum = uint64(sum)
		if err != nil {
			continue // renamed
		}
		f.exec(`UPDATE heads SET mac = $2 WHERE tenant = $1`, string(tenant), f.log.heads.mac(tenant, h))
	}
}

// TestCheckLog_Forgeries changes the database in every way that somebody might who has all of it but the master key.
// The check notices each.
func TestCheckLog_Forgeries(t *testing.T) {
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
	actor, node := domain.NewUUID(), domain.NewUUID()
	draft := func(kind domain.StreamKind, version int, fact domain.Fact) domain.Draft {
		return domain.Draft{
			Tenant: domain.DefaultTenant, Stream: domain.Stream{Kind: kind, ID: domain.NewUUID()}, Expected: version,
			By: domain.Actor{Principal: actor}, Subject: "ann", Fact: fact,
		}
	}
	lease := draft(domain.StreamLease, 0, &domain.LeaseTaken{Node: node, Leases: []domain.LeaseEpoch{{Name: "shard/00", Epoch: 1}}})
	lease.Tenant = domain.InstanceTenant
	g := domain.Group{
		Drafts: []domain.Draft{
			draft(domain.StreamEvent, 0, &domain.EventAppended{Data: []byte(`1`)}),
			draft(domain.StreamEvent, 0, &domain.EventAppended{Data: []byte(`2`)}),
			draft(domain.StreamKey, 0, &domain.KeyCreated{}),
			lease,
		},
		Claims: []domain.Claim{
			{Tenant: domain.DefaultTenant, Scope: "s", Key: "k", First: 0, Count: 1},
			{Tenant: domain.DefaultTenant, Scope: "s", Key: "l", First: 1, Count: 1},
		},
		Takes: []domain.Take{{Lease: "shard/00", Owner: node, Epoch: 1}},
	}
	if _, err := domain.AppendOne(t.Context(), log, g); err != nil {
		t.Fatal(err)
	}
	if err := log.Vault().PutSecret(t.Context(), domain.DefaultTenant, domain.NewUUID(), "endpoint.auth", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := CheckLog(t.Context(), log, CheckOptions{}); err != nil {
		t.Fatal(err)
	}
	const last = `(SELECT max(position) FROM entries)`
	// copied inserts entry 3 (key.created) of the tenant again, behind the last one, with these changes.
	copied := func(f *forger, version int, leaf func(leaf string) string) {
		var text string
		if err := f.tx.QueryRow(f.Context(), `SELECT convert_from(leaf, 'UTF8') FROM entries WHERE kind = 'key.created'`).Scan(&text); err != nil {
			f.Fatal(err)
		}
		text = strings.Replace(leaf(text), `"sequence":"3"`, `"sequence":"4"`, 1)
		f.exec(`INSERT INTO entries
			SELECT `+last+` + 1, 4, recorded_at + interval '1 second', cause, stream, principal, credential, data_key, $1, kind_version,
			       tenant, stream_kind, kind, convert_to($2, 'UTF8'), content
			  FROM entries WHERE kind = 'key.created'`, version, text)
		var at string
		const sql = `SELECT to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') FROM entries WHERE position = ` + last
		if err := f.tx.QueryRow(f.Context(), sql).Scan(&at); err != nil {
			f.Fatal(err)
		}
		at = strings.TrimRight(at, "0")
		old := text[strings.Index(text, `"recorded_at":"`)+15:]
		old = old[:strings.IndexByte(old, '"')]
		f.rewrite(4, old, at+"Z")
		f.exec(`UPDATE heads SET position = ` + last + `, recorded_at = (SELECT max(recorded_at) FROM entries) WHERE tenant IN ('', 'default')`)
	}
	same := func(leaf string) string { return leaf }
	for name, forge := range map[string]struct {
		do      func(f *forger)
		problem string
		resumed bool // the check begins behind all entries
	}{
		"a column: actor": {do: func(f *forger) {
			f.exec(`UPDATE entries SET principal = $1 WHERE tenant = 'default' AND sequence = 1`, [16]byte(node))
		}, problem: "damaged"},
		"a column: kind": {do: func(f *forger) {
			f.exec(`UPDATE entries SET kind = 'endpoint.paused' WHERE tenant = 'default' AND sequence = 1`)
		}, problem: "part"},
		"a column: cause": {do: func(f *forger) {
			f.exec(`UPDATE entries SET cause = 1 WHERE tenant = 'default' AND sequence = 2`)
		}, problem: "damaged"},
		"a column: no JSON": {do: func(f *forger) {
			f.exec(`UPDATE entries SET kind = 'event."appended' WHERE tenant = 'default' AND sequence = 1`)
		}, problem: "leaf"},
		"a column: time": {do: func(f *forger) {
			f.exec(`UPDATE entries SET recorded_at = date_trunc('second', recorded_at) WHERE position = 1`)
		}, problem: "head"},
		"a column: commitments": {do: func(f *forger) {
			f.exec(`UPDATE entries SET leaf = set_byte(leaf, octet_length(leaf) - 1, 255 - get_byte(leaf, octet_length(leaf) - 1))
			         WHERE tenant = 'default' AND sequence = 1`)
		}, problem: "damaged"},
		"a column: cut": {do: func(f *forger) {
			f.exec(`UPDATE entries SET leaf = substr(leaf, 1, octet_length(leaf) - 5) WHERE tenant = 'default' AND sequence = 1`)
		}, problem: "doesn't have the form"},
		"actor": {do: func(f *forger) {
			f.rewrite(1, actor.String(), node.String())
			f.exec(`UPDATE entries SET principal = $1 WHERE tenant = 'default' AND sequence = 1`, [16]byte(node))
			f.recompute(true)
		}, problem: "damaged"},
		"time": {do: func(f *forger) {
			f.exec(`UPDATE entries SET recorded_at = date_trunc('second', recorded_at) WHERE position = 1`)
			f.exec(`UPDATE entries SET leaf = convert_to(regexp_replace(convert_from(leaf, 'UTF8'), '\.[0-9]+Z', 'Z'), 'UTF8') WHERE position = 1`)
			f.recompute(false)
		}, problem: "head"},
		"contents exchanged with their commitments": {do: func(f *forger) {
			var leaves [2]string
			for i := range leaves {
				const sql = `SELECT convert_from(leaf, 'UTF8') FROM entries WHERE tenant = 'default' AND sequence = $1`
				if err := f.tx.QueryRow(f.Context(), sql, i+1).Scan(&leaves[i]); err != nil {
					f.Fatal(err)
				}
			}
			commitments := func(leaf string) (string, string) {
				from := strings.Index(leaf, `"commitment.`)
				to := strings.Index(leaf, `"data_key"`)
				return leaf[from:to], leaf
			}
			first, a := commitments(leaves[0])
			second, b := commitments(leaves[1])
			const set = `UPDATE entries SET leaf = convert_to($2, 'UTF8') WHERE tenant = 'default' AND sequence = $1`
			f.exec(set, 1, strings.Replace(a, first, second, 1))
			f.exec(set, 2, strings.Replace(b, second, first, 1))
			f.exec(`UPDATE entries e SET content = o.content FROM entries o
			         WHERE e.tenant = 'default' AND o.tenant = 'default' AND e.sequence IN (1, 2) AND o.sequence = 3 - e.sequence`)
			f.recompute(true)
		}, problem: "damaged"},
		"an old content in a new entry": {do: func(f *forger) {
			copied(f, 2, func(leaf string) string {
				return strings.Replace(leaf, `"stream_version":"1"`, `"stream_version":"2"`, 1)
			})
			f.recompute(true)
		}, problem: "a thing is created once"},
		"an old entry once more": {do: func(f *forger) {
			copied(f, 1, same)
			f.recompute(true)
		}, problem: "doesn't follow on"},
		"an entry without its content": {do: func(f *forger) {
			f.exec(`UPDATE entries SET content = NULL, data_key = NULL,
			               leaf = convert_to(regexp_replace(regexp_replace(convert_from(leaf, 'UTF8'), '"commitment[^,]*,', '', 'g'), '"data_key[^,]*,', ''), 'UTF8')
			         WHERE tenant = 'default' AND sequence = 1`)
			f.recompute(true)
		}, problem: "is missing"},
		"a tenant renamed": {do: func(f *forger) {
			for _, table := range []string{"entries", "heads", "tiles", "claims", "data_keys"} {
				f.exec(`UPDATE ` + table + ` SET tenant = 'evil' WHERE tenant = 'default'`)
			}
		}, problem: "another tenant"},
		"a data key deleted": {do: func(f *forger) { f.exec(`DELETE FROM data_keys WHERE kind = 'subject'`) }, problem: "is missing"},
		"a data key destroyed": {do: func(f *forger) {
			f.exec(`UPDATE data_keys SET wrapped = NULL, destroyed_at = now(), destroyed_by = 99 WHERE kind = 'subject'`)
		}, problem: "destroyed by no entry"},
		"a data key's purpose": {do: func(f *forger) {
			f.exec(`UPDATE data_keys SET month = '2020-01' WHERE kind = 'period' AND tenant = 'default'`)
		}, problem: "doesn't open"},
		"a data key's subject": {do: func(f *forger) {
			f.exec(`UPDATE data_keys SET subject_hash = decode(repeat('00', 16), 'hex') WHERE kind = 'subject' AND tenant = 'default'`)
		}, problem: "doesn't open"},
		"a claim":            {do: func(f *forger) { f.exec(`UPDATE claims SET sequence = 2`) }, problem: "claim"},
		"a claim deleted":    {do: func(f *forger) { f.exec(`DELETE FROM claims WHERE sequence = 1`) }, problem: "claims"},
		"all claims deleted": {do: func(f *forger) { f.exec(`DELETE FROM claims`) }, problem: "claims"},
		"a claim deleted, and the head": {do: func(f *forger) {
			f.exec(`DELETE FROM claims WHERE sequence = 1`)
			f.exec(`UPDATE heads SET claims = claims - 1 WHERE tenant = 'default'`)
		}, problem: "was changed"},
		"an endpoint's secret":     {do: func(f *forger) { f.exec(`UPDATE secrets SET tenant = '_instance'`) }, problem: "doesn't open"},
		"a secret's purpose":       {do: func(f *forger) { f.exec(`UPDATE secrets SET purpose = 'endpoint.signing_key'`) }, problem: "doesn't open"},
		"the instance's name":      {do: func(f *forger) { f.exec(`UPDATE instance SET name = 'other'`) }, problem: "is called other"},
		"a lease's epoch":          {do: func(f *forger) { f.exec(`UPDATE leases SET epoch = 7`) }, problem: "lease shard/00"},
		"a lease deleted":          {do: func(f *forger) { f.exec(`DELETE FROM leases`) }, problem: "lease shard/00"},
		"an earlier lease's epoch": {do: func(f *forger) { f.exec(`UPDATE leases SET epoch = 7`) }, problem: "lease shard/00", resumed: true},
		"an earlier lease deleted": {do: func(f *forger) { f.exec(`DELETE FROM leases`) }, problem: "lease shard/00", resumed: true},
		"a parting that the log doesn't tell": {do: func(f *forger) {
			f.exec(`UPDATE leases SET partings = '[{"node":"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d28","epoch":1,"until":"2100-01-01T00:00:00Z"}]'`)
		}, problem: "isn't parted with"},
		"a lease that was never taken": {do: func(f *forger) {
			f.exec(`INSERT INTO leases (name, owner, epoch, partings) VALUES ('shard/01', gen_random_uuid(), 1, '[]')`)
		}, problem: "lease shard/01"},
		"a head's flag":           {do: func(f *forger) { f.exec(`UPDATE heads SET deleted = true WHERE tenant = 'default'`) }, problem: "was changed"},
		"a head's configuration":  {do: func(f *forger) { f.exec(`UPDATE heads SET configuration = 1 WHERE tenant = 'default'`) }, problem: "was changed"},
		"a head's flag, with MAC": {do: func(f *forger) { f.exec(`UPDATE heads SET deleted = true WHERE tenant = 'default'`); f.recompute(true) }, problem: "head of tenant default"},
		"a second head": {do: func(f *forger) {
			f.exec(`INSERT INTO heads SELECT position - 1, size, recorded_at, configuration, claims, claims_sum, deleted, tenant, origin, frontier, mac FROM heads WHERE tenant = 'default'`)
		}, problem: "head"},
		"a tile that isn't needed": {do: func(f *forger) {
			f.exec(`INSERT INTO tiles VALUES ('default', 0, 0, 1, decode(repeat('00', 8192), 'hex'))`)
		}, problem: "full tiles"},
	} {
		t.Run(name, func(t *testing.T) {
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
			for _, table := range []string{"entries", "entries_000000", "tiles", "claims", "data_keys"} {
				f.exec(`ALTER TABLE ` + table + ` DISABLE TRIGGER ALL`)
			}
			if !strings.HasPrefix(name, "a column:") {
				f.spell()
			}
			forge.do(f)
			var options CheckOptions
			if forge.resumed {
				options.After = 7
			}
			check := newCheck(log, tx, options) // within the forger's transaction, which is taken back
			defer check.commitments.close()
			err = check.all(t.Context())
			if err == nil || !strings.Contains(err.Error(), forge.problem) {
				t.Errorf("noticed %v, want %q", err, forge.problem)
			}
			if err := tx.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
	if _, err := CheckLog(t.Context(), log, CheckOptions{}); err != nil {
		t.Errorf("the forgeries were to be taken back: %v", err)
	}
	if _, err := CheckLog(t.Context(), log, CheckOptions{After: 5}); err != nil {
		t.Errorf("resumed: %v", err)
	}
}
