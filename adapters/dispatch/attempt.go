package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// Error codes of attempts that this package itself ends.
const (
	errorInternal   = "internal"           // a panic while sending
	errorTooLate    = "too_late"           // the timeout had passed before the first byte: nothing was sent
	errorNotSent    = "not_sent"           // the answer to the start was lost: nothing was sent
	errorUnreadable = "content_unreadable" // the event can't be read: nothing was sent
)

// attempt is one attempt on its way: prepared, started, sent.
type attempt struct {
	item     *item
	delivery domain.Delivery // as it was when the attempt was prepared
	endpoint domain.Endpoint
	event    *Event
	broken   error // the event can't be read
	fact     *domain.AttemptStarted
	version  int // of the delivery's stream before the start; after it once that is known

	started   bool
	submitted time.Time // when the append of the start was submitted
	returned  time.Time // when it was answered
}

// prepare makes the next attempt of an item that was claimed; mu is held. Its event is fetched later, outside of mu.
func (d *Dispatcher) prepare(it *item, now time.Time) *attempt {
	a := &attempt{item: it, delivery: it.delivery, endpoint: *it.lane.config, version: it.delivery.Version}
	keys := a.endpoint.SigningKeys(now)
	ids := make([]domain.UUID, len(keys))
	for i := range keys {
		ids[i] = keys[i].ID
	}
	a.fact = &domain.AttemptStarted{
		Number: it.delivery.Attempts + 1, EndpointVersion: a.endpoint.Version, ProfileDigest: a.endpoint.ProfileDigest,
		Keys: ids, At: now.UTC().Truncate(time.Microsecond), TimeoutMS: time.Duration(a.endpoint.Timeout).Milliseconds(),
		Node: d.set.Node,
	}
	return a
}

// fetch gets the attempt's event, which stays nil if it was erased; if it can't be read, broken says why. Its only error is
// ctx's.
func (d *Dispatcher) fetch(ctx context.Context, a *attempt) error {
	if a.event != nil {
		return nil
	}
	tenant, sequence := a.delivery.Tenant, a.delivery.EventSequence
	return d.persist(ctx, "read an event to send", func() error {
		var err error
		a.event, err = d.contents.get(ctx, tenant, sequence)
		switch {
		case err == nil:
			a.delivery.SubjectKey = a.event.SubjectKey // the views don't keep it
		case errors.Is(err, errUnreadable):
			a.broken = err // the attempt fails, and the schedule goes on
			return nil
		case errors.Is(err, errErased):
			return nil // the caller sees that there is no event
		}
		return err
	})
}

// draft is the intent, to be committed before the first byte leaves.
func (a *attempt) draft() domain.Draft { return draftAbout(&a.delivery, a.version, a.fact) }

// commenced notes the commit of the start.
func (a *attempt) commenced(submitted, returned time.Time, version int) {
	a.started, a.submitted, a.returned, a.version = true, submitted, returned, version
	a.delivery.Attempts, a.delivery.Open, a.delivery.NextAttemptAt = a.fact.Number, true, time.Time{}
	a.delivery.Node, a.delivery.Version = a.fact.Node, version
}

// perform sends the attempt and returns how it ended. What was stopped between commit and here doesn't send any more.
func (d *Dispatcher) perform(a *attempt) Answer {
	timeout := time.Duration(a.endpoint.Timeout)
	switch {
	case a.broken != nil:
		return unsent(errorUnreadable, a.broken.Error())
	case time.Since(a.submitted) >= timeout:
		return unsent(errorTooLate, "the timeout had passed before anything could be sent; nothing was sent")
	}
	began := time.Now()
	answer := d.guarded(Shipment{
		Endpoint: a.endpoint, Event: *a.event, Delivery: a.delivery, Attempt: *a.fact, Deadline: a.returned.Add(timeout),
	})
	if answer.Result.FinishedAt.IsZero() {
		answer.Result.FinishedAt = time.Now()
	}
	if answer.Result.DurationUS == 0 {
		answer.Result.DurationUS = time.Since(began).Microseconds()
	}
	return answer
}

