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
			if n, err := d.fold(t.Context()); err != nil {
				t.Fatal(err)
			} else if n == 0 {
				break
			}
		}
		sh = d.shards[sh.index] // as the fold has it
		late := w.endpointIn(sh.index)
		w.append(acme, domain.Stream{Kind: domain.StreamEvent, ID: domain.NewUUID()}, 0, 0, &domain.EventAppended{
			Routing: domain.Routing{Complete: true, Deliveries: []domain.RoutedDelivery{{
				ID: newDelivery(late), Endpoint: late, EndpointVersion: 1,
			}}},
		})

		loaded := make(chan error, 1)
		go func() { loaded <- d.tryLoad(t.Context(), []*shard{sh}) }()
		synctest.Wait()
		if _, err := d.fold(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-loaded; err != nil {
			t.Fatal(err)
		}
		d.tasks.Wait()
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
		n.mu.Lock()
		for endpoint, want := range map[domain.UUID]bool{kept: true, gone: false} {
			if got := n.shards[shardOf(endpoint)].lanes[endpoint] != nil; got != want {
				t.Errorf("a lane of %s: %v, want %v", endpoint, got, want)
			}
		}
		n.mu.Unlock()
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
