package dispatch_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/domain"
)

// eventDraft drafts an event of a type.
func eventDraft(typ domain.EventType) domain.Draft {
	id := domain.NewUUID()
	return domain.Draft{
		Tenant: acme, Stream: domain.Stream{Kind: domain.StreamEvent, ID: id},
		Fact: &domain.EventAppended{
			Event: domain.EventAttributes{
				EventClass:    domain.EventClass{Type: typ, SchemaVersion: "v1"},
				EventIdentity: domain.EventIdentity{ID: id.String(), Source: "/tenants/acme"},
			},
			Data: []byte(`{"n":1}`),
		},
	}
}

func eventGroup(typ domain.EventType) domain.Group {
	return domain.Group{Drafts: []domain.Draft{eventDraft(typ)}}
}

// hasEvents reports whether a group appends an event.
func hasEvents(g domain.Group) bool {
	return slices.ContainsFunc(g.Drafts, func(d domain.Draft) bool {
		_, ok := d.Fact.(*domain.EventAppended)
		return ok
	})
}

// before is a log on whose way something happens before each append.
type before struct {
	domain.Log
	do func(call int, groups []domain.Group)

	mu    sync.Mutex
	calls int
}

// Append implements domain.Log.
func (l *before) Append(ctx context.Context, groups ...domain.Group) []domain.Outcome {
	l.mu.Lock()
	l.calls++
	call := l.calls
	l.mu.Unlock()
	l.do(call, groups)
	return l.Log.Append(ctx, groups...)
}

// appends returns how many appends there were.
func (l *before) appends() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls
}

// idle fails unless a dispatcher has nothing in hand.
func idle(t *testing.T, d *dispatch.Dispatcher) {
	t.Helper()
	slots, deliveries, waiting, touched := d.InHand()
	if slots != 0 || deliveries != 0 || waiting != 0 || touched != 0 {
		t.Errorf("%d slots are taken, %d deliveries in memory, %d of them waiting, %d lanes to be pumped", slots, deliveries, waiting, touched)
	}
}

// TestRouter_OneCommit: the append that accepts an event is the intent of its attempts. They leave although the feed
// sees nothing of it.
func TestRouter_OneCommit(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.subscribe(w.endpoint(nil), "*")
		w.subscribe(w.endpoint(nil), "a")
		log := &faulty{Log: w.memory}
		n := w.start(func(s *dispatch.Settings) { s.Log = log })
		time.Sleep(5 * time.Second)
		log.shut(true)
		e := w.event("a")
		synctest.Wait()
		if got := len(w.receiver.seen()); got != 2 || len(startsOf(&e)) != 2 {
			t.Errorf("%d requests of %d attempts that begin with the event", got, len(startsOf(&e)))
		}
		if got := len(w.entries()) - int(e.Position); got != 2 {
			t.Errorf("%d entries follow the event's, want the ends of two attempts", got)
		}
		log.shut(false)
		time.Sleep(5 * time.Second)
		idle(t, n.Dispatcher)
		n.end(t)
		w.check()
	})
}

