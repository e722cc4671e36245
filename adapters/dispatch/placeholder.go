package dispatch

import (
	"context"
	"fmt"

	"github.com/hooktrail/hooktrail/domain"
)

// newPlaceholder makes an item of a delivery of which only an entry of its stream is known. Its entries are kept until the
// view's row has been read, which says the rest, and are folded onto that.
func newPlaceholder(e *domain.Entry) *item {
	return &item{
		delivery: domain.Delivery{ID: e.Stream.ID, Tenant: e.Tenant},
		phase:    stale, placeholder: true,
	}
}

// endedBy reports whether the entries of a delivery's stream leave nothing to do for it.
func endedBy(entries []domain.Entry) bool {
	ended, open := false, false
	for i := range entries {
		switch f := entries[i].Fact.(type) {
		case *domain.AttemptStarted:
			open = true
		case *domain.AttemptFinished:
			ended, open = f.Result.Status.Ended(), false
		case *domain.DeliveryRedriven:
			ended = false
		case *domain.DeliveryCancelled:
			ended = true
		}
	}
	return ended && !open
}

// lookUp has a placeholder completed in the background; mu is held. What comes together is read together.
func (d *Dispatcher) lookUp(sh *shard, it *item) {
	sh.placeholders = append(sh.placeholders, it.delivery.ID)
	if !sh.looking {
		sh.looking = true
		d.spawnTask(sh, func() { d.lookUpAll(sh) })
	}
}

func (d *Dispatcher) lookUpAll(sh *shard) {
	for {
		d.mu.Lock()
		ids := sh.placeholders
		sh.placeholders = nil
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

// completeSome reads the rows of placeholders and returns the ids that are left, with an error if there are any.
func (d *Dispatcher) completeSome(ctx context.Context, sh *shard, ids []domain.UUID) ([]domain.UUID, error) {
	for len(ids) > 0 {
		n := min(len(ids), pendingBatch)
		rows, _, err := d.set.State.Deliveries(ctx, ids[:n])
		if err != nil {
			return ids, fmt.Errorf("read deliveries: %w", err)
		}
		var behind []domain.UUID
		d.mu.Lock()
		for _, id := range ids[:n] {
			if sh.lost {
				break
			}
			it := sh.items[id]
			if it == nil || !it.placeholder {
				continue
			}
			done, err := d.complete(sh, it, rows)
			if err != nil {
				d.halt(&stopError{feedFollower, it.entries[0].Position, err})
			} else if !done {
				behind = append(behind, id)
			}
		}
		d.unlock()
		if ids = append(behind, ids[n:]...); len(behind) > 0 {
			return ids, fmt.Errorf("the view doesn't have %d deliveries yet", len(behind))
		}
	}
	return nil, nil
}

// complete takes from a placeholder's row whose delivery it is and folds its entries onto it; mu is held. It reports false
// while the view is too far behind.
func (d *Dispatcher) complete(sh *shard, it *item, rows []domain.WaitingDelivery) (bool, error) {
	for i := range rows {
		row := &rows[i]
		if row.Delivery.ID != it.delivery.ID {
			continue
		}
		if row.Delivery.Version < it.entries[0].StreamVersion-1 {
			return false, nil
		}
		entries := it.entries
		it.delivery, it.position, it.placeholder, it.entries = row.Delivery, row.Position, false, nil
		for k := range entries {
			if err := it.fold(&entries[k]); err != nil {
				return false, err
			}
		}
		it.lane = d.laneOf(sh, it.delivery.Tenant, it.delivery.Endpoint)
		d.settle(it)
		return true, nil
	}
	return false, nil
}
