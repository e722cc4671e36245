package projections

import "github.com/hooktrail/hooktrail/domain"

// Routed returns the deliveries that an entry makes (domain.Routed) as the views have them: without the key of their subject, which links
// the events about a person.
func Routed(e *domain.Entry) []Delivery {
	made, at := domain.Routed(e), OriginOf(*e)
	rows := make([]Delivery, len(made))
	for i, d := range made {
		d.SubjectKey = domain.UUID{}
		rows[i] = Delivery{Delivery: d, Created: at, Updated: at}
	}
	return rows
}

// FoldOf applies an entry of the delivery's stream and returns the replay, if any, that the delivery has ended for by that.
func (d *Delivery) FoldOf(e *domain.Entry) (ended domain.UUID, err error) {
	before := d.Replay
	if err := d.Fold(e); err != nil || d.Replay == before {
		return domain.UUID{}, err
	}
	return before, nil
}

// Fold applies an entry of the delivery's stream; domain.Delivery.Fold defines what it means. If an
// attempt was under way when the delivery was cancelled, its end doesn't change the time at which the delivery ended.
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
