package seal_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
)

func TestLoadOrCreateMasterKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key.json")
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			if _, err := postgres.LoadOrCreateMasterKey(path); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info, err)
	}
	if names, err := os.ReadDir(filepath.Dir(path)); err != nil || len(names) != 1 {
		t.Errorf("the key's directory holds %v, %v", names, err)
	}
	log := open(t)
	other, err := postgres.LoadOrCreateMasterKey(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = postgres.OpenLog(t.Context(), postgres.Config{URL: log.db.URL, MasterKey: other})
	if err == nil || !strings.Contains(err.Error(), "HOOKTRAIL_MASTER_KEY_FILE") {
		t.Errorf("opened with another key: %v", err)
	}
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := postgres.LoadMasterKey(path); err == nil {
		t.Error("an empty keyset was taken for a key")
	}
}

func TestLog_Secrets(t *testing.T) {
	t.Parallel()
	log := open(t)
	id := domain.NewUUID()
	if err := log.PutSecret(t.Context(), "default", id, "endpoint.signing_key", []byte("whsec")); err != nil {
		t.Fatal(err)
	}
	if err := log.PutSecret(t.Context(), "default", id, "endpoint.signing_key", []byte("other")); !errors.Is(err, domain.ErrRefused) {
		t.Errorf("stored twice: %v", err)
	}
	if got, err := log.Secret(t.Context(), "default", id, "endpoint.signing_key"); err != nil || string(got) != "whsec" {
		t.Errorf("read %q, %v", got, err)
	}
	for _, other := range []struct{ tenant, purpose string }{{"acme", "endpoint.signing_key"}, {"default", "endpoint.auth"}} {
		if _, err := log.Secret(t.Context(), domain.TenantID(other.tenant), id, other.purpose); !errors.Is(err, domain.ErrNotFound) {
			t.Errorf("read as %v: %v", other, err)
		}
	}
	admin := connect(t, log.db.AdminURL)
	mustExec(t, admin, `UPDATE secrets SET tenant = 'acme'`)
	if _, err := log.Secret(t.Context(), "acme", id, "endpoint.signing_key"); err == nil {
		t.Error("a secret moved to another tenant's row was opened")
	}
	if err := log.DeleteSecret(t.Context(), "acme", id); err != nil {
		t.Error(err)
	}
	if _, err := log.Secret(t.Context(), "acme", id, "endpoint.signing_key"); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("read after deletion: %v", err)
	}
	a, b := log.Fingerprint("default", []byte("x")), log.Fingerprint("acme", []byte("x"))
	if a == b || len(a) != 16 || a != log.Fingerprint("default", []byte("x")) {
		t.Errorf("fingerprints %q and %q", a, b)
	}
}
