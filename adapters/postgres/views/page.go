package views

import (
	"fmt"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// viewsPage is a projections.Store that gathers what a page of entries changes in the tables of the views. A row that is
// touched many times within the page is written once, as it is at the end. What the page needs of older rows is loaded
// before (load.go), so that a step of a delivery that nobody made is noticed at its entry.
type viewsPage struct {
	after domain.Position // of the entry before the page
	last  domain.Position

	tenants       []configRow
	keys          []configRow
	endpoints     []configRow
	subscriptions []configRow
	eventTypes    []configRow
	created       map[domain.UUID]projections.Origin // of configuration made before the page, or in it

	events     []projections.Event
	deliveries map[domain.UUID]*deliveryRow
	order      []*deliveryRow // in which they were first touched
	profiles   []projections.Profile
	skips      []projections.Skips
	exportPage
	health  map[domain.UUID]*endpointHealth
	reached map[domain.TenantID]projections.Origin
	lost    map[placeInLog]bool // events before the page whose routing can't be read, among those that were asked for
}

// placeInLog is the place of an entry in a tenant's log.
type placeInLog struct {
	tenant   domain.TenantID
	sequence domain.Sequence
}

// endpointHealth is how an endpoint's attempts of the page went.
type endpointHealth struct {
	tenant domain.TenantID
	health domain.Health // as after the page's attempts alone
}

type deliveryRow struct {
	projections.Delivery
	made    bool // in this page
	touched bool
	undone  bool // it was undelivered before the page
}

func newViewsPage(after domain.Position) *viewsPage {
	return &viewsPage{
		after: after, last: after,
		created:    make(map[domain.UUID]projections.Origin),
		deliveries: make(map[domain.UUID]*deliveryRow),
		health:     make(map[domain.UUID]*endpointHealth),
		reached:    make(map[domain.TenantID]projections.Origin),
		lost:       make(map[placeInLog]bool),
	}
}

// PutEvent implements projections.Store.
func (p *viewsPage) PutEvent(row projections.Event) error {
	p.events = append(p.events, row)
	return nil
}

// PutDelivery implements projections.Store. Attempts have no rows: the log has them.
func (p *viewsPage) PutDelivery(row projections.Delivery, _ *domain.AttemptStarted) error {
	d := &deliveryRow{Delivery: row, made: true}
	p.deliveries[row.ID] = d
	p.order = append(p.order, d)
	return nil
}

// FoldDelivery implements projections.Store.
func (p *viewsPage) FoldDelivery(e *domain.Entry) error {
	d, ok := p.deliveries[e.Stream.ID]
	if !ok {
		return fmt.Errorf("delivery %s: %w", e.Stream.ID, domain.ErrNotFound)
	}
	if !d.made && !d.touched {
		p.order = append(p.order, d)
	}
	d.touched = true
	if f, ok := e.Fact.(*domain.AttemptFinished); ok {
		p.recordHealth(d, f.Result.Outcome, projections.OriginOf(*e))
	}
	return d.Fold(e)
}

// Lost implements projections.Store.
func (p *viewsPage) Lost(tenant domain.TenantID, event domain.Sequence) (bool, error) {
	for i := range p.events {
		if e := &p.events[i]; e.Tenant == tenant && e.Created.Sequence == event {
			return e.LostRouting(), nil
		}
	}
	return p.lost[placeInLog{tenant, event}], nil
}

// recordHealth notes the outcome of an attempt at a delivery's endpoint.
func (p *viewsPage) recordHealth(d *deliveryRow, outcome domain.AttemptOutcome, at projections.Origin) {
	if outcome == domain.OutcomeUnknown {
		return
	}
	h, ok := p.health[d.Endpoint]
	if !ok {
		h = &endpointHealth{tenant: d.Tenant}
		p.health[d.Endpoint] = h
	}
	h.health = h.health.After(outcome, at.RecordedAt)
}

// PutProfile implements projections.Store.
func (p *viewsPage) PutProfile(row projections.Profile) error {
	p.profiles = append(p.profiles, row)
	return nil
}

// PutSkips implements projections.Store.
func (p *viewsPage) PutSkips(row projections.Skips) error {
	p.skips = append(p.skips, row)
	return nil
}

// Advance implements projections.Store.
func (p *viewsPage) Advance(tenant domain.TenantID, at projections.Origin) error {
	if at.Position != p.last+1 {
		return fmt.Errorf("position %d doesn't follow %d", at.Position, p.last)
	}
	p.last = at.Position
	p.reached[tenant] = at
	return nil
}