// TestRouter_Slots: a batch takes as many slots as are free, everything else waits its turn.
func TestRouter_Slots(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.subscribe(w.endpoint(func(c *domain.EndpointConfig) { c.Concurrency = 3 }), "*")
		limited := w.endpoint(func(c *domain.EndpointConfig) {
			c.RateLimit = &domain.RateLimit{PerSecond: 1, Burst: 2}
		})
		w.subscribe(limited, "*")
		w.receiver.took = time.Second
		n := w.start(nil)
		time.Sleep(5 * time.Second)
		group := domain.Group{}
		for range 5 {
			group.Drafts = append(group.Drafts, eventDraft("a"))
		}
		entries, err := domain.AppendOne(t.Context(), n.Router(), group)
		if err != nil {
			t.Fatal(err)
		}
		begun := make(map[domain.UUID]int)
		for i := range entries {
			for _, d := range entries[i].Fact.(*domain.EventAppended).Routing.Deliveries {
				if d.First != nil {
					begun[d.Endpoint]++
				}
			}
		}
		if begun[limited] != 2 || len(begun) != 2 || begun[limited]+3 != len(w.startsWith(entries)) {
			t.Errorf("begun: %v", begun)
		}
		second, err := domain.AppendOne(t.Context(), n.Router(), eventGroup("a"))
		if err != nil || len(startsOf(&second[0])) != 0 {
			t.Errorf("an event behind a backlog begins %d attempts (%v)", len(startsOf(&second[0])), err)
		}
		time.Sleep(time.Minute)
		idle(t, n.Dispatcher)
		n.end(t)
		if w.receiver.most != 3 && w.receiver.most != 2 {
			t.Errorf("%d at once", w.receiver.most)
		}
		if got := len(w.deliveries()); got != 12 {
			t.Errorf("%d deliveries", got)
		}
		w.check()
	})
}

// startsWith returns the attempts that entries begin.
func (w *world) startsWith(entries []domain.Entry) (all []start) {
	for i := range entries {
		all = append(all, startsOf(&entries[i])...)
	}
	return all
}

// TestRouter_SlotsReturn: whatever becomes of an append, its slots and tokens come back when it didn't begin anything,
// and no attempt stays that nobody closes.
func TestRouter_SlotsReturn(t *testing.T) {
	t.Parallel()
	claim := domain.Claim{Tenant: acme, Scope: "s", Key: "k", Count: 1}
	tests := map[string]struct {
		fault  fault
		change func(*domain.Group)
		want   func(error) bool
		story  []string // of the delivery, "" for none
	}{
		"refused": {none, func(g *domain.Group) { g.Drafts[0].Expected = 7 }, is(domain.ErrConflict), nil},
		"repeated": {none, func(g *domain.Group) { g.Claims = []domain.Claim{claim} }, func(err error) bool {
			var claimed *domain.ClaimedError
			return errors.As(err, &claimed)
		}, nil},
		"busy":           {busy, nil, is(domain.ErrBusy), nil},
		"unavailable":    {refuse, nil, is(domain.ErrUnavailable), nil},
		"unknown tenant": {none, func(g *domain.Group) { g.Drafts[0].Tenant = "nobody" }, is(domain.ErrUnknownTenant), nil},
		"the answer was lost": {
			lose, nil, is(domain.ErrUnavailable),
			[]string{"started 1", "failed 1 retrying not_sent", "started 2", "succeeded 2 succeeded"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, w *world) {
				endpoint := w.endpoint(func(c *domain.EndpointConfig) {
					c.RateLimit = &domain.RateLimit{PerSecond: 0.001, Burst: 2}
					c.Concurrency = 1
					c.Retry = domain.Schedule{Gaps: []domain.Duration{domain.Duration(time.Hour)}}
				})
				w.subscribe(endpoint, "*")
				log := &faulty{Log: w.memory}
				n := w.start(func(s *dispatch.Settings) { s.Log = log; slowBeat(s) })
				time.Sleep(5 * time.Second)
				if _, err := domain.AppendOne(t.Context(), w.memory, domain.Group{
					Drafts: []domain.Draft{eventDraft("earlier")}, Claims: []domain.Claim{claim},
				}); err != nil {
					t.Fatal(err)
				}
				log.set(func(int) fault { return test.fault })
				for range 5 {
					group := eventGroup("a")
					if test.change != nil {
						test.change(&group)
					}
					_, err := domain.AppendOne(t.Context(), n.Router(), group)
					if !test.want(err) {
						t.Errorf("append: %v", err)
					}
					if test.story != nil {
						break // each is tried again, at a time of its own
					}
				}
				log.set(nil)
				synctest.Wait()
				if test.story == nil {
					idle(t, n.Dispatcher)
					for range 2 { // as many as the rate limit lets through at once
						if e := w.event("a"); len(startsOf(&e)) != 1 {
							t.Errorf("the next event begins %d attempts", len(startsOf(&e)))
						}
						synctest.Wait()
					}
				}
				time.Sleep(2 * time.Hour)
				n.end(t)
				for _, d := range w.deliveries() {
					if got := w.story(d.ID); test.story != nil && !slices.Equal(got, test.story) {
						t.Errorf("the log tells %q", got)
					}
				}
				if got := len(w.receiver.seen()); test.story != nil && got != 1 {
					t.Errorf("%d requests", got)
				}
			})
		})
	}
}

