package eventlog

import (
	"sort"
	"sync"

	"github.com/hooktrail/hooktrail/domain"
)

const (
	// maxRecentEntries and maxRecentBytes bound the committed entries that are kept for this process's followers.
	maxRecentEntries = 100_000
	maxRecentBytes   = 64 << 20
)

// recent keeps the last batches that this process committed, as long as no other process appended between them. Safe
// for concurrent use.
type recent struct {
	mu      sync.RWMutex // guards all below
	batches []recentBatch
	entries int
	bytes   int
}

type recentBatch struct {
	entries []domain.Entry
	bytes   int
}

func newRecent() *recent { return new(recent) }

// add keeps a committed batch, and forgets what it doesn't follow on and what has become too much.
func (r *recent) add(entries []domain.Entry) {
	size := 0
	for i := range entries {
		size += entrySize(&entries[i])
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.batches); n > 0 && r.batches[n-1].last() != entries[0].Position-1 {
		r.batches, r.entries, r.bytes = nil, 0, 0
	}
	r.batches = append(r.batches, recentBatch{entries, size})
	r.entries += len(entries)
	r.bytes += size
	for len(r.batches) > 1 && (r.entries > maxRecentEntries || r.bytes > maxRecentBytes) {
		r.entries -= len(r.batches[0].entries)
		r.bytes -= r.batches[0].bytes
		r.batches[0] = recentBatch{} // the array lives on
		r.batches = r.batches[1:]
	}
}

// clear forgets everything: after the connection was lost, another state of the database may be there.
func (r *recent) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batches, r.entries, r.bytes = nil, 0, 0
}

func (b recentBatch) first() domain.Position { return b.entries[0].Position }
func (b recentBatch) last() domain.Position  { return b.entries[len(b.entries)-1].Position }

// page returns what follows a position, nothing if that isn't kept.
func (r *recent) page(after domain.Position, limit int) []domain.Entry {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.batches) == 0 || after+1 < r.batches[0].first() {
		return nil
	}
	i := sort.Search(len(r.batches), func(i int) bool { return r.batches[i].last() > after })
	if i == len(r.batches) {
		return nil
	}
	skip := int(after + 1 - r.batches[i].first())
	n := min(limit, int(r.batches[len(r.batches)-1].last()-after))
	page := make([]domain.Entry, 0, n)
	for ; i < len(r.batches) && len(page) < n; i++ {
		entries := r.batches[i].entries[skip:]
		page = append(page, entries[:min(len(entries), n-len(page))]...)
		skip = 0
	}
	return page
}

// entrySize is about what an entry holds in memory.
func entrySize(e *domain.Entry) int {
	size := 512 + len(e.Leaf) + len(e.Reason)
	switch fact := e.Fact.(type) {
	case *domain.EventAppended:
		size += len(fact.Data) + 512 + routingSize(&fact.Routing, &fact.Verdicts)
	case *domain.AttemptFinished:
		size += len(fact.Body) + 1024
	case *domain.EventRouted:
		size += routingSize(&fact.Routing, &fact.Verdicts)
	}
	return size
}

func routingSize(r *domain.Routing, v *domain.Verdicts) int {
	return 400*len(r.Deliveries) + 100*(len(r.Skipped)+len(v.Skipped))
}
