package projections

import (
	"context"
	"sync"

	"github.com/hooktrail/hooktrail/domain"
)

// Directory answers who may come in: it knows every API key by its hash, and every tenant. It follows the log, so that a
// revocation takes effect as soon as it is read there. It is safe for concurrent use.
type Directory struct {
	mu      sync.RWMutex // guards all below
	keys    map[[32]byte]Key
	tenants map[domain.TenantID]Tenant
	cursor  domain.Position
	moved   chan struct{} // closed and replaced when the cursor moves
}

// NewDirectory returns a Directory that holds rows in force at a position; revoked keys and deleted tenants may be among
// them. With none and position 0 it learns everything from the log.
func NewDirectory(tenants []Tenant, keys []Key, at domain.Position) *Directory {
	d := &Directory{
		keys: make(map[[32]byte]Key, len(keys)), tenants: make(map[domain.TenantID]Tenant, len(tenants)),
		cursor: at, moved: make(chan struct{}),
	}
	for _, t := range tenants {
		d.putTenant(t)
	}
	for _, k := range keys {
		d.putKey(k)
	}
	return d
}

// Follow keeps the Directory up to date until ctx ends (nil) or an entry can't be folded. Then it stays as it is, which
// the caller must not serve from: a revocation may be behind that entry.
func (d *Directory) Follow(ctx context.Context, log domain.Log) error {
	return Follow(ctx, log, d.Cursor(), func(entries []domain.Entry) error {
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, e := range entries {
			if err := Apply(directoryStore{d: d}, e); err != nil {
				return err
			}
		}
		close(d.moved)
		d.moved = make(chan struct{})
		return nil
	})
}

// KeyByHash finds a key by its SHA-256. Revoked keys aren't found; whether it has expired, Key.Valid says.
func (d *Directory) KeyByHash(hash [32]byte) (Key, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	k, ok := d.keys[hash]
	return k, ok
}

// Tenant finds a tenant that isn't deleted.
func (d *Directory) Tenant(id domain.TenantID) (Tenant, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	t, ok := d.tenants[id]
	return t, ok
}

// Cursor is the position up to which the Directory knows the log.
func (d *Directory) Cursor() domain.Position {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.cursor
}

// Await returns nil once the Directory knows the log up to a position, else ctx's error when that ends.
func (d *Directory) Await(ctx context.Context, position domain.Position) error {
	for {
		d.mu.RLock()
		done, moved := d.cursor >= position, d.moved
		d.mu.RUnlock()
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-moved:
		}
	}
}

// putTenant and putKey need mu held.
func (d *Directory) putTenant(row Tenant) {
	if row.Deleted {
		delete(d.tenants, row.ID)
		return
	}
	if row.Created == (Origin{}) {
		row.Created = d.tenants[row.ID].Created
	}
	d.tenants[row.ID] = row
}

func (d *Directory) putKey(row Key) {
	var hash [32]byte
	copy(hash[:], row.Hash)
	if row.Revoked {
		d.forget(row.ID, hash)
		return
	}
	if row.Created == (Origin{}) {
		row.Created = d.keys[hash].Created
	}
	d.keys[hash] = row
}

// forget drops a key. A revocation whose content was destroyed tells no hash: then the key is searched for.
func (d *Directory) forget(id domain.UUID, hash [32]byte) {
	if k, ok := d.keys[hash]; ok && k.ID == id {
		delete(d.keys, hash)
		return
	}
	for h, k := range d.keys {
		if k.ID == id {
			delete(d.keys, h)
		}
	}
}

// directoryStore folds into a Directory whose lock is held.
type directoryStore struct {
	noDeliveries
	d *Directory
}

// PutTenant implements Store.
func (s directoryStore) PutTenant(row Tenant) error {
	s.d.putTenant(row)
	return nil
}

// PutKey implements Store.
func (s directoryStore) PutKey(row Key) error {
	s.d.putKey(row)
	return nil
}

// PutEndpoint implements Store: endpoints have no part in authentication, nor have subscriptions.
func (s directoryStore) PutEndpoint(Endpoint) error { return nil }

// PutSubscription implements Store.
func (s directoryStore) PutSubscription(Subscription) error { return nil }

// Advance implements Store.
func (s directoryStore) Advance(_ domain.TenantID, at Origin) error {
	s.d.cursor = at.Position
	return nil
}
