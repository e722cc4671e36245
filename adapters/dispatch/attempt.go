package dispatch

import (
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// attempt is one attempt on its way: prepared, started, sent.
type attempt struct {
	item     *item
	delivery domain.Delivery // as it was when the attempt was prepared
	endpoint domain.Endpoint
	event    *domain.LoggedEvent
	broken   error // the event can't be read
	fact     *domain.AttemptStarted
	version  int // of the delivery's stream before the start; after it once that is known

	started   bool
	submitted time.Time // when the append of the start was submitted
	returned  time.Time // when it was answered
}

// prepare makes the next attempt of an item that a task has in hand; lanes.mu is held. Its event is fetched later,
// without the lock.
func prepare(it *item, node domain.UUID, now time.Time) *attempt {
	a := &attempt{item: it, delivery: it.delivery, endpoint: *it.lane.config, version: it.delivery.Version}
	if end := now.Add(time.Duration(a.endpoint.Timeout)); end.After(it.lane.deadline) {
		it.lane.deadline = end
	}
	keys := a.endpoint.SigningKeys(now)
	ids := make([]domain.UUID, len(keys))
	for i := range keys {
		ids[i] = keys[i].ID
	}
	a.fact = &domain.AttemptStarted{
		Number: it.delivery.Attempts + 1, EndpointVersion: a.endpoint.Version, ProfileDigest: a.endpoint.ProfileDigest,
		Keys: ids, At: now.UTC().Truncate(time.Microsecond), TimeoutMS: time.Duration(a.endpoint.Timeout).Milliseconds(),
		Node: node,
	}
	return a
}

// begun notes the commit of the start.
func (a *attempt) begun(submitted, returned time.Time, version int) {
	a.started, a.submitted, a.returned, a.version = true, submitted, returned, version
	a.delivery.Attempts, a.delivery.Open, a.delivery.NextAttemptAt = a.fact.Number, true, time.Time{}
	a.delivery.Node, a.delivery.Version = a.fact.Node, version
}

// draftAbout drafts a fact about a delivery whose stream has a version. Its personal parts are sealed under the event's
// key.
func draftAbout(of *domain.Delivery, version int, f domain.Fact) domain.Draft {
	draft := domain.Draft{
		Tenant: of.Tenant, Stream: domain.Stream{Kind: domain.StreamDelivery, ID: of.ID},
		Expected: version, Cause: of.EventSequence, Retention: of.Retention, Fact: f,
	}
	if f.Kind() == domain.KindAttemptFinished { // no other has any
		draft.SubjectKey = of.SubjectKey
	}
	return draft
}
