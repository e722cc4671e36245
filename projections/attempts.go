package projections

import "github.com/hooktrail/hooktrail/domain"

// AttemptsOf reads a delivery's attempts from the entry that made the delivery and those of its stream, in order.
func AttemptsOf(delivery domain.UUID, entries []domain.Entry) []Attempt {
	var attempts []Attempt
	for i := range entries {
		e := &entries[i]
		if e.Stream.Kind == domain.StreamDelivery {
			attempts = FoldAttempts(attempts, e)
			continue
		}
		var routing domain.Routing
		switch f := e.Fact.(type) {
		case *domain.EventAppended:
			routing = f.Routing
		case *domain.EventRouted:
			routing = f.Routing
		}
		for _, d := range routing.Deliveries {
			if d.ID == delivery && d.First != nil {
				attempts = append(attempts, begun(delivery, d.First, e))
			}
		}
	}
	return attempts
}

// FoldAttempts applies an entry of a delivery's stream to its attempts.
func FoldAttempts(attempts []Attempt, e *domain.Entry) []Attempt {
	switch f := e.Fact.(type) {
	case *domain.AttemptStarted:
		return append(attempts, begun(e.Stream.ID, f, e))
	case *domain.AttemptFinished:
		for i := range attempts {
			if a := &attempts[i]; a.Started.Number == f.Result.Number {
				a.Result, a.Finished, a.BodySize, a.Erased = &f.Result, OriginOf(*e), len(f.Body), e.Erased
			}
		}
	}
	return attempts
}

func begun(delivery domain.UUID, started *domain.AttemptStarted, e *domain.Entry) Attempt {
	return Attempt{Delivery: delivery, Tenant: e.Tenant, Started: *started, Begun: OriginOf(*e)}
}
