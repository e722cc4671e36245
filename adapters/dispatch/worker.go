package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// worker makes attempts for one endpoint, one after the other, as long as there is work. It holds one of the endpoint's
// slots. The end of one attempt and the start of the next go into the log in one append, so that an endpoint with a
// backlog costs one commit a delivery.
type worker struct {
	d    *Dispatcher
	lane *lane

	// Reused from append to append: the log is done with them when it has answered.
	groups [2]domain.Group
	drafts [2]domain.Draft
}

// occupy takes one of an endpoint's slots; mu is held.
func (d *Dispatcher) occupy(l *lane) {
	l.running++
	l.shard.running++
	d.running++
	d.tasks.Add(1)
}

// vacate gives a slot back; mu is held.
func (d *Dispatcher) vacate(l *lane) {
	l.running--
	l.shard.running--
	d.running--
	d.tasks.Done()
	d.touch(l)
	d.free()
}

// launch has a worker begin with an attempt, in a slot that was taken for it.
func (d *Dispatcher) launch(first *attempt) {
	l := first.item.lane
	go func() {
		w := worker{d: d, lane: l}
		w.run(first)
		d.mu.Lock()
		d.vacate(l)
		d.unlock()
	}()
}

func (w *worker) run(next *attempt) {
	var last *ending
	for next != nil || last != nil {
		if next != nil && !next.started {
			next = w.ready(next)
		}
		if last != nil || next != nil && !next.started {
			if w.append(last, next) != nil {
				return // out of time: the log is told by whoever takes over
			}
			last = nil
		}
		if next != nil && next.started {
			last = w.d.decide(next, w.d.perform(next))
		}
		next = w.claim(last)
	}
}

// claim takes the endpoint's next delivery, nil when there is none, after it has observed what the last attempt's answer
// tells of the endpoint.
func (w *worker) claim(last *ending) *attempt {
	d, l, now := w.d, w.lane, time.Now()
	d.mu.Lock()
	defer d.unlock()
	if last != nil {
		d.observe(last, now)
	}
	l.running-- // this worker's own slot, for the next one
	open := l.open()
	l.running++
	if !open {
		return nil
	}
	it := d.claim(l, now)
	if it == nil {
		return nil
	}
	return d.prepare(it, now)
}

// ready fetches the event of an attempt. It returns nil when there is none to be made.
func (w *worker) ready(a *attempt) *attempt {
	d := w.d
	if err := d.fetch(d.io, a); err != nil {
		return nil
	}
	if a.event != nil || a.broken != nil {
		return a
	}
	d.mu.Lock()
	defer d.unlock()
	d.cancel(a.item, domain.CancelErased)
	return nil
}

// append puts an attempt's end and another's start into the log, either of which may be nil. It goes on until it is
// known what became of both, since no outcome may be lost while the process lives; it fails only when its time is over.
func (w *worker) append(last *ending, next *attempt) error {
	var pause backoff
	for {
		groups := w.groups[:0]
		if last != nil {
			groups = append(groups, domain.Group{Drafts: last.drafts(w.drafts[0:1:1]), Fences: w.lane.shard.fences})
		}
		if next != nil {
			w.drafts[1] = next.draft()
			groups = append(groups, domain.Group{Drafts: w.drafts[1:2:2], Fences: w.lane.shard.fences})
		}
		submitted := time.Now()
		outcomes := w.d.router.Append(w.d.io, groups...)
		if next != nil {
			if w.begun(next, outcomes[len(outcomes)-1], submitted) {
				next = nil
			}
		}
		if last != nil && w.ended(last, outcomes[0]) {
			last = nil
		}
		if last == nil && next == nil {
			return nil
		}
		if err := pause.wait(w.d.io); err != nil {
			return err
		}
	}
}

