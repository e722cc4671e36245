package replay

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

const (
	// pageRows is how many rows of the views are read at once.
	pageRows = 250
	// stepRows bounds how many rows a step goes through that the filters don't choose.
	stepRows = 5000
	// eventsAtOnce bounds how many events' contents are in memory at once.
	eventsAtOnce = 64
)

// Reasons why a replay doesn't send what its filters chose, beside those of domain.
const (
	refusedErased    = "event_erased"
	refusedNotEnded  = "not_ended"
	refusedDelivered = "has_delivery" // another subscription asked for the same
	refusedConflict  = "conflict"     // the log has more of the delivery than the views: its first entry can't be read
)

// step is what a replay comes to next.
type step struct {
	through domain.ReplayPlace
	counts  domain.ReplayCounts // from the replay's beginning
	sent    []target
	done    bool
	problem string // why the replay can't go on
}

// target is one delivery that a step sets off.
type target struct {
	event    projections.Event
	delivery domain.UUID
	endpoint domain.UUID
	draft    domain.Draft
}

// planner plans steps of one replay by one snapshot of the views.
type planner struct {
	log     Log
	reader  projections.Reader
	replay  *projections.Replay
	now     time.Time
	most    int  // to be sent in a step
	refuse  bool // the first of them, which the log won't have
	scanned int
	step    step
	known   map[domain.UUID]*projections.Endpoint // nil: deleted
}

// plan plans the next step of a replay, which sends at most so many. refuse has the first that it would send refused.
func plan(
	ctx context.Context, log Log, reader projections.Reader, replay *projections.Replay, most int, refuse bool,
) (*step, error) {
	p := &planner{
		log: log, reader: reader, replay: replay, now: time.Now(), most: most, refuse: refuse,
		step:  step{through: replay.Through, counts: replay.Counts.Clone()},
		known: make(map[domain.UUID]*projections.Endpoint),
	}
	walk := p.deliveries
	switch replay.Config.Walk {
	case domain.WalkSkips:
		walk = p.skips
	case domain.WalkEvents:
		walk = p.events
	}
	for !p.full() && !p.step.done && p.step.problem == "" {
		if err := walk(ctx); err != nil {
			return nil, fmt.Errorf("plan replay %s behind sequence %d: %w", replay.ID, p.step.through.Sequence, err)
		}
	}
	return &p.step, nil
}

// full reports whether the step ends here.
func (p *planner) full() bool { return len(p.step.sent) >= p.most || p.scanned >= stepRows }

// page is the next page of the walk.
func (p *planner) page() projections.Page {
	after := p.step.through.Sequence
	return projections.Page{After: &after, AfterID: p.step.through.ID, Limit: min(pageRows, 4*p.most)}
}

// beyond reports whether an entry lies beyond the range, which ends the walk.
func (p *planner) beyond(at domain.Sequence) bool {
	p.step.done = p.step.done || at >= p.replay.Config.To
	return p.step.done
}

// deliveries goes through a page of deliveries.
func (p *planner) deliveries(ctx context.Context) error {
	c := &p.replay.Config
	filter := projections.DeliveryFilter{Endpoint: c.Endpoint, Subscription: c.Subscription}
	if len(c.Statuses) == 1 {
		filter.Status = c.Statuses[0]
	}
	page := p.page()
	rows, err := p.reader.Deliveries(ctx, filter, page, projections.AsOf{})
	if err != nil {
		return err
	}
	for part := range slices.Chunk(rows, eventsAtOnce) {
		events, err := eventsOf(ctx, p, part, func(d *projections.Delivery) domain.Sequence { return d.EventSequence })
		if err != nil {
			return err
		}
		for i := range part {
			d := &part[i]
			if p.full() || p.beyond(d.Created.Sequence) {
				return nil
			}
			if err := p.delivery(ctx, d, events[d.EventSequence]); err != nil {
				return err
			}
			p.step.through = domain.ReplayPlace{Sequence: d.Created.Sequence, ID: d.ID}
			p.scanned++
		}
	}
	p.step.done = len(rows) < page.Limit
	return nil
}

