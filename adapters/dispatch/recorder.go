package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// recorder puts what becomes of deliveries into the log: the starts and ends of attempts, and the facts about
// deliveries that nobody sends. It goes on until it knows what became of an append, since no outcome may be lost while
// its process lives, and knows what each outcome means. Each has one meaning:
//
//	committed     the fold will get there; the item goes back to its lane, which waits for that
//	conflict      the log says more than the fold has seen: the fold will tell
//	fenced        another node holds the shard: everything of it is dropped, that node goes on. Ends of attempts are
//	              still taken from a node that has given the shard away itself
//	transient     unavailable, busy: the same again, until it is known
//	anything else the log won't have it: what isn't necessary is left out, and the rest tried again
type recorder struct {
	log      domain.Log // the Router: what is recorded may bring operational events with it
	set      *Settings
	lanes    *lanes
	contents *contents
	progress *progress
	metrics  *metrics
	disabler *disabler
	trouble  *trouble
}

// recordBuffer is what an append of a worker is made of, reused from one to the next: the log is done with it when it
// has answered.
type recordBuffer struct {
	groups [2]domain.Group
	drafts [2]domain.Draft
}

// record puts an attempt's end and another's start, at the same endpoint, into the log in one append. Either may be
// nil. It returns when it is known what became of both, and fails only when ctx ends.
func (r *recorder) record(ctx context.Context, sh *shard, last *ending, next *attempt, buffer *recordBuffer) error {
	var pause backoff
	for {
		groups := buffer.groups[:0]
		if last != nil {
			groups = append(groups, domain.Group{Drafts: last.drafts(buffer.drafts[0:1:1]), Fences: sh.ends})
		}
		if next != nil {
			buffer.drafts[1] = draftAbout(&next.delivery, next.version, next.fact)
			groups = append(groups, domain.Group{Drafts: buffer.drafts[1:2:2], Fences: sh.fences})
		}
		submitted := time.Now()
		outcomes := r.log.Append(ctx, groups...)
		if next != nil && r.noteStart(sh, next, outcomes[len(outcomes)-1], submitted) {
			next = nil
		}
		if last != nil && r.noteEnd(ctx, sh, last, outcomes[0]) {
			last = nil
		}
		if last == nil && next == nil {
			return nil
		}
		if err := pause.wait(ctx); err != nil {
			return err
		}
	}
}

// noteStart takes note of what became of an attempt's start, and reports whether that is known. The attempt has started
// if it is committed, and is given back otherwise.
func (r *recorder) noteStart(sh *shard, a *attempt, o domain.Outcome, submitted time.Time) bool {
	switch {
	case o.Err == nil:
		a.begun(submitted, time.Now(), o.Entries[0].StreamVersion)
	case errors.Is(o.Err, domain.ErrFenced):
		sh.lose()
	case errors.Is(o.Err, domain.ErrUnknownTenant):
		a.item.cancel(domain.CancelTenantDeleted)
	case errors.Is(o.Err, domain.ErrConflict): // cancelled meanwhile, or an earlier try was committed after all
		a.item.release(a.version + 1)
	default:
		r.trouble.warn("start an attempt", o.Err)
		return false
	}
	return true
}

// noteEnd takes note of what became of an attempt's end, and reports whether that is known. If not, the end may have
// become another one, which is to be appended in its place.
func (r *recorder) noteEnd(ctx context.Context, sh *shard, e *ending, o domain.Outcome) bool {
	switch {
	case o.Err == nil:
		r.metrics.finished(e, o.Entries[0].RecordedAt)
		e.item.release(o.Entries[0].StreamVersion)
		r.disabler.follow(ctx, e, deathAt(&o.Entries[0]))
		return true
	case errors.Is(o.Err, domain.ErrFenced):
		r.set.Logger.Warn("an attempt ended after its shard was taken over: the log says unknown",
			slog.Any("delivery", e.item.delivery.ID), slog.Int("attempt", e.fact.Result.Number),
			slog.String("outcome", string(e.fact.Result.Outcome)))
		sh.lose()
		return true
	case errors.Is(o.Err, domain.ErrConflict) && e.disabled != nil:
		// Perhaps somebody has changed the endpoint: decide again whether it is to be disabled.
		e.disabled = nil
		return false
	case errors.Is(o.Err, domain.ErrConflict):
		return r.reconcile(ctx, e)
	case (!transient(o.Err) || unroutable(o.Err)) && e.strip():
		return false // such as after the tenant's deletion: only the end may still be recorded
	case !transient(o.Err) && !e.plain:
		r.set.Logger.Error("the log refuses an attempt's result: its bare outcome is recorded",
			slog.Any("delivery", e.item.delivery.ID), slog.Int("attempt", e.fact.Result.Number), slog.Any("error", o.Err))
		e.simplify()
		return false
	}
	r.trouble.warn("record how an attempt ended", o.Err)
	return false
}

