package postgres

import (
	"fmt"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// viewsPage is a projections.Store that gathers what a page of entries changes in the tables of the views. A row that is
// touched many times within the page is written once, as it is at the end. What the page needs of older rows is loaded
// before (views_load.go), so that a step of a delivery that nobody made is noticed at its entry.
type viewsPage struct {
	after domain.Position // of the entry before the page
	last  domain.Position

	tenants       []configRow
	keys          []configRow
	endpoints     []configRow
	subscriptions []configRow
	eventTypes    []configRow
	created       map[domain.UUID]projections.Origin // of configuration made before the page, or in it

	events     []*projections.Event
	eventByID  map[domain.UUID]*projections.Event
	routed     []routedEvent // events of earlier pages
	deliveries map[domain.UUID]*deliveryRow
	order      []*deliveryRow // in which they were first touched
	attempts   map[attemptKey]*attemptRow
	attempted  []*attemptRow // in which they were first touched
	changes    []deliveryChange
	profiles   []projections.Profile
	skips      []projections.Skips
	fared      map[domain.UUID]*fare // by endpoint
	reached    map[domain.TenantID]projections.Origin
}

// fare is how an endpoint's attempts of the page went.
type fare struct {
	tenant domain.TenantID
	health domain.Health // as after the page's attempts alone
}

type routedEvent struct {
	id domain.UUID
	at projections.Origin
}

type deliveryRow struct {
	projections.Delivery
	made    bool // in this page
	touched bool
}

type attemptKey struct {
	delivery domain.UUID
	number   int
}

type attemptRow struct {
	key      attemptKey
	tenant   domain.TenantID
	begun    projections.Origin // zero: in an earlier page
	finished projections.Origin // zero: not in this page
	status   domain.DeliveryStatus
	next     time.Time // when the next attempt is due; zero: none follows
}

type deliveryChange struct {
	projections.Delivery // as it was after the change
	change               string
}

func newViewsPage(after domain.Position) *viewsPage {
	return &viewsPage{
		after: after, last: after,
		created:    make(map[domain.UUID]projections.Origin),
		eventByID:  make(map[domain.UUID]*projections.Event),
		deliveries: make(map[domain.UUID]*deliveryRow),
		attempts:   make(map[attemptKey]*attemptRow),
		fared:      make(map[domain.UUID]*fare),
		reached:    make(map[domain.TenantID]projections.Origin),
	}
}

// PutEvent implements projections.Store.
func (p *viewsPage) PutEvent(row projections.Event) error {
	p.events = append(p.events, &row)
	p.eventByID[row.ID] = &row
	return nil
}

// RouteEvent implements projections.Store.
func (p *viewsPage) RouteEvent(_ domain.TenantID, event domain.UUID, at projections.Origin) error {
	if row, ok := p.eventByID[event]; ok {
		row.Routed = at
		return nil
	}
	p.routed = append(p.routed, routedEvent{event, at})
	return nil
}

// PutDelivery implements projections.Store.
func (p *viewsPage) PutDelivery(row projections.Delivery) error {
	d := &deliveryRow{Delivery: row, made: true}
	p.deliveries[row.ID] = d
	p.order = append(p.order, d)
	return nil
}

// StartAttempt implements projections.Store.
func (p *viewsPage) StartAttempt(a projections.Attempt) error {
	d, err := p.delivery(a.Delivery)
	if err != nil {
		return err
	}
	if err := d.AttemptStarted(a); err != nil {
		return err
	}
	p.attempt(d, a.Started.Number).begun = a.Begun
	return nil
}

// FinishAttempt implements projections.Store.
func (p *viewsPage) FinishAttempt(_ domain.TenantID, delivery domain.UUID, r domain.AttemptResult, _ int, at projections.Origin) error {
	d, err := p.delivery(delivery)
	if err != nil {
		return err
	}
	if err := d.AttemptFinished(r, at); err != nil {
		return err
	}
	row := p.attempt(d, r.Number)
	row.finished, row.status, row.next = at, d.Status, d.NextAttemptAt
	p.fare(d, r.Outcome, at)
	return nil
}

// fare notes how an attempt at a delivery's endpoint went. An erased delivery names none.
func (p *viewsPage) fare(d *deliveryRow, outcome domain.AttemptOutcome, at projections.Origin) {
	if d.Endpoint.IsZero() || outcome == domain.OutcomeUnknown {
		return
	}
	f, ok := p.fared[d.Endpoint]
	if !ok {
		f = &fare{tenant: d.Tenant}
		p.fared[d.Endpoint] = f
	}
	f.health = f.health.After(outcome, at.RecordedAt)
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

// RedriveDelivery implements projections.Store.
func (p *viewsPage) RedriveDelivery(_ domain.TenantID, delivery domain.UUID, f domain.DeliveryRedriven, at projections.Origin) error {
	d, err := p.delivery(delivery)
	if err != nil {
		return err
	}
	d.Redriven(f, at)
	p.changes = append(p.changes, deliveryChange{d.Delivery, "redriven"})
	return nil
}

// CancelDelivery implements projections.Store.
func (p *viewsPage) CancelDelivery(_ domain.TenantID, delivery domain.UUID, reason domain.CancelReason, at projections.Origin) error {
	d, err := p.delivery(delivery)
	if err != nil {
		return err
	}
	d.Cancelled(reason, at)
	p.changes = append(p.changes, deliveryChange{d.Delivery, "cancelled"})
	return nil
}

// EraseDelivery implements projections.Store.
func (p *viewsPage) EraseDelivery(tenant domain.TenantID, delivery domain.UUID, at projections.Origin) error {
	if _, ok := p.deliveries[delivery]; !ok {
		return p.PutDelivery(projections.ErasedDelivery(tenant, delivery, at))
	}
	d, err := p.delivery(delivery)
	if err != nil {
		return err
	}
	d.ContentErased(at)
	p.changes = append(p.changes, deliveryChange{d.Delivery, "erased"})
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

func (p *viewsPage) delivery(id domain.UUID) (*deliveryRow, error) {
	d, ok := p.deliveries[id]
	if !ok {
		return nil, fmt.Errorf("delivery %s: %w", id, domain.ErrNotFound)
	}
	if !d.made && !d.touched {
		p.order = append(p.order, d)
	}
	d.touched = true
	return d, nil
}

func (p *viewsPage) attempt(d *deliveryRow, number int) *attemptRow {
	key := attemptKey{d.ID, number}
	row, ok := p.attempts[key]
	if !ok {
		row = &attemptRow{key: key, tenant: d.Tenant}
		p.attempts[key] = row
		p.attempted = append(p.attempted, row)
	}
	return row
}
