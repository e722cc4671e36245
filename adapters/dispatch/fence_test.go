package dispatch_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/domain"
)

// depose has another node take an endpoint's shard from a node, which doesn't see it in its log (unaware).
func (w *world) depose(n *node, endpoint domain.UUID) {
	w.t.Helper()
	stranger, lease := domain.NewUUID(), shardLease(endpoint)
	_, epoch := w.holder(lease)
	_, err := domain.AppendOne(context.Background(), w.memory, domain.Group{
		Drafts: []domain.Draft{{
			Tenant: domain.InstanceTenant, Stream: domain.Stream{Kind: domain.StreamLease, ID: stranger},
			Expected: domain.AnyVersion,
			Fact:     &domain.LeaseTaken{Node: stranger, Leases: []domain.LeaseEpoch{{Name: lease, Epoch: epoch + 1}}},
		}},
		Takes: []domain.Take{{
			Lease: lease, Owner: stranger, Epoch: epoch + 1, Expiry: time.Hour, Displaced: []domain.UUID{n.set.Node},
		}},
	})
	if err != nil {
		w.t.Fatalf("%v", err)
	}
}

// unaware starts a node that sees no lease being taken from it in its log, and takes none back.
func (w *world) unaware(metrics prometheus.Registerer) *node {
	n := w.start(func(s *dispatch.Settings) {
		slowBeat(s)
		self := s.Node
		s.Metrics, s.Log = metrics, spoilt{w.memory, func(e *domain.Entry) {
			if f, ok := e.Fact.(*domain.LeaseTaken); ok && f.Node != self {
				e.Kind, e.Fact = "lease.unknown", nil
			}
		}}
	})
	time.Sleep(time.Second)
	return n
}

// TestDispatcher_Fenced: under a lease that is lost nothing gets into the log and nothing is sent, although the node
// doesn't know of the loss; and it gives the shard up.
func TestDispatcher_Fenced(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		depose   time.Duration // after the event
		deletion bool          // of the endpoint, then
		want     []string
	}{
		"before the end of an attempt":    {500 * time.Millisecond, false, []string{"started 1"}},
		"before the start of an attempt":  {3 * time.Second, false, []string{"started 1", "failed 1 retrying"}},
		"before a delivery is cancelled":  {3 * time.Second, true, []string{"started 1", "failed 1 retrying"}},
		"before an attempt is to be made": {2 * time.Second, false, []string{"started 1", "failed 1 retrying"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, w *world) {
				endpoint := w.endpoint(nil)
				w.subscribe(endpoint, "*")
				w.receiver.took, w.receiver.answer = time.Second, fails
				registry := prometheus.NewRegistry()
				n := w.unaware(registry)
				w.event("a") // its attempt ends after 1 s, and the next is due 5 s later
				time.Sleep(test.depose)
				w.depose(n, endpoint)
				if test.deletion {
					w.change(endpoint, func(c domain.EndpointConfig) domain.Fact { return &domain.EndpointDeleted{Endpoint: c} })
				}
				time.Sleep(10 * time.Second)
				if got := w.story(w.deliveries()[0].ID); !slices.Equal(got, test.want) || len(w.receiver.seen()) != 1 {
					t.Errorf("the log tells %q, %d requests", got, len(w.receiver.seen()))
				}
				if got := valueOf(t, registry, "hooktrail_dispatch_shards"); got != shards-1 {
					t.Errorf("the node holds %d shards", got)
				}
				idle(t, n.Dispatcher)
				n.end(t)
			})
		})
	}
}

// TestRouter_Fenced: the Router finds out by its append that a shard on which it would begin an attempt is another's.
// The event is appended all the same. A fence of the caller's own refuses the group.
func TestRouter_Fenced(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		endpoint := w.endpoint(nil)
		w.subscribe(endpoint, "*")
		n := w.unaware(nil)
		w.depose(n, endpoint)
		entries, err := domain.AppendOne(t.Context(), n.Router(), eventGroup("a"))
		if err != nil {
			t.Fatal(err)
		}
		if got := w.deliveries(); len(got) != 1 || got[0].Attempts != 0 || len(startsOf(&entries[0])) != 0 {
			t.Errorf("an attempt is started under a lease that another holds: %+v", got)
		}
		synctest.Wait()
		if got := w.story(w.deliveries()[0].ID); len(got) != 0 || len(w.receiver.seen()) != 0 {
			t.Errorf("the log tells %q, %d requests", got, len(w.receiver.seen()))
		}
		idle(t, n.Dispatcher)
		group := eventGroup("a")
		group.Fences = []domain.Fence{{Lease: shardLease(endpoint), Owner: n.set.Node, Epoch: 1}}
		if _, err := domain.AppendOne(t.Context(), n.Router(), group); !errors.Is(err, domain.ErrFenced) {
			t.Errorf("append under a lost lease: %v", err)
		}
		n.end(t)
		w.checkRouting()
	})
}
