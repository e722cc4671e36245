package projections

import "github.com/hooktrail/hooktrail/domain"

// Routed returns the deliveries that an entry makes (domain.Routed) as the views have them: without the key of their
// subject, which links the events about a person.
func Routed(e *domain.Entry) []Delivery {
	made, at := domain.Routed(e), OriginOf(*e)
	rows := make([]Delivery, len(made))
	for i, d := range made {
		d.SubjectKey = domain.UUID{}
		rows[i] = Delivery{Delivery: d, Created: at, Updated: at}
	}
	return rows
}

// FoldOf applies an entry of the delivery's stream and returns the replay, if any, that had the delivery in hand, and
// what the entry adds to its results.
func (d *Delivery) FoldOf(e *domain.Entry) (replay domain.UUID, adds ReplayResults, err error) {
	before := d.Delivery
	if err := d.Fold(e); err != nil || d.Version == before.Version || before.Replay.IsZero() {
		return domain.UUID{}, adds, err
	}
	ended := d.Replay != before.Replay
	first := e.Kind == domain.KindAttemptFinished && before.Attempts == before.ScheduleBase+1
	if untried := d.Attempts == d.ScheduleBase; first || ended && untried {
		adds.Tried = 1
	}
	if ended {
		adds.end(d.Status)
	}
	return before.Replay, adds, nil
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
