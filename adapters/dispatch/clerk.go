package dispatch

import (
	"errors"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// filings is how many facts about deliveries that nobody sends are appended at once.
const filings = 250

// maxFilings is how many may wait before no more deliveries are read into windows, all of which may have to be cancelled.
const maxFilings = 4 * filings

// cancel ends a delivery that will not be tried any more; mu is held.
func (d *Dispatcher) cancel(it *item, reason domain.CancelReason) {
	it.phase = held
	d.file(it.lane.shard, it, &domain.DeliveryCancelled{Reason: reason})
}

// unknown ends the attempt of a process that is no more, notSent one of this process of whose start the answer was lost.
func unknown() domain.AttemptResult { return domain.AttemptResult{Outcome: domain.OutcomeUnknown} }

func notSent() domain.AttemptResult {
	return domain.AttemptResult{
		Outcome: domain.OutcomeFailed, Error: errorNotSent,
		Detail: "the log answered too late that the attempt could begin; nothing was sent",
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
		d.file(sh, it, &domain.AttemptFinished{Result: r})
	}
}

// filing is one fact about a delivery that is held for it.
type filing struct {
	item    *item
	version int // of its stream before
	fact    domain.Fact
	// obituary is the operational event about the delivery's death; nil: none.
	obituary *domain.Draft
}

// exhausted says whether the fact ends the delivery's schedule.
func (f *filing) exhausted() bool {
	end, ok := f.fact.(*domain.AttemptFinished)
	return ok && end.Result.Status == domain.DeliveryDead
}

// file appends a fact about a delivery in the background; mu is held. One task a shard does so, in order. The facts name
// no subject: they say nothing of the event.
func (d *Dispatcher) file(sh *shard, it *item, fact domain.Fact) {
	if sh.lost {
		return
	}
	sh.filings = append(sh.filings, filing{item: it, version: it.version, fact: fact})
	if !sh.filing {
		sh.filing = true
		d.spawnTask(sh, func() { d.fileAll(sh) })
	}
}

func (d *Dispatcher) fileAll(sh *shard) {
	for {
		d.mu.Lock()
		if len(sh.filings) == 0 || sh.lost {
			sh.filing, sh.filings = false, nil
			for _, l := range sh.lanes {
				if l.window.more {
					d.touch(l)
				}
			}
			d.unlock()
			return
		}
		n := min(filings, len(sh.filings))
		batch := sh.filings[:n:n]
		sh.filings = sh.filings[n:]
		d.unlock()
		if d.fileBatch(sh, batch) != nil {
			return // out of time
		}
	}
}

// fileBatch appends until it is known what became of each.
func (d *Dispatcher) fileBatch(sh *shard, batch []filing) error {
	if err := d.writeObituaries(batch); err != nil {
		return err
	}
	var pause backoff
	for {
		groups := make([]domain.Group, len(batch))
		for i, f := range batch {
			groups[i] = domain.Group{Fences: sh.fences, Drafts: []domain.Draft{{
				Tenant: f.item.delivery.Tenant, Stream: domain.Stream{Kind: domain.StreamDelivery, ID: f.item.delivery.ID},
				Expected: f.version, Cause: f.item.delivery.EventSequence, Fact: f.fact,
			}}}
			if f.obituary != nil {
				groups[i].Drafts = append(groups[i].Drafts, *f.obituary)
			}
		}
		outcomes := d.set.Log.Append(d.io, groups...)
		batch = d.filed(sh, batch, outcomes)
		if len(batch) == 0 {
			return nil
		}
		if err := pause.wait(d.io); err != nil {
			return err
		}
	}
}

// writeObituaries drafts the operational events about deliveries that are dead. Their events aren't in hand here.
func (d *Dispatcher) writeObituaries(batch []filing) error {
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
		f.obituary = d.obituary(&a.delivery, a.event, &f.fact.(*domain.AttemptFinished).Result, domain.DeadExhausted)
		d.unlock()
	}
	return nil
}

// filed notes what became of a batch and returns what must be tried again.
func (d *Dispatcher) filed(sh *shard, batch []filing, outcomes []domain.Outcome) []filing {
	var again []filing
	d.mu.Lock()
	defer d.unlock()
	for i, o := range outcomes {
		f := batch[i]
		switch {
		case o.Err == nil:
			d.metrics.filed(f.fact)
			d.release(f.item, o.Entries[0].StreamVersion)
			if f.exhausted() {
				d.died(f.item.lane, death{o.Entries[0].Position, o.Entries[0].Sequence, o.Entries[0].RecordedAt})
			}
		case errors.Is(o.Err, domain.ErrFenced):
			d.drop(sh)
			return nil
		case errors.Is(o.Err, domain.ErrConflict):
			d.release(f.item, f.version+1)
		case f.obituary != nil && !transient(o.Err): // such as after the tenant's deletion: only the end may still be said
			f.obituary = nil
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
