package views

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

func isNotFound(err error) bool { return errors.Is(err, domain.ErrNotFound) }

// takeBack replaces the rows that changed after a sequence by what they were as of it: they are folded again, from the
// entries that made them on.
func (r deliveryReader) takeBack(ctx context.Context, rows []projections.Delivery, at domain.Sequence) error {
	var moved []projections.Delivery
	byID := make(map[domain.UUID]*projections.Delivery)
	for i := range rows {
		if d := &rows[i]; d.Updated.Sequence > at {
			moved = append(moved, *d)
			byID[d.ID] = d
		}
	}
	if len(moved) == 0 {
		return nil
	}
	entries, err := r.history(ctx, moved, at)
	if err != nil {
		return err
	}
	made := 0
	for i := range entries {
		e := &entries[i]
		if e.Stream.Kind == domain.StreamDelivery {
			if err := byID[e.Stream.ID].Fold(e); err != nil {
				return err
			}
			continue
		}
		for _, d := range projections.Routed(e) {
			if row := byID[d.ID]; row != nil {
				*row = d
				made++
			}
		}
	}
	if made != len(moved) {
		return fmt.Errorf("%d of %d deliveries aren't in the log where the views have them (%w)", len(moved)-made, len(moved), errViewsApart)
	}
	return nil
}

// history reads the entries that made deliveries and all of their streams up to a sequence, in order.
func (r deliveryReader) history(
	ctx context.Context, deliveries []projections.Delivery, upTo domain.Sequence,
) ([]domain.Entry, error) {
	var made []domain.Sequence
	var streams []domain.Stream
	for i := range deliveries {
		made = append(made, deliveries[i].Created.Sequence)
		streams = append(streams, domain.Stream{Kind: domain.StreamDelivery, ID: deliveries[i].ID})
	}
	slices.Sort(made)
	entries, err := r.log.Entries(ctx, r.tenant, slices.Compact(made))
	if err != nil {
		return nil, err
	}
	steps, err := r.log.Streams(ctx, r.tenant, streams, upTo)
	return append(entries, steps...), err
}
