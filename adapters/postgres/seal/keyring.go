package seal

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/xaesgcm"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/secretdata"
	"github.com/tink-crypto/tink-go/v2/tink"
)

const (
	dataKeyBytes = 32
	// xaesSaltBytes and GCM's own 12 make the 192-bit nonce of XAES-256-GCM.
	xaesSaltBytes = 12
	// maxCachedKeys bounds each of the keyring's two caches, about 1 KiB a key.
	maxCachedKeys = 10_000
)

// Retention classes: a class's data keys are destroyed together, so configuration must not share one with events.
const (
	classEvents        = "events"
	classConfiguration = "configuration"
)

// classOf is the retention class of a kind's content.
func classOf(kind domain.Kind) string {
	if strings.HasPrefix(string(kind), "event.") || strings.HasPrefix(string(kind), "delivery.") {
		return classEvents
	}
	return classConfiguration
}

// keyPurpose is what a data key is for. It stands in memory only: the table has a keyed hash of the subject.
type keyPurpose struct {
	tenant  domain.TenantID
	subject string // empty: about nobody
	class   string
	month   string // "2026-11-01"
}

// dataKey seals contents. Immutable.
type dataKey struct {
	id   domain.UUID
	aead tink.AEAD
}

// keyring makes data keys, opens them with the master key and keeps them in memory. Safe for concurrent use.
type keyring struct {
	pool     *pgxpool.Pool
	master   *MasterKey
	instance *instance

	mu      sync.RWMutex             // guards the two below
	sealing map[keyPurpose]*dataKey  // only those that were in the database when asked for
	opened  map[domain.UUID]*dataKey // by id; whether a key still exists is asked each time
}

func newKeyring(pool *pgxpool.Pool, master *MasterKey, in *instance) *keyring {
	return &keyring{
		pool: pool, master: master, instance: in, sealing: make(map[keyPurpose]*dataKey), opened: make(map[domain.UUID]*dataKey),
	}
}

// cached returns the key for a purpose if it is known. The caller must have the database confirm, under the append lock,
// that it still exists.
func (k *keyring) cached(purpose keyPurpose) *dataKey {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.sealing[purpose]
}

// forSealing returns a key for each purpose and makes the missing ones.
func (k *keyring) forSealing(ctx context.Context, purposes []keyPurpose) (map[keyPurpose]*dataKey, error) {
	asked := make(map[keyPurpose]bool)
	for _, purpose := range purposes {
		asked[purpose] = true
	}
	// In one order everywhere: two inserts of the same keys in different orders would wait for each other.
	ordered := slices.SortedFunc(maps.Keys(asked), func(a, b keyPurpose) int {
		return cmp.Or(cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.subject, b.subject), cmp.Compare(a.class, b.class), cmp.Compare(a.month, b.month))
	})
	keys, err := k.make(ctx, ordered)
	if err != nil {
		return nil, fmt.Errorf("make data keys: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.sealing)+len(keys) > maxCachedKeys {
		clear(k.sealing)
	}
	maps.Copy(k.sealing, keys)
	return keys, nil
}

