package dispatch_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/domain"
)

// spoilt is a log of which a program can't understand some entries.
type spoilt struct {
	domain.Log
	spoil func(*domain.Entry)
}

// Page implements domain.Log.
func (l spoilt) Page(ctx context.Context, after domain.Position, limit int) ([]domain.Entry, error) {
	entries, err := l.Log.Page(ctx, after, limit)
	for i := range entries {
		l.spoil(&entries[i])
	}
	return entries, err
}

// TestDispatcher_Stops: at an entry that can't be folded nothing is delivered any more, what is under way is recorded,
// the rest of the process goes on, and another program takes over at once. Events are appended and routed as long as
// the configuration can be folded.
func TestDispatcher_Stops(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		follower string
		spoil    func(*domain.Entry)
	}{
		"a critical kind that nobody knows": {"dispatcher", func(e *domain.Entry) {
			if e.Kind == domain.KindServerStarted {
				e.Kind, e.Fact, e.Critical = "server.improved", nil, true
			}
		}},
		"a version that nobody knows": {"dispatcher", func(e *domain.Entry) {
			if e.Kind == domain.KindServerStarted {
				e.KindVersion, e.Fact = 2, nil
			}
		}},
		"a configuration that can't be read": {"configuration", func(e *domain.Entry) {
			if e.Kind == domain.KindSubscriptionPaused {
				e.Fact, e.Damaged = nil, true
			}
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, w *world) { stops(t, w, test.follower, test.spoil) })
		})
	}
}

func stops(t *testing.T, w *world, follower string, spoil func(*domain.Entry)) {
	w.subscribe(w.endpoint(nil), "*")
	w.receiver.took = 5 * time.Second
	registry := prometheus.NewRegistry()
	old := w.start(func(s *dispatch.Settings) { s.Log, s.Metrics = spoilt{w.memory, spoil}, registry })
	time.Sleep(10 * time.Second)
	w.event("a")
	time.Sleep(time.Second)
	if follower == "dispatcher" {
		server := domain.Stream{Kind: domain.StreamServer, ID: domain.NewUUID()}
		w.append(domain.InstanceTenant, server, 0, 0, &domain.ServerStarted{Version: "9"})
	} else {
		w.append(acme, subscriptionStream(domain.NewUUID()), 0, 0, &domain.SubscriptionPaused{})
	}
	synctest.Wait()
	before := len(w.entries())
	b := w.event("b")
	if follower == "configuration" {
		_, err := domain.AppendOne(t.Context(), old.Router(), domain.Group{Drafts: []domain.Draft{{
			Tenant: acme, Stream: domain.Stream{Kind: domain.StreamEvent, ID: domain.NewUUID()}, Fact: &domain.EventAppended{},
		}}})
		if !errors.Is(err, domain.ErrUnavailable) || !strings.Contains(err.Error(), "position") {
			t.Errorf("an event is refused by %v, want %v and where the fold stopped", err, domain.ErrUnavailable)
		}
	} else if int(b.Position) != before+1 || len(startsOf(&b)) != 0 {
		t.Errorf("an event at position %d begins %d attempts", b.Position, len(startsOf(&b)))
	}
	time.Sleep(time.Minute)
	select {
	case err := <-old.done:
		t.Fatalf("it ended with %v", err)
	default:
	}
	at := w.find(domain.KindFollowerStopped)
	fact := at.Fact.(*domain.FollowerStopped)
	if kind := w.entries()[fact.Position-1].Kind; fact.Follower != follower || kind != domain.KindServerStarted && kind != domain.KindSubscriptionPaused {
		t.Errorf("the log says that %s stopped at %s: %s", fact.Follower, kind, fact.Problem)
	}
	if got := len(w.receiver.seen()); got != 1 {
		t.Errorf("%d requests, the second of them after the stop", got)
	}
	if got, want := w.story(w.deliveries()[0].ID), []string{"started 1", "succeeded 1 succeeded"}; !slices.Equal(got, want) {
		t.Errorf("the log tells %q of the attempt that was under way", got)
	}
	if got := stoppedBy(t, registry, follower); got != 1 {
		t.Errorf("the gauge of %s is %v", follower, got)
	}
	for _, name := range []string{"shards", "in_flight", "waiting"} {
		if got := valueOf(t, registry, "hooktrail_dispatch_"+name); got != 0 {
			t.Errorf("the gauge of %s is %d", name, got)
		}
	}

	again := w.start(func(s *dispatch.Settings) { s.Log = spoilt{w.memory, spoil} }) // the same program says nothing new
	time.Sleep(time.Minute)
	again.end(t)
	upgraded := w.start(nil)
	time.Sleep(7 * time.Second) // less than the expiry of a lease and an attempt take
	upgraded.end(t)
	old.end(t)
	said := 0
	for _, e := range w.entries() {
		if e.Kind == domain.KindFollowerStopped {
			said++
		}
	}
	if said != 1 {
		t.Errorf("the stop is told %d times", said)
	}
	for _, d := range w.deliveries() {
		if d.Status != domain.DeliverySucceeded {
			t.Errorf("a delivery is %s: %q", d.Status, w.story(d.ID))
		}
	}
	if got := len(w.deliveries()); got != 2 {
		t.Errorf("%d deliveries", got)
	}
	w.check()
}

