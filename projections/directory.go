package projections

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// Directory answers what a request must know before anything is read: who is allowed in (every API key by its hash, every
// tenant), which schemas apply to the events of a type, which wire profiles operators added. It follows the log, so that
// a revocation takes effect as soon as it is read there. It is safe for concurrent use.
type Directory struct {
	mu      sync.RWMutex // guards all below
	keys    map[[32]byte]Key
	tenants map[domain.TenantID]Tenant
	types   map[typeName]*typeHistory
	typed   map[domain.UUID]typeName // by the type's stream
	added   []Profile                // in the order in which they were added
	usage   map[domain.TenantID]*tenantUsage
	cursor  domain.Position
	stop    *domain.FollowerStop // why it goes no further; nil: it does
	moved   chan struct{}        // closed and replaced when the cursor moves or stop is set
}

// directoryFollower is the Directory's name in metrics and facts.
const directoryFollower = "directory"

// typeName is an event type of a tenant.
type typeName struct {
	tenant domain.TenantID
	name   domain.EventType
}

// tenantUsage is what a tenant has of what is limited. What belongs to a deleted endpoint isn't in it.
type tenantUsage struct {
	eventTypes    int
	endpoints     map[domain.UUID]bool
	subscriptions map[domain.UUID]usedSubscription
	filterBytes   int
	keys          map[domain.UUID]domain.UUID // each key's endpoint; zero for none
}

type usedSubscription struct {
	endpoint    domain.UUID
	filterBytes int
}

// typeHistory is an event type's newest definition and, by what they are called, all of its schemas.
type typeHistory struct {
	newest     EventType
	schemas    map[string]string
	deprecated time.Time // since when it is; zero: it isn't
}

// Rules are what applies to the events of a type.
type Rules struct {
	Mode       domain.SchemaMode // the tenant's, never empty
	Registered bool              // if not, the tenant hasn't registered the type, and all below is zero
	Version    string            // of the schema: the one asked for, or the type's newest
	Known      bool              // whether the type has a schema version of that name
	Schema     string            // empty where the version requires nothing of the data
	Deprecated time.Time         // since when the type is; zero: it isn't
}

// DirectoryRows are what a Directory begins with. Revoked keys and deleted tenants may be among them.
type DirectoryRows struct {
	Tenants    []Tenant    // in force
	Keys       []Key       // in force
	EventTypes []EventType // every version, each type's in order
	Profiles   []Profile   // in the order in which they were added

	Endpoints     []Endpoint     // in force
	Subscriptions []Subscription // in force
}

// NewDirectory returns a Directory that has rows as of a position. Without rows, from position 0, it reads everything
// from the log.
func NewDirectory(rows DirectoryRows, at domain.Position) *Directory {
	d := &Directory{
		keys: make(map[[32]byte]Key, len(rows.Keys)), tenants: make(map[domain.TenantID]Tenant, len(rows.Tenants)),
		usage: make(map[domain.TenantID]*tenantUsage),
		types: make(map[typeName]*typeHistory), typed: make(map[domain.UUID]typeName), added: rows.Profiles,
		cursor: at, moved: make(chan struct{}),
	}
	for _, t := range rows.Tenants {
		d.putTenant(t)
	}
	for _, t := range rows.EventTypes {
		d.putEventType(t)
	}
	for _, e := range rows.Endpoints { // before what belongs to them
		d.putEndpoint(e)
	}
	for _, k := range rows.Keys {
		d.putKey(k)
	}
	for _, s := range rows.Subscriptions {
		d.putSubscription(s)
	}
	return d
}

// Usage returns what a tenant has of what its limits bound.
func (d *Directory) Usage(tenant domain.TenantID) domain.TenantUsage {
	d.mu.RLock()
	defer d.mu.RUnlock()
	u, ok := d.usage[tenant]
	if !ok {
		return domain.TenantUsage{}
	}
	return domain.TenantUsage{
		Endpoints: len(u.endpoints), Subscriptions: len(u.subscriptions), FilterBytes: u.filterBytes,
		EventTypes: u.eventTypes, Keys: len(u.keys),
	}
}

// FilterBytes returns the length of a subscription's filter.
func (d *Directory) FilterBytes(tenant domain.TenantID, subscription domain.UUID) int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if u, ok := d.usage[tenant]; ok {
		return u.subscriptions[subscription].filterBytes
	}
	return 0
}