// make inserts a key for each purpose that has none and reads which ones stand there now: another process may have been
// quicker. The reading is a statement of its own, because the inserting one wouldn't see the other's row.
func (k *keyring) make(ctx context.Context, purposes []keyPurpose) (map[keyPurpose]*dataKey, error) {
	n := len(purposes)
	ids, wrapped := make([][16]byte, n), make([][]byte, n)
	tenants, macs, classes, months := make([]string, n), make([][]byte, n), make([]string, n), make([]string, n)
	hashed := make(map[keyPurpose]keyPurpose, n) // the purpose as the table has it → as it was asked for
	for i, p := range purposes {
		id, raw := domain.NewUUID(), make([]byte, dataKeyBytes)
		_, _ = rand.Read(raw) // never fails
		sealed, err := k.master.aead.Encrypt(raw, keyContext(p.tenant, id))
		if err != nil {
			return nil, err
		}
		ids[i], wrapped[i] = id, sealed
		macs[i] = k.instance.subjectMAC(p.tenant, p.subject)
		tenants[i], classes[i], months[i] = string(p.tenant), p.class, p.month
		hashed[keyPurpose{p.tenant, string(macs[i]), p.class, p.month}] = p
	}
	const insert = `
		INSERT INTO data_keys (id, tenant, subject_mac, class, month, wrapped)
		SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::text[], $5::text[]::date[], $6::bytea[])
		ON CONFLICT DO NOTHING`
	if _, err := k.pool.Exec(ctx, insert, ids, tenants, macs, classes, months, wrapped); err != nil {
		return nil, err
	}
	const read = `
		SELECT k.id, k.tenant, k.subject_mac, k.class, k.month::text, k.wrapped
		  FROM unnest($1::text[], $2::bytea[], $3::text[], $4::text[]::date[]) AS p (tenant, subject_mac, class, month)
		  JOIN data_keys k USING (tenant, subject_mac, class, month)`
	rows, err := k.pool.Query(ctx, read, tenants, macs, classes, months)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	keys := make(map[keyPurpose]*dataKey, n)
	for rows.Next() {
		var id [16]byte
		var stored keyPurpose
		var mac, sealed []byte
		if err := rows.Scan(&id, &stored.tenant, &mac, &stored.class, &stored.month, &sealed); err != nil {
			return nil, err
		}
		stored.subject = string(mac)
		p := hashed[stored]
		if keys[p], err = k.unwrap(p.tenant, id, sealed); err != nil {
			return nil, err
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if len(keys) < n {
		return nil, domain.ErrKeyDestroyed
	}
	return keys, nil
}

// forOpening returns the keys with these ids that the database still has. It always asks, so that what was sealed
// under a destroyed key stays closed from then on.
func (k *keyring) forOpening(ctx context.Context, ids map[domain.UUID]bool) (map[domain.UUID]*dataKey, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	list := make([][16]byte, 0, len(ids))
	for id := range ids {
		list = append(list, id)
	}
	rows, err := k.pool.Query(ctx, `SELECT id, tenant, wrapped FROM data_keys WHERE id = ANY ($1)`, list)
	if err != nil {
		return nil, domainError("read data keys", err)
	}
	defer rows.Close()
	keys := make(map[domain.UUID]*dataKey, len(list))
	for rows.Next() {
		var id [16]byte
		var tenant domain.TenantID
		var sealed []byte
		if err := rows.Scan(&id, &tenant, &sealed); err != nil {
			return nil, domainError("read data keys", err)
		}
		if keys[id], err = k.unwrap(tenant, id, sealed); err != nil {
			return nil, err
		}
	}
	if err := rows.Err(); err != nil {
		return nil, domainError("read data keys", err)
	}
	return keys, nil
}

func (k *keyring) unwrap(tenant domain.TenantID, id domain.UUID, sealed []byte) (*dataKey, error) {
	k.mu.RLock()
	key := k.opened[id]
	k.mu.RUnlock()
	if key != nil {
		return key, nil
	}
	raw, err := k.master.aead.Decrypt(sealed, keyContext(tenant, id))
	if err != nil {
		return nil, fmt.Errorf("data key %s doesn't open with the master key (hint: HOOKTRAIL_MASTER_KEY_FILE must hold every key that is in use)", id)
	}
	primitive, err := newDataAEAD(raw)
	if err != nil {
		return nil, fmt.Errorf("data key %s: %w", id, err)
	}
	key = &dataKey{id, primitive}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.opened) >= maxCachedKeys {
		clear(k.opened)
	}
	k.opened[id] = key
	return key, nil
}

// forget drops a key that was destroyed: the next sealing for its purpose makes a new one.
func (k *keyring) forget(id domain.UUID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.opened, id)
	for purpose, key := range k.sealing {
		if key.id == id {
			delete(k.sealing, purpose)
		}
	}
}

// keyContext ties a wrapped key to its row.
func keyContext(tenant domain.TenantID, id domain.UUID) []byte {
	return []byte("hooktrail data key " + string(tenant) + " " + id.String())
}

func newDataAEAD(raw []byte) (tink.AEAD, error) {
	params, err := xaesgcm.NewParameters(xaesgcm.VariantNoPrefix, xaesSaltBytes)
	if err != nil {
		return nil, err
	}
	key, err := xaesgcm.NewKey(secretdata.NewBytesFromData(raw, insecuresecretdataaccess.Token{}), 0, params)
	if err != nil {
		return nil, err
	}
	manager := keyset.NewManager()
	id, err := manager.AddKey(key)
	if err != nil {
		return nil, err
	}
	if err := manager.SetPrimary(id); err != nil {
		return nil, err
	}
	handle, err := manager.Handle()
	if err != nil {
		return nil, err
	}
	return aead.New(handle)
}

// month is the first day of the month in which a time lies, by UTC.
func month(t time.Time) string { return t.UTC().Format("2006-01") + "-01" }
