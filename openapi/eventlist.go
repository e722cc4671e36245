package openapi

import (
	"context"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

type listEventsIn struct {
	rest.TenantPath
	rest.ListQuery
	ID      string              `query:"id" maxLength:"256" doc:"The one event with this id, as in GET …/events/{id}." example:"order/4711"`
	Source  string              `query:"source" maxLength:"1024" doc:"With id: the source that it is unique in." example:"/billing"`
	Type    string              `query:"type" maxLength:"255" doc:"Events of this type." example:"offer.issued"`
	Subject string              `query:"subject" maxLength:"1024" doc:"Events about this subject." example:"customer-17"`
	From    rest.Opt[rest.Time] `query:"from" doc:"Recorded at this time or later." example:"2026-07-01T00:00:00Z"`
	To      rest.Opt[rest.Time] `query:"to" doc:"Recorded before this time." example:"2026-08-01T00:00:00Z"`
	rest.WaitQuery
}

// listEvents lists events with their data. The views say which; a producer's own are found by their entries' actor.
func listEvents(ctx context.Context, c *call, in *listEventsIn) (*rest.Exact, error) {
	if in.ID != "" {
		return eventByID(ctx, c, in)
	}
	if in.Source != "" {
		return nil, rest.Invalid("query.source", "is given with id")
	}
	l, err := rest.NewWalk(c.Request, in.ListQuery, in.Type, "\x00", in.Subject, "\x00", in.From.Value.Std().UnixMicro(),
		in.To.Value.Std().UnixMicro(), in.From.Set, in.To.Set)
	if err != nil {
		return nil, err
	}
	if c.Key.Role == domain.RoleProducer {
		return ownEvents(ctx, c, l, in)
	}
	filter := projections.EventFilter{
		Type: domain.EventType(in.Type), Subject: in.Subject, Endpoint: c.Receiver(),
		From: in.From.Value.Std(), To: in.To.Value.Std(),
	}
	var rows []projections.Event
	m := rest.Moment{AsOfQuery: rest.AsOfQuery{WaitQuery: in.WaitQuery}, Pinned: l.Pinned()}
	n, err := rest.View(ctx, c.Request, m, func(r projections.Reader, _ projections.AsOf) (err error) {
		rows, err = r.Events(ctx, filter, l.Rows())
		return err
	})
	if err != nil {
		return nil, err
	}
	w, err := newEventPage(c, l, n)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if rows[i].Created.Sequence > n {
			break // appended since the walk began
		}
		if w.page.Items >= l.Limit || !w.page.Room() {
			w.more = true
			break
		}
		if err := w.read(ctx, c, rows[i].Created.Sequence); err != nil {
			return nil, err
		}
	}
	return w.answer(), nil
}

// eventByID is the list of the one event with an id, or of none.
func eventByID(ctx context.Context, c *call, in *listEventsIn) (*rest.Exact, error) {
	if in.Type != "" || in.Subject != "" || in.From.Set || in.To.Set || in.Cursor != "" {
		return nil, rest.Invalid("query.id", "is given without filters")
	}
	l, err := rest.NewWalk(c.Request, in.ListQuery)
	if err != nil {
		return nil, err
	}
	row, n, err := findEvent(ctx, c, in.ID, in.Source, rest.AsOfQuery{WaitQuery: in.WaitQuery})
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	w, full := newEventPage(c, l, n)
	if full != nil {
		return nil, full
	}
	if err == nil {
		err = w.read(ctx, c, row.Created.Sequence)
	}
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	return w.answer(), nil
}

// ownEvents lists what a producer's principal appended, from the log itself.
func ownEvents(ctx context.Context, c *call, l *rest.Walk, in *listEventsIn) (*rest.Exact, error) {
	if err := rest.Reached(ctx, c.Request, in.WaitQuery); err != nil {
		return nil, err
	}
	leave, err := rest.Scan(c.Request)
	if err != nil {
		return nil, err
	}
	defer leave()
	head, err := rest.Head(ctx, c.Request, c.Tenant)
	if err != nil {
		return nil, err
	}
	reflected, err := l.Reflected(head)
	if err != nil {
		return nil, err
	}
	q := domain.Query{
		Tenant: c.Tenant, Kind: domain.KindEventAppended, Actor: c.Key.PrincipalID,
		Since: in.From.Value.Std(), Until: in.To.Value.Std(),
	}
	return rest.LogPage(ctx, l, reflected, q, func(e *domain.Entry) bool { return chosen(e, in) }, showEvent)
}

// chosen reports whether the filters choose an entry. One whose content is gone has neither type nor subject.
func chosen(e *domain.Entry, in *listEventsIn) bool {
	fact, ok := e.Fact.(*domain.EventAppended)
	if !ok {
		return in.Type == "" && in.Subject == ""
	}
	return (in.Type == "" || string(fact.Event.Type) == in.Type) &&
		(in.Subject == "" || fact.Event.Subject == in.Subject)
}

// eventPage is a page of events on its way out.
type eventPage struct {
	walk      *rest.Walk
	page      *rest.ExactPage
	reflected domain.Sequence
	last      domain.Sequence // where the next page goes on
	more      bool
}

func newEventPage(c *call, l *rest.Walk, reflected domain.Sequence) (*eventPage, error) {
	page, err := rest.NewExactPage(c.Request)
	return &eventPage{walk: l, page: page, reflected: reflected}, err
}

// read adds an event that the views have found.
func (w *eventPage) read(ctx context.Context, c *call, at domain.Sequence) error {
	e, err := rest.Entry(ctx, c.Request, at)
	if err != nil {
		return err
	}
	if !owns(c, e) {
		return domain.ErrNotFound
	}
	w.last = e.Sequence
	return w.page.Add(e, showEvent)
}

func (w *eventPage) answer() *rest.Exact {
	if w.more {
		return w.walk.Exact(w.reflected, w.page.Body, rest.PlaceAt(w.last))
	}
	return w.walk.Exact(w.reflected, w.page.Body, nil)
}
