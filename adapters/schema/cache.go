package schema

import (
	"context"
	"crypto/sha256"
	"fmt"
	"runtime"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/hooktrail/hooktrail/domain"
)

const (
	// cacheBytes bounds what all compiled schemas take, by estimate; shareBytes what those of one tenant take.
	cacheBytes = 64 << 20
	shareBytes = 16 << 20
	// nodeBytes is about what a subschema takes compiled, a generous guess; a document's values take some 8 times their
	// text, and an instruction of a regular expression some programBytes.
	nodeBytes     = 2 << 10
	documentBytes = 8
	programBytes  = 100
)

type digest = [sha256.Size]byte

// Cache compiles schemas and keeps those used last: at most 16 MiB of a tenant's and 64 MiB of all. When all take too
// much, the tenant that takes most loses its oldest, so no tenant displaces another's few. The cache also bounds how
// many compilations, validations and comparisons run at once, for the process and per tenant. It is safe for concurrent
// use.
type Cache struct {
	slots chan struct{} // one per compilation or validation under way

	mu      sync.Mutex
	tenants map[string]*share
	bytes   int // of all shares
}

// share is what the cache has of one tenant. Its fields are guarded by the cache's lock, apart from slots.
type share struct {
	schemas *simplelru.LRU[digest, *Schema]
	bytes   int
	users   int           // callers that hold or wait for a slot
	slots   chan struct{} // at most half of the cache's
}

// NewCache returns an empty cache that lets as many validations run at once as there are processors, at least two.
func NewCache() *Cache {
	return &Cache{slots: make(chan struct{}, max(2, runtime.GOMAXPROCS(0))), tenants: map[string]*share{}}
}

// Compile is like the package's Compile, for a tenant. What is refused is not kept. Its error is ctx's if that ended
// while other compilations and validations were under way.
func (c *Cache) Compile(ctx context.Context, tenant string, document []byte) (*Schema, error) {
	release, err := c.acquire(ctx, tenant)
	if err != nil {
		return nil, err
	}
	defer release()
	return c.compile(tenant, document)
}

// Breaks compiles two versions of a tenant's schema, both of which Check has accepted, and compares them as the
// package's Breaks does, which takes well below a second.
func (c *Cache) Breaks(ctx context.Context, tenant domain.TenantID, older, newer string) ([]domain.Fault, error) {
	release, err := c.acquire(ctx, string(tenant))
	if err != nil {
		return nil, err
	}
	defer release()
	from, err := c.compile(string(tenant), []byte(older))
	if err != nil {
		return nil, fmt.Errorf("compile the old version: %w", err)
	}
	to, err := c.compile(string(tenant), []byte(newer))
	if err != nil {
		return nil, fmt.Errorf("compile the new version: %w", err)
	}
	var faults []domain.Fault
	for _, change := range Breaks(from, to) {
		faults = append(faults, domain.Fault(change))
	}
	return faults, nil
}

// compile wants a slot of the tenant.
func (c *Cache) compile(tenant string, document []byte) (*Schema, error) {
	key := sha256.Sum256(document)
	if s := c.find(tenant, key); s != nil {
		return s, nil
	}
	s, err := Compile(document)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return s, c.keep(tenant, key, s)
}

func (c *Cache) find(tenant string, key digest) *Schema {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.tenants[tenant]; t != nil {
		if s, ok := t.schemas.Get(key); ok {
			return s
		}
	}
	return nil
}

// share returns the tenant's share. It wants the lock.
func (c *Cache) share(tenant string) (*share, error) {
	if t := c.tenants[tenant]; t != nil {
		return t, nil
	}
	t := &share{slots: make(chan struct{}, max(1, cap(c.slots)/2))}
	// The number is bounded by bytes; an empty schema takes nodeBytes.
	schemas, err := simplelru.NewLRU(shareBytes/nodeBytes+1, func(_ digest, s *Schema) {
		t.bytes -= s.bytes
		c.bytes -= s.bytes
	})
	if err != nil {
		return nil, fmt.Errorf("make a tenant's share of the schema cache: %w", err)
	}
	t.schemas = schemas
	c.tenants[tenant] = t
	return t, nil
}

// keep wants the lock.
func (c *Cache) keep(tenant string, key digest, s *Schema) error {
	t, err := c.share(tenant)
	if err != nil || t.schemas.Contains(key) {
		return err
	}
	t.schemas.Add(key, s)
	t.bytes += s.bytes
	c.bytes += s.bytes
	for t.bytes > shareBytes {
		t.schemas.RemoveOldest()
	}
	for c.bytes > cacheBytes {
		name, largest := tenant, t
		for other, o := range c.tenants {
			if o.bytes > largest.bytes {
				name, largest = other, o
			}
		}
		largest.schemas.RemoveOldest()
		c.forget(name, largest)
	}
	return nil
}

// forget drops a share that is empty and unused. It wants the lock.
func (c *Cache) forget(tenant string, t *share) {
	if t.users == 0 && t.schemas.Len() == 0 {
		delete(c.tenants, tenant)
	}
}

// acquire waits for a slot of the tenant's and then for one of the process's, in that order, so that a tenant's waiting
// calls hold no slot of the others.
func (c *Cache) acquire(ctx context.Context, tenant string) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	t, err := c.share(tenant)
	if err != nil {
		c.mu.Unlock()
		return nil, err
	}
	t.users++
	c.mu.Unlock()
	leave := func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		t.users--
		c.forget(tenant, t)
	}
	select {
	case t.slots <- struct{}{}:
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		<-t.slots
		leave()
		return nil, ctx.Err()
	}
	return func() {
		<-c.slots
		<-t.slots
		leave()
	}, nil
}

// RequestSteps is what the validations of one request may take together, the preparation of its schemas included: four
// times what one validation may.
const RequestSteps = 4 * maxSteps

// Budget is what several validations may still take together. It isn't safe for concurrent use.
type Budget struct{ left int }

// NewBudget returns a budget of so many steps; a step is one subschema tried on one value, or what takes as long.
func NewBudget(steps int) *Budget { return &Budget{steps} }

// Session validates the data of one request: it compiles each schema once and has one budget. It isn't safe for
// concurrent use.
type Session struct {
	cache   *Cache
	tenant  string
	budget  *Budget
	schemas map[string]*Schema // by document
}

// Session begins one of a tenant's. A caller that passes the same budget to several sessions bounds them together.
func (c *Cache) Session(tenant string, budget *Budget) *Session {
	return &Session{c, tenant, budget, map[string]*Schema{}}
}

// Validate compiles the schema if the session hasn't and returns where data violates it, as Schema.Validate does. What
// compiling a schema takes is charged once, whether or not the cache had it, so that a verdict doesn't depend on the
// cache.
func (s *Session) Validate(ctx context.Context, document string, data []byte) ([]Violation, error) {
	release, err := s.cache.acquire(ctx, s.tenant)
	if err != nil {
		return nil, err
	}
	defer release()
	compiled := s.schemas[document]
	if compiled == nil && s.budget.left >= 0 {
		if compiled, err = s.cache.compile(s.tenant, []byte(document)); err != nil {
			return nil, err
		}
		s.schemas[document] = compiled
		s.budget.left -= compiled.steps
	}
	if s.budget.left < 0 {
		return []Violation{{"", tooMuchTogether}}, nil
	}
	return compiled.Validate(ctx, data, s.budget)
}
