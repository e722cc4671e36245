package dispatch

import (
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// ending is the end of one attempt on its way into the log.
type ending struct {
	item     *item
	delivery domain.Delivery // as it is with the attempt open
	version  int             // of the delivery's stream before it
	fact     *domain.AttemptFinished
	event    *domain.LoggedEvent // nil when it couldn't be read
	plain    bool                // everything that the log could refuse was taken out

	// What the answer says about the endpoint.
	seen   observation
	asked  *domain.EndpointConfig // as it was configured then
	gone   bool
	unsent bool
	// exhausted: the delivery is dead because its schedule has ended.
	exhausted bool

	// What goes into the log in one group with it, nil most of the time. If the log refuses it the end goes alone.
	deadLetter *domain.Draft  // the operational event about the delivery
	disabled   []domain.Draft // the endpoint's disabling
	disables   bool           // the endpoint is to be disabled by this end, or after it if that can't go along
}

// newEnding makes the end of an attempt that has started of its answer. random in [0, 1) spreads the gap to the next
// one.
func newEnding(a *attempt, answer domain.Answer, random float64) *ending {
	r, exhausted := decide(&a.delivery, a.endpoint.Retry, &answer, random)
	return &ending{
		item: a.item, delivery: a.delivery, version: a.version, event: a.event,
		fact:  &domain.AttemptFinished{Result: r, Body: answer.Body},
		seen:  observation{a.submitted, r.Outcome, answer.Throttle, answer.NotBefore},
		asked: &a.endpoint.EndpointConfig, gone: answer.Gone, unsent: answer.Unsent, exhausted: exhausted,
	}
}

// death is the end of a delivery's schedule, as the log has it.
type death struct {
	position domain.Position
	sequence domain.Sequence
	at       time.Time
}

// deathAt is the death that an entry tells of.
func deathAt(e *domain.Entry) death { return death{e.Position, e.Sequence, e.RecordedAt} }

// drafts returns everything that goes into the log together, the end first. It uses first for that.
func (e *ending) drafts(first []domain.Draft) []domain.Draft {
	drafts := append(first[:0:1], draftAbout(&e.delivery, e.version, e.fact))
	if e.deadLetter != nil {
		drafts = append(drafts, *e.deadLetter)
	}
	return append(drafts, e.disabled...)
}

// deadBecause returns why the delivery is dead.
func (e *ending) deadBecause() string {
	switch {
	case e.exhausted:
		return domain.DeadExhausted
	case e.gone:
		return domain.DeadGone
	}
	return domain.DeadRefused
}

// strip takes away what would go with the end, and reports whether there was anything.
func (e *ending) strip() bool {
	if e.deadLetter == nil && e.disabled == nil {
		return false
	}
	e.deadLetter, e.disabled = nil, nil
	return true
}

// simplify leaves only what no log can refuse.
func (e *ending) simplify() {
	r := e.fact.Result
	e.plain = true
	e.fact = &domain.AttemptFinished{Result: domain.AttemptResult{
		AttemptEnd: domain.AttemptEnd{
			Number: r.Number, Outcome: r.Outcome, StatusCode: r.StatusCode, Error: r.Error, DurationUS: r.DurationUS,
			FinishedAt: r.FinishedAt, Status: r.Status, NextAttemptAt: r.NextAttemptAt,
		},
		Exchange: domain.Exchange{Detail: "the log refused the rest of the result"},
	}}
}

// overtake changes the end of an attempt whose delivery was cancelled meanwhile: it ends as it did, but isn't retried.
func (e *ending) overtake(version int) {
	fact := *e.fact
	if fact.Result.Status != domain.DeliverySucceeded {
		fact.Result.Status, fact.Result.NextAttemptAt = domain.DeliveryStatusCancelled, time.Time{}
		e.deadLetter, e.exhausted = nil, false
	}
	e.fact, e.version = &fact, version
}

// pendingFact is a fact about a delivery that is held until it is appended in the background: a cancellation, or the
// end of an attempt that nobody makes any more.
type pendingFact struct {
	item    *item
	version int // of its stream before
	fact    domain.Fact
	// deadLetter is the operational event about the delivery's death; nil: none.
	deadLetter *domain.Draft
}

// exhausted reports whether the fact ends the delivery's schedule.
func (f *pendingFact) exhausted() bool {
	end, ok := f.fact.(*domain.AttemptFinished)
	return ok && end.Result.Status == domain.DeliveryDead
}

// drafts returns what is appended together, the fact itself first.
func (f *pendingFact) drafts() []domain.Draft {
	drafts := []domain.Draft{draftAbout(&f.item.delivery, f.version, f.fact)}
	if f.deadLetter != nil {
		drafts = append(drafts, *f.deadLetter)
	}
	return drafts
}
