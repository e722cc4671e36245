package dispatch_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// parting is a world in which one node stops while a receiver hangs, beside another node that takes nothing by itself.
type parting struct {
	*world
	hanging    domain.UUID // the endpoint whose attempts take 12 s
	delivery   domain.UUID // to it, under way
	old, young *node
	log        *faulty   // the old node's
	stopped    time.Time // when the old node was told to
	done       chan struct{}
}

// part begins the attempt and stops the old node. Of 40 quick endpoints 3 are in the hanging one's shard.
func part(t *testing.T, w *world) *parting {
	t.Helper()
	p := &parting{world: w, log: &faulty{Log: w.memory}, done: make(chan struct{})}
	p.hanging = w.endpoint(func(c *domain.EndpointConfig) { c.Concurrency = 2 })
	w.subscribe(p.hanging, "slow")
	for i := range 40 {
		if i < 3 {
			w.subscribe(w.endpointBeside(p.hanging), "quick")
		} else {
			w.subscribe(w.endpoint(nil), "quick")
		}
	}
	w.receiver.set(succeeds)
	w.receiver.slow = func(s domain.Shipment) time.Duration {
		if s.Endpoint.ID == p.hanging {
			return 12 * time.Second
		}
		return 0
	}
	p.old = w.start(func(s *dispatch.Settings) { s.Log = p.log })
	time.Sleep(5 * time.Second)
	w.event("slow")
	p.delivery = w.deliveries()[0].ID
	if e := w.event("quick"); len(startsOf(&e)) != 40 {
		t.Fatalf("%d attempts begin", len(startsOf(&e)))
	}
	time.Sleep(time.Second)
	p.young = w.start(func(s *dispatch.Settings) { s.Beat, s.Expiry = time.Hour, 3*time.Hour })
	time.Sleep(1100 * time.Millisecond)
	w.nodes = []*node{p.young}
	p.stopped = time.Now()
	go func() {
		p.old.stop()
		if err := <-p.old.done; err != nil {
			t.Errorf("run: %v", err)
		}
		close(p.done)
	}()
	time.Sleep(100 * time.Millisecond)
	return p
}

// ended returns how and when the hanging delivery's first attempt ended, "" if it hasn't.
func (p *parting) ended() (domain.AttemptOutcome, time.Time) {
	for _, e := range p.entries() {
		if f, ok := e.Fact.(*domain.AttemptFinished); ok && e.Stream.ID == p.delivery && f.Result.Number == 1 {
			return f.Result.Outcome, e.RecordedAt
		}
	}
	return "", time.Time{}
}

// TestDispatcher_HandsOver: a node that stops gives all its shards away at once. Everything goes on there but what hangs,
// which the former owner ends as usual.
func TestDispatcher_HandsOver(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		p := part(t, w)
		began := time.Now()
		w.event("quick")
		w.event("slow") // has the other of the endpoint's slots
		w.event("slow") // has none until the first attempt ends
		synctest.Wait()
		late, hanging := 0, 0
		for _, r := range w.receiver.seen() {
			if r.at.Before(began) {
				continue
			}
			if late++; r.endpoint == p.hanging {
				hanging++
			}
			if r.at.Sub(began) > 10*time.Millisecond {
				t.Errorf("a request leaves %v after its event", r.at.Sub(began))
			}
		}
		if late != 41 || hanging != 1 {
			t.Errorf("%d requests leave at once, %d of them to the endpoint that hangs; want 41 and 1", late, hanging)
		}
		if owner, _ := w.holder(shardLease(p.hanging)); owner != p.young.set.Node {
			t.Error("the shard of the endpoint that hangs wasn't handed over")
		}
		if how, _ := p.ended(); how != "" {
			t.Errorf("the attempt under way has ended as %s", how)
		}
		<-p.done
		if how, at := p.ended(); how != domain.OutcomeSucceeded || at.Sub(p.stopped) > 12*time.Second {
			t.Errorf("the attempt under way ended as %s, %v after the node was told to stop", how, at.Sub(p.stopped))
		}
		time.Sleep(time.Hour)
		idle(t, p.young.Dispatcher)
		p.young.end(t)
		for _, d := range w.deliveries() {
			if d.Status != domain.DeliverySucceeded || d.Attempts != 1 {
				t.Errorf("a delivery is %s: %q", d.Status, w.story(d.ID))
			}
		}
		if w.receiver.most > 2 {
			t.Errorf("%d requests at once to an endpoint that takes 2", w.receiver.most)
		}
		w.check()
	})
}

