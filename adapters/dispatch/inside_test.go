package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/domain/logtest"
	"github.com/hooktrail/hooktrail/projections"
)

// still is a dispatcher that isn't running and holds the shard of one endpoint, over a log in memory: for what can't be
// brought about from outside.
type still struct {
	*Dispatcher
	t        *testing.T
	log      *logtest.Memory
	endpoint domain.UUID
	sh       *shard
	takes    time.Duration // that a page of waiting deliveries takes
}

const tenant domain.TenantID = "acme"

// newStill makes one, whose endpoint f may change. It must be called within a bubble.
func newStill(t *testing.T, f func(*domain.EndpointConfig)) *still {
	t.Helper()
	s := &still{t: t, log: logtest.NewMemory(nil)}
	for _, id := range []domain.TenantID{domain.InstanceTenant, tenant} {
		s.append(id, domain.Stream{Kind: domain.StreamTenant, ID: domain.NewUUID()}, 0, &domain.TenantCreated{
			Tenant: domain.TenantConfig{ID: id, Name: string(id), WebhooksEnabled: true},
		})
	}
	s.endpoint = s.newEndpoint(domain.NewUUID(), f)
	var err error
	s.Dispatcher, err = New(Settings{
		Log: s.log, State: s, Leases: struct{ Leases }{}, Sender: s, Node: domain.NewUUID(),
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.work, s.send, s.io = t.Context(), t.Context(), t.Context()
	lease := domain.Lease{Name: shardLeases[shardOf(s.endpoint)]}
	if err := s.leases.take(t.Context(), s.set.Node, []domain.Lease{lease}, nil); err != nil {
		t.Fatal(err)
	}
	config := projections.NewConfig()
	s.each(func(e *domain.Entry) {
		if e.Kind.Configures() {
			if err := projections.Apply(config, *e); err != nil {
				t.Fatal(err)
			}
		}
		config.SetCursor(e.Position)
	})
	s.feed.begin(config)
	index := shardOf(s.endpoint)
	s.sh = newShard(s.lanes, index, domain.Fence{Lease: lease.Name, Owner: s.set.Node, Epoch: 1})
	s.sh.ready, s.lanes.shards[index] = true, s.sh
	return s
}

func (s *still) append(id domain.TenantID, stream domain.Stream, expected int, f domain.Fact) domain.Entry {
	s.t.Helper()
	entries, err := domain.AppendOne(context.Background(), s.log, domain.Group{Drafts: []domain.Draft{{
		Tenant: id, Stream: stream, Expected: expected, Fact: f,
	}}})
	if err != nil {
		s.t.Fatal(err)
	}
	return entries[0]
}

func (s *still) newEndpoint(id domain.UUID, f func(*domain.EndpointConfig)) domain.UUID {
	config := domain.EndpointConfig{
		Name: "receiver", URL: "https://receiver.example/hooks", Profile: "standard-webhooks", ProfileDigest: "d1",
		Concurrency: domain.DefaultConcurrency, Timeout: domain.DefaultTimeout, Retry: domain.DefaultSchedule(),
	}
	if f != nil {
		f(&config)
	}
	s.append(tenant, domain.Stream{Kind: domain.StreamEndpoint, ID: id}, 0, &domain.EndpointCreated{Endpoint: config})
	return id
}

// route appends an event that goes to an endpoint.
func (s *still) route(endpoint domain.UUID, first *domain.AttemptStarted) domain.Entry {
	return s.append(tenant, domain.Stream{Kind: domain.StreamEvent, ID: domain.NewUUID()}, 0, &domain.EventAppended{
		Event: domain.EventAttributes{EventClass: domain.EventClass{Type: "a"}},
		Routing: domain.Routing{Complete: true, Deliveries: []domain.RoutedDelivery{{
			ID: newDelivery(endpoint), Endpoint: endpoint, EndpointVersion: 1, First: first,
		}}},
	})
}

func (s *still) each(f func(*domain.Entry)) {
	entries, err := s.log.Page(context.Background(), 0, 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := range entries {
		f(&entries[i])
	}
}

// rows returns every delivery as the log has it, in the order of their keys.
func (s *still) rows() (rows []domain.WaitingDelivery, as domain.Position) {
	s.each(func(e *domain.Entry) {
		as = e.Position
		for _, d := range domain.Routed(e) {
			rows = append(rows, domain.WaitingDelivery{Delivery: d, Position: e.Position})
		}
		for i := range rows {
			if rows[i].Delivery.ID == e.Stream.ID {
				if err := rows[i].Delivery.Fold(e); err != nil {
					s.t.Fatal(err)
				}
			}
		}
	})
	slices.SortFunc(rows, func(a, b domain.WaitingDelivery) int { return a.Key().Compare(b.Key()) })
	return rows, as
}

// LoadConfig implements State.
func (s *still) LoadConfig(context.Context, domain.Position) (*projections.Config, error) {
	return nil, domain.ErrUnavailable
}

// Outstanding implements State.
func (s *still) Outstanding(context.Context) (endpoints []domain.UUID, as domain.Position, err error) {
	rows, as := s.rows()
	for i := range rows {
		endpoints = append(endpoints, rows[i].Delivery.Endpoint)
	}
	return slices.Compact(endpoints), as, nil
}

// Waiting implements State.
func (s *still) Waiting(_ context.Context, q domain.WaitingQuery) ([]domain.WaitingDelivery, domain.Position, error) {
	rows, as := s.rows()
	rows = slices.DeleteFunc(rows, func(w domain.WaitingDelivery) bool {
		return w.Delivery.Endpoint != q.Endpoint || w.Key().Compare(q.After) <= 0
	})
	time.Sleep(s.takes)
	return rows[:min(q.Limit, len(rows))], as, nil
}

// Deliveries implements State.
func (s *still) Deliveries(context.Context, []domain.UUID) ([]domain.WaitingDelivery, domain.Position, error) {
	rows, as := s.rows()
	return rows, as, nil
}

// Health implements State.
func (s *still) Health(context.Context, domain.UUID, domain.Position) (domain.Health, domain.Position, error) {
	return domain.Health{}, 0, domain.ErrUnavailable
}

// Send implements Sender.
func (s *still) Send(context.Context, domain.Shipment) domain.Answer {
	return domain.Answer{Result: domain.AttemptResult{AttemptEnd: domain.AttemptEnd{Outcome: domain.OutcomeSucceeded}}}
}

// TestWindow_TrimmedWhileRead: what was read behind a horizon isn't taken when the window has become smaller meanwhile,
// for what lies between would be forgotten.
func TestWindow_TrimmedWhileRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStill(t, func(c *domain.EndpointConfig) { c.Paused = true })
		l := s.sh.lane(tenant, s.endpoint)
		var all []*item
		for range 6 {
			e := s.route(s.endpoint, nil)
			all = append(all, &item{delivery: domain.Routed(&e)[0], position: e.Position, lane: l})
		}
		s.feed.progress.advance(all[5].position)
		s.set.Window, s.takes = 2, time.Second
		s.lanes.mu.Lock()
		for _, it := range all[:4] {
			s.sh.items[it.delivery.ID] = it
			l.window.put(it)
		}
		l.window.more, l.window.horizon, l.reading = true, all[3].key(), true
		s.lanes.budget.waiting = 4
		s.lanes.mu.Unlock()
		go func() {
			time.Sleep(time.Millisecond)
			s.lanes.mu.Lock()
			defer s.lanes.mu.Unlock()
			for _, it := range l.window.trim(2) {
				delete(s.sh.items, it.delivery.ID)
				s.lanes.budget.waiting--
			}
		}()
		if err := s.reader.tryReadMore(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		s.lanes.slots.tasks.Wait()
		if got := l.window.len(); got != 2 || l.window.horizon != all[1].key() {
			t.Fatalf("%d deliveries in the window, up to %v", got, l.window.horizon)
		}
		s.lanes.mu.Lock()
		l.remove(l.window.first(time.Now()))
		l.touch()
		s.lanes.pump()
		s.lanes.mu.Unlock()
		s.lanes.slots.tasks.Wait()
		if got := l.window.len(); got != 3 || l.window.first(time.Now()) != all[1] || l.window.horizon != all[3].key() {
			t.Errorf("%d deliveries in the window, up to %v", got, l.window.horizon)
		}
	})
}

// TestLoad_ViewAhead: a view may know deliveries of an endpoint that the feed hasn't come to. They wait for it and
// aren't taken for those of a deleted endpoint.
func TestLoad_ViewAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStill(t, nil)
		s.sh.ready = false
		late := domain.NewUUID()
		late[15] = late[15]&^shardMask | byte(s.sh.index)
		s.newEndpoint(late, nil)
		s.route(late, nil)

		loaded := make(chan error, 1)
		go func() { loaded <- s.reader.tryLoad(t.Context(), []*shard{s.sh}) }()
		synctest.Wait()
		if _, err := s.feed.fold(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-loaded; err != nil {
			t.Fatal(err)
		}
		s.lanes.slots.tasks.Wait()
		if got, _ := s.rows(); len(got) != 1 || got[0].Delivery.Status != domain.DeliverySucceeded {
			t.Errorf("deliveries: %+v", got)
		}
	})
}

