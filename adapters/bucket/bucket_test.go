package bucket_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/hooktrail/hooktrail/adapters/bucket"
	"github.com/hooktrail/hooktrail/adapters/export"
)

var _ export.Store = (*bucket.Bucket)(nil)

// storage starts an object storage with one bucket.
func storage(t *testing.T) string {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("evidence"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	return server.URL
}

func open(t *testing.T, endpoint, url string) (*bucket.Bucket, error) {
	t.Helper()
	return bucket.Open(t.Context(), bucket.Config{
		URL: url, Endpoint: endpoint, Region: "us-east-1", Credentials: credentials.NewStaticV4("key", "secret", ""),
	})
}

// TestStores holds both places for files to what exports rely on.
func TestStores(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"directory", "bucket"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			var store export.Store
			var err error
			if kind == "bucket" {
				store, err = open(t, storage(t), "s3://evidence/exports/")
			} else {
				store, err = export.NewDir(filepath.Join(t.TempDir(), "exports"))
			}
			if err != nil {
				t.Fatal(err)
			}
			checkStore(t, store)
		})
	}
}

func checkStore(t *testing.T, store export.Store) {
	t.Helper()
	ctx := context.Background()
	text := bytes.Repeat([]byte("0123456789"), 100_000)
	put := func(name string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := store.Put(ctx, name, path, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	const one, other = "acme/01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e/log.csv", "acme/01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6f/log.csv"
	if _, err := store.Open(ctx, one); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open what isn't there: %v", err)
	}
	put(one)
	put(other)
	put(one) // again, after a crash
	names, err := store.Names(ctx)
	if slices.Sort(names); err != nil || !slices.Equal(names, []string{one, other}) {
		t.Errorf("names %v, %v", names, err)
	}
	f, err := store.Open(ctx, one)
	if err != nil {
		t.Fatal(err)
	}
	if end, err := f.Seek(0, io.SeekEnd); err != nil || end != int64(len(text)) {
		t.Errorf("ends at %d: %v", end, err)
	}
	part := make([]byte, 12)
	if _, err := f.Seek(500_005, io.SeekStart); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadFull(f, part); err != nil || string(part) != "567890123456" {
		t.Errorf("a part: %q, %v", part, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := store.Delete(ctx, one); err != nil {
			t.Errorf("delete: %v", err)
		}
	}
	if _, err := store.Open(ctx, one); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open what was deleted: %v", err)
	}
	if names, err := store.Names(ctx); err != nil || !slices.Equal(names, []string{other}) {
		t.Errorf("names %v, %v", names, err)
	}
}

func TestOpen_Refused(t *testing.T) {
	t.Parallel()
	endpoint := storage(t)
	for _, c := range [][2]string{
		{endpoint, "s3://elsewhere/x"},
		{endpoint, "https://evidence/x"},
		{endpoint, "evidence"},
		{"ftp://s3.example", "s3://evidence"},
		{endpoint + "/path", "s3://evidence"},
	} {
		if b, err := open(t, c[0], c[1]); err == nil {
			t.Errorf("%v: %v", c, b)
		}
	}
}
