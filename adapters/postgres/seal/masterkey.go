package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// MasterKey is the key-encryption key: it seals data keys and secrets and is never in the database. The file may
// hold several keys (a Tink keyset in JSON): the primary one seals, all of them open. Safe for concurrent use.
type MasterKey struct{ aead tink.AEAD }

// Seal seals what is to be kept in the database, for one context only.
func (m *MasterKey) Seal(plain, context []byte) ([]byte, error) {
	return m.aead.Encrypt(plain, context)
}

// Open opens what Seal made for the same context.
func (m *MasterKey) Open(sealed, context []byte) ([]byte, error) {
	return m.aead.Decrypt(sealed, context)
}

// LoadOrCreateMasterKey reads the master key from a file, or makes one there with mode 0600 when there is no file. Of
// several processes that find no file at once, all get the same key.
func LoadOrCreateMasterKey(path string) (*MasterKey, error) {
	key, err := LoadMasterKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := createMasterKey(path); err != nil {
		return nil, fmt.Errorf("make the master key file: %w", err)
	}
	return LoadMasterKey(path)
}

// LoadMasterKey reads the master key from a file.
func LoadMasterKey(path string) (*MasterKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the master key file: %w", err)
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(text)))
	if err != nil {
		return nil, fmt.Errorf("read the master key file %s: not a Tink keyset in JSON (hint: restore it from its backup)", path)
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("read the master key file %s: not a keyset for AEAD", path)
	}
	return &MasterKey{primitive}, nil
}

// createMasterKey writes the whole file under another name first: nobody ever reads half a key, and a link fails where
// a rename would replace the key of whoever was quicker.
func createMasterKey(path string) (err error) {
	handle, err := keyset.NewHandle(aead.XAES256GCM192BitNonceKeyTemplate())
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".master-key-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(file.Name())) }()
	err = insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(file))
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Link(file.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a directory's names last through a loss of power: whatever is sealed under a master key is lost with
// it.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
