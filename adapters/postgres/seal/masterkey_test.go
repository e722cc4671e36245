package seal_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
)

func TestLoadOrCreateMasterKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key.json")
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			if _, err := seal.LoadOrCreateMasterKey(path); err != nil {
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
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.LoadMasterKey(path); err == nil {
		t.Error("an empty keyset was taken for a key")
	}
}