// TestLoad_HorizonStays: deliveries that a loader left to the view stay behind its horizon, however those that it kept
// are rescheduled while it catches up.
func TestLoad_HorizonStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStill(t, nil)
		start := func() *domain.AttemptStarted {
			return &domain.AttemptStarted{Number: 1, EndpointVersion: 1, At: time.Now(), Node: s.set.Node}
		}
		route := func(first *domain.AttemptStarted) domain.Stream {
			time.Sleep(time.Second)
			e := s.route(s.endpoint, first)
			return domain.Stream{Kind: domain.StreamDelivery, ID: domain.Routed(&e)[0].ID}
		}
		fail := func(of domain.Stream, version int) { // and is retried much later
			end := domain.AttemptEnd{
				Number: 1, Outcome: domain.OutcomeFailed, FinishedAt: time.Now(),
				Status: domain.DeliveryRetrying, NextAttemptAt: time.Now().Add(time.Hour),
			}
			s.append(tenant, of, version, &domain.AttemptFinished{Result: domain.AttemptResult{AttemptEnd: end}})
		}
		var all []domain.Stream
		for range 6 { // at the fifth the loader leaves all but two to the view, and then the sixth
			all = append(all, route(nil))
		}
		for _, of := range all[:2] {
			s.append(tenant, of, 0, start())
			fail(of, 1)
		}
		for range 8 { // an attempt under way is kept, wherever the horizon is
			fail(route(start()), 0)
		}

		ld := newLoader(2, s.sh)
		s.each(func(e *domain.Entry) {
			if err := ld.fold(e); err != nil {
				t.Fatal(err)
			}
		})
		r := ld.reach(tenant, s.endpoint)
		if !r.more {
			t.Fatal("nothing is left to the view: the test tests nothing")
		}
		rows, _ := s.rows()
		for i := range rows {
			if rows[i].Key().Compare(r.horizon) <= 0 && ld.items[rows[i].Delivery.ID] == nil {
				t.Errorf("the delivery made at position %d is neither in memory nor behind the horizon", rows[i].Position)
			}
		}
	})
}

