package views

import (
	"fmt"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// viewsPage is a projections.Store that gathers what a page of entries changes in the tables of the views. A row that
// is touched many times within the page is written once, as it is at the end. What the page needs of older rows is
// loaded before (load.go), so that a step of a delivery that nobody made is noticed at its entry.
type viewsPage struct {
	after domain.Position // of the entry before the page
	last  domain.Position

	configPage
	deliveryPage
	exportPage
	events   []projections.Event
	profiles []projections.Profile
	skips    []projections.Skips
	reached  map[domain.TenantID]projections.Origin
	lost     map[placeInLog]bool // events before the page whose routing can't be read, among those that were asked for
}

// placeInLog is the place of an entry in a tenant's log.
type placeInLog struct {
	tenant   domain.TenantID
	sequence domain.Sequence
}

func newViewsPage(after domain.Position) *viewsPage {
	return &viewsPage{
		after: after, last: after,
		configPage:   configPage{created: make(map[domain.UUID]projections.Origin)},
		deliveryPage: deliveryPage{byID: make(map[domain.UUID]*deliveryRow), health: make(map[domain.UUID]*endpointHealth), replayPage: newReplayPage()},
		reached:      make(map[domain.TenantID]projections.Origin),
		lost:         make(map[placeInLog]bool),
	}
}

// PutEvent implements projections.Store.
func (p *viewsPage) PutEvent(row projections.Event) error {
	p.events = append(p.events, row)
	return nil
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