// guarded turns a panic of the sender into a failed attempt.
func (d *Dispatcher) guarded(s Shipment) (answer Answer) {
	defer func() {
		if p := recover(); p != nil {
			d.set.Logger.Error("a send panicked: this is a defect", slog.Any("delivery", s.Delivery.ID),
				slog.Int("attempt", s.Attempt.Number), slog.Any("error", unforeseen(p)), slog.String("stack", string(debug.Stack())))
			answer = unsent(errorInternal, "the sender failed; the server's own log says more")
		}
	}()
	return d.set.Sender.Send(d.send, s)
}

func unsent(code, detail string) Answer {
	return Answer{Unsent: true, Result: domain.AttemptResult{
		AttemptEnd: domain.AttemptEnd{Outcome: domain.OutcomeFailed, Error: code, FinishedAt: time.Now()},
		Exchange:   domain.Exchange{Detail: detail},
	}}
}

// ending is the end of one attempt on its way into the log.
type ending struct {
	item     *item
	delivery domain.Delivery // as it is with the attempt open
	cause    domain.Sequence // the event's
	version  int             // of the delivery's stream before it
	fact     *domain.AttemptFinished
	event    *Event // nil when it couldn't be read
	plain    bool   // everything that the log could refuse was taken out

	// What the answer says of the endpoint.
	began    time.Time              // when the start was submitted
	asked    *domain.EndpointConfig // as it was configured then
	gone     bool
	throttle bool
	// notBefore is for the lane; the delivery's own time is in fact.
	notBefore time.Time
	// exhausted: the delivery is dead because its schedule has ended.
	exhausted bool
	unsent    bool

	// What goes into the log in one group with it, nil most of the time. If the log refuses it the end goes alone.
	deadLetter *domain.Draft  // the operational event about the delivery
	disabled   []domain.Draft // the endpoint's disabling
	disables   bool           // the endpoint is to be disabled by this end, or after it if that can't go along
}

// decide makes an attempt's end, with what follows from it.
func (d *Dispatcher) decide(a *attempt, answer Answer) *ending {
	r := answer.Result
	r.Number = a.fact.Number
	if r.Outcome != domain.OutcomeSucceeded {
		r.Outcome = domain.OutcomeFailed
	}
	r.FinishedAt = r.FinishedAt.UTC().Truncate(time.Microsecond)
	final := answer.Permanent || answer.Gone
	verdict := domain.Verdict{Outcome: r.Outcome, Permanent: final, NotBefore: answer.NotBefore}
	r.Status, r.NextAttemptAt = a.endpoint.Retry.Decide(
		r.Number, a.delivery.ScheduleBase, verdict, r.FinishedAt, d.set.Random())
	return &ending{
		item: a.item, delivery: a.delivery, cause: a.delivery.EventSequence, version: a.version,
		fact: &domain.AttemptFinished{Result: r, Body: answer.Body}, event: a.event,
		began: a.submitted, asked: &a.endpoint.EndpointConfig, gone: answer.Gone, throttle: answer.Throttle, notBefore: answer.NotBefore,
		exhausted: r.Status == domain.DeliveryDead && !final, unsent: answer.Unsent,
	}
}

// drafts returns everything that goes into the log together, the end first. It uses first for that.
func (e *ending) drafts(first []domain.Draft) []domain.Draft {
	drafts := append(first[:0:1], draftAbout(&e.delivery, e.version, e.fact))
	if e.deadLetter != nil {
		drafts = append(drafts, *e.deadLetter)
	}
	return append(drafts, e.disabled...)
}

// deadBecause says why the delivery is dead.
func (e *ending) deadBecause() string {
	switch {
	case e.exhausted:
		return domain.DeadExhausted
	case e.gone:
		return domain.DeadGone
	}
	return domain.DeadRefused
}

// alone takes away what would go with the end, and reports whether there was anything.
func (e *ending) alone() bool {
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

// overtaken changes the end of an attempt whose delivery was cancelled meanwhile: it ends as it did, but isn't retried.
func (e *ending) overtaken(version int) {
	fact := *e.fact
	if fact.Result.Status != domain.DeliverySucceeded {
		fact.Result.Status, fact.Result.NextAttemptAt = domain.DeliveryStatusCancelled, time.Time{}
		e.deadLetter, e.exhausted = nil, false
	}
	e.fact, e.version = &fact, version
}
