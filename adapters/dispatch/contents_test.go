package dispatch_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/domain"
)

// selects counts the reads of single tenants' entries.
type selects struct {
	domain.Log
	n atomic.Int64
}

// Scan implements domain.Log.
func (s *selects) Scan(ctx context.Context, q domain.Query) ([]domain.Entry, *domain.Sequence, error) {
	s.n.Add(1)
	return s.Log.Scan(ctx, q)
}

// TestContents_Backlog: the events of a backlog are read in pages.
func TestContents_Backlog(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.receives(acme)
		const backlog = 2000
		for range backlog {
			w.happens(acme)
		}
		log := &selects{Log: w.memory}
		w.receiver.took = 20 * time.Millisecond
		n := w.start(func(s *dispatch.Settings) { s.Log = log })
		time.Sleep(time.Minute)
		if got := len(w.receiver.seen()); got != backlog {
			t.Fatalf("%d requests", got)
		}
		t.Logf("%d reads of the log for %d deliveries", log.n.Load(), backlog)
		if got := log.n.Load(); got > backlog/8 {
			t.Errorf("%d reads of the log for %d deliveries", got, backlog)
		}
		n.end(t)
		w.check()
	})
}