// TestRouter_SlotsReturnToThoseThatWait: a delivery that came while the only slot was reserved begins when the slot is
// given back.
func TestRouter_SlotsReturnToThoseThatWait(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.subscribe(w.endpoint(func(c *domain.EndpointConfig) { c.Concurrency = 1 }), "*")
		var n *node
		refusing, refused := &faulty{Log: w.memory}, false
		log := &before{Log: refusing}
		log.do = func(_ int, groups []domain.Group) {
			if refused || !slices.ContainsFunc(groups, hasEvents) {
				return
			}
			refused = true
			if _, err := domain.AppendOne(t.Context(), n.Router(), eventGroup("second")); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Second)
			if got := len(w.receiver.seen()); got != 0 {
				t.Errorf("%d requests while the slot is reserved", got)
			}
			refusing.set(func(int) fault { return refuse })
		}
		n = w.start(func(s *dispatch.Settings) { s.Log = log; slowBeat(s) })
		time.Sleep(5 * time.Second)
		if _, err := domain.AppendOne(t.Context(), n.Router(), eventGroup("first")); !errors.Is(err, domain.ErrUnavailable) {
			t.Errorf("append: %v", err)
		}
		refusing.set(nil)
		time.Sleep(time.Second)
		if got := len(w.receiver.seen()); got != 1 {
			t.Errorf("%d requests after the slot was given back", got)
		}
		n.end(t)
		w.check()
	})
}

// is returns whether an error is the wanted one.
func is(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }

// set replaces the faults that are planned.
func (l *faulty) set(plan func(int) fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.plan = plan
}

// TestRouter_CallerGone: what a caller doesn't wait for is committed all the same, and nobody has the attempt in hand.
func TestRouter_CallerGone(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.subscribe(w.endpoint(nil), "*")
		log := &deaf{Log: w.memory}
		n := w.start(func(s *dispatch.Settings) { s.Log = log })
		time.Sleep(5 * time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		log.leave(cancel)
		if _, err := domain.AppendOne(ctx, n.Router(), eventGroup("a")); !errors.Is(err, context.Canceled) {
			t.Errorf("append: %v", err)
		}
		time.Sleep(time.Hour)
		n.end(t)
		all := w.deliveries()
		if len(all) != 1 {
			t.Fatalf("%d deliveries", len(all))
		}
		want := []string{"started 1", "failed 1 retrying not_sent", "started 2", "succeeded 2 succeeded"}
		if got := w.story(all[0].ID); !slices.Equal(got, want) {
			t.Errorf("the log tells %q", got)
		}
		w.check()
	})
}

// deaf is a log that commits a caller's groups after the caller has gone, once.
type deaf struct {
	domain.Log
	mu     sync.Mutex
	cancel context.CancelFunc
}

func (l *deaf) leave(cancel context.CancelFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cancel = cancel
}

// Append implements domain.Log.
func (l *deaf) Append(ctx context.Context, groups ...domain.Group) []domain.Outcome {
	l.mu.Lock()
	cancel := l.cancel
	l.cancel = nil
	l.mu.Unlock()
	if cancel == nil {
		return l.Log.Append(ctx, groups...)
	}
	cancel()
	go func() {
		time.Sleep(time.Second)
		l.Log.Append(context.WithoutCancel(ctx), groups...)
	}()
	return refused(len(groups), ctx.Err())
}

