package dispatch

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

func TestDispatcher_Delivers(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		endpoint := w.endpoint(nil)
		w.subscribe(endpoint, "offer.*")
		n := w.start(nil)
		synctest.Wait()
		event := w.event("offer.issued")
		w.event("order.placed")
		synctest.Wait()
		n.end(t)

		requests := w.receiver.seen()
		if len(requests) != 1 || requests[0].event != event.Stream.ID || requests[0].number != 1 {
			t.Fatalf("requests: %+v", requests)
		}
		want := []string{"started 1", "succeeded 1 succeeded"}
		if got := w.story(requests[0].delivery); !slices.Equal(got, want) {
			t.Errorf("the log tells %q", got)
		}
		routed, started := w.find(domain.KindEventRouted), w.find(domain.KindAttemptStarted)
		if started.Position != routed.Position+1 {
			t.Errorf("the first attempt (position %d) doesn't start with the routing (position %d)", started.Position, routed.Position)
		}
		if routed.Cause != event.Sequence || started.Cause != event.Sequence {
			t.Errorf("causes %d and %d, want the event's sequence %d", routed.Cause, started.Cause, event.Sequence)
		}
		w.check()
	})
}

// find returns the first entry of a kind.
func (w *world) find(kind domain.Kind) domain.Entry {
	for _, e := range w.entries() {
		if e.Kind == kind {
			return e
		}
	}
	w.t.Fatalf("the log has no %s", kind)
	return domain.Entry{}
}

func TestDispatcher_RetrySchedule(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.subscribe(w.endpoint(nil), "*")
		w.receiver.answer = fails
		n := w.start(func(s *Settings) { s.Beat, s.Expiry = time.Hour, 3*time.Hour })
		synctest.Wait()
		began := time.Now()
		w.event("a")
		time.Sleep(100 * time.Hour)
		synctest.Wait()
		n.end(t)

		var at []time.Duration
		for _, r := range w.receiver.seen() {
			at = append(at, r.at.Sub(began).Round(time.Second))
		}
		want := []time.Duration{0}
		for _, gap := range domain.DefaultSchedule().Gaps {
			want = append(want, want[len(want)-1]+time.Duration(gap))
		}
		if !slices.Equal(at, want) {
			t.Errorf("attempts after %v, want %v", at, want)
		}
		if d := w.deliveries()[0]; d.Status != domain.DeliveryDead || d.Attempts != 10 {
			t.Errorf("the delivery is %s after %d attempts", d.Status, d.Attempts)
		}
		w.check()
	})
}
