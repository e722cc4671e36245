package dispatch

import (
	"context"
	"fmt"

	"github.com/hooktrail/hooktrail/domain"
)

// newStub makes an item of a delivery of which only an entry of its stream is known. It takes part in the fold; whose
// delivery it is, which never changes, is looked up in the views.
func newStub(e *domain.Entry) *item {
	return &item{
		delivery: domain.Delivery{ID: e.Stream.ID, Tenant: e.Tenant, EventSequence: e.Cause},
		phase:    stale, stub: true,
	}
}

// lookUp has a stub completed in the background; mu is held. What comes together is read together.
func (d *Dispatcher) lookUp(sh *shard, it *item) {
	sh.stubs = append(sh.stubs, it.delivery.ID)
	if !sh.looking {
		sh.looking = true
		d.spawnTask(sh, func() { d.lookUpAll(sh) })
	}
}

func (d *Dispatcher) lookUpAll(sh *shard) {
	for {
		d.mu.Lock()
		ids := sh.stubs
		sh.stubs = nil
		sh.looking = len(ids) > 0 && !sh.lost
		looking := sh.looking
		d.unlock()
		if !looking {
			return
		}
		err := d.persist(d.io, "read deliveries that lay beyond the window", func() (err error) {
			ids, err = d.completeSome(d.io, sh, ids)
			return err
		})
		if err != nil {
			return // out of time
		}
	}
}

// completeSome reads the rows of stubs and returns the ids that are left, with an error if there are any.
func (d *Dispatcher) completeSome(ctx context.Context, sh *shard, ids []domain.UUID) ([]domain.UUID, error) {
	for len(ids) > 0 {
		n := min(len(ids), filings)
		rows, _, err := d.set.State.Deliveries(ctx, ids[:n])
		if err != nil {
			return ids, fmt.Errorf("read deliveries: %w", err)
		}
		if len(rows) == 0 {
			return ids, fmt.Errorf("the view doesn't have %d deliveries yet", n)
		}
		left := ids[n:]
		d.mu.Lock()
		if sh.lost {
			left, n = nil, 0
		}
		for _, id := range ids[:n] {
			if it := sh.items[id]; it != nil && it.stub && !d.complete(sh, it, rows) {
				left = append(left, id)
			}
		}
		d.unlock()
		ids = left
	}
	return nil, nil
}

// complete takes from a stub's row whose delivery it is, and says whether there was one.
func (d *Dispatcher) complete(sh *shard, it *item, rows []Waiting) bool {
	for i := range rows {
		row := &rows[i].Delivery
		if row.ID != it.delivery.ID {
			continue
		}
		folded := it.delivery
		it.delivery = *row
		it.delivery.Attempts, it.delivery.Open = folded.Attempts, folded.Open
		it.delivery.NextAttemptAt = folded.NextAttemptAt
		if folded.Status != "" { // else an attempt was started, which leaves the status as it was
			it.delivery.Status = folded.Status
		}
		if it.based {
			it.delivery.ScheduleBase = folded.ScheduleBase
		}
		it.position, it.stub = rows[i].Position, false
		it.lane = d.laneOf(sh, it.delivery.Tenant, it.delivery.Endpoint)
		d.settle(it)
		return true
	}
	return false
}