// TestPlaceholder_Unfoldable: where the row of a delivery and its entries don't fit together, the node halts at the
// first of them.
func TestPlaceholder_Unfoldable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStill(t, nil)
		e := s.route(s.endpoint, nil)
		d := domain.Routed(&e)[0]
		it := newPlaceholder(&domain.Entry{Stream: domain.Stream{Kind: domain.StreamDelivery, ID: d.ID}, Tenant: tenant})
		it.entries = []domain.Entry{{Position: 7, StreamVersion: 1, Fact: &domain.AttemptFinished{}}}
		s.sh.items[d.ID] = it
		s.sh.complete([]domain.UUID{d.ID}, []domain.WaitingDelivery{{Delivery: d, Position: e.Position}})
		select {
		case stop := <-s.lanes.stops:
			if stop.At != 7 {
				t.Errorf("stopped at %d", stop.At)
			}
		default:
			t.Error("nothing stopped")
		}
	})
}

func TestContents_Bounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStill(t, nil)
		c := newContents(s.log, 3*(contentOverhead+100), s.set.Logger)
		var entries []domain.Entry
		for range 10 {
			e := s.route(s.endpoint, nil)
			entries = append(entries, e)
			c.put(tenant, eventOf(&e))
		}
		if got := c.order.Len(); got != 3 {
			t.Errorf("%d events are kept", got)
		}
		for i := range entries {
			e, err := c.get(t.Context(), tenant, entries[i].Sequence, entries[i].Sequence)
			if err != nil || e.ID != entries[i].Stream.ID || !e.RecordedAt.Equal(entries[i].RecordedAt) {
				t.Fatalf("event %d: %+v, %v", i, e, err)
			}
		}
		free := c.free
		key := domain.NewUUID()
		for i, key := range []domain.UUID{key, domain.NewUUID()} {
			about := entries[i]
			about.SubjectKey = key
			c.put("other", eventOf(&about))
		}
		c.forget(key)
		if c.peek("other", entries[0].Sequence) != nil || c.peek("other", entries[1].Sequence) == nil {
			t.Error("not exactly what the destroyed key seals is forgotten")
		}
		if got := c.order.Len(); got != 2 || c.free <= free {
			t.Errorf("%d events are kept, %d bytes free after %d", got, c.free, free)
		}
		if _, err := c.get(t.Context(), tenant, 0, 0); err == nil {
			t.Error("the tenant's creation passes for an event")
		}
	})
}