// begun notes what became of a start, and reports whether that is known.
func (w *worker) begun(a *attempt, o domain.Outcome, submitted time.Time) bool {
	d := w.d
	switch {
	case o.Err == nil:
		a.commenced(submitted, time.Now(), o.Entries[0].StreamVersion)
		return true
	case errors.Is(o.Err, domain.ErrFenced):
		d.lose(w.lane.shard)
		return true
	case errors.Is(o.Err, domain.ErrUnknownTenant):
		d.mu.Lock()
		d.cancel(a.item, domain.CancelTenantDeleted)
		d.unlock()
		return true
	case errors.Is(o.Err, domain.ErrConflict):
		// Cancelled meanwhile, or an earlier try was committed after all: the fold will tell.
		d.mu.Lock()
		d.release(a.item, a.version+1)
		d.unlock()
		return true
	}
	d.trouble("start an attempt", o.Err)
	return false
}

// ended notes what became of an end, and reports whether that is known.
func (w *worker) ended(e *ending, o domain.Outcome) bool {
	d := w.d
	switch {
	case o.Err == nil:
		d.metrics.finished(e, o.Entries[0].RecordedAt)
		d.mu.Lock()
		d.release(e.item, o.Entries[0].StreamVersion)
		d.follow(e, death{o.Entries[0].Position, o.Entries[0].Sequence, o.Entries[0].RecordedAt})
		d.unlock()
		return true
	case errors.Is(o.Err, domain.ErrFenced):
		d.set.Logger.Warn("an attempt ended after its shard was taken over: the log says unknown",
			slog.Any("delivery", e.item.delivery.ID), slog.Int("attempt", e.fact.Result.Number),
			slog.String("outcome", string(e.fact.Result.Outcome)))
		d.lose(w.lane.shard)
		return true
	case errors.Is(o.Err, domain.ErrConflict):
		if e.disabled != nil { // perhaps somebody has changed the endpoint: whether it is still to be disabled is decided anew
			e.disabled = nil
			return false
		}
		return d.reconcile(d.io, e)
	case (!transient(o.Err) || unroutable(o.Err)) && e.alone():
		return false // such as after the tenant's deletion: only the end may still be recorded
	}
	if !transient(o.Err) && !e.plain {
		d.set.Logger.Error("the log refuses an attempt's result: its bare outcome is recorded",
			slog.Any("delivery", e.item.delivery.ID), slog.Int("attempt", e.fact.Result.Number), slog.Any("error", o.Err))
		e.simplify()
		return false
	}
	d.trouble("record how an attempt ended", o.Err)
	return false
}

// reconcile finds out why the log has moved on under an attempt: an earlier try of its end was committed after all (true),
// or the delivery was cancelled meanwhile, and the end must say so.
func (d *Dispatcher) reconcile(ctx context.Context, e *ending) bool {
	for {
		d.mu.Lock()
		it, at := e.item, d.position
		if it.lane.shard.lost {
			d.unlock()
			return true
		}
		if it.delivery.Version > e.version {
			over := !it.delivery.Open || it.delivery.Attempts > e.fact.Result.Number
			if over {
				d.release(it, it.delivery.Version)
				d.follow(e, death{d.position, e.cause, time.Now()})
			} else {
				e.overtaken(it.delivery.Version)
			}
			d.unlock()
			return over
		}
		d.unlock()
		if d.await(ctx, at) != nil {
			return false // append's next wait sees it too
		}
	}
}

// transient reports whether trying the same append again may help.
func transient(err error) bool {
	var gone unavailable
	return errors.As(err, &gone) || errors.Is(err, domain.ErrUnavailable) || errors.Is(err, domain.ErrBusy) ||
		errors.Is(err, domain.ErrKeyDestroyed) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// unroutable reports whether an append failed only since it appends an event, which can't be routed for now.
func unroutable(err error) bool {
	var unroutable *unroutableError
	return errors.As(err, &unroutable)
}

// unavailable marks an error of reading.
type unavailable struct{ error }

// Unwrap returns the error that is marked.
func (u unavailable) Unwrap() error { return u.error }