// reconcile waits until the fold tells why the log has moved on under an attempt. It reports true when an earlier try
// of its end was committed after all, and false when the end has to be appended once more.
func (r *recorder) reconcile(ctx context.Context, e *ending) bool {
	for {
		at := r.progress.at()
		switch what, death := r.lanes.reconcile(e); what {
		case fateEnded:
			r.disabler.follow(ctx, e, death)
			return true
		case fateLost:
			return true
		case fateCancelled:
			return false
		}
		if r.progress.await(ctx, at) != nil {
			return false // the caller's next wait sees it too
		}
	}
}

// recordPending appends a shard's pending facts, in order, until there are none left.
func (r *recorder) recordPending(ctx context.Context, sh *shard) {
	for {
		batch := sh.takePending()
		if len(batch) == 0 {
			return
		}
		// The events about deliveries that are dead by this aren't in hand, unlike a worker's.
		for i := range batch {
			if r.addDeadLetter(ctx, &batch[i]) != nil {
				return // out of time
			}
		}
		var pause backoff
		for {
			groups := make([]domain.Group, len(batch))
			for i := range batch {
				groups[i] = domain.Group{Fences: sh.fences, Drafts: batch[i].drafts()}
			}
			batch = r.notePending(sh, batch, r.log.Append(ctx, groups...))
			if len(batch) == 0 {
				break
			}
			if pause.wait(ctx) != nil {
				return
			}
		}
	}
}

// addDeadLetter drafts the operational event about a delivery that is dead by a pending fact, if anybody asks for it.
func (r *recorder) addDeadLetter(ctx context.Context, f *pendingFact) error {
	of := f.item.delivery
	if !f.exhausted() || !r.lanes.wants(of.Tenant, domain.EventDeliveryDead) {
		return nil
	}
	event, _, err := r.contents.fetch(ctx, of.Tenant, of.EventSequence, nil)
	if err != nil {
		return err
	}
	if r.lanes.wants(of.Tenant, domain.EventDeliveryDead) {
		f.deadLetter = deadLetterEvent(&of, event, &f.fact.(*domain.AttemptFinished).Result, domain.DeadExhausted)
	}
	return nil
}

// notePending takes note of what became of pending facts and returns those that must be tried again.
func (r *recorder) notePending(sh *shard, batch []pendingFact, outcomes []domain.Outcome) (again []pendingFact) {
	for i, o := range outcomes {
		f := batch[i]
		switch {
		case o.Err == nil:
			r.metrics.appended(f.fact)
			f.item.release(o.Entries[0].StreamVersion)
			if f.exhausted() {
				f.item.lane.died(deathAt(&o.Entries[0]))
			}
		case errors.Is(o.Err, domain.ErrFenced):
			sh.lose()
			return nil
		case errors.Is(o.Err, domain.ErrConflict):
			f.item.release(f.version + 1)
		case f.deadLetter != nil && !transient(o.Err): // such as after the tenant's deletion: only the end may still be recorded
			f.deadLetter = nil
			again = append(again, f)
		case errors.Is(o.Err, domain.ErrUnknownTenant):
			f.item.forget() // nothing can be said of it any more
		default:
			r.trouble.warn("record what became of a delivery", o.Err)
			again = append(again, f)
		}
	}
	return again
}
