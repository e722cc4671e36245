package openapi

import (
	"context"
	"encoding/base64"
	"errors"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

type listEventsIn struct {
	TenantPath
	ListQuery
	ID      string         `query:"id" maxLength:"256" doc:"The one event with this id, as in GET …/events/{id}." example:"order/4711"`
	Source  string         `query:"source" maxLength:"1024" doc:"With id: the source that it is unique in." example:"/billing"`
	Type    string         `query:"type" maxLength:"255" doc:"Events of this type." example:"offer.issued"`
	Subject string         `query:"subject" maxLength:"1024" doc:"Events about this subject." example:"customer-17"`
	From    opt[time.Time] `query:"from" doc:"Recorded at this time or later." example:"2026-07-01T00:00:00Z"`
	To      opt[time.Time] `query:"to" doc:"Recorded before this time." example:"2026-08-01T00:00:00Z"`
	WaitQuery
}

// maxPageBytes bounds the data in one page of events: a page can have fewer items than asked for.
const maxPageBytes = 8 << 20

// listEvents lists events with their data. The views say which; a producer's own are found by their entries' actor.
func listEvents(ctx context.Context, c *call, in *listEventsIn) (*exactOut, error) {
	if in.ID != "" {
		return c.eventByID(ctx, in)
	}
	if in.Source != "" {
		return nil, invalid("query.source", "is given with id")
	}
	l, err := c.list(in.ListQuery, in.Type, "\x00", in.Subject, "\x00", in.From.Value.UnixMicro(), in.To.Value.UnixMicro(), in.From.Set, in.To.Set)
	if err != nil {
		return nil, err
	}
	if c.key.Role == domain.RoleProducer {
		return c.ownEvents(ctx, l, in)
	}
	filter := projections.EventFilter{Type: domain.EventType(in.Type), Subject: in.Subject, Endpoint: c.receiver(), From: in.From.Value, To: in.To.Value}
	m, err := c.moment(ctx, AsOfQuery{WaitQuery: in.WaitQuery}, settled, l.pinned())
	if err != nil {
		return nil, err
	}
	var rows []projections.Event
	n, err := c.view(ctx, m, func(r projections.Reader, _ projections.AsOf) (err error) {
		rows, err = r.Events(ctx, filter, l.page())
		return err
	})
	if err != nil {
		return nil, err
	}
	w := eventPage{c: c, l: l, pinned: n}
	for i := range rows {
		if rows[i].Created.Sequence > n {
			break // appended since the walk began
		}
		if w.full() {
			w.more = true
			break
		}
		if err := w.read(ctx, rows[i].Created.Sequence); err != nil {
			return nil, err
		}
	}
	return w.answer()
}

// eventByID is the list of the one event with an id, or of none.
func (c *call) eventByID(ctx context.Context, in *listEventsIn) (*exactOut, error) {
	if in.Type != "" || in.Subject != "" || in.From.Set || in.To.Set || in.Cursor != "" {
		return nil, invalid("query.id", "is given without filters")
	}
	w := eventPage{c: c, l: &list{ListQuery: in.ListQuery, c: c}}
	row, n, err := c.findEvent(ctx, in.ID, in.Source, AsOfQuery{WaitQuery: in.WaitQuery})
	w.pinned = n
	if err == nil {
		err = w.read(ctx, row.Created.Sequence)
	}
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	return w.answer()
}

// ownScan bounds how many of its entries one request of a producer goes through in search of a type or subject.
const ownScan = 10_000

// ownEvents lists what a producer's principal appended, from the log itself.
func (c *call) ownEvents(ctx context.Context, l *list, in *listEventsIn) (*exactOut, error) {
	if err := c.reached(ctx, in.WaitQuery); err != nil {
		return nil, err
	}
	pinned, err := c.head(ctx)
	if err != nil {
		return nil, err
	}
	if p := l.pinned(); p != nil {
		pinned = *p
	}
	w := eventPage{c: c, l: l, pinned: pinned}
	q := domain.Query{
		Tenant: c.tenant, Kind: domain.KindEventAppended, Actor: c.key.PrincipalID, Limit: 500, Descending: in.Order == "desc",
		Since: instant(in.From.Value), Until: instant(in.To.Value),
	}
	l.bound(&q, pinned)
	for scanned := 0; scanned < ownScan; {
		entries, err := c.Log.Select(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range entries {
			if w.full() {
				w.more = true
				return w.answer()
			}
			w.last = entries[i].Sequence
			if !chosen(&entries[i], in) {
				continue
			}
			if err := w.add(&entries[i]); err != nil {
				return nil, err
			}
		}
		if len(entries) < q.Limit {
			return w.answer()
		}
		scanned += len(entries)
		beyond(&q, w.last)
	}
	w.more = true
	return w.answer()
}

func chosen(e *domain.Entry, in *listEventsIn) bool {
	fact, ok := e.Fact.(*domain.EventAppended)
	if !ok {
		return in.Type == "" && in.Subject == ""
	}
	return (in.Type == "" || string(fact.Event.Type) == in.Type) && (in.Subject == "" || fact.Event.Subject == in.Subject)
}

// eventPage is a page of events on its way out.
type eventPage struct {
	c      *call
	l      *list
	pinned domain.Sequence
	body   []byte
	items  int
	last   domain.Sequence // where the next page goes on
	more   bool
}

func (w *eventPage) full() bool { return w.items >= w.l.Limit || len(w.body) >= maxPageBytes }

func (w *eventPage) read(ctx context.Context, at domain.Sequence) error {
	e, err := w.c.entry(ctx, at)
	if err != nil {
		return err
	}
	if !w.c.owns(e) {
		return domain.ErrNotFound
	}
	return w.add(e)
}

func (w *eventPage) add(e *domain.Entry) (err error) {
	if w.items > 0 {
		w.body = append(w.body, ',')
	}
	w.body, err = showEvent(w.body, e)
	w.items++
	w.last = e.Sequence
	return err
}

// answer closes the page.
func (w *eventPage) answer() (*exactOut, error) {
	out := &exactOut{ContentType: typeJSON, Sequence: sequenceText(w.pinned)}
	next := []byte("null")
	if w.more {
		cursor, link := w.l.next(w.pinned, bySequence(w.last))
		out.Link, next = link, appendText(nil, *cursor)
	}
	out.Body = append(append([]byte(`{"items":[`), w.body...), `],"next":`...)
	out.Body = append(append(out.Body, next...), '}')
	return out, nil
}

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func isNotFound(err error) bool { return errors.Is(err, domain.ErrNotFound) }
