package export

import (
	"context"
	"sync"

	"github.com/hooktrail/hooktrail/domain"
)

// scansAhead is how many steps of a pass are read at once: opening contents takes most of the time, and more than one
// processor can do it.
const scansAhead = 3

// scanner reads a tenant's entries in order, the next steps being read meanwhile. It belongs to one goroutine.
type scanner struct {
	log    domain.Log
	tenant domain.TenantID
	size   steps
	end    domain.Sequence // it reads no further

	at      domain.Sequence // from where on it goes on
	started domain.Sequence // from where on nothing is being read yet
	ahead   []scanStep
	working sync.WaitGroup
}

// scanStep is a range of entries that is being read.
type scanStep struct {
	to    domain.Sequence
	found chan scanned // has one
}

type scanned struct {
	entries []domain.Entry
	next    *domain.Sequence // where it goes on within the range; nil: the range is read
	err     error
}

// seek has the scanner go on elsewhere.
func (s *scanner) seek(at domain.Sequence) {
	s.ahead, s.at, s.started = nil, at, at
}

// next returns the next entries, and moves at behind them.
func (s *scanner) next(ctx context.Context) ([]domain.Entry, error) {
	s.start(ctx)
	step := s.ahead[0]
	got := <-step.found
	if got.err != nil {
		return nil, got.err
	}
	if got.next == nil {
		s.at, s.ahead = step.to, s.ahead[1:]
		return got.entries, nil
	}
	// It was cut short at its bytes. What is left of it is read before the steps that are read already.
	s.at = *got.next
	s.ahead[0] = s.read(ctx, s.at, step.to)
	return got.entries, nil
}

// start begins to read as many steps ahead as there may be.
func (s *scanner) start(ctx context.Context) {
	for len(s.ahead) < scansAhead && (s.started < s.end || len(s.ahead) == 0) {
		to := min(s.started+domain.Sequence(s.size.entries), s.end)
		s.ahead = append(s.ahead, s.read(ctx, s.started, to))
		s.started = to
	}
}

func (s *scanner) read(ctx context.Context, from, to domain.Sequence) scanStep {
	step := scanStep{to: to, found: make(chan scanned, 1)}
	s.working.Go(func() {
		var got scanned
		got.entries, got.next, got.err = s.log.Scan(ctx, domain.Query{
			Tenant: s.tenant, From: &from, To: &to, Limit: int(to - from), Bytes: s.size.bytes,
		})
		if n := len(got.entries); n > 0 && got.entries[n-1].Sequence == to-1 {
			got.next = nil
		}
		step.found <- got
	})
	return step
}

// close returns when nothing is being read any more, once the context has ended.
func (s *scanner) close() { s.working.Wait() }