// delivery decides on a delivery that there is.
func (p *planner) delivery(ctx context.Context, d *projections.Delivery, event *domain.Entry) error {
	c := &p.replay.Config
	if len(c.Statuses) > 0 && !slices.Contains(c.Statuses, d.Status) || !p.typeChosen(event) {
		return nil
	}
	if len(c.Errors) > 0 {
		chosen, err := p.failedWith(ctx, d, c.Errors)
		if err != nil || !chosen {
			return err
		}
	}
	return p.resend(ctx, d, event)
}

// resend has a delivery that there is go again, if it may.
func (p *planner) resend(ctx context.Context, d *projections.Delivery, event *domain.Entry) error {
	endpoint, err := p.endpoint(ctx, d.Endpoint)
	if err != nil {
		return err
	}
	of := d.Delivery
	of.Asked = of.Asked || p.replay.Config.As == domain.AsReplay // which asks for it, whoever had subscribed
	var failed error
	doom := of.Doom(endpoint != nil, func(id domain.UUID) bool {
		_, err := p.reader.Subscription(ctx, id, projections.AsOf{})
		if err != nil && !isNotFound(err) {
			failed = err
		}
		return err == nil
	})
	if failed != nil {
		return failed
	}
	if doom != "" {
		p.step.counts.Refuse(string(doom))
		return nil
	}
	fact, reason := p.withheld(event, endpoint)
	if reason != "" {
		p.step.counts.Refuse(reason)
		return nil
	}
	resent, err := d.Resend(p.now, p.replay.ID)
	if err != nil {
		p.step.counts.Refuse(refusedNotEnded)
		return nil
	}
	p.send(event, fact, d.Endpoint, domain.Draft{
		Stream: domain.Stream{Kind: domain.StreamDelivery, ID: d.ID}, Expected: d.Version, Retention: d.Retention, Fact: resent,
	})
	return nil
}

// create makes the delivery of an event to an endpoint to which its routing didn't send it, if it may.
func (p *planner) create(event *domain.Entry, endpoint *projections.Endpoint) {
	fact, reason := p.withheld(event, endpoint)
	if reason != "" {
		p.step.counts.Refuse(reason)
		return
	}
	p.send(event, fact, endpoint.ID, domain.Draft{
		Stream:    domain.Stream{Kind: domain.StreamDelivery, ID: domain.DerivedDelivery(event.Stream.ID, endpoint.ID)},
		Retention: fact.Routing.Retention,
		Fact: &domain.DeliveryCreated{
			Event: event.Stream.ID, EventSequence: event.Sequence, Endpoint: endpoint.ID, EndpointVersion: endpoint.Version,
			Retention: fact.Routing.Retention, Replay: p.replay.ID,
		},
	})
}

// withheld returns an event's fact, or why the event can't or may not go to an endpoint.
func (p *planner) withheld(event *domain.Entry, endpoint *projections.Endpoint) (*domain.EventAppended, string) {
	if event == nil || event.Erased {
		return nil, refusedErased
	}
	fact, ok := event.Fact.(*domain.EventAppended)
	if !ok {
		return nil, refusedErased
	}
	return fact, string(fact.Event.Withheld(&endpoint.Endpoint))
}

// send adds a fact that sets a delivery off.
func (p *planner) send(event *domain.Entry, fact *domain.EventAppended, endpoint domain.UUID, draft domain.Draft) {
	if p.refuse {
		p.refuse = false
		p.step.counts.Refuse(refusedConflict)
		return
	}
	draft.Tenant, draft.By, draft.Cause = p.replay.Tenant, p.replay.By, p.replay.Cause
	p.step.counts.Send()
	p.step.sent = append(p.step.sent, target{
		event:    projections.Event{ID: event.Stream.ID, Attrs: fact.Event, Created: projections.OriginOf(*event)},
		delivery: draft.Stream.ID, endpoint: endpoint, draft: draft,
	})
}