// TestDispatcher_PartingDies: what a node had under way that dies while it parts is closed as unknown when its time is
// over, and tried again.
func TestDispatcher_PartingDies(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		p := part(t, w)
		p.log.kill()
		p.leases.cut(p.old.set.Node)
		time.Sleep(time.Until(p.stopped.Add(12 * time.Second))) // 15 s after its start the attempt must have ended
		if how, _ := p.ended(); how != "" {
			t.Errorf("an attempt that may be under way was closed as %s", how)
		}
		time.Sleep(9 * time.Second)
		if how, _ := p.ended(); how != domain.OutcomeUnknown {
			t.Errorf("an attempt whose time is over is %q", how)
		}
		<-p.done
		time.Sleep(time.Hour)
		idle(t, p.young.Dispatcher)
		p.young.end(t)
		want := []string{"started 1", "unknown 1 retrying", "started 2", "succeeded 2 succeeded"}
		if got := w.story(p.delivery); !slices.Equal(got, want) {
			t.Errorf("the log tells %q", got)
		}
		w.check()
	})
}

// TestDispatcher_PartingRetires: what a node that has retired left open is closed at once.
func TestDispatcher_PartingRetires(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		p := part(t, w)
		p.log.kill() // it can't record the end, and retires
		<-p.done
		p.young.end(t)
		next := w.start(nil) // knows of the parting by the leases
		time.Sleep(3 * time.Second)
		if how, at := p.ended(); how != domain.OutcomeUnknown || at.Sub(p.stopped) > 40*time.Second {
			t.Errorf("the attempt of a retired node ended as %q, %v after it was told to stop", how, at.Sub(p.stopped))
		}
		time.Sleep(time.Hour)
		next.end(t)
		w.check()
	})
}

// TestDispatcher_PartingCancelled: an attempt whose delivery is cancelled after its shard was given away ends all the
// same.
func TestDispatcher_PartingCancelled(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		p := part(t, w)
		w.append(acme, domain.Stream{Kind: domain.StreamDelivery, ID: p.delivery}, domain.AnyVersion, 0,
			&domain.DeliveryCancelled{Reason: domain.CancelErased})
		<-p.done
		want := []string{"started 1", "cancelled erased", "succeeded 1 succeeded"}
		if got := w.story(p.delivery); !slices.Equal(got, want) {
			t.Errorf("the log tells %q", got)
		}
		time.Sleep(time.Minute)
		idle(t, p.young.Dispatcher)
		p.young.end(t)
		w.check()
	})
}

// TestDispatcher_PartingIsPassedOn: the next owner stops as well while the attempt hangs, and the one after it leaves the
// attempt alone too.
func TestDispatcher_PartingIsPassedOn(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		p := part(t, w)
		third := w.start(func(s *dispatch.Settings) { s.Beat, s.Expiry = time.Hour, 3*time.Hour })
		time.Sleep(time.Second)
		p.young.set.Beat = 0
		w.nodes = []*node{third}
		p.young.end(t) // it has nothing under way
		time.Sleep(time.Second)
		if how, _ := p.ended(); how != "" {
			t.Errorf("the attempt under way has ended as %s", how)
		}
		<-p.done
		if how, _ := p.ended(); how != domain.OutcomeSucceeded {
			t.Errorf("the attempt ended as %q", how)
		}
		third.end(t)
		w.check()
	})
}

// TestDispatcher_PartingStartsNothing: a node whose shard was given away in its name ends what it has under way, and
// starts nothing, although it doesn't know that the shard is gone.
func TestDispatcher_PartingStartsNothing(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		endpoint := w.endpoint(func(c *domain.EndpointConfig) { c.Concurrency = 1 })
		w.subscribe(endpoint, "*")
		w.receiver.took = time.Second
		n := w.unaware(nil)
		w.event("a")
		w.event("a") // would be next
		time.Sleep(500 * time.Millisecond)
		stranger, lease := domain.NewUUID(), shardLease(endpoint)
		partings := []domain.Parting{{Node: n.set.Node, Epoch: 1, Until: time.Now().Add(time.Minute).UTC()}}
		if _, err := domain.AppendOne(context.Background(), w.memory, domain.Group{
			Drafts: []domain.Draft{{
				Tenant: domain.InstanceTenant, Stream: domain.Stream{Kind: domain.StreamLease, ID: stranger},
				Expected: domain.AnyVersion,
				Fact: &domain.LeaseTaken{Node: stranger, Leases: []domain.LeaseEpoch{
					{Name: lease, Epoch: 2, Partings: partings},
				}},
			}},
			Takes: []domain.Take{{
				Lease: lease, Owner: stranger, Epoch: 2, Expiry: time.Hour, Displaced: []domain.UUID{n.set.Node},
				Partings: partings,
			}},
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		all := w.deliveries()
		slices.SortFunc(all, func(a, b projections.Delivery) int { return int(a.Created.Position - b.Created.Position) })
		if got := w.story(all[0].ID); !slices.Equal(got, []string{"started 1", "succeeded 1 succeeded"}) {
			t.Errorf("of the attempt that was under way the log tells %q", got)
		}
		if got := w.story(all[1].ID); len(got) != 0 || len(w.receiver.seen()) != 1 {
			t.Errorf("of the next delivery the log tells %q, %d requests", got, len(w.receiver.seen()))
		}
		idle(t, n.Dispatcher)
		n.end(t)
		w.check()
	})
}
