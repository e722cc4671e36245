package dispatch

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// TestLoad_ViewAhead: a view may know deliveries of an endpoint that the feed hasn't come to. They wait for it and aren't
// taken for those of a deleted endpoint.
func TestLoad_ViewAhead(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		d, sh := bare(t, w, w.endpoint(nil), itself)
		for {
			if n, err := d.feed.fold(t.Context()); err != nil {
				t.Fatal(err)
			} else if n == 0 {
				break
			}
		}
		sh = d.lanes.shards[sh.index] // as the fold has it
		late := w.endpointIn(sh.index)
		w.append(acme, domain.Stream{Kind: domain.StreamEvent, ID: domain.NewUUID()}, 0, 0, &domain.EventAppended{
			Routing: domain.Routing{Complete: true, Deliveries: []domain.RoutedDelivery{{
				ID: newDelivery(late), Endpoint: late, EndpointVersion: 1,
			}}},
		})

		loaded := make(chan error, 1)
		go func() { loaded <- d.reader.tryLoad(t.Context(), []*shard{sh}) }()
		synctest.Wait()
		if _, err := d.feed.fold(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-loaded; err != nil {
			t.Fatal(err)
		}
		d.lanes.slots.tasks.Wait()
		if got := w.deliveries(); len(got) != 1 || got[0].Status != domain.DeliverySucceeded {
			t.Errorf("deliveries: %+v", got)
		}
	})
}

// endpointIn makes an endpoint in a shard.
func (w *world) endpointIn(shard int) domain.UUID {
	id := domain.NewUUID()
	id[15] = id[15]&^shardMask | byte(shard)
	w.append(acme, endpointStream(id), 0, 0, &domain.EndpointCreated{Endpoint: domain.EndpointConfig{
		Name: "late", URL: "https://late.example/hooks", Profile: "standard-webhooks", ProfileDigest: "d1",
		Concurrency: domain.DefaultConcurrency, Timeout: domain.DefaultTimeout, Retry: domain.DefaultSchedule(),
	}})
	return id
}

// TestLoad_HorizonStays: deliveries that a loader left to the view stay behind its horizon, however those that it kept are
// rescheduled while it catches up.
func TestLoad_HorizonStays(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		endpoint := w.endpoint(nil)
		d, sh := bare(t, w, endpoint, itself)
		route := func(begun bool) (id domain.UUID) {
			time.Sleep(time.Second)
			routed := domain.RoutedDelivery{ID: newDelivery(endpoint), Endpoint: endpoint, EndpointVersion: 1}
			if begun {
				routed.First = &domain.AttemptStarted{Number: 1, EndpointVersion: 1, At: time.Now(), Node: d.set.Node}
			}
			w.append(acme, domain.Stream{Kind: domain.StreamEvent, ID: domain.NewUUID()}, 0, 0, &domain.EventAppended{
				Routing: domain.Routing{Complete: true, Deliveries: []domain.RoutedDelivery{routed}},
			})
			return routed.ID
		}
		fail := func(id domain.UUID, version int) { // and is retried much later
			end := domain.AttemptEnd{
				Number: 1, Outcome: domain.OutcomeFailed, FinishedAt: time.Now(),
				Status: domain.DeliveryRetrying, NextAttemptAt: time.Now().Add(time.Hour),
			}
			w.append(acme, domain.Stream{Kind: domain.StreamDelivery, ID: id}, version, 0,
				&domain.AttemptFinished{Result: domain.AttemptResult{AttemptEnd: end}})
		}
		var ids []domain.UUID
		for range 6 { // at the fifth the loader leaves all but two to the view, and then the sixth
			ids = append(ids, route(false))
		}
		for _, id := range ids[:2] {
			w.append(acme, domain.Stream{Kind: domain.StreamDelivery, ID: id}, 0, 0,
				&domain.AttemptStarted{Number: 1, EndpointVersion: 1, At: time.Now(), Node: d.set.Node})
			fail(id, 1)
		}
		for range 8 { // an attempt under way is kept, wherever the horizon is
			fail(route(true), 0)
		}

		ld := newLoader(2, sh)
		for _, e := range w.entries() {
			if err := ld.fold(&e); err != nil {
				t.Fatal(err)
			}
		}
		r := ld.reach(acme, endpoint)
		if !r.more {
			t.Fatal("nothing is left to the view: the test tests nothing")
		}
		for _, row := range w.deliveries() {
			it := itemOf(&domain.WaitingDelivery{Delivery: row.Delivery, Position: row.Created.Position})
			if it.key().Compare(r.horizon) <= 0 && ld.items[row.ID] == nil {
				t.Errorf("the delivery made at position %d is neither in memory nor behind the horizon", it.position)
			}
		}
	})
}

// TestLane_OfDeletedEndpointGoes: of an endpoint that is deleted nothing stays in memory, once nothing of it waits.
func TestLane_OfDeletedEndpointGoes(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		kept, gone := w.endpoint(nil), w.endpoint(func(c *domain.EndpointConfig) { c.Paused = true })
		w.subscribe(kept, "*")
		w.subscribe(gone, "*")
		n := w.start(func(s *Settings) { s.Window = 2 }) // most lie beyond, and have to be read to be cancelled
		time.Sleep(5 * time.Second)
		for range 20 {
			w.event("a")
		}
		time.Sleep(time.Minute)
		w.change(gone, func(c domain.EndpointConfig) domain.Fact { return &domain.EndpointDeleted{Endpoint: c} })
		time.Sleep(time.Minute)
		n.lanes.mu.Lock()
		for endpoint, want := range map[domain.UUID]bool{kept: true, gone: false} {
			if got := n.lanes.shards[shardOf(endpoint)].byEndpoint[endpoint] != nil; got != want {
				t.Errorf("a lane of %s: %v, want %v", endpoint, got, want)
			}
		}
		n.lanes.mu.Unlock()
		n.end(t)
		cancelled := 0
		for _, d := range w.deliveries() {
			if d.Endpoint == gone && d.Status == domain.DeliveryGivenUp {
				cancelled++
			}
		}
		if cancelled != 20 {
			t.Errorf("%d deliveries are given up, want 20", cancelled)
		}
		w.check()
	})
}