// used needs mu held, as do putEndpoint and putSubscription.
func (d *Directory) used(tenant domain.TenantID) *tenantUsage {
	u, ok := d.usage[tenant]
	if !ok {
		u = &tenantUsage{
			endpoints: make(map[domain.UUID]bool), subscriptions: make(map[domain.UUID]usedSubscription),
			keys: make(map[domain.UUID]domain.UUID),
		}
		d.usage[tenant] = u
	}
	return u
}

func (d *Directory) putEndpoint(row Endpoint) {
	u := d.used(row.Tenant)
	if !row.Deleted {
		u.endpoints[row.ID] = true
		return
	}
	delete(u.endpoints, row.ID)
	for id, s := range u.subscriptions {
		if s.endpoint == row.ID {
			u.forgetSubscription(id)
		}
	}
	maps.DeleteFunc(u.keys, func(_, endpoint domain.UUID) bool { return endpoint == row.ID })
}

func (d *Directory) putSubscription(row Subscription) {
	u := d.used(row.Tenant)
	if row.Endpoint.IsZero() { // its content was destroyed
		row.Endpoint = u.subscriptions[row.ID].endpoint
	}
	u.forgetSubscription(row.ID)
	if !row.Deleted && u.endpoints[row.Endpoint] {
		u.subscriptions[row.ID] = usedSubscription{row.Endpoint, len(row.Filter)}
		u.filterBytes += len(row.Filter)
	}
}

func (u *tenantUsage) forgetSubscription(id domain.UUID) {
	u.filterBytes -= u.subscriptions[id].filterBytes
	delete(u.subscriptions, id)
}