// skips goes through a page of what routings skipped. The skips of an entry are gone through by their endpoints.
func (p *planner) skips(ctx context.Context) error {
	c := &p.replay.Config
	page := p.page()
	if within := !page.AfterID.IsZero(); within { // begin with the rest of the entry
		*page.After--
		page.AfterID = domain.UUID{}
	}
	rows, err := p.reader.Skips(ctx, projections.SkipFilter{Endpoint: c.Endpoint, Subscription: c.Subscription}, page)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(rows, eventsAtOnce) {
		events, err := eventsOf(ctx, p, part, func(s *projections.Skips) domain.Sequence { return s.EventSequence })
		if err != nil {
			return err
		}
		for i := range part {
			row := &part[i]
			if p.full() || p.beyond(row.At.Sequence) {
				return nil
			}
			for _, endpoint := range p.skippedFor(row) {
				place := domain.ReplayPlace{Sequence: row.At.Sequence, ID: endpoint}
				if place.Compare(p.step.through) <= 0 {
					continue
				}
				if p.full() {
					return nil
				}
				if err := p.skipped(ctx, events[row.EventSequence], row.Event, endpoint); err != nil {
					return err
				}
				p.step.through = place
			}
			p.step.through = domain.ReplayPlace{Sequence: row.At.Sequence}
			p.scanned++
		}
	}
	p.step.done = len(rows) < page.Limit
	return nil
}

