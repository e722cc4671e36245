package dispatch_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/domain"
)

// TestDispatcher_Resend: what had ended goes again, what was asked for goes although nobody subscribes to it any more, and
// what waits goes at once; however far the views are behind, and after another node has taken the shards.
func TestDispatcher_Resend(t *testing.T) {
	t.Parallel()
	for _, lag := range []int{0, 3, 100} {
		t.Run(fmt.Sprintf("views %d entries behind", lag), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, w *world) { resend(t, w, lag) })
		})
	}
}

func resend(t *testing.T, w *world, lag int) {
	to, other := w.endpoint(nil), w.endpoint(nil)
	s := w.subscribe(to, "*")
	n := w.start(slowBeat)
	w.event("a")
	synctest.Wait()
	d := w.deliveries()[0]
	if d.Status != domain.DeliverySucceeded {
		t.Fatalf("the delivery is %s", d.Status)
	}
	w.append(acme, subscriptionStream(s), 1, 0, &domain.SubscriptionDeleted{
		Subscription: domain.SubscriptionConfig{Endpoint: to, EventTypes: []domain.Pattern{"*"}},
	})
	synctest.Wait()
	w.views.lag(lag)
	w.receiver.set(fails)
	resent, err := d.Resend(time.Now(), domain.UUID{})
	if err != nil {
		t.Fatal(err)
	}
	w.append(acme, domain.Stream{Kind: domain.StreamDelivery, ID: d.ID}, d.Version, d.EventSequence, resent)
	made := domain.DerivedDelivery(d.Event, other)
	w.append(acme, domain.Stream{Kind: domain.StreamDelivery, ID: made}, 0, d.EventSequence, &domain.DeliveryCreated{
		Event: d.Event, EventSequence: d.EventSequence, Endpoint: other, EndpointVersion: 1,
	})
	synctest.Wait()
	for range lag { // views move on only with the log
		w.tenant(domain.TenantID("t-" + domain.NewUUID().String()))
	}
	time.Sleep(time.Minute) // the second attempts have failed, the third ones are due in minutes
	n.end(t)
	displaced := n.set.Node
	n = w.start(func(s *dispatch.Settings) {
		slowBeat(s)
		s.Displaced = []domain.UUID{displaced}
	})
	time.Sleep(time.Second)
	w.receiver.set(succeeds)
	w.views.lag(0)
	for _, row := range w.deliveries() {
		hurry, err := row.RetryNow(time.Now())
		if err != nil || hurry == nil {
			t.Fatalf("retry now: %+v, %v of %+v", hurry, err, row)
		}
		w.append(acme, domain.Stream{Kind: domain.StreamDelivery, ID: row.ID}, row.Version, row.EventSequence, hurry)
	}
	time.Sleep(time.Second)
	synctest.Wait()
	n.end(t)
	for id, want := range map[domain.UUID][]string{
		d.ID: {
			"started 1", "succeeded 1 succeeded", "resent after 1", "started 2", "failed 2 retrying",
			"started 3", "failed 3 retrying", "rescheduled", "started 4", "succeeded 4 succeeded",
		},
		made: {
			"created", "started 1", "failed 1 retrying", "started 2", "failed 2 retrying", "rescheduled", "started 3",
			"succeeded 3 succeeded",
		},
	} {
		if got := w.story(id); !slices.Equal(got, want) {
			t.Errorf("the log tells %q\nwant %q", got, want)
		}
	}
	w.check()
}

// TestDispatcher_ReplayedLast: at one endpoint, what a replay has in hand goes when nothing else is due.
func TestDispatcher_ReplayedLast(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		to := w.endpoint(func(c *domain.EndpointConfig) { c.Concurrency = 1 })
		w.receiver.answer = func(s domain.Shipment) domain.Answer {
			time.Sleep(time.Second)
			return succeeds(s)
		}
		var old []domain.Entry
		for range 10 {
			old = append(old, w.event("old")) // nobody subscribes yet
		}
		w.subscribe(to, "new")
		n := w.start(slowBeat)
		for _, e := range old {
			w.append(acme, domain.Stream{Kind: domain.StreamDelivery, ID: domain.DerivedDelivery(e.Stream.ID, to)}, 0, e.Sequence,
				&domain.DeliveryCreated{Event: e.Stream.ID, EventSequence: e.Sequence, Endpoint: to, EndpointVersion: 1, Replay: domain.UUID{1: 1}})
		}
		time.Sleep(2500 * time.Millisecond) // the third one is under way
		for range 3 {
			w.event("new")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		n.end(t)
		var order []string
		for _, e := range w.entries() {
			for _, s := range startsOf(&e) {
				kind := "new"
				if domain.Derived(s.delivery) {
					kind = "old"
				}
				order = append(order, kind)
			}
		}
		want := slices.Concat(slices.Repeat([]string{"old"}, 3), slices.Repeat([]string{"new"}, 3), slices.Repeat([]string{"old"}, 7))
		if !slices.Equal(order, want) {
			t.Errorf("sent %q", order)
		}
		w.check()
	})
}
