package dispatch

import (
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// observe updates the endpoint's lane with how an attempt ended, before its end is appended, and drafts what goes into the
// log with that; mu is held.
func (d *Dispatcher) observe(e *ending, now time.Time) {
	l, single := e.item.lane, e.item.lane.throttle.single
	l.throttle.observe(e, e.began, now)
	if single && !l.throttle.single {
		d.touch(l) // the other slots may be taken again
	}
	if e.fact.Result.Status == domain.DeliveryDead {
		e.deadLetter = d.deadLetterEvent(&e.item.delivery, e.event, &e.fact.Result, e.deadBecause())
	}
	if e.gone && !l.disabling {
		e.disabled = d.disable(l, gone(e.asked), e.cause)
		e.disables = e.disabled != nil
		l.disabling = e.disables
	}
}

// follow does what follows from an attempt's end that is in the log; mu is held.
func (d *Dispatcher) follow(e *ending, of death) {
	l := e.item.lane
	switch {
	case e.disables && e.disabled != nil:
		d.noteDisabled(l, e.disabled)
	case e.disables:
		d.spawnTask(l.shard, func() { d.disableNow(l, gone(e.asked), of.sequence) })
	case e.exhausted && !e.unsent:
		d.died(l, of)
	}
}

// wanted reports whether a subscription of a tenant asks for operational events of a type; mu is held.
func (d *Dispatcher) wanted(tenant domain.TenantID, typ domain.EventType) bool {
	return len(d.config.Matching(tenant, typ)) > 0
}

// deadLetterEvent drafts the operational event about a dead delivery, nil when nobody asks for it; mu is held. There is none
// about deliveries of operational events, nor about one whose event can't be read, which may be such.
func (d *Dispatcher) deadLetterEvent(of *domain.Delivery, event *Event, r *domain.AttemptResult, reason string) *domain.Draft {
	if event == nil || event.Fact.Event.Type.Operational() || !d.wanted(of.Tenant, domain.EventDeliveryDead) {
		return nil
	}
	attrs := &event.Fact.Event
	draft := domain.OperationalEvent(of.Tenant, domain.EventDeliveryDead, domain.Notice{
		Endpoint: of.Endpoint, Delivery: of.ID, EventID: attrs.ID, Source: attrs.Source, EventType: attrs.Type, Attempts: r.Number,
		Reason: reason, Error: r.Error, StatusCode: r.StatusCode,
	})
	draft.Cause, draft.Subject, draft.Retention = of.EventSequence, attrs.Subject, of.Retention
	return &draft
}
