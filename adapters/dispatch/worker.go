package dispatch

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// worker makes attempts at one endpoint, one after the other, as long as there is work. It holds one of the endpoint's
// slots.
type worker struct {
	set      *Settings
	contents *contents
	recorder *recorder
	buffer   recordBuffer
}

// run makes a first attempt, which the log may have begun already, and others after it. Requests are broken off when
// send ends; what is recorded about them goes on until io ends.
func (w *worker) run(io, send context.Context, next *attempt) {
	l := next.item.lane
	var last *ending // of the attempt before, to be recorded
	for next != nil || last != nil {
		// Fetch the event before the intent is recorded: an event that was erased gets no attempt, and one that can't
		// be read gets one that fails, so that its schedule goes on and the log says why.
		if next != nil && !next.started {
			event, broken, err := w.contents.fetch(io, next.delivery.Tenant, next.delivery.EventSequence, l.ahead)
			switch {
			case err != nil: // out of time
				next = nil
			case event == nil && broken == nil:
				next.item.cancel(domain.CancelErased)
				next = nil
			case broken != nil:
				next.broken = broken
			default:
				next.event, next.delivery.SubjectKey = event, event.SubjectKey // the views don't keep the key
			}
		}

		// Record how the last attempt ended and that the next one starts, in one commit, so that an endpoint with a
		// backlog costs one commit a delivery. No request begins before the log has its intent: every request that a
		// receiver can have seen is in the log, whatever dies when. If this runs out of time, the log is told by
		// whoever takes over.
		if last != nil || next != nil && !next.started {
			if w.recorder.record(io, l.shard, last, next, &w.buffer) != nil {
				return
			}
			last = nil
		}

		// Perform the attempt, if its start was committed. The deadline counts from that commit: a process that was
		// stopped between it and here doesn't send any more, for another node may have closed the attempt by now.
		if next != nil && next.started {
			timeout := time.Duration(next.endpoint.Timeout)
			var answer domain.Answer
			switch {
			case next.broken != nil:
				answer = unsent(errorUnreadable, next.broken.Error())
			case time.Since(next.submitted) >= timeout:
				answer = unsent(errorTooLate, "the timeout had passed before anything could be sent; nothing was sent")
			default:
				answer = w.send(send, next, l.lasts(next))
			}
			last = newEnding(next, answer, w.set.Random())
		}

		// Claim the endpoint's next delivery before the end is recorded, after the lane has observed what the answer
		// says about its receiver: one that complains, or is gone, gets nothing more.
		next = l.next(last)
	}
}

// send makes the request of an attempt that has started. A panic of the sender is a failed attempt.
func (w *worker) send(ctx context.Context, a *attempt, deadline time.Time) (answer domain.Answer) {
	began := time.Now()
	defer func() {
		if p := recover(); p != nil {
			w.set.Logger.Error("a send panicked: this is a defect",
				slog.Any("delivery", a.delivery.ID), slog.Int("attempt", a.fact.Number),
				slog.Any("error", fmt.Errorf("panic: %v", p)), slog.String("stack", string(debug.Stack())))
			answer = unsent(errorInternal, "the sender failed; the server's own log says more")
		}
		if answer.Result.FinishedAt.IsZero() {
			answer.Result.FinishedAt = time.Now()
		}
		if answer.Result.DurationUS == 0 {
			answer.Result.DurationUS = time.Since(began).Microseconds()
		}
	}()
	return w.set.Sender.Send(ctx, domain.Shipment{
		Endpoint: a.endpoint, Event: *a.event, Delivery: a.delivery, Attempt: *a.fact, Deadline: deadline,
	})
}
