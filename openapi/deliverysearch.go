package openapi

import (
	"context"
	"slices"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// SearchQuery restricts a list of deliveries by what is looked up for each of them.
type SearchQuery struct {
	EventType  string            `query:"event_type" maxLength:"255" doc:"Those of events of this type." example:"offer.issued"`
	Subject    string            `query:"subject" maxLength:"256" doc:"Those of events about this subject." example:"customer-17"`
	StatusCode int               `query:"status_code" minimum:"100" maximum:"599" doc:"Those whose last finished attempt was answered so." example:"503"`
	Error      string            `query:"error" maxLength:"64" doc:"Those whose last finished attempt failed so: the attempt's error." example:"connection_refused"`
	AtLeastMS  rest.Opt[float64] `query:"min_duration_ms" minimum:"0" doc:"Those whose last finished attempt took at least this long, in milliseconds." example:"1000"`
	BelowMS    rest.Opt[float64] `query:"max_duration_ms" minimum:"0" doc:"Those whose last finished attempt took less than this." example:"5000"`
}

// search adds the query to a filter.
func (in SearchQuery) search(f projections.DeliveryFilter) projections.DeliverySearch {
	duration := func(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }
	return projections.DeliverySearch{
		DeliveryFilter: f, EventType: domain.EventType(in.EventType), Subject: in.Subject, StatusCode: in.StatusCode,
		Error: in.Error, AtLeast: duration(in.AtLeastMS.Value), Below: duration(in.BelowMS.Value),
	}
}

// deliveryPage is a page of deliveries with their events, and where the next one goes on.
type deliveryPage struct {
	rows   []projections.Delivery
	events map[domain.UUID]deliveredEvent
	held   holds
	last   []byte // the place behind which the next page goes on; nil: this is the last one
}

// readDeliveries reads a page of a list or one bounded step of a search.
func readDeliveries(
	ctx context.Context, c *call, r projections.Reader, s projections.DeliverySearch, l *rest.Walk, as projections.AsOf,
) (p deliveryPage, err error) {
	if s.Searches() {
		page := l.Rows()
		page.Limit = l.Limit
		var last *projections.Delivery
		if p.rows, last, err = projections.SearchDeliveries(ctx, r, s, page, as); last != nil {
			p.last = placeOfDelivery(last)
		}
	} else {
		p.rows, err = r.Deliveries(ctx, s.DeliveryFilter, l.Rows(), as)
		if len(p.rows) > l.Limit {
			p.rows = p.rows[:l.Limit]
			p.last = placeOfDelivery(&p.rows[l.Limit-1])
		}
	}
	if err != nil {
		return p, err
	}
	if p.held, err = readHolds(ctx, c, r, as, p.rows); err != nil {
		return p, err
	}
	p.events = make(map[domain.UUID]deliveredEvent)
	for i := range p.rows {
		if _, ok := p.events[p.rows[i].Event]; ok {
			continue
		}
		if p.events[p.rows[i].Event], err = eventOfDelivery(ctx, c, r, p.rows[i].Event); err != nil {
			return p, err
		}
	}
	if s.Subject != "" { // it may have been erased since it was found by its hash
		p.rows = slices.DeleteFunc(p.rows, func(d projections.Delivery) bool {
			return p.events[d.Event].subject != s.Subject
		})
	}
	return p, nil
}

// show answers with the page.
func (p *deliveryPage) show(l *rest.Walk, reflected domain.Sequence) *rest.Listed[deliveryOut] {
	out := &rest.Listed[deliveryOut]{
		Sequence: rest.SequenceText(reflected),
		Body:     rest.Page[deliveryOut]{Items: make([]deliveryOut, len(p.rows))},
	}
	for i := range p.rows {
		out.Body.Items[i] = showDelivery(&p.rows[i], p.events[p.rows[i].Event])
		p.held.show(&p.rows[i], &out.Body.Items[i])
	}
	if p.last != nil {
		out.Body.Next, out.Link = l.Next(reflected, p.last)
	}
	return out
}

func placeOfDelivery(d *projections.Delivery) []byte { return rest.PlaceOf(d.Created.Sequence, d.ID) }
