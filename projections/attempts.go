package projections

import "github.com/hooktrail/hooktrail/domain"

// Attempts is the fold of a delivery's attempts.
type Attempts struct {
	Rows  []Attempt       // by number
	cause domain.Sequence // of the next one
}

// AttemptsOf begins the fold with a delivery as it was made. first is the intent of the attempt that the same entry
// starts; nil: it starts none.
func AttemptsOf(d *Delivery, first *domain.AttemptStarted) Attempts {
	a := Attempts{cause: d.Created.Sequence}
	if first != nil {
		a.begin(d.Tenant, d.ID, first, d.Created)
	}
	return a
}

// Fold applies an entry of the delivery's stream. What caused an attempt is the last entry before it that set the
// delivery off: the one that made it, or a retry, a redrive or a resend.
func (a *Attempts) Fold(e *domain.Entry) {
	switch f := e.Fact.(type) {
	case *domain.AttemptStarted:
		a.begin(e.Tenant, e.Stream.ID, f, OriginOf(*e))
	case *domain.AttemptFinished:
		for i := range a.Rows {
			if row := &a.Rows[i]; row.Started.Number == f.Result.Number {
				row.Result, row.Finished, row.BodySize, row.Erased = &f.Result, OriginOf(*e), len(f.Body), e.Erased
			}
		}
	}
	if e.Kind.SetsOff() {
		a.cause = e.Sequence
	}
}

func (a *Attempts) begin(tenant domain.TenantID, delivery domain.UUID, started *domain.AttemptStarted, at Origin) {
	a.Rows = append(a.Rows, Attempt{Delivery: delivery, Tenant: tenant, Started: *started, Begun: at, Cause: a.cause})
}

// ReadAttempts folds a delivery's attempts from the entry that made the delivery and those of its stream, in order.
func ReadAttempts(delivery domain.UUID, entries []domain.Entry) []Attempt {
	var attempts Attempts
	for i := range entries {
		e := &entries[i]
		for _, d := range Routed(e) {
			if d.ID == delivery {
				attempts = AttemptsIn(&d, e)
			}
		}
		if e.Stream.Kind == domain.StreamDelivery {
			attempts.Fold(e)
		}
	}
	return attempts.Rows
}

// AttemptsIn begins the fold with the entry that made a delivery.
func AttemptsIn(d *Delivery, made *domain.Entry) Attempts { return AttemptsOf(d, firstOf(d.ID, made)) }

// firstOf is the intent of a delivery's first attempt in the entry that made it, nil for none.
func firstOf(delivery domain.UUID, made *domain.Entry) *domain.AttemptStarted {
	var routing domain.Routing
	switch f := made.Fact.(type) {
	case *domain.EventAppended:
		routing = f.Routing
	case *domain.EventRouted:
		routing = f.Routing
	}
	for _, d := range routing.Deliveries {
		if d.ID == delivery {
			return d.First
		}
	}
	return nil
}