// stoppedBy reads the gauge of one follower.
func stoppedBy(t *testing.T, from prometheus.Gatherer, follower string) float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "hooktrail_follower_stopped" {
			continue
		}
		for _, m := range f.GetMetric() {
			if strings.Contains(m.String(), `value:"`+follower+`"`) {
				return m.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("no gauge of %s", follower)
	return 0
}

// TestDispatcher_PassesOver: an entry of a kind that this program doesn't know, and that isn't critical, stops nothing,
// nor does one that would configure routing if it were known.
func TestDispatcher_PassesOver(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.subscribe(w.endpoint(nil), "*")
		n := w.start(func(s *dispatch.Settings) {
			s.Log = spoilt{w.memory, func(e *domain.Entry) {
				switch e.Kind {
				case domain.KindServerStarted:
					e.Kind, e.Fact = "server.improved", nil
				case domain.KindSubscriptionPaused:
					e.Kind, e.Fact = "subscription.improved", nil
				}
			}}
		})
		time.Sleep(5 * time.Second)
		server := domain.Stream{Kind: domain.StreamServer, ID: domain.NewUUID()}
		w.append(domain.InstanceTenant, server, 0, 0, &domain.ServerStarted{})
		w.append(acme, subscriptionStream(domain.NewUUID()), 0, 0, &domain.SubscriptionPaused{})
		synctest.Wait()
		e := w.event("a")
		synctest.Wait()
		if len(startsOf(&e)) != 1 || len(w.receiver.seen()) != 1 {
			t.Errorf("%d attempts begin with the event, %d requests", len(startsOf(&e)), len(w.receiver.seen()))
		}
		n.end(t)
	})
}

// TestDispatcher_DamagedEntry: a delivery whose entry is damaged goes no further; everything else does.
func TestDispatcher_DamagedEntry(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.subscribe(w.endpoint(nil), "*")
		w.receiver.set(fails)
		ends := 1
		n := w.start(func(s *dispatch.Settings) {
			s.Log = spoilt{w.memory, func(e *domain.Entry) {
				if e.Kind == domain.KindAttemptFinished && ends > 0 {
					ends--
					e.Fact, e.Damaged = nil, true
				}
			}}
		})
		time.Sleep(5 * time.Second)
		first := w.event("a") // its end is damaged
		time.Sleep(time.Second)
		w.receiver.set(succeeds)
		w.event("a")
		time.Sleep(time.Hour)
		n.end(t)
		for _, d := range w.deliveries() {
			want := domain.DeliverySucceeded
			if d.Event == first.Stream.ID {
				want = domain.DeliveryRetrying
			}
			if d.Status != want {
				t.Errorf("a delivery is %s, want %s: %q", d.Status, want, w.story(d.ID))
			}
		}
	})
}