// Follow keeps the Directory up to date until ctx ends (nil) or it comes to what it can't fold or read. Then it fails with
// a *domain.FollowerStop, and so does every Await of more: the caller must not serve from it any more, since a
// revocation may follow that entry.
func (d *Directory) Follow(ctx context.Context, log domain.Log) error {
	err := Follow(ctx, log, d.Cursor(), func(entries []domain.Entry) error {
		d.mu.Lock()
		defer d.mu.Unlock()
		defer d.wake()
		for _, e := range entries {
			if passedOver(&e) {
				d.cursor = e.Position
				continue
			}
			if err := Apply(directoryStore{d: d}, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	defer d.wake()
	d.stop = &domain.FollowerStop{Follower: directoryFollower, At: d.cursor + 1, Err: err} // positions have no gaps
	return d.stop
}

// wake needs mu held.
func (d *Directory) wake() {
	close(d.moved)
	d.moved = make(chan struct{})
}

// passedOver reports whether an entry is about something that the Directory has no rows of, whatever a newer program
// says there. Of a stream that this program doesn't know, and of the instance itself, that isn't known.
func passedOver(e *domain.Entry) bool {
	switch e.Stream.Kind {
	case domain.StreamEvent, domain.StreamDelivery, domain.StreamLease:
		return true
	}
	return false
}

// KeyByHash finds a key by its SHA-256. Revoked keys aren't found, and neither are those whose tenant or endpoint is
// deleted; Key.Valid reports whether it has expired.
func (d *Directory) KeyByHash(hash [32]byte) (Key, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	k, ok := d.keys[hash]
	if !ok || k.Instance {
		return k, ok
	}
	if _, ok = d.tenants[k.Tenant]; ok && !k.Endpoint.IsZero() {
		u := d.usage[k.Tenant]
		ok = u != nil && u.endpoints[k.Endpoint]
	}
	return k, ok
}

// Tenant finds a tenant that isn't deleted.
func (d *Directory) Tenant(id domain.TenantID) (Tenant, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	t, ok := d.tenants[id]
	return t, ok
}

// EventType finds the newest definition of an event type.
func (d *Directory) EventType(tenant domain.TenantID, name domain.EventType) (EventType, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	t, ok := d.types[typeName{tenant, name}]
	if !ok {
		return EventType{}, false
	}
	return t.newest, true
}

// Schema finds the schema that applies to events of a type that name a version of it; false when there is none of that
// version. It is empty where the version requires nothing of the data.
func (d *Directory) Schema(tenant domain.TenantID, name domain.EventType, version string) (string, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	t, ok := d.types[typeName{tenant, name}]
	if !ok {
		return "", false
	}
	schema, ok := t.schemas[version]
	return schema, ok
}

// Rules finds what applies to events of a type that name a version of its schema, or none (""). It is one look-up: every
// append makes it.
func (d *Directory) Rules(tenant domain.TenantID, name domain.EventType, version string) Rules {
	d.mu.RLock()
	defer d.mu.RUnlock()
	r := Rules{Mode: d.tenants[tenant].Schemas}
	if r.Mode == "" {
		r.Mode = domain.SchemasOff
	}
	t, ok := d.types[typeName{tenant, name}]
	if !ok {
		return r
	}
	r.Registered, r.Version, r.Deprecated = true, version, t.deprecated
	if version == "" {
		r.Version = t.newest.SchemaVersion
	}
	r.Schema, r.Known = t.schemas[r.Version]
	return r
}

// Profiles returns the wire profiles that operators added, in the order in which they were added.
func (d *Directory) Profiles() []Profile {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.added[:len(d.added):len(d.added)]
}

// Profile finds an added wire profile by the digest of its document.
func (d *Directory) Profile(digest string) (Profile, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, p := range d.added {
		if p.Digest == digest {
			return p, true
		}
	}
	return Profile{}, false
}

// Cursor is the position up to which the Directory knows the log.
func (d *Directory) Cursor() domain.Position {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.cursor
}

// Await returns nil once the Directory knows the log up to a position, else ctx's error when that ends or a
// *domain.FollowerStop when the Directory never gets there.
func (d *Directory) Await(ctx context.Context, position domain.Position) error {
	for {
		d.mu.RLock()
		done, stop, moved := d.cursor >= position, d.stop, d.moved
		d.mu.RUnlock()
		if done {
			return nil
		}
		if stop != nil {
			return stop
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
		delete(d.usage, row.ID)
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
	if u := d.used(row.Tenant); row.Endpoint.IsZero() || u.endpoints[row.Endpoint] {
		u.keys[row.ID] = row.Endpoint
	}
	d.keys[hash] = row
}

// putEventType needs mu held. Rows are never changed in place, since callers keep what they found. A definition whose
// content was destroyed names no type; the type is removed.
func (d *Directory) putEventType(row EventType) {
	if row.Deleted {
		if name, ok := d.typed[row.ID]; ok && d.types[name] != nil {
			delete(d.types, name)
			d.used(name.tenant).eventTypes--
		}
		return
	}
	name := typeName{row.Tenant, row.Name}
	d.typed[row.ID] = name
	t := d.types[name]
	if t == nil {
		t = &typeHistory{schemas: make(map[string]string)}
		d.types[name] = t
		d.used(row.Tenant).eventTypes++
	}
	if row.Created == (Origin{}) {
		row.Created = t.newest.Created
	}
	switch {
	case row.Deprecated == "":
		t.deprecated = time.Time{}
	case t.deprecated.IsZero():
		t.deprecated = row.Updated.RecordedAt
	}
	t.newest = row
	t.schemas[row.SchemaVersion] = row.Schema
}

// forget drops a key. A revocation whose content was destroyed has no hash: then the key is searched for.
func (d *Directory) forget(id domain.UUID, hash [32]byte) {
	if k, ok := d.keys[hash]; ok && k.ID == id {
		delete(d.keys, hash)
		delete(d.used(k.Tenant).keys, id)
		return
	}
	for h, k := range d.keys {
		if k.ID == id {
			delete(d.keys, h)
			delete(d.used(k.Tenant).keys, id)
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

// PutEndpoint implements Store: endpoints are counted, as subscriptions are.
func (s directoryStore) PutEndpoint(row Endpoint) error {
	s.d.putEndpoint(row)
	return nil
}

// PutEventType implements Store.
func (s directoryStore) PutEventType(row EventType) error {
	s.d.putEventType(row)
	return nil
}

// PutProfile implements Store.
func (s directoryStore) PutProfile(row Profile) error {
	s.d.added = append(s.d.added, row)
	return nil
}

// PutSubscription implements Store.
func (s directoryStore) PutSubscription(row Subscription) error {
	s.d.putSubscription(row)
	return nil
}

// Advance implements Store.
func (s directoryStore) Advance(_ domain.TenantID, at Origin) error {
	s.d.cursor = at.Position
	return nil
}
