package openapi

import (
	"crypto/sha256"
	"crypto/subtle"
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

// cursor is a place in a list: the sequence that the whole walk reflects, and the last item of the page before.
type cursor struct {
	pinned domain.Sequence
	after  []byte
}

// Sizes in a cursor's bytes: checksum, pinned sequence, then the item.
const (
	cursorSum  = 8
	cursorHead = cursorSum + 8
)

// list is one list's cursor handling: what a cursor is bound to.
type list struct {
	ListQuery
	c       *call
	filters string
	at      *cursor // the cursor given; nil on the first page
}

// list reads the cursor of a request. filters are all that choose or order the list's items.
func (c *call) list(in ListQuery, filters ...any) (*list, error) {
	l := &list{ListQuery: in, c: c, filters: fmt.Sprintf("%s\x00%s\x00%s\x00%q", c.operation, c.tenant, in.Order, fmt.Sprint(filters...))}
	if in.Cursor == "" {
		return l, nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(in.Cursor)
	if err != nil || len(raw) < cursorHead || subtle.ConstantTimeCompare(raw[:cursorSum], l.sum(raw[cursorSum:])) != 1 {
		return nil, refuse(http.StatusBadRequest, "invalid_cursor", "The cursor isn't one of this list with these filters.",
			fault{"query.cursor", "is the next of an earlier page, with the same filters and order"})
	}
	l.at = &cursor{pinned: domain.Sequence(binary.BigEndian.Uint64(raw[cursorSum:])), after: raw[cursorHead:]}
	return l, nil
}

func (l *list) sum(rest []byte) []byte {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%s\x00%s", l.filters, rest) // hash.Hash never returns an error
	return h.Sum(nil)[:cursorSum]
}

// pinned is the sequence that the walk reflects; nil on the first page.
func (l *list) pinned() *domain.Sequence {
	if l.at == nil {
		return nil
	}
	return &l.at.pinned
}

// Lengths of an item's place in a cursor: a sequence, and for deliveries an id too.
const (
	placeSequence = 8
	placeID       = placeSequence + len(domain.UUID{})
)

// page asks a view for one item more than is shown: it tells whether there is a next page.
func (l *list) page() projections.Page {
	p := projections.Page{Limit: l.Limit + 1, Descending: l.Order == "desc"}
	if after, ok := l.afterSequence(); ok {
		p.After = &after
		if len(l.at.after) == placeID {
			p.AfterID = domain.UUID(l.at.after[placeSequence:])
		}
	}
	return p
}

func (l *list) afterSequence() (domain.Sequence, bool) {
	if l.at == nil || len(l.at.after) < placeSequence {
		return 0, false
	}
	return domain.Sequence(binary.BigEndian.Uint64(l.at.after)), true
}

// next is the cursor behind an item, as the answer's member and as a Link header.
func (l *list) next(pinned domain.Sequence, after []byte) (*string, string) {
	rest := binary.BigEndian.AppendUint64(nil, uint64(pinned))
	rest = append(rest, after...)
	text := base64.RawURLEncoding.EncodeToString(append(l.sum(rest), rest...))
	query := l.c.request.URL.Query()
	query.Set("cursor", text)
	target := url.URL{Path: l.c.request.URL.Path, RawQuery: query.Encode()}
	return &text, "<" + target.String() + `>; rel="next"`
}

func bySequence(n domain.Sequence) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// bySequenceAndID is the place of what one entry made several of.
func bySequenceAndID(n domain.Sequence, id domain.UUID) []byte {
	return append(bySequence(n), id[:]...)
}

// paged makes the answer from at most limit+1 rows. place is a row's place in the list.
func paged[R, T any](l *list, reflected domain.Sequence, rows []R, place func(*R) []byte, show func(*R) T) *listOut[T] {
	out := &listOut[T]{Sequence: sequenceText(reflected), Body: pageOut[T]{Items: make([]T, 0, len(rows))}}
	for i := range rows {
		if i == l.Limit {
			out.Body.Next, out.Link = l.next(reflected, place(&rows[i-1]))
			break
		}
		out.Body.Items = append(out.Body.Items, show(&rows[i]))
	}
	return out
}
