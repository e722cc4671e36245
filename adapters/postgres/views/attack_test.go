package views_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hooktrail/hooktrail/adapters/postgres/views"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// attack runs statements with nothing but the server's database role, in one transaction.
func attack(t *testing.T, f *folded, statements ...string) {
	t.Helper()
	err := pgx.BeginFunc(t.Context(), connect(t, f.db.URL), func(tx pgx.Tx) error {
		for _, sql := range append([]string{`SELECT set_config('hooktrail.tenant', '*', true)`}, statements...) {
			tag, err := tx.Exec(t.Context(), sql)
			if err == nil && tag.RowsAffected() == 0 {
				t.Errorf("the attack changes nothing: %s", sql)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestViews_AttackedByTheServersRole: what the server acts by comes from the log. Who can write the tables of the views
// opens nothing, sends nobody's data elsewhere, and brings no revoked key back.
func TestViews_AttackedByTheServersRole(t *testing.T) {
	t.Parallel()
	const forge = ` SELECT gen_random_uuid(), created_position, created_sequence, created_at, from_position, from_sequence, from_at,
		to_position, to_sequence, version, deleted, tenant, replace(convert_from(config, 'UTF8'), 'admin', 'operator')::bytea, mac
		FROM keys WHERE tenant = 'default' AND version = 1`
	for name, c := range map[string]struct {
		statements []string
		config     bool // LoadConfig notices; else LoadDirectory does
	}{
		"a key inserted":          {[]string{`INSERT INTO keys` + forge}, false},
		"a key of the instance's": {[]string{`UPDATE keys SET tenant = '_instance' WHERE tenant = 'default' AND NOT deleted`}, false},
		"a key's rights":          {[]string{`UPDATE keys SET config = replace(convert_from(config, 'UTF8'), 'admin', 'operator')::bytea WHERE tenant = 'default'`}, false},
		"a revoked key":           {[]string{`UPDATE keys SET deleted = false WHERE deleted`}, false},
		"a revocation taken away": {[]string{
			`DELETE FROM keys WHERE deleted`, `UPDATE keys SET to_position = NULL, to_sequence = NULL WHERE to_position IS NOT NULL`,
		}, false},
		"a tenant's switch": {[]string{`UPDATE tenants SET config = replace(convert_from(config, 'UTF8'), '{', '{ ')::bytea WHERE tenant = 'default'`}, false},
		"an endpoint's URL": {[]string{`UPDATE endpoints SET config = replace(convert_from(config, 'UTF8'), 'receiver', 'attacker')::bytea`}, true},
		"an endpoint's id":  {[]string{`UPDATE endpoints SET id = gen_random_uuid()`}, true},
		"an older endpoint": {[]string{
			`DELETE FROM endpoints WHERE version = 2`, `UPDATE endpoints SET to_position = NULL, to_sequence = NULL`,
		}, true},
		"a subscription":         {[]string{`UPDATE subscriptions SET config = replace(convert_from(config, 'UTF8'), 'test.', 'a.')::bytea`}, true},
		"a deleted subscription": {[]string{`UPDATE subscriptions SET version = version + 1`}, true},
		"a profile": {[]string{`INSERT INTO profiles (id, position, sequence, added_at, version, tenant, name, digest, document)
			VALUES (gen_random_uuid(), 1, 0, now(), 1, '_instance', 'standard-webhooks', repeat('0', 64), '{}')`}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := attacked(t)
			v := views.NewViews(newPool(t, f.db.URL), f.Log, nil)
			if _, err := v.LoadDirectory(t.Context()); err != nil {
				t.Fatal(err)
			}
			at, err := v.LoadConfig(t.Context(), 1<<40)
			if err != nil || len(at.Endpoints()) != 1 {
				t.Fatalf("%d endpoints, %v", len(at.Endpoints()), err)
			}
			attack(t, f, c.statements...)
			if c.config {
				_, err = v.LoadConfig(t.Context(), 1<<40)
			} else {
				_, err = v.LoadDirectory(t.Context())
			}
			if err == nil || !strings.Contains(err.Error(), "rebuild the views") {
				t.Errorf("nobody notices: %v", err)
			}
		})
	}
}

// attacked is a log with configuration of every kind by which the server acts.
func attacked(t *testing.T) *folded {
	t.Helper()
	f := openFolded(t, nil)
	_, key := adminKey(domain.NewUUID())
	config, revoked := adminKey(domain.NewUUID())
	gone := revoked
	gone.Expected, gone.Fact = 1, &domain.KeyRevoked{Key: config}
	endpoint := domain.Stream{Kind: domain.StreamEndpoint, ID: domain.NewUUID()}
	configured := domain.EndpointConfig{
		Name: "e", URL: "https://receiver.example/", Profile: "standard-webhooks", Concurrency: 1, Timeout: domain.DefaultTimeout,
	}
	made := domain.Draft{Tenant: domain.DefaultTenant, Stream: endpoint, Fact: &domain.EndpointCreated{Endpoint: configured}}
	changed := made
	configured.URL = "https://receiver.example/new"
	changed.Expected, changed.Fact = 1, &domain.EndpointUpdated{Endpoint: configured}
	subscription := domain.Draft{
		Tenant: domain.DefaultTenant, Stream: domain.Stream{Kind: domain.StreamSubscription, ID: domain.NewUUID()},
		Fact: &domain.SubscriptionCreated{Subscription: domain.SubscriptionConfig{Endpoint: endpoint.ID, EventTypes: []domain.Pattern{"test.*"}}},
	}
	entries := f.mustAppend(t, group(key), group(revoked), group(gone), group(made), group(changed), group(subscription))
	awaitFold(t, f, entries[len(entries)-1])
	err := f.views.Read(t.Context(), domain.DefaultTenant, -1, func(r projections.Reader) error {
		keys, err := r.Keys(t.Context(), projections.Page{Limit: 10}, projections.AsOf{})
		if len(keys) != 1 || keys[0].Name != "k" {
			t.Errorf("the keys: %+v", keys)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	f.halt()
	return f
}
