package views_test

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/adapters/postgres/views"
	"github.com/hooktrail/hooktrail/domain"
)

// keptSecrets are secrets by a name that says what becomes of them.
type keptSecrets struct {
	t     *testing.T
	vault *seal.Vault
	ids   map[string]domain.UUID
	of    map[string]string // their purposes
}

func (k *keptSecrets) put(name, purpose string) domain.UUID {
	k.t.Helper()
	id := domain.NewUUID()
	if err := k.vault.PutSecret(k.t.Context(), domain.DefaultTenant, id, purpose, []byte(name)); err != nil {
		k.t.Fatal(err)
	}
	k.ids[name], k.of[name] = id, purpose
	return id
}

// stays fails the test unless exactly the named secrets are left.
func (k *keptSecrets) stays(names ...string) {
	k.t.Helper()
	want := make(map[string]bool)
	for _, name := range names {
		want[name] = true
	}
	for name, id := range k.ids {
		_, err := k.vault.Secret(k.t.Context(), domain.DefaultTenant, id, k.of[name])
		if err != nil && !errors.Is(err, domain.ErrNotFound) {
			k.t.Fatal(err)
		}
		if (err == nil) != want[name] {
			k.t.Errorf("%s: kept %v, want %v", name, err == nil, want[name])
		}
	}
}

func (k *keptSecrets) sweep(v *views.Views, grace time.Duration, want int) {
	k.t.Helper()
	if n, err := v.SweepSecrets(k.t.Context(), grace); err != nil || n != want {
		k.t.Errorf("destroyed %d, want %d: %v", n, want, err)
	}
}

func TestViews_SweepSecrets(t *testing.T) {
	t.Parallel()
	f := openFolded(t, nil)
	k := &keptSecrets{t, seal.NewVault(f.pool, f.key), make(map[string]domain.UUID), make(map[string]string)}
	const key, auth, header, query = "endpoint.signing_key", "endpoint.auth", "endpoint.header", "endpoint.query"
	config := func(change func(*domain.EndpointConfig)) domain.EndpointConfig {
		c := domain.EndpointConfig{
			Name: "e", URL: "https://receiver.example/", Profile: "standard-webhooks", Concurrency: 1,
			Timeout: domain.DefaultTimeout, Keys: []domain.SigningKey{{ID: k.ids["ended key"]}},
			Auth: &domain.EndpointAuth{Type: "bearer", Secret: k.ids["replaced auth"]}, Headers: []domain.SecretHeader{{Name: "X-A", Secret: k.ids["header"]}},
			Query: &domain.SecretQuery{Secret: k.ids["replaced query"]},
		}
		change(&c)
		return c
	}
	draft := func(id domain.UUID, version int, fact domain.Fact) domain.Draft {
		return domain.Draft{Tenant: domain.DefaultTenant, Stream: domain.Stream{Kind: domain.StreamEndpoint, ID: id}, Expected: version, Fact: fact}
	}
	for name, purpose := range map[string]string{
		"ended key": key, "overlapping key": key, "key": key, "replaced auth": auth, "auth": auth, "header": header, "replaced query": query, "query": query,
		"header of a deleted endpoint": header, "of no endpoint": auth, "of something else": "registration.token",
	} {
		k.put(name, purpose)
	}
	one, two := domain.NewUUID(), domain.NewUUID()
	deleted := config(func(c *domain.EndpointConfig) {
		c.Keys, c.Auth, c.Query, c.Headers = nil, nil, nil, []domain.SecretHeader{{Name: "X-B", Secret: k.ids["header of a deleted endpoint"]}}
	})
	f.mustAppend(t,
		group(draft(one, 0, &domain.EndpointCreated{Endpoint: config(func(*domain.EndpointConfig) {})})),
		group(draft(two, 0, &domain.EndpointCreated{Endpoint: deleted})),
	)
	now := time.Now().UTC().Truncate(time.Microsecond)
	current := config(func(c *domain.EndpointConfig) {
		c.Auth, c.Query = &domain.EndpointAuth{Type: "bearer", Secret: k.ids["auth"]}, &domain.SecretQuery{Secret: k.ids["query"]}
		c.Keys = []domain.SigningKey{
			{ID: k.ids["key"]}, {ID: k.ids["overlapping key"], Until: now.Add(time.Hour)}, {ID: k.ids["ended key"], Until: now.Add(-time.Second)},
		}
	})
	changed := f.mustAppend(t,
		group(draft(one, 1, &domain.EndpointUpdated{Endpoint: current})),
		group(draft(two, 1, &domain.EndpointDeleted{Endpoint: deleted})),
	)
	awaitFold(t, f, changed[1])
	k.sweep(f.views, time.Hour, 0) // all were in force, or stored, within the hour
	k.stays(slices.Collect(maps.Keys(k.ids))...)
	admin := connect(t, f.db.AdminURL)
	mustExec(t, admin, `UPDATE secrets SET created_at = created_at - interval '1 day'`)
	k.sweep(f.views, time.Hour, 1) // the versions that named the others have held within the hour
	k.stays("ended key", "overlapping key", "key", "replaced auth", "auth", "header", "replaced query", "query", "header of a deleted endpoint", "of something else")
	k.sweep(f.views, 0, 4)
	k.stays("overlapping key", "key", "auth", "header", "query", "of something else")

	f.halt()
	f.mustAppend(t, group(event(`{}`)))
	current.Auth = &domain.EndpointAuth{Type: "bearer", Secret: k.put("named beyond the views", auth)}
	f.mustAppend(t, group(draft(one, 2, &domain.EndpointUpdated{Endpoint: current})))
	k.sweep(f.views, 0, 0)
	k.stays("overlapping key", "key", "auth", "header", "query", "of something else", "named beyond the views")

	again := foldedIn(t, f.opened, nil)
	then, err := again.views.LoadConfig(t.Context(), changed[1].Position)
	if err != nil {
		t.Fatal(err)
	}
	tenant, _ := then.Tenant(domain.DefaultTenant)
	awaitFold(t, again, f.mustAppend(t, group(domain.Draft{
		Tenant: domain.DefaultTenant, Stream: domain.Stream{Kind: domain.StreamTenant, ID: tenant.Stream}, Expected: tenant.Version,
		Fact: &domain.TenantDeleted{Tenant: tenant.TenantConfig},
	}))[0])
	k.sweep(again.views, 0, 6)
	k.stays("of something else")
}
