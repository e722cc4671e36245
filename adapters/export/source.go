package export

import (
	"context"
	"fmt"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// Log is the log as exports read it.
type Log interface {
	domain.Log
	// Entries returns a tenant's entries at sequences, in order; those that there aren't are left out.
	Entries(ctx context.Context, tenant domain.TenantID, sequences []domain.Sequence) ([]domain.Entry, error)
	// Streams returns all entries of streams of one kind, of one tenant, up to a sequence, in order.
	Streams(ctx context.Context, tenant domain.TenantID, streams []domain.Stream, upTo domain.Sequence) ([]domain.Entry, error)
}

// place is where the rows that were read end; the zero place is before all rows.
type place struct {
	Sequence domain.Sequence `json:"sequence"`    // from which on to read; of deliveries: of the last one's creation
	ID       domain.UUID     `json:"id,omitzero"` // of deliveries: the last one
}

// page is the rows of one step.
type page struct {
	rows    []row
	next    place
	done    bool            // nothing follows
	reached domain.Sequence // the rows before it are read
}

// source reads the rows of an export step by step. It belongs to one goroutine.
type source interface {
	next(ctx context.Context, from place) (page, error)
	// close returns when nothing is being read any more. The context of next must have ended.
	close()
}

// span is the range of sequences that an order exports: from inclusive, to exclusive.
type span struct{ from, to domain.Sequence }

// size is how many entries there are to go through.
func (s span) size() domain.Sequence { return max(s.to-s.from, 0) }

// spanOf resolves an order's range. Times become sequences: recorded_at grows with them.
func spanOf(ctx context.Context, log domain.Log, tenant domain.TenantID, order *domain.ExportOrder) (span, error) {
	q, s := &order.Query, span{0, order.Sequence + 1}
	if q.From != nil {
		s.from = *q.From
	}
	if q.To != nil {
		s.to = min(s.to, *q.To)
	}
	if !q.Since.IsZero() {
		first, err := domain.Select(ctx, log, domain.Query{Tenant: tenant, Since: q.Since, Limit: 1, HeadersOnly: true})
		if err != nil {
			return s, err
		}
		if len(first) == 0 {
			return span{s.to, s.to}, nil
		}
		s.from = max(s.from, first[0].Sequence)
	}
	if !q.Until.IsZero() {
		beyond, err := domain.Select(ctx, log, domain.Query{Tenant: tenant, Since: q.Until, Limit: 1, HeadersOnly: true})
		if err != nil {
			return s, err
		}
		if len(beyond) > 0 {
			s.to = min(s.to, beyond[0].Sequence)
		}
	}
	s.to = max(s.from, s.to)
	return s, nil
}

// steps are the sizes of what is read and written at once.
type steps struct {
	deliveries int   // in a page
	entries    int   // examined at once
	bytes      int   // of contents opened at once
	frame      int   // bytes of text that make one frame of a compressed file, at least: frames end with pages
	checkRows  int64 // how often a file's state is kept
	checkBytes int64
}

// usual are the steps of a server. They decide where compressed files have frames, so files change with them.
func usual() steps {
	return steps{
		deliveries: 4000, entries: 2000, bytes: 4 << 20, frame: 4 << 20, checkRows: 100_000, checkBytes: 64 << 20,
	}
}

// newSource makes the source of an order. The pacer may be nil.
func newSource(
	log Log, p *pacer, views projections.Views, tenant domain.TenantID, order *domain.ExportOrder, s span, size steps,
) (source, error) {
	if p != nil {
		log = pacedLog{log, p}
	}
	if order.Query.What == domain.ExportDeliveries {
		return newDeliveries(log, p, views, tenant, order, s, size), nil
	}
	return newEntries(log, tenant, order, s, size)
}

// matches reports whether one of the patterns, of which there may be none, chooses a type.
func matches(patterns []domain.Pattern, t domain.EventType) bool {
	for _, p := range patterns {
		if p.Matches(t) {
			return true
		}
	}
	return len(patterns) == 0
}

var errApart = fmt.Errorf("the views differ from the log (hint: hooktrail verify --views says more, hooktrail rebuild makes them anew)")
