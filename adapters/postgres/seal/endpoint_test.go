package seal_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/migrations/migratetest"
)

func TestVault(t *testing.T) {
	t.Parallel()
	db := migratetest.Open(t)
	master, err := seal.LoadOrCreateMasterKey(filepath.Join(t.TempDir(), "key.json"))
	if err != nil {
		t.Fatal(err)
	}
	pool, err := postgres.NewPool(t.Context(), db.URL, "test", 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	vault := seal.NewVault(pool, master)
	id := domain.NewUUID()
	if err := vault.PutSecret(t.Context(), "default", id, "endpoint.signing_key", []byte("whsec")); err != nil {
		t.Fatal(err)
	}
	if err := vault.PutSecret(t.Context(), "default", id, "endpoint.signing_key", []byte("other")); !errors.Is(err, domain.ErrRefused) {
		t.Errorf("stored twice: %v", err)
	}
	if got, err := vault.Secret(t.Context(), "default", id, "endpoint.signing_key"); err != nil || string(got) != "whsec" {
		t.Errorf("read %q, %v", got, err)
	}
	for _, other := range []struct{ tenant, purpose string }{{"acme", "endpoint.signing_key"}, {"default", "endpoint.auth"}} {
		if _, err := vault.Secret(t.Context(), domain.TenantID(other.tenant), id, other.purpose); !errors.Is(err, domain.ErrNotFound) {
			t.Errorf("read as %v: %v", other, err)
		}
	}
	admin, err := postgres.NewPool(t.Context(), db.AdminURL, "test", 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	if _, err := admin.Exec(t.Context(), `UPDATE secrets SET tenant = 'acme'`); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.Secret(t.Context(), "acme", id, "endpoint.signing_key"); err == nil || errors.Is(err, domain.ErrNotFound) {
		t.Errorf("a secret moved to another tenant's row was opened: %v", err)
	}
	if err := vault.DeleteSecret(t.Context(), "acme", id); err != nil {
		t.Error(err)
	}
	if _, err := vault.Secret(t.Context(), "acme", id, "endpoint.signing_key"); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("read after deletion: %v", err)
	}
}