// skippedFor returns the endpoints for which an entry skipped a subscription for one of the reasons, in order.
func (p *planner) skippedFor(row *projections.Skips) (endpoints []domain.UUID) {
	c := &p.replay.Config
	for _, s := range slices.Concat(row.Skipped, row.Verdicts) {
		if slices.Contains(c.SkipReasons, s.Reason) && (c.Endpoint.IsZero() || s.Endpoint == c.Endpoint) &&
			(c.Subscription.IsZero() || s.Subscription == c.Subscription) {
			endpoints = append(endpoints, s.Endpoint)
		}
	}
	slices.SortFunc(endpoints, func(a, b domain.UUID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(endpoints)
}

// skipped decides on an event that was skipped for an endpoint.
func (p *planner) skipped(ctx context.Context, event *domain.Entry, id, to domain.UUID) error {
	if !p.typeChosen(event) {
		return nil
	}
	endpoint, err := p.endpoint(ctx, to)
	if err != nil {
		return err
	}
	rows, err := p.reader.Deliveries(ctx, projections.DeliveryFilter{Event: id, Endpoint: to}, projections.Page{Limit: 1}, projections.AsOf{})
	switch {
	case err != nil:
		return err
	case len(rows) > 0:
		p.step.counts.Refuse(refusedDelivered)
	case endpoint == nil:
		p.step.counts.Refuse(string(domain.CancelEndpointDeleted))
	default:
		p.create(event, endpoint)
	}
	return nil
}

// events goes through a page of events, all of which go to one endpoint.
func (p *planner) events(ctx context.Context) error {
	c := &p.replay.Config
	endpoint, err := p.endpoint(ctx, c.Endpoint)
	if err != nil {
		return err
	}
	if endpoint == nil {
		p.step.problem = "its endpoint is deleted"
		return nil
	}
	filter := projections.EventFilter{}
	if len(c.EventTypes) == 1 && domain.EventType(c.EventTypes[0]).Validate("") == nil {
		filter.Type = domain.EventType(c.EventTypes[0])
	}
	page := p.page()
	rows, err := p.reader.Events(ctx, filter, page)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(rows, eventsAtOnce) {
		events, err := eventsOf(ctx, p, part, func(e *projections.Event) domain.Sequence { return e.Created.Sequence })
		if err != nil {
			return err
		}
		for i := range part {
			at := part[i].Created.Sequence
			if p.full() || p.beyond(at) {
				return nil
			}
			if err := p.event(ctx, events[at], &part[i], endpoint); err != nil {
				return err
			}
			p.step.through = domain.ReplayPlace{Sequence: at}
			p.scanned++
		}
	}
	p.step.done = len(rows) < page.Limit
	return nil
}

// event decides on one event that is to go to the endpoint.
func (p *planner) event(
	ctx context.Context, entry *domain.Entry, row *projections.Event, endpoint *projections.Endpoint,
) error {
	if !p.typeChosen(entry) {
		return nil
	}
	d, err := p.deliveryTo(ctx, entry, row, endpoint.ID)
	switch {
	case err == nil:
		return p.resend(ctx, &d, entry)
	case !isNotFound(err):
		return err
	}
	p.create(entry, endpoint)
	return nil
}

// deliveryTo finds the delivery of an event to an endpoint: the one that its routing made, or one that was asked for.
func (p *planner) deliveryTo(
	ctx context.Context, entry *domain.Entry, row *projections.Event, to domain.UUID,
) (projections.Delivery, error) {
	fact, ok := entry.Fact.(*domain.EventAppended)
	if !ok || !fact.Routing.Complete {
		rows, err := p.reader.Deliveries(ctx, projections.DeliveryFilter{Event: row.ID, Endpoint: to}, projections.Page{Limit: 1}, projections.AsOf{})
		if err == nil && len(rows) == 0 {
			err = domain.ErrNotFound
		}
		if err != nil {
			return projections.Delivery{}, err
		}
		return rows[0], nil
	}
	id := domain.DerivedDelivery(row.ID, to)
	for _, d := range fact.Routing.Deliveries {
		if d.Endpoint == to {
			id = d.ID
		}
	}
	return p.reader.Delivery(ctx, id, projections.AsOf{})
}

// typeChosen reports whether the filters choose an event's type. One that can't be read any more is chosen only where
// they don't ask.
func (p *planner) typeChosen(event *domain.Entry) bool {
	types := p.replay.Config.EventTypes
	if len(types) == 0 {
		return true
	}
	fact, ok := (*domain.EventAppended)(nil), false
	if event != nil {
		fact, ok = event.Fact.(*domain.EventAppended)
	}
	return ok && slices.ContainsFunc(types, func(t domain.Pattern) bool { return t.Matches(fact.Event.Type) })
}

// failedWith reports whether a delivery's last attempt ended with one of the codes.
func (p *planner) failedWith(ctx context.Context, d *projections.Delivery, codes []string) (bool, error) {
	attempts, err := p.reader.Attempts(ctx, d.ID, projections.AsOf{})
	if err != nil || len(attempts) == 0 {
		return false, err
	}
	r := attempts[len(attempts)-1].Result
	return r != nil && (slices.Contains(codes, r.Error) || r.StatusCode > 0 && slices.Contains(codes, strconv.Itoa(r.StatusCode))), nil
}

// eventsOf reads the events that rows are about, by their sequences.
func eventsOf[R any](ctx context.Context, p *planner, rows []R, at func(*R) domain.Sequence) (map[domain.Sequence]*domain.Entry, error) {
	sequences := make([]domain.Sequence, 0, len(rows))
	for i := range rows {
		sequences = append(sequences, at(&rows[i]))
	}
	slices.Sort(sequences)
	entries, err := p.log.Entries(ctx, p.replay.Tenant, slices.Compact(sequences))
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	events := make(map[domain.Sequence]*domain.Entry, len(entries))
	for i := range entries {
		events[entries[i].Sequence] = &entries[i]
	}
	return events, nil
}

// endpoint returns an endpoint, nil for a deleted one.
func (p *planner) endpoint(ctx context.Context, id domain.UUID) (*projections.Endpoint, error) {
	if row, ok := p.known[id]; ok {
		return row, nil
	}
	row, err := p.reader.Endpoint(ctx, id, projections.AsOf{})
	switch {
	case err == nil:
		p.known[id] = &row
	case isNotFound(err):
		p.known[id] = nil
	default:
		return nil, err
	}
	return p.known[id], nil
}
