package projections

import "github.com/hooktrail/hooktrail/domain"

// AttemptsOf reads a delivery's attempts from the entries of its stream, in order. Erased entries tell of none.
func AttemptsOf(entries []domain.Entry) []Attempt {
	var attempts []Attempt
	for _, e := range entries {
		switch f := e.Fact.(type) {
		case *domain.AttemptStarted:
			attempts = append(attempts, Attempt{Delivery: e.Stream.ID, Tenant: e.Tenant, Started: *f, Begun: OriginOf(e)})
		case *domain.AttemptFinished:
			finish(attempts, f.Result, len(f.Body), OriginOf(e))
		}
	}
	return attempts
}

// finish gives the attempt with the result's number its end; there is none when its start was destroyed.
func finish(attempts []Attempt, r domain.AttemptResult, bodySize int, at Origin) {
	for i := range attempts {
		if attempts[i].Started.Number == r.Number {
			attempts[i].Result, attempts[i].Finished, attempts[i].BodySize = &r, at, bodySize
		}
	}
}
