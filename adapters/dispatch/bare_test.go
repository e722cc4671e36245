package dispatch

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// bare makes a dispatcher that isn't running and believes that it holds an endpoint's shard in epoch 1; holder is who
// really does.
func bare(t *testing.T, w *world, endpoint domain.UUID, holder func(self domain.UUID) domain.UUID) (*Dispatcher, *shard) {
	t.Helper()
	d, err := New(w.settings())
	if err != nil {
		t.Fatal(err)
	}
	d.work, d.send, d.io = context.Background(), context.Background(), context.Background()
	w.inform(d)
	name := shardLeases[shardOf(endpoint)]
	if err := d.leases.take(context.Background(), holder(d.set.Node), []domain.Lease{{Name: name}}, nil); err != nil {
		t.Fatal(err)
	}
	sh := newShard(d.lanes, shardOf(endpoint), domain.Fence{Lease: name, Owner: d.set.Node, Epoch: 1})
	sh.ready, d.lanes.shards[sh.index] = true, sh
	return d, sh
}

func itself(self domain.UUID) domain.UUID { return self }
func another(domain.UUID) domain.UUID     { return domain.NewUUID() }

// routedTo appends an event that goes to an endpoint, by hand, and returns the item of its delivery.
func (w *world) routedTo(sh *shard, d *Dispatcher, endpoint domain.UUID) *item {
	id := domain.NewUUID()
	entry := w.append(acme, domain.Stream{Kind: domain.StreamEvent, ID: id}, 0, 0, &domain.EventAppended{
		Event: domain.EventAttributes{
			EventClass: domain.EventClass{Type: "a"}, EventIdentity: domain.EventIdentity{ID: id.String(), Source: "/tenants/acme"},
		},
		Routing: domain.Routing{Complete: true, Deliveries: []domain.RoutedDelivery{{
			ID: newDelivery(endpoint), Endpoint: endpoint, EndpointVersion: 1,
		}}},
	})
	it := &item{delivery: domain.Routed(&entry)[0], position: entry.Position, lane: sh.lane(acme, endpoint)}
	sh.items[it.delivery.ID] = it
	return it
}

// TestWorker_Fenced: under a lease that is lost neither a start nor an end gets into the log, and nothing is sent.
func TestWorker_Fenced(t *testing.T) {
	t.Parallel()
	t.Run("start", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T, w *world) {
			endpoint := w.endpoint(nil)
			d, sh := bare(t, w, endpoint, another)
			it := w.routedTo(sh, d, endpoint)
			d.lanes.mu.Lock()
			sh.settle(it)
			d.lanes.pump()
			d.lanes.mu.Unlock()
			d.lanes.slots.tasks.Wait()
			if got := w.story(it.delivery.ID); len(got) != 0 || len(w.receiver.seen()) != 0 {
				t.Errorf("the log tells %q, %d requests", got, len(w.receiver.seen()))
			}
			if !sh.lost || d.lanes.shards[sh.index] != nil || d.lanes.slots.running != 0 {
				t.Error("the shard isn't given up")
			}
		})
	})
	t.Run("end", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T, w *world) {
			endpoint := w.endpoint(nil)
			d, sh := bare(t, w, endpoint, itself)
			it := w.routedTo(sh, d, endpoint)
			w.receiver.took = time.Second
			d.lanes.mu.Lock()
			sh.settle(it)
			d.lanes.pump()
			d.lanes.mu.Unlock()
			synctest.Wait()
			taken := []domain.Lease{{Name: sh.fences[0].Lease, Owner: d.set.Node, Epoch: 1}}
			if err := d.leases.take(t.Context(), domain.NewUUID(), taken, []domain.UUID{d.set.Node}); err != nil {
				t.Fatal(err)
			}
			d.lanes.slots.tasks.Wait()
			if got, want := w.story(it.delivery.ID), []string{"started 1"}; !slices.Equal(got, want) {
				t.Errorf("the log tells %q", got)
			}
			if !sh.lost || d.lanes.slots.running != 0 {
				t.Error("the shard isn't given up")
			}
		})
	})
	t.Run("cancellation", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T, w *world) {
			endpoint := w.endpoint(nil)
			d, sh := bare(t, w, endpoint, another)
			it := w.routedTo(sh, d, endpoint)
			d.lanes.mu.Lock()
			sh.cancel(it, domain.CancelEndpointDeleted)
			d.lanes.pump()
			d.lanes.mu.Unlock()
			d.lanes.slots.tasks.Wait()
			if got := w.story(it.delivery.ID); len(got) != 0 || !sh.lost {
				t.Errorf("the log tells %q, the shard is given up: %v", got, sh.lost)
			}
		})
	})
}

// TestWindow_TrimmedWhileRead: what was read behind a horizon isn't taken when the window has become smaller meanwhile,
// for what lies between would be forgotten.
func TestWindow_TrimmedWhileRead(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		endpoint := w.endpoint(func(c *domain.EndpointConfig) { c.Paused = true })
		d, sh := bare(t, w, endpoint, itself)
		var all []*item
		for range 6 {
			all = append(all, w.routedTo(sh, d, endpoint))
		}
		clear(sh.items)
		l := sh.byEndpoint[endpoint]
		d.lanes.config.SetCursor(all[5].position)
		d.set.Window = 2
		d.feed.progress.advance(all[5].position)
		d.lanes.mu.Lock()
		for _, it := range all[:4] {
			sh.items[it.delivery.ID] = it
			l.window.put(it)
		}
		l.window.more, l.window.horizon, l.reading = true, all[3].key(), true
		d.lanes.budget.waiting = 4
		d.lanes.pump()
		d.lanes.mu.Unlock()
		w.views.takes = time.Second
		go func() {
			time.Sleep(time.Millisecond)
			d.lanes.mu.Lock()
			for _, beyond := range l.window.trim(2) {
				delete(sh.items, beyond.delivery.ID)
				d.lanes.budget.waiting--
			}
			d.lanes.pump()
			d.lanes.mu.Unlock()
		}()
		if err := d.reader.tryReadMore(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		d.lanes.slots.tasks.Wait()
		if got := l.window.len(); got != 2 || l.window.horizon != all[1].key() {
			t.Fatalf("%d deliveries in the window, up to %v", got, l.window.horizon)
		}
		d.lanes.mu.Lock()
		l.window.remove(l.window.first(time.Now()))
		d.lanes.budget.waiting--
		l.touch()
		d.lanes.pump()
		d.lanes.mu.Unlock()
		d.lanes.slots.tasks.Wait()
		if got := l.window.len(); got != 3 || l.window.first(time.Now()) != all[1] || l.window.horizon != all[3].key() {
			t.Errorf("%d deliveries in the window, up to %v", got, l.window.horizon)
		}
	})
}
