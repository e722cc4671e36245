package projections_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/domain/logtest"
	"github.com/hooktrail/hooktrail/projections"
)

func appendFact(t *testing.T, log domain.Log, tenant domain.TenantID, kind domain.StreamKind, id domain.UUID, f domain.Fact) domain.Entry {
	t.Helper()
	entries, err := domain.AppendOne(t.Context(), log, domain.Group{Drafts: []domain.Draft{{
		Tenant: tenant, Stream: domain.Stream{Kind: kind, ID: id}, Expected: domain.AnyVersion, Fact: f,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return entries[0]
}

func TestDirectory_FollowsKeysAndTenants(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		log := logtest.NewMemory(time.Now)
		d := projections.NewDirectory(projections.DirectoryRows{}, 0)
		ended := make(chan error)
		go func() { ended <- d.Follow(ctx, log) }()
		tenant, id := domain.NewUUID(), domain.NewUUID()
		hash := sha256.Sum256([]byte("a key"))
		config := domain.KeyConfig{
			KeyNames: domain.KeyNames{Name: "k"}, KeyRights: domain.KeyRights{ID: id, Role: domain.RoleAdmin, Hash: hash[:]},
		}
		appendFact(t, log, "acme", domain.StreamTenant, tenant, &domain.TenantCreated{Tenant: domain.TenantConfig{ID: "acme"}})
		made := appendFact(t, log, "acme", domain.StreamKey, id, &domain.KeyCreated{Key: config})
		if err := d.Await(ctx, made.Position); err != nil {
			t.Fatal(err)
		}
		if k, ok := d.KeyByHash(hash); !ok || k.ID != id || k.Tenant != "acme" || k.Created.Position != made.Position {
			t.Errorf("the key isn't known: %+v", k)
		}
		if _, ok := d.Tenant("acme"); !ok {
			t.Error("the tenant isn't known")
		}
		appendFact(t, log, "acme", domain.StreamKey, id, &domain.KeyRevoked{Key: config})
		gone := appendFact(t, log, "acme", domain.StreamTenant, tenant, &domain.TenantDeleted{Tenant: domain.TenantConfig{ID: "acme"}})
		if err := d.Await(ctx, gone.Position); err != nil {
			t.Fatal(err)
		}
		if _, ok := d.KeyByHash(hash); ok {
			t.Error("the revoked key still opens")
		}
		if _, ok := d.Tenant("acme"); ok {
			t.Error("the deleted tenant is still there")
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("follow ended with %v", err)
		}
		if err := d.Await(ctx, gone.Position+1); err == nil {
			t.Error("awaited an entry that never came")
		}
	})
}

func TestDirectory_RevocationWithoutContent(t *testing.T) {
	t.Parallel()
	hash := sha256.Sum256([]byte("a key"))
	key := projections.Key{Key: domain.Key{KeyConfig: domain.KeyConfig{KeyRights: domain.KeyRights{ID: domain.UUID{1}, Hash: hash[:]}}, Tenant: "acme", Version: 1}}
	log := logtest.NewMemory(time.Now)
	appendFact(t, log, "acme", domain.StreamTenant, domain.UUID{2}, &domain.TenantCreated{Tenant: domain.TenantConfig{ID: "acme"}})
	last := appendFact(t, log, "acme", domain.StreamKey, domain.UUID{1}, &domain.KeyRevoked{Key: domain.KeyConfig{KeyRights: domain.KeyRights{ID: domain.UUID{1}}}})
	d := projections.NewDirectory(projections.DirectoryRows{Keys: []projections.Key{key}}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _ = d.Follow(ctx, log) }()
	if err := d.Await(ctx, last.Position); err != nil {
		t.Fatal(err)
	}
	if _, ok := d.KeyByHash(hash); ok {
		t.Error("the revoked key still opens")
	}
}

func TestDirectory_EventTypesAndProfiles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		log := logtest.NewMemory(time.Now)
		d := projections.NewDirectory(projections.DirectoryRows{}, 0)
		go func() { _ = d.Follow(ctx, log) }()
		appendFact(t, log, "acme", domain.StreamTenant, domain.UUID{2}, &domain.TenantCreated{Tenant: domain.TenantConfig{ID: "acme"}})
		appendFact(t, log, domain.InstanceTenant, domain.StreamTenant, domain.UUID{3}, &domain.TenantCreated{Tenant: domain.TenantConfig{ID: domain.InstanceTenant}})
		config := domain.EventTypeConfig{Name: "offer.issued", SchemaVersion: "v1", Schema: `{"type":"object"}`}
		appendFact(t, log, "acme", domain.StreamEventType, domain.UUID{4}, &domain.EventTypeRegistered{EventType: config})
		config.SchemaVersion, config.Schema = "v2", `{"type":"array"}`
		appendFact(t, log, "acme", domain.StreamEventType, domain.UUID{4}, &domain.EventTypeUpdated{EventType: config})
		name := domain.ProfileName{Name: "p", Version: 1, Digest: "d1"}
		last := appendFact(t, log, domain.InstanceTenant, domain.StreamProfile, domain.UUID{5}, &domain.ProfileAdded{Profile: name, Document: []byte("{}")})
		if err := d.Await(ctx, last.Position); err != nil {
			t.Fatal(err)
		}
		if now, ok := d.EventType("acme", "offer.issued"); !ok || now.SchemaVersion != "v2" || now.Created == now.Updated {
			t.Errorf("the newest definition: %+v, %v", now, ok)
		}
		if _, ok := d.EventType("other", "offer.issued"); ok {
			t.Error("another tenant has the type")
		}
		for version, want := range map[string]string{"v1": `{"type":"object"}`, "v2": `{"type":"array"}`} {
			if schema, ok := d.Schema("acme", "offer.issued", version); !ok || schema != want {
				t.Errorf("schema %s: %s, %v", version, schema, ok)
			}
		}
		if _, ok := d.Schema("acme", "offer.issued", "v3"); ok {
			t.Error("there is a schema that nobody registered")
		}
		for version, want := range map[string]projections.Rules{
			"":   {Mode: domain.SchemasOff, Registered: true, Version: "v2", Known: true, Schema: `{"type":"array"}`},
			"v1": {Mode: domain.SchemasOff, Registered: true, Version: "v1", Known: true, Schema: `{"type":"object"}`},
			"v3": {Mode: domain.SchemasOff, Registered: true, Version: "v3"},
		} {
			if got := d.Rules("acme", "offer.issued", version); got != want {
				t.Errorf("rules of %q: %+v", version, got)
			}
		}
		if p, ok := d.Profile("d1"); !ok || p.ID != (domain.UUID{5}) || len(d.Profiles()) != 1 {
			t.Errorf("the added profile: %+v, %v", p, ok)
		}
		if _, ok := d.Profile("d2"); ok {
			t.Error("there is a profile that nobody added")
		}
	})
}