// TestRouteDrafts_Room: where the log decides, an event has as many entries as it was first drafted with, and is
// refused as stale where it needs more.
func TestRouteDrafts_Room(t *testing.T) {
	t.Parallel()
	config := projections.NewConfig()
	version := domain.Sequence(0)
	apply := func(stream domain.Stream, f domain.Fact) {
		version++
		err := projections.Apply(config, domain.Entry{
			Tenant: tenant, Stream: stream, StreamVersion: 1, Sequence: version, Position: domain.Position(version),
			Kind: f.Kind(), KindVersion: f.Kind().Version(), Fact: f,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	receive := func() {
		id := domain.NewUUID()
		apply(domain.Stream{Kind: domain.StreamEndpoint, ID: id}, &domain.EndpointCreated{Endpoint: domain.EndpointConfig{
			URL: "https://receiver.example/hooks", Concurrency: 1,
		}})
		apply(domain.Stream{Kind: domain.StreamSubscription, ID: domain.NewUUID()}, &domain.SubscriptionCreated{
			Subscription: domain.SubscriptionConfig{Endpoint: id, EventTypes: []domain.Pattern{"*"}},
		})
	}
	apply(domain.Stream{Kind: domain.StreamTenant, ID: domain.NewUUID()}, &domain.TenantCreated{
		Tenant: domain.TenantConfig{ID: tenant, Name: "acme", WebhooksEnabled: true},
	})
	receive()
	small := config.Snapshot(tenant)
	for range domain.MaxRouted {
		receive()
	}
	large := config.Snapshot(tenant)
	drafts := []domain.Draft{{
		Tenant: tenant, Stream: domain.Stream{Kind: domain.StreamEvent, ID: domain.NewUUID()}, Retention: "short",
		Fact: &domain.EventAppended{Event: domain.EventAttributes{EventClass: domain.EventClass{Type: "a"}}},
	}}
	var cost uint64
	if _, _, err := routeDrafts(t.Context(), drafts, large, decideBy{room: []int{1}}, &cost); !errors.Is(err, domain.ErrStale) {
		t.Errorf("without room: %v", err)
	}
	routed, places, err := routeDrafts(t.Context(), drafts, small, decideBy{room: []int{3}}, &cost)
	if err != nil || len(routed) != 3 || places[0] != 0 {
		t.Fatalf("%d drafts, %v", len(routed), err)
	}
	for i := range routed {
		var r domain.Routing
		switch f := routed[i].Fact.(type) {
		case *domain.EventAppended:
			r = f.Routing
		case *domain.EventRouted:
			r = f.Routing
		}
		if r.Complete != (i == 2) || r.Configuration != small.Configured() || r.Retention != "short" || routed[i].Expected != i {
			t.Errorf("draft %d: %+v", i, r)
		}
	}
}

// TestItem_fold: what follows a damaged entry doesn't contradict what it may have said, whatever that was.
func TestItem_fold(t *testing.T) {
	t.Parallel()
	end := func(s domain.DeliveryStatus) domain.Fact {
		return &domain.AttemptFinished{Result: domain.AttemptResult{AttemptEnd: domain.AttemptEnd{Number: 2, Status: s}}}
	}
	for name, after := range map[string][]domain.Fact{
		"it said dead":       {&domain.DeliveryRedriven{Attempts: 1}, &domain.AttemptStarted{Number: 2}, end(domain.DeliverySucceeded)},
		"it said retrying":   {&domain.AttemptStarted{Number: 2}, end(domain.DeliveryDead), &domain.DeliveryRedriven{Attempts: 2}},
		"it was cancelled":   {&domain.DeliveryCancelled{Reason: domain.CancelEndpointDeleted}},
		"nothing came after": nil,
	} {
		it := &item{delivery: domain.Delivery{Status: domain.DeliveryPending, Attempts: 1, Open: true}}
		entries := []domain.Entry{{StreamVersion: 1, Kind: domain.KindAttemptFinished, Damaged: true}}
		for i, fact := range after {
			entries = append(entries, domain.Entry{StreamVersion: i + 2, Kind: fact.Kind(), Fact: fact})
		}
		for i := range entries {
			if err := it.fold(&entries[i]); err != nil || !it.gone() {
				t.Errorf("%s: %s gives %v, gone: %t", name, entries[i].Kind, err, it.gone())
			}
		}
	}
}

// TestContents_KeepNoRouting: an event in memory is counted by what it takes there, however many deliveries its entry
// names.
func TestContents_KeepNoRouting(t *testing.T) {
	t.Parallel()
	fact := &domain.EventAppended{Data: []byte("{}")}
	fact.Routing.Deliveries = make([]domain.RoutedDelivery, 1000)
	fact.Verdicts.Skipped = make([]domain.Skipped, 1000)
	kept := eventOf(&domain.Entry{Fact: fact})
	if len(kept.Fact.Routing.Deliveries)+len(kept.Fact.Verdicts.Skipped) != 0 || len(fact.Routing.Deliveries) != 1000 {
		t.Errorf("%d deliveries and %d verdicts are kept; the entry has %d", len(kept.Fact.Routing.Deliveries),
			len(kept.Fact.Verdicts.Skipped), len(fact.Routing.Deliveries))
	}
}
