package rest

import (
	"net/http"
	"sync"

	"github.com/hooktrail/hooktrail/domain"
)

// Budget bounds the bytes that all requests under way hold together: bodies that were read or are arriving, and lists
// on their way out. No tenant has more than half of it, so that one can't take it from the others. It is safe for
// concurrent use.
type Budget struct {
	total int64

	mu      sync.Mutex // guards all below
	held    int64
	highest int64 // the most that was held
	by      map[domain.TenantID]int64
}

// NewBudget returns a budget of so many bytes.
func NewBudget(total int64) *Budget {
	return &Budget{total: total, by: make(map[domain.TenantID]int64)}
}

// take reports whether a tenant may hold n more bytes, and counts them if so.
func (b *Budget) take(tenant domain.TenantID, n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held+n > b.total || b.by[tenant]+n > b.total/2 {
		return false
	}
	b.held += n
	b.by[tenant] += n
	b.highest = max(b.highest, b.held)
	return true
}

func (b *Budget) give(tenant domain.TenantID, n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held -= n
	if b.by[tenant] -= n; b.by[tenant] == 0 {
		delete(b.by, tenant)
	}
}

// Highest is the most bytes that were held at a time.
func (b *Budget) Highest() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.highest
}

// Hold is what one request holds of the budget. It belongs to the request's goroutine.
type Hold struct {
	budget *Budget
	tenant domain.TenantID
	bytes  int64
}

// Grow reports whether the request may hold n more bytes.
func (h *Hold) Grow(n int) bool {
	if n <= 0 {
		return true
	}
	if !h.budget.take(h.tenant, int64(n)) {
		return false
	}
	h.bytes += int64(n)
	return true
}

// Shrink gives back n bytes.
func (h *Hold) Shrink(n int) {
	h.bytes -= int64(n)
	h.budget.give(h.tenant, int64(n))
}

// release gives everything back.
func (h *Hold) release() {
	if h.bytes != 0 {
		h.Shrink(int(h.bytes))
	}
}

// Full refuses what would hold more memory than there is for requests.
func Full() *Problem {
	return Refuse(http.StatusServiceUnavailable, "busy",
		"Requests under way hold as much memory as they may. Nothing was done: try again later.")
}

// Slots bounds how many requests of an expensive kind are under way: in the process, of a tenant, and of a key. It is
// safe for concurrent use.
type Slots struct {
	mu   sync.Mutex // guards both
	all  int
	used map[any]int // by tenant and by key's id
}

// How many scans are under way at most: of all, of one tenant, and of one key. All together leave most of the
// connections that reads have to reads that are quick.
const (
	maxScans       = 4
	maxTenantScans = 2
	maxKeyScans    = 2
)

// NewSlots returns slots of which none is taken.
func NewSlots() *Slots { return &Slots{used: make(map[any]int)} }

// Scan takes a slot for a request that goes through much to answer little, until leave is called; else it refuses it.
func Scan(r *Request) (leave func(), err error) {
	s := r.scans
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= maxScans || s.used[r.Tenant] >= maxTenantScans || s.used[r.Key.ID] >= maxKeyScans {
		p := Refuse(http.StatusTooManyRequests, "rate_limited",
			"As many searches and previews are under way as may be at once. Try again later.")
		p.Header = http.Header{"Retry-After": {"1"}}
		return nil, p
	}
	s.count(r, 1)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.count(r, -1)
	}, nil
}

// count needs mu held.
func (s *Slots) count(r *Request, n int) {
	s.all += n
	for _, name := range []any{r.Tenant, r.Key.ID} {
		if s.used[name] += n; s.used[name] == 0 {
			delete(s.used, name)
		}
	}
}
