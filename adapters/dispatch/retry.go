package dispatch

import (
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

// decide completes the result of an attempt by its answer: whether the delivery has succeeded, is dead, or is tried
// again and when. of is the delivery as it is with the attempt open; random in [0, 1) spreads the gap. It reports
// whether the delivery is dead because its schedule has ended.
func decide(
	of *domain.Delivery, schedule domain.Schedule, answer *domain.Answer, random float64,
) (r domain.AttemptResult, exhausted bool) {
	r = answer.Result
	r.Number = of.Attempts
	if r.Outcome != domain.OutcomeSucceeded {
		r.Outcome = domain.OutcomeFailed
	}
	r.FinishedAt = r.FinishedAt.UTC().Truncate(time.Microsecond)
	final := answer.Permanent || answer.Gone
	verdict := domain.Verdict{Outcome: r.Outcome, Permanent: final, NotBefore: answer.NotBefore}
	r.Status, r.NextAttemptAt = schedule.Decide(r.Number, of.ScheduleBase, verdict, r.FinishedAt, random)
	return r, r.Status == domain.DeliveryDead && !final
}

// unsent is the answer of an attempt of which nothing was sent.
func unsent(code, detail string) domain.Answer {
	return domain.Answer{Unsent: true, Result: domain.AttemptResult{
		AttemptEnd: domain.AttemptEnd{Outcome: domain.OutcomeFailed, Error: code, FinishedAt: time.Now()},
		Exchange:   domain.Exchange{Detail: detail},
	}}
}

// closing makes the end of an open attempt that nobody makes any more. A process may have died with it: its outcome is
// unknown, and the receiver may have got the request. Or it is this process's own and the log's answer to its start was
// lost: nothing was sent. Both are followed by another attempt. endpoint is the endpoint's configuration in force, nil
// for a deleted one.
func closing(
	of *domain.Delivery, endpoint *domain.Endpoint, ownAttempt bool, now time.Time, random func() float64,
) *domain.AttemptFinished {
	r := domain.AttemptResult{AttemptEnd: domain.AttemptEnd{
		Number: of.Attempts, FinishedAt: now, Outcome: domain.OutcomeUnknown,
	}}
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
