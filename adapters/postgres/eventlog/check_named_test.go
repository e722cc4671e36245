package eventlog

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/migrations/migratetest"
	"github.com/jackc/pgx/v5"
)

// TestCheckLog_AttackedByTheServersRole deletes and changes, with nothing but the server's database role, what the log
// names or implies and another table holds. What that role may do the check notices.
func TestCheckLog_AttackedByTheServersRole(t *testing.T) {
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
	put := func(purpose string) domain.UUID {
		id := domain.NewUUID()
		if err := log.Vault().PutSecret(t.Context(), domain.DefaultTenant, id, purpose, []byte(purpose)); err != nil {
			t.Fatal(err)
		}
		return id
	}
	config := domain.EndpointConfig{
		Name: "e", URL: "https://receiver.example/", Profile: "standard-webhooks", Concurrency: 1, Timeout: domain.DefaultTimeout,
		Keys: []domain.SigningKey{
			{ID: put(domain.PurposeSigningKey)},
			{ID: put(domain.PurposeSigningKey), Until: time.Now().Add(time.Hour)},
			{ID: domain.NewUUID(), Until: time.Now().Add(-time.Hour)}, // swept
		},
		Auth:    &domain.EndpointAuth{Type: "bearer", Secret: put(domain.PurposeAuth)},
		Headers: []domain.SecretHeader{{Name: "X-A", Secret: put(domain.PurposeHeader)}},
		Query:   &domain.SecretQuery{Secret: put(domain.PurposeQuery)},
	}
	before := config
	before.Auth = &domain.EndpointAuth{Type: "bearer", Secret: domain.NewUUID()} // replaced, and swept since
	draft := func(id domain.UUID, version int, fact domain.Fact) domain.Draft {
		return domain.Draft{Tenant: domain.DefaultTenant, Stream: domain.Stream{Kind: domain.StreamEndpoint, ID: id}, Expected: version, Fact: fact}
	}
	live, gone := domain.NewUUID(), domain.NewUUID()
	drafts := []domain.Draft{
		draft(live, 0, &domain.EndpointCreated{Endpoint: before}), draft(live, 1, &domain.EndpointUpdated{Endpoint: config}),
		draft(gone, 0, &domain.EndpointCreated{Endpoint: before}), draft(gone, 1, &domain.EndpointDeleted{Endpoint: before}),
	}
	node := domain.NewUUID()
	lease := domain.Draft{
		Tenant: domain.InstanceTenant, Stream: domain.Stream{Kind: domain.StreamLease, ID: domain.NewUUID()},
		Fact: &domain.LeaseTaken{Node: node, Leases: []domain.LeaseEpoch{{Name: "shard/00", Epoch: 1}}},
	}
	for range 256 { // one tile
		drafts = append(drafts, domain.Draft{
			Tenant: domain.DefaultTenant, Stream: domain.Stream{Kind: domain.StreamEvent, ID: domain.NewUUID()},
			Fact: &domain.EventAppended{Data: []byte(`1`)},
		})
	}
	entries, err := domain.AppendOne(t.Context(), log, domain.Group{
		Drafts: append(drafts, lease), Takes: []domain.Take{{Lease: "shard/00", Owner: node, Epoch: 1}},
		Claims: []domain.Claim{{Tenant: domain.DefaultTenant, Scope: "s", Key: "k", First: 0, Count: 1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	behind := entries[len(entries)-1].Position
	for _, after := range []domain.Position{0, behind} {
		if _, err := CheckLog(t.Context(), log, CheckOptions{After: after}); err != nil {
			t.Fatalf("nothing was changed: %v", err)
		}
	}
	server, err := pgx.Connect(t.Context(), db.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close(context.Background()) }()

	const denied = "permission denied"
	for sql, problem := range map[string]string{
		`DELETE FROM secrets WHERE tenant = 'default'`:                        "is missing, and no fact says why",
		`DELETE FROM secrets WHERE id = '` + config.Keys[0].ID.String() + `'`: "is missing, and no fact says why",
		`DELETE FROM secrets WHERE id = '` + config.Keys[1].ID.String() + `'`: "is missing, and no fact says why",
		`DELETE FROM secrets WHERE purpose = 'endpoint.auth'`:                 "(endpoint.auth), which endpoint " + live.String(),
		`DELETE FROM secrets WHERE purpose = 'endpoint.header'`:               "(endpoint.header), which endpoint " + live.String(),
		`DELETE FROM secrets WHERE purpose = 'endpoint.query'`:                "(endpoint.query), which endpoint " + live.String(),
		// Moved: under another id, purpose or tenant a secret doesn't open.
		`WITH old AS (DELETE FROM secrets WHERE purpose = 'endpoint.auth' RETURNING *)
			INSERT INTO secrets (id, tenant, purpose, sealed) SELECT id, tenant, 'endpoint.query', sealed FROM old`: "doesn't open",
		`WITH old AS (DELETE FROM secrets WHERE purpose = 'endpoint.auth' RETURNING *)
			INSERT INTO secrets (id, tenant, purpose, sealed) SELECT id, '_instance', purpose, sealed FROM old`: "doesn't open",
		`INSERT INTO secrets (id, tenant, purpose, sealed) SELECT gen_random_uuid(), tenant, purpose, sealed FROM secrets`: "doesn't open",
		`UPDATE secrets SET purpose = 'endpoint.query'`:                                                                    denied,
		`TRUNCATE secrets`:                           denied,
		`DELETE FROM heads WHERE tenant = ''`:        "head",
		`DELETE FROM heads WHERE tenant = 'default'`: "have heads",
		`DELETE FROM heads`:                          "head",
		`INSERT INTO heads SELECT position + 1, size, recorded_at, configuration, claims, claims_sum, deleted, tenant, origin, frontier, mac
			FROM heads`: "head",
		`INSERT INTO tiles SELECT tenant, 1, 0, position, hashes FROM tiles`:                                                 "full tiles",
		`INSERT INTO tiles SELECT 'nobody', level, index, position, hashes FROM tiles`:                                       "has no entries",
		`INSERT INTO claims SELECT sequence, proof, day, count, tenant, decode(repeat('00', 16), 'hex'), digest FROM claims`: "was changed",
		`INSERT INTO data_keys SELECT gen_random_uuid(), NULL, NULL, tenant, kind, class, '2020-01', subject_hash, wrapped
			FROM data_keys WHERE kind = 'period'`: "doesn't open",
		`UPDATE leases SET epoch = epoch + 1`: "lease shard/00",
		`INSERT INTO leases (name, owner, epoch, partings) VALUES ('shard/01', gen_random_uuid(), 1, '[]')`: "lease shard/01",
		`DELETE FROM leases`:            denied,
		`DELETE FROM entries`:           denied,
		`DELETE FROM tiles`:             denied,
		`DELETE FROM claims`:            denied,
		`DELETE FROM data_keys`:         denied,
		`DELETE FROM instance`:          denied,
		`UPDATE instance SET name = ''`: denied,
	} {
		for _, after := range []domain.Position{0, behind} {
			if after > 0 && !strings.Contains(sql, "secrets") {
				continue // TestCheckLog_Forgeries resumes, too
			}
			tx, err := server.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			tag, err := tx.Exec(t.Context(), sql)
			if err == nil && tag.RowsAffected() == 0 {
				t.Errorf("%s changes nothing", sql)
			}
			if err == nil {
				check := newCheck(log, tx, CheckOptions{After: after}) // within the transaction, which is taken back
				err = checkAll(t.Context(), check)
				check.commitments.close()
			}
			if err == nil || !strings.Contains(err.Error(), problem) {
				t.Errorf("%s (checked behind %d): noticed %v, want %q", sql, after, err, problem)
			}
			if err := tx.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}