func TestDirectory_Rules(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	row := func(version int, deprecated string) projections.EventType {
		return projections.EventType{
			EventTypeDefinition: domain.EventTypeDefinition{
				ID: domain.UUID{4}, Tenant: "acme", Version: version,
				EventTypeConfig: domain.EventTypeConfig{Name: "a.b", SchemaVersion: "v1", Deprecated: deprecated},
			},
			Updated: projections.Origin{RecordedAt: since.Add(time.Duration(version) * time.Hour)},
		}
	}
	tenant := projections.Tenant{Tenant: domain.Tenant{TenantConfig: domain.TenantConfig{ID: "acme", Schemas: domain.SchemasEnforce}}}
	rows := projections.DirectoryRows{
		Tenants: []projections.Tenant{tenant}, EventTypes: []projections.EventType{row(1, ""), row(2, "use c.d"), row(3, "use c.d, please")},
	}
	want := projections.Rules{Mode: domain.SchemasEnforce, Registered: true, Version: "v1", Known: true, Deprecated: since.Add(2 * time.Hour)}
	if got := projections.NewDirectory(rows, 9).Rules("acme", "a.b", ""); got != want {
		t.Errorf("a deprecated type: %+v", got)
	}
	rows.EventTypes, want.Deprecated = append(rows.EventTypes, row(4, "")), time.Time{}
	d := projections.NewDirectory(rows, 9)
	if got := d.Rules("acme", "a.b", ""); got != want {
		t.Errorf("a type that isn't deprecated any more: %+v", got)
	}
	if got := d.Rules("acme", "c.d", "v1"); got != (projections.Rules{Mode: domain.SchemasEnforce}) {
		t.Errorf("a type that isn't registered: %+v", got)
	}
}

// newerLog shows entries as a program of later writes them.
type newerLog struct {
	domain.Log
	change func(*domain.Entry)
}

func (l newerLog) Page(ctx context.Context, after domain.Position, limit int) ([]domain.Entry, error) {
	entries, err := l.Log.Page(ctx, after, limit)
	for i := range entries {
		l.change(&entries[i])
	}
	return entries, err
}

// TestDirectory_Stops: the Directory passes over whatever is said about an event, and stops where a key may be meant:
// nobody waits for more then.
func TestDirectory_Stops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := logtest.NewMemory(time.Now)
		appendFact(t, log, "acme", domain.StreamTenant, domain.NewUUID(), &domain.TenantCreated{Tenant: domain.TenantConfig{ID: "acme"}})
		event := appendFact(t, log, "acme", domain.StreamEvent, domain.NewUUID(), &domain.EventAppended{})
		d := projections.NewDirectory(projections.DirectoryRows{}, 0)
		ended := make(chan error)
		go func() {
			ended <- d.Follow(t.Context(), newerLog{log, func(e *domain.Entry) {
				switch e.Stream.Kind {
				case domain.StreamEvent:
					e.Kind, e.Fact, e.Critical = "event.moved", nil, true
				case domain.StreamKey:
					e.Kind, e.Fact, e.Critical = "key.moved", nil, true
				}
			}})
		}()
		if err := d.Await(t.Context(), event.Position); err != nil {
			t.Fatal(err)
		}
		waited := make(chan error)
		go func() { waited <- d.Await(t.Context(), event.Position+1) }()
		synctest.Wait()
		bad := appendFact(t, log, "acme", domain.StreamKey, domain.NewUUID(), &domain.KeyRevoked{})
		for what, err := range map[string]error{
			"follow": <-ended, "who waited": <-waited, "who waits now": d.Await(t.Context(), bad.Position+1),
		} {
			if stop := new(domain.FollowerStop); !errors.As(err, &stop) || stop.Follower != "directory" || stop.At != bad.Position {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := d.Await(t.Context(), event.Position); err != nil {
			t.Errorf("what it knows: %v", err)
		}
	})
}
