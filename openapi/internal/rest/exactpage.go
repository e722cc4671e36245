package rest

import (
	"context"

	"github.com/hooktrail/hooktrail/domain"
)

// Bytes of a page that is written by hand.
const (
	// MaxPageBytes bounds a page: it can have fewer items than asked for.
	MaxPageBytes = 8 << 20
	// PageStep is how much of the log is opened at once for a page, and by at most one entry more.
	PageStep = 512 << 10
	// PageStart is what a page holds before it has any text: a step that was read, sealed and open.
	PageStart = 4 * PageStep
)

// ExactPage is a page that is written by hand. What its request holds grows with it: where there is no more room for
// requests, the page ends with what it has.
type ExactPage struct {
	Body  []byte
	Items int

	hold *Hold
	held int
}

// NewExactPage begins a page, if there is room for any.
func NewExactPage(r *Request) (*ExactPage, error) {
	if !r.Hold.Grow(PageStart) {
		return nil, Full()
	}
	return &ExactPage{Body: []byte(ExactStart), hold: &r.Hold, held: PageStart}, nil
}

// Room reports whether another item fits; the first one always does.
func (p *ExactPage) Room() bool {
	need := PageStart + 2*cap(p.Body) // while it grows, there are two of it
	switch {
	case p.Items == 0 || need <= p.held:
	case !p.hold.Grow(need - p.held):
		return false
	default:
		p.held = need
	}
	return len(p.Body) < MaxPageBytes
}

// add writes an item.
func add[T any](p *ExactPage, item *T, show func([]byte, *T) ([]byte, error)) (err error) {
	if p.Items > 0 {
		p.Body = append(p.Body, ',')
	}
	p.Body, err = show(p.Body, item)
	p.Items++
	return err
}

// Add writes an entry.
func (p *ExactPage) Add(e *domain.Entry, show func([]byte, *domain.Entry) ([]byte, error)) error {
	return add(p, e, show)
}

// RowsPage answers with at most Limit+1 rows: with fewer where they are large.
func RowsPage[R any](
	w *Walk, reflected domain.Sequence, rows []R, place func(*R) []byte, show func([]byte, *R) ([]byte, error),
) (*Exact, error) {
	page, err := NewExactPage(w.request)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if i == w.Limit || !page.Room() {
			return w.Exact(reflected, page.Body, place(&rows[i-1])), nil
		}
		if err := add(page, &rows[i], show); err != nil {
			return nil, err
		}
	}
	return w.Exact(reflected, page.Body, nil), nil
}

// LogPage answers with the entries that a query of the log finds and keep chooses, of those that the walk reflects. It
// examines at most domain.MaxExamined entries, and ends before that when it is full.
func LogPage(
	ctx context.Context, w *Walk, reflected domain.Sequence, q domain.Query, keep func(*domain.Entry) bool,
	show func([]byte, *domain.Entry) ([]byte, error),
) (*Exact, error) {
	page, err := NewExactPage(w.request)
	if err != nil {
		return nil, err
	}
	q.Descending, q.Bytes = w.Descending(), PageStep
	w.Bound(&q, reflected)
	var last []byte // the place of the last entry that was looked at
	for examined := domain.Sequence(0); ; {
		q.Limit = w.Limit + 1 - page.Items // one more tells whether there is a next page
		q.Examine = int(domain.MaxExamined - examined)
		entries, next, err := w.request.Log.Scan(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range entries {
			if keep(&entries[i]) {
				if page.Items == w.Limit || !page.Room() {
					return w.Exact(reflected, page.Body, last), nil
				}
				if err := page.Add(&entries[i], show); err != nil {
					return nil, err
				}
			}
			last = PlaceAt(entries[i].Sequence)
		}
		if next == nil {
			return w.Exact(reflected, page.Body, nil), nil
		}
		if !q.Descending {
			examined += *next - fromOf(&q)
			last = PlaceAt(*next - 1)
		} else {
			examined += *q.To - *next
			last = PlaceAt(*next)
		}
		if examined >= domain.MaxExamined {
			return w.Exact(reflected, page.Body, last), nil
		}
		q.GoOn(*next)
	}
}

// fromOf is where a query begins.
func fromOf(q *domain.Query) domain.Sequence {
	if q.From == nil {
		return 0
	}
	return *q.From
}
