package projections

import "github.com/hooktrail/hooktrail/domain"

// Fold applies an entry of the delivery's stream; domain.Delivery.Fold decides what it means. An end that follows an end (of
// an attempt that was under way when its delivery was cancelled) leaves the time of the first.
func (d *Delivery) Fold(e *domain.Entry) error {
	if e.StreamVersion <= d.Version {
		return nil
	}
	if err := d.Delivery.Fold(e); err != nil {
		return err
	}
	d.Updated = OriginOf(*e)
	switch {
	case !d.Status.Ended():
		d.Ended = Origin{}
	case d.Ended == (Origin{}):
		d.Ended = d.Updated
	}
	return nil
}
