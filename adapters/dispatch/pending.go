package dispatch

import (
	"errors"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// pendingBatch is how many facts about deliveries that nobody sends are appended at once.
const pendingBatch = 250

// maxPending is how many may wait before no more deliveries are read into windows, all of which may have to be cancelled.
const maxPending = 4 * pendingBatch

// cancel ends a delivery that will not be tried any more; mu is held.
func (d *Dispatcher) cancel(it *item, reason domain.CancelReason) {
	it.phase = held
	d.enqueue(it.lane.shard, it, &domain.DeliveryCancelled{Reason: reason})
}

// unknown is the result of an attempt whose process has died. notSent is that of an attempt of this process that sent nothing,
// because the log's answer to its start was lost.
func unknown() domain.AttemptResult {
	return domain.AttemptResult{AttemptEnd: domain.AttemptEnd{Outcome: domain.OutcomeUnknown}}
}

func notSent() domain.AttemptResult {
	return domain.AttemptResult{
		AttemptEnd: domain.AttemptEnd{Outcome: domain.OutcomeFailed, Error: errorNotSent},
		Exchange:   domain.Exchange{Detail: "the log answered too late that the attempt could begin; nothing was sent"},
	}
}

// closeOpen ends attempts that nobody makes any more; mu is held.
func (d *Dispatcher) closeOpen(sh *shard, items []*item, result func() domain.AttemptResult) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	for _, it := range items {
		it.phase = held
		r := result()
		r.Number, r.FinishedAt = it.delivery.Attempts, now
		switch {
		case it.delivery.Status.Ended(): // cancelled while the attempt was under way
			r.Status = it.delivery.Status
		case it.lane.config == nil: // to be cancelled at once
			r.Status, r.NextAttemptAt = domain.DeliveryRetrying, now
		default:
			r.Status, r.NextAttemptAt = it.lane.config.Retry.Decide(
				r.Number, it.delivery.ScheduleBase, domain.Verdict{Outcome: r.Outcome}, now, d.set.Random())
		}
		d.enqueue(sh, it, &domain.AttemptFinished{Result: r})
	}
}

// pendingFact is a fact about a delivery that is held until it is appended.
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

// draftAbout drafts a fact about a delivery whose stream has a version. Its personal parts are sealed under the event's key.
func draftAbout(of *domain.Delivery, version int, f domain.Fact) domain.Draft {
	draft := domain.Draft{
		Tenant: of.Tenant, Stream: domain.Stream{Kind: domain.StreamDelivery, ID: of.ID},
		Expected: version, Cause: of.EventSequence, Retention: of.Retention, Fact: f,
	}
	if f.Kind() == domain.KindAttemptFinished { // no other has any
		draft.SubjectKey = of.SubjectKey
	}
	return draft
}

// enqueue has a fact about a delivery appended in the background; mu is held. One task a shard does so, in order.
func (d *Dispatcher) enqueue(sh *shard, it *item, fact domain.Fact) {
	if sh.lost {
		return
	}
	sh.pending = append(sh.pending, pendingFact{item: it, version: it.delivery.Version, fact: fact})
	if !sh.appending {
		sh.appending = true
		d.spawnTask(sh, func() { d.appendPending(sh) })
	}
}

func (d *Dispatcher) appendPending(sh *shard) {
	for {
		d.mu.Lock()
		if len(sh.pending) == 0 || sh.lost {
			sh.appending, sh.pending = false, nil
			for _, l := range sh.lanes {
				if l.window.more {
					d.touch(l)
				}
			}
			d.unlock()
			return
		}
		n := min(pendingBatch, len(sh.pending))
		batch := sh.pending[:n:n]
		sh.pending = sh.pending[n:]
		d.unlock()
		if d.appendBatch(sh, batch) != nil {
			return // out of time
		}
	}
}

// appendBatch appends until it is known what became of each.
func (d *Dispatcher) appendBatch(sh *shard, batch []pendingFact) error {
	if err := d.addDeadLetters(batch); err != nil {
		return err
	}
	var pause backoff
	for {
		groups := make([]domain.Group, len(batch))
		for i := range batch {
			groups[i] = domain.Group{Fences: sh.fences, Drafts: batch[i].drafts()}
		}
		batch = d.appended(sh, batch, d.router.Append(d.io, groups...))
		if len(batch) == 0 {
			return nil
		}
		if err := pause.wait(d.io); err != nil {
			return err
		}
	}
}

// addDeadLetters drafts the operational events about deliveries that are dead. Their events aren't in hand here.
func (d *Dispatcher) addDeadLetters(batch []pendingFact) error {
	for i := range batch {
		f := &batch[i]
		if !f.exhausted() {
			continue
		}
		d.mu.Lock()
		wanted := d.wanted(f.item.delivery.Tenant, domain.EventDeliveryDead)
		d.unlock()
		if !wanted {
			continue
		}
		a := attempt{delivery: f.item.delivery}
		if err := d.fetch(d.io, &a); err != nil {
			return err
		}
		d.mu.Lock()
		f.deadLetter = d.deadLetterEvent(&a.delivery, a.event, &f.fact.(*domain.AttemptFinished).Result, domain.DeadExhausted)
		d.unlock()
	}
	return nil
}

// appended notes what became of a batch and returns what must be tried again.
func (d *Dispatcher) appended(sh *shard, batch []pendingFact, outcomes []domain.Outcome) []pendingFact {
	var again []pendingFact
	d.mu.Lock()
	defer d.unlock()
	for i, o := range outcomes {
		f := batch[i]
		switch {
		case o.Err == nil:
			d.metrics.appended(f.fact)
			d.release(f.item, o.Entries[0].StreamVersion)
			if f.exhausted() {
				d.died(f.item.lane, death{o.Entries[0].Position, o.Entries[0].Sequence, o.Entries[0].RecordedAt})
			}
		case errors.Is(o.Err, domain.ErrFenced):
			d.drop(sh)
			return nil
		case errors.Is(o.Err, domain.ErrConflict):
			d.release(f.item, f.version+1)
		case f.deadLetter != nil && !transient(o.Err): // such as after the tenant's deletion: only the end may still be recorded
			f.deadLetter = nil
			again = append(again, f)
		case errors.Is(o.Err, domain.ErrUnknownTenant):
			delete(sh.items, f.item.delivery.ID) // nothing can be said of it any more
		default:
			d.trouble("record what became of a delivery", o.Err)
			again = append(again, f)
		}
	}
	return again
}
