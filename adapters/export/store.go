package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// Store keeps finished files by name. It is safe for concurrent use. Names are of fileKey's form.
//
// Two exist: Dir, and the bucket of package bucket.
type Store interface {
	// Put keeps a finished file, which it may move, under a name until a time at least. A file of that name is replaced: it
	// holds the same bytes.
	Put(ctx context.Context, name, path string, until time.Time) error
	// Open opens a file; there may be none (fs.ErrNotExist).
	Open(ctx context.Context, name string) (io.ReadSeekCloser, error)
	// Delete deletes a file. One that isn't there is no error.
	Delete(ctx context.Context, name string) error
	// Names lists all files.
	Names(ctx context.Context) ([]string, error)
}

// fileKey is the name under which a Store has an export's file: tenant, export, file.
func fileKey(tenant domain.TenantID, id domain.UUID, file string) string {
	return string(tenant) + "/" + id.String() + "/" + file
}

// parseKey reads a fileKey.
func parseKey(name string) (tenant domain.TenantID, id domain.UUID, ok bool) {
	parts := strings.Split(name, "/")
	if len(parts) != 3 {
		return "", id, false
	}
	id, err := domain.ParseUUID(parts[1])
	return domain.TenantID(parts[0]), id, err == nil
}

// Dir is a Store in a directory that only the server's account may enter. Several servers of one instance may share it.
type Dir struct{ path string }

// NewDir makes the directory if it isn't there. It refuses one that other accounts may enter.
func NewDir(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of exports: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("look at the directory of exports: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("other accounts have rights to the directory of exports %s (mode %04o): chmod 0700 it, or choose "+
			"another (HOOKTRAIL_EXPORT_DIR)", path, info.Mode().Perm())
	}
	return &Dir{path}, nil
}

// Put implements Store: it moves the file.
func (d *Dir) Put(_ context.Context, name, path string, _ time.Time) error {
	to := filepath.Join(d.path, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	if err := os.Rename(path, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

// Open implements Store.
func (d *Dir) Open(_ context.Context, name string) (io.ReadSeekCloser, error) {
	return os.Open(filepath.Join(d.path, filepath.FromSlash(name)))
}

// Delete implements Store.
func (d *Dir) Delete(_ context.Context, name string) error {
	path := filepath.Join(d.path, filepath.FromSlash(name))
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_ = os.Remove(filepath.Dir(path)) // unless another file is there
	return nil
}

// Names implements Store.
func (d *Dir) Names(context.Context) (names []string, err error) {
	root := os.DirFS(d.path)
	err = fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			names = append(names, path)
		}
		return err
	})
	return names, err
}

// syncDir makes the names in a directory last.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