// TestRouter_Stale: an event is routed by the newest configuration at its place in the log, however far the node's fold
// is behind: it waits for that, and then has the log decide.
func TestRouter_Stale(t *testing.T) {
	t.Parallel()
	for name, blind := range map[string]bool{"behind": false, "at a standstill": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, w *world) {
				endpoint := w.endpoint(nil)
				w.subscribe(endpoint, "*")
				log := &faulty{Log: w.memory}
				n := w.start(func(s *dispatch.Settings) { s.Log = log; slowBeat(s) })
				time.Sleep(5 * time.Second)
				log.shut(blind)
				w.change(endpoint, func(c domain.EndpointConfig) domain.Fact {
					c.URL = "https://receiver.example/moved"
					return &domain.EndpointUpdated{Endpoint: c}
				})
				second := w.endpoint(nil)
				w.subscribe(second, "*")
				began := time.Now()
				e := w.event("a")
				took, starts := time.Since(began), startsOf(&e)
				for _, s := range starts {
					if s.EndpointVersion != 1 && s.EndpointVersion != 2 {
						t.Errorf("version %d is used", s.EndpointVersion)
					}
				}
				if !blind && (took != 0 || len(starts) != 2) {
					t.Errorf("it took %v and begins %d attempts", took, len(starts))
				}
				if blind && (took != dispatch.ConfigurationWait || len(starts) != 0) {
					t.Errorf("without a fold it took %v and begins %d attempts", took, len(starts))
				}
				if got := len(e.Fact.(*domain.EventAppended).Routing.Deliveries); got != 2 {
					t.Errorf("%d deliveries", got)
				}
				log.shut(false)
				time.Sleep(time.Minute)
				n.end(t)
				w.check()
			})
		})
	}
}

// TestRouter_ConfigurationChangesAllTheTime: a tenant whose configuration changes before each append still gets its
// events in, by the third try.
func TestRouter_ConfigurationChangesAllTheTime(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.subscribe(w.endpoint(nil), "*")
		log := &before{Log: w.memory}
		log.do = func(_ int, groups []domain.Group) {
			if slices.ContainsFunc(groups, hasEvents) {
				w.subscribe(w.endpoint(nil), "*")
			}
		}
		n := w.start(func(s *dispatch.Settings) { s.Log = log; slowBeat(s) })
		time.Sleep(5 * time.Second)
		for i := range 5 {
			calls := log.appends()
			e, err := domain.AppendOne(t.Context(), n.Router(), eventGroup("a"))
			if err != nil {
				t.Fatal(err)
			}
			if got := log.appends() - calls; got != 3 {
				t.Errorf("it took %d appends", got)
			}
			if got := len(e[0].Fact.(*domain.EventAppended).Routing.Deliveries); got != 1+3*(i+1) {
				t.Errorf("%d deliveries, want one to each of %d endpoints", got, 1+3*(i+1))
			}
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		n.end(t)
		for _, d := range w.deliveries() {
			if d.Status != domain.DeliverySucceeded {
				t.Errorf("a delivery is %s", d.Status)
			}
		}
		w.check()
	})
}

// TestRouter_ManyEndpoints: more deliveries than one entry may name are named by further entries right behind. Callers
// and claims don't notice, also where the log decides itself.
func TestRouter_ManyEndpoints(t *testing.T) {
	t.Parallel()
	bubble(t, manyEndpoints)
}

