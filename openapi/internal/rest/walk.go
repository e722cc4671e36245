package rest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/url"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// ListQuery is what every list takes.
type ListQuery struct {
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"1000" doc:"At most this many items." example:"50"`
	Cursor string `query:"cursor" maxLength:"512" doc:"The next of an earlier page, with the same filters." example:"AAAAAAAAACkAAAAAAAAAGPt1z3mJ0mQk"`
	Order  string `query:"order" enum:"asc,desc" default:"asc" doc:"By creation." example:"desc"`
}

// Walk is one request's page of a walk through a list: from where it goes on, and what its cursors are bound to.
type Walk struct {
	ListQuery
	request *Request
	filters string
	cursor  *cursor // the one given; nil on the first page
}

// cursor is the place where a page ended. Its bytes are a MAC, the pinned sequence, and the last item's place in the
// list.
type cursor struct {
	pinned domain.Sequence // what the whole walk reflects
	after  []byte
}

// Sizes in a cursor's bytes.
const (
	cursorSum  = 16
	cursorHead = cursorSum + 8
)

// Sizes of an item's place: a sequence, and an id too where one entry made several items.
const (
	placeSequence = 8
	placeID       = placeSequence + len(domain.UUID{})
)

// NewWalk reads the cursor of a request. filters are everything that chooses or orders the list's items: a cursor is
// refused with other filters than it was made with, as is one that the instance didn't make. It is no secret and grants
// nothing.
func NewWalk(r *Request, in ListQuery, filters ...any) (*Walk, error) {
	w := &Walk{
		ListQuery: in, request: r,
		filters: fmt.Sprintf("%s\x00%s\x00%s\x00%q", r.Operation, r.Tenant, in.Order, fmt.Sprint(filters...)),
	}
	if in.Cursor == "" {
		return w, nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(in.Cursor)
	if err != nil || len(raw) < cursorHead || !hmac.Equal(raw[:cursorSum], w.sum(raw[cursorSum:])) {
		return nil, invalidCursor()
	}
	w.cursor = &cursor{
		pinned: domain.Sequence(binary.BigEndian.Uint64(raw[cursorSum:])), after: raw[cursorHead:],
	}
	return w, nil
}

func invalidCursor() *Problem {
	return Refuse(http.StatusBadRequest, "invalid_cursor", "The cursor isn't one of this list with these filters.",
		Fault{"query.cursor", "is the next of an earlier page, with the same filters and order"})
}

// sum is a cursor's MAC.
func (w *Walk) sum(rest []byte) []byte {
	h := hmac.New(sha256.New, w.request.CursorKey)
	_, _ = fmt.Fprintf(h, "%s\x00%s", w.filters, rest) // hash.Hash never returns an error
	return h.Sum(nil)[:cursorSum]
}

// Descending reports whether the newest item comes first.
func (w *Walk) Descending() bool { return w.Order == "desc" }

// Pinned is the sequence that the walk reflects; nil on the first page.
func (w *Walk) Pinned() *domain.Sequence {
	if w.cursor == nil {
		return nil
	}
	return &w.cursor.pinned
}

// Reflected is the sequence that the walk reflects: head on the first page. A cursor of a later state of the log than it
// has, as one has that was put back, is refused.
func (w *Walk) Reflected(head domain.Sequence) (domain.Sequence, error) {
	switch {
	case w.cursor == nil:
		return head, nil
	case w.cursor.pinned > head:
		return 0, invalidCursor()
	}
	return w.cursor.pinned, nil
}

// After is the place of the last item before this page; false on the first page.
func (w *Walk) After() (place []byte, ok bool) {
	if w.cursor == nil {
		return nil, false
	}
	return w.cursor.after, true
}

// Rows is what to ask a view for: one item more than is shown tells whether there is a next page.
func (w *Walk) Rows() projections.Page {
	p := projections.Page{Limit: w.Limit + 1, Descending: w.Descending()}
	if place, ok := w.After(); ok && len(place) >= placeSequence {
		after := domain.Sequence(binary.BigEndian.Uint64(place))
		p.After = &after
		if len(place) == placeID {
			p.AfterID = domain.UUID(place[placeSequence:])
		}
	}
	return p
}

// Bound narrows a query of the log to the sequence that the walk reflects, and to what comes after its cursor.
func (w *Walk) Bound(q *domain.Query, reflected domain.Sequence) {
	if end := reflected + 1; q.To == nil || *q.To > end {
		q.To = &end
	}
	if rows := w.Rows(); rows.After != nil {
		Beyond(q, *rows.After)
	}
}

// Beyond narrows a query to what comes after a sequence, in the query's order.
func Beyond(q *domain.Query, after domain.Sequence) {
	if q.Descending {
		if q.To == nil || *q.To > after {
			q.To = &after
		}
		return
	}
	if from := after + 1; q.From == nil || *q.From < from {
		q.From = &from
	}
}

// Next is the cursor after an item, as the answer's member and as a Link header.
func (w *Walk) Next(reflected domain.Sequence, place []byte) (next *string, link string) {
	rest := binary.BigEndian.AppendUint64(nil, uint64(reflected))
	rest = append(rest, place...)
	text := base64.RawURLEncoding.EncodeToString(append(w.sum(rest), rest...))
	query := w.request.HTTP.URL.Query()
	query.Set("cursor", text)
	target := url.URL{Path: w.request.HTTP.URL.Path, RawQuery: query.Encode()}
	return &text, "<" + target.String() + `>; rel="next"`
}

// PlaceAt is the place of an item that has its sequence to itself.
func PlaceAt(n domain.Sequence) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// PlaceOf is the place of one of several items that one entry made.
func PlaceOf(n domain.Sequence, id domain.UUID) []byte { return append(PlaceAt(n), id[:]...) }

// NewListed makes the answer from at most Limit+1 rows. place is a row's place in the list.
func NewListed[R, T any](
	w *Walk, reflected domain.Sequence, rows []R, place func(*R) []byte, show func(*R) T,
) *Listed[T] {
	out := &Listed[T]{Sequence: SequenceText(reflected), Body: Page[T]{Items: make([]T, 0, len(rows))}}
	for i := range rows {
		if i == w.Limit {
			out.Body.Next, out.Link = w.Next(reflected, place(&rows[i-1]))
			break
		}
		out.Body.Items = append(out.Body.Items, show(&rows[i]))
	}
	return out
}

// ExactStart begins a page that is written by hand; items follow, with commas between them.
const ExactStart = `{"items":[`

// Exact ends a page that is written by hand: body is ExactStart and the items. last is the place of the last one where
// more follow; nil: this is the list's end.
func (w *Walk) Exact(reflected domain.Sequence, body, last []byte) *Exact {
	out := &Exact{ContentType: JSON, Sequence: SequenceText(reflected)}
	next := []byte("null")
	if last != nil {
		cursor, link := w.Next(reflected, last)
		out.Link, next = link, AppendText(nil, *cursor)
	}
	out.Body = append(append(append(body, `],"next":`...), next...), '}')
	return out
}
