package dispatch

import (
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// decide makes an attempt's end of its answer: whether the delivery has succeeded, is dead, or is tried again and when. random
// in [0, 1) spreads the gap.
func decide(a *attempt, answer Answer, random float64) *ending {
	r := answer.Result
	r.Number = a.fact.Number
	if r.Outcome != domain.OutcomeSucceeded {
		r.Outcome = domain.OutcomeFailed
	}
	r.FinishedAt = r.FinishedAt.UTC().Truncate(time.Microsecond)
	final := answer.Permanent || answer.Gone
	verdict := domain.Verdict{Outcome: r.Outcome, Permanent: final, NotBefore: answer.NotBefore}
	r.Status, r.NextAttemptAt = a.endpoint.Retry.Decide(r.Number, a.delivery.ScheduleBase, verdict, r.FinishedAt, random)
	return &ending{
		item: a.item, delivery: a.delivery, version: a.version, event: a.event,
		fact:  &domain.AttemptFinished{Result: r, Body: answer.Body},
		seen:  observation{a.submitted, r.Outcome, answer.Throttle, answer.NotBefore},
		asked: &a.endpoint.EndpointConfig, gone: answer.Gone, unsent: answer.Unsent,
		exhausted: r.Status == domain.DeliveryDead && !final,
	}
}

// closing makes the end of an open attempt that nobody makes any more. A process may have died with it: its outcome is unknown,
// and the receiver may have got the request. Or it is this process's own and the log's answer to its start was lost: nothing was
// sent. Both are followed by another attempt. endpoint is the endpoint's configuration in force, nil for a deleted one.
func closing(of *domain.Delivery, endpoint *domain.Endpoint, ownAttempt bool, now time.Time, random func() float64) *domain.AttemptFinished {
	r := domain.AttemptResult{AttemptEnd: domain.AttemptEnd{Number: of.Attempts, FinishedAt: now, Outcome: domain.OutcomeUnknown}}
	if ownAttempt {
		r.Outcome, r.Error = domain.OutcomeFailed, errorNotSent
		r.Detail = "the log answered too late that the attempt could begin; nothing was sent"
	}
	switch {
	case of.Status.Ended(): // cancelled while the attempt was under way
		r.Status = of.Status
	case endpoint == nil: // to be cancelled at once
		r.Status, r.NextAttemptAt = domain.DeliveryRetrying, now
	default:
		r.Status, r.NextAttemptAt = endpoint.Retry.Decide(
			r.Number, of.ScheduleBase, domain.Verdict{Outcome: r.Outcome}, now, random())
	}
	return &domain.AttemptFinished{Result: r}
}