func manyEndpoints(t *testing.T, w *world) {
	for range domain.MaxRouted - 1 {
		w.subscribe(w.endpoint(nil), "*")
	}
	var more int // endpoints that are made before the next appends
	log := &before{Log: w.memory}
	log.do = func(int, []domain.Group) {
		for range more {
			w.subscribe(w.endpoint(nil), "*")
		}
		more = 0
	}
	set := w.settings()
	set.Log = log
	d, err := dispatch.New(set)
	if err != nil {
		t.Fatal(err)
	}
	w.inform(d)
	append5 := func(key string) []domain.Entry {
		t.Helper()
		group := domain.Group{Drafts: []domain.Draft{eventDraft("a"), eventDraft("b")}}
		group.Claims = []domain.Claim{
			{Tenant: acme, Scope: "whole", Key: key, Count: 2}, {Tenant: acme, Scope: "second", Key: key, First: 1, Count: 1},
		}
		entries, err := domain.AppendOne(t.Context(), d.Router(), group)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) != 2 || entries[0].Stream != group.Drafts[0].Stream || entries[1].Stream != group.Drafts[1].Stream {
			t.Fatalf("%d entries, not one for each draft", len(entries))
		}
		var claimed *domain.ClaimedError
		again := eventGroup("a")
		again.Claims = []domain.Claim{{Tenant: acme, Scope: "second", Key: key, Count: 1}}
		if _, err := domain.AppendOne(t.Context(), d.Router(), again); !errors.As(err, &claimed) || claimed.Sequence != entries[1].Sequence {
			t.Errorf("the claim of the second event leads to %v, want sequence %d", err, entries[1].Sequence)
		}
		again.Claims = []domain.Claim{{Tenant: acme, Scope: "whole", Key: key, Count: 1}}
		_, err = domain.AppendOne(t.Context(), d.Router(), again)
		if !errors.As(err, &claimed) || claimed.Sequence != entries[0].Sequence ||
			claimed.Sequence+domain.Sequence(claimed.Count) != entries[1].Sequence+1 {
			t.Errorf("the claim of both leads to %v %+v, want sequences %d to %d", err, claimed, entries[0].Sequence, entries[1].Sequence)
		}
		return entries
	}
	if entries := append5("few"); entries[1].Sequence != entries[0].Sequence+1 {
		t.Errorf("sequences %d and %d", entries[0].Sequence, entries[1].Sequence)
	}
	more = 2 // which this node never gets to know: the log decides, and finds no room for further entries at first
	entries := append5("many")
	if entries[1].Sequence != entries[0].Sequence+2 {
		t.Errorf("sequences %d and %d", entries[0].Sequence, entries[1].Sequence)
	}
	w.checkRouting()
	for _, delivery := range w.deliveries() {
		if delivery.EventSequence == 0 || w.entries()[delivery.Created.Position-1].EventSequence() != delivery.EventSequence {
			t.Fatalf("a delivery is of the event at sequence %d", delivery.EventSequence)
		}
	}
}

// TestRouter_OwnGroup: what a group configures before an event holds for it.
func TestRouter_OwnGroup(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		endpoint := w.endpoint(nil)
		w.subscribe(endpoint, "*")
		n := w.start(nil)
		time.Sleep(5 * time.Second)
		c, _ := w.views.config(t).Endpoint(endpoint)
		c.Disabled = "for a test"
		group := domain.Group{Drafts: []domain.Draft{
			eventDraft("a"),
			{Tenant: acme, Stream: endpointStream(endpoint), Expected: 1, Fact: &domain.EndpointDisabled{Endpoint: c.EndpointConfig}},
			eventDraft("b"),
		}}
		entries, err := domain.AppendOne(t.Context(), n.Router(), group)
		if err != nil {
			t.Fatal(err)
		}
		first, last := entries[0].Fact.(*domain.EventAppended).Routing, entries[2].Fact.(*domain.EventAppended).Routing
		if len(first.Deliveries) != 1 || len(last.Deliveries) != 0 || len(last.Skipped) != 1 ||
			last.Skipped[0].Reason != domain.SkipEndpointDisabled {
			t.Errorf("the event before goes to %+v, the one after to %+v", first, last)
		}
		n.end(t)
		w.check()
	})
}
