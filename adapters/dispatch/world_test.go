package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/domain/logtest"
	"github.com/hooktrail/hooktrail/projections/memorytest"
)

const acme domain.TenantID = "acme"

// shards is over how many shards endpoints and their deliveries are spread.
const shards = 64

// shardOf returns the shard of an endpoint or a delivery.
func shardOf(id domain.UUID) int { return int(id[15]) % shards }

// shardLease names the lease of the shard of an endpoint or a delivery.
func shardLease(id domain.UUID) string { return fmt.Sprintf("shard/%02d", shardOf(id)) }

// fatal is what the world needs of testing.T and rapid.T.
type fatal interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// world is a log with everything around it that a dispatcher needs. It must be made within a synctest bubble.
type world struct {
	t        fatal
	log      domain.Log
	memory   *logtest.Memory
	views    *views
	leases   *heartbeats
	receiver *receiver
	nodes    []*node                    // that were started and not ended
	next     int                        // of nodes, at which the next event comes in
	filter   func(string) domain.Filter // of every process; nil: none can be evaluated
}

func newWorld(t fatal) *world { return newWorldAt(t, nil) }

// newWorldAt makes a world whose database has a clock of its own.
func newWorldAt(t fatal, now func() time.Time) *world {
	w := &world{t: t, memory: logtest.NewMemory(now)}
	w.log = w.memory
	w.views = &views{log: w.memory, memory: memorytest.New()}
	w.leases = &heartbeats{log: w.memory, beats: make(map[domain.UUID]time.Time), held: make(map[string]domain.Lease)}
	w.receiver = &receiver{w: w, running: make(map[domain.UUID]int)}
	w.tenant(domain.InstanceTenant)
	w.tenant(acme)
	return w
}

func (w *world) append(tenant domain.TenantID, stream domain.Stream, expected int, cause domain.Sequence, f domain.Fact) domain.Entry {
	w.t.Helper()
	entries, err := domain.AppendOne(context.Background(), w.memory, domain.Group{Drafts: []domain.Draft{{
		Tenant: tenant, Stream: stream, Expected: expected, Cause: cause, Fact: f,
	}}})
	if err != nil {
		w.t.Fatalf("append %s: %v", f.Kind(), err)
	}
	return entries[0]
}

func (w *world) tenant(id domain.TenantID) {
	w.append(id, domain.Stream{Kind: domain.StreamTenant, ID: domain.NewUUID()}, 0, 0, &domain.TenantCreated{
		Tenant: domain.TenantConfig{ID: id, Name: string(id), WebhooksEnabled: true},
	})
}

// endpoint makes an endpoint with defaults, changed by f, and returns its id.
func (w *world) endpoint(f func(*domain.EndpointConfig)) domain.UUID {
	return w.endpointAs(domain.NewUUID(), f)
}

// endpointBeside makes an endpoint in the shard of another.
func (w *world) endpointBeside(other domain.UUID) domain.UUID {
	id := domain.NewUUID()
	id[15] = other[15]
	return w.endpointAs(id, nil)
}

func (w *world) endpointAs(id domain.UUID, f func(*domain.EndpointConfig)) domain.UUID {
	config := domain.EndpointConfig{
		Name: "receiver", URL: "https://receiver.example/hooks", Profile: "standard-webhooks", ProfileDigest: "d1",
		Concurrency: domain.DefaultConcurrency, Timeout: domain.DefaultTimeout, Retry: domain.DefaultSchedule(),
	}
	if f != nil {
		f(&config)
	}
	w.append(acme, endpointStream(id), 0, 0, &domain.EndpointCreated{Endpoint: config})
	return id
}

func endpointStream(id domain.UUID) domain.Stream {
	return domain.Stream{Kind: domain.StreamEndpoint, ID: id}
}

func subscriptionStream(id domain.UUID) domain.Stream {
	return domain.Stream{Kind: domain.StreamSubscription, ID: id}
}

// change appends an endpoint fact that f makes of its newest configuration.
func (w *world) change(id domain.UUID, f func(domain.EndpointConfig) domain.Fact) {
	config := w.views.config(w.t)
	e, ok := config.Endpoint(id)
	if !ok {
		w.t.Fatalf("no endpoint %s", id)
	}
	w.append(acme, endpointStream(id), domain.AnyVersion, 0, f(e.EndpointConfig))
}

func (w *world) subscribe(endpoint domain.UUID, patterns ...domain.Pattern) domain.UUID {
	id := domain.NewUUID()
	w.append(acme, subscriptionStream(id), 0, 0, &domain.SubscriptionCreated{
		Subscription: domain.SubscriptionConfig{Endpoint: endpoint, EventTypes: patterns},
	})
	return id
}

// event appends an event of a type and returns its entry.
func (w *world) event(typ domain.EventType) domain.Entry { return w.eventOf(typ, nil) }

func (w *world) eventOf(typ domain.EventType, f func(*domain.EventAppended)) domain.Entry {
	id := domain.NewUUID()
	fact := &domain.EventAppended{
		Event: domain.EventAttributes{
			EventClass:    domain.EventClass{Type: typ, SchemaVersion: "v1"},
			EventIdentity: domain.EventIdentity{ID: id.String(), Source: "/tenants/acme"},
		},
		Data: []byte(`{"n":1}`),
	}
	if f != nil {
		f(fact)
	}
	return w.submit(domain.Draft{
		Tenant: acme, Stream: domain.Stream{Kind: domain.StreamEvent, ID: id}, Subject: fact.Event.Subject, Fact: fact,
	})
}

// submit appends an event as a producer does: at one of the nodes, and again at a process that delivers nothing until
// it is known to be in the log.
func (w *world) submit(draft domain.Draft) domain.Entry {
	var log domain.Log
	if len(w.nodes) > 0 {
		w.next++
		log = w.nodes[w.next%len(w.nodes)].Router()
	} else {
		log = w.bystander().Router()
	}
	for range 3 {
		entries, err := domain.AppendOne(context.Background(), log, domain.Group{Drafts: []domain.Draft{draft}})
		switch {
		case err == nil:
			return entries[0]
		case errors.Is(err, domain.ErrConflict): // an earlier try was committed after all
			for _, e := range w.entries() {
				if e.Stream == draft.Stream {
					return e
				}
			}
		}
		log = w.bystander().Router()
	}
	w.t.Fatalf("an event can't be appended")
	panic("not reached")
}

// bystander is a process that holds no shard and knows the newest configuration.
func (w *world) bystander() *dispatch.Dispatcher {
	set := w.settings()
	set.Log = w.memory
	d, err := dispatch.New(set)
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	w.inform(d)
	return d
}

// inform has a dispatcher that isn't running know the newest configuration.
func (w *world) inform(d *dispatch.Dispatcher) {
	config := w.views.config(w.t)
	if w.filter != nil {
		config.KeepFilters(w.filter)
	}
	d.Inform(config)
}

func (w *world) settings() dispatch.Settings {
	return dispatch.Settings{
		Log: w.log, State: w.views, Leases: w.leases, Sender: w.receiver, Filter: w.filter, Node: domain.NewUUID(),
		Logger: slog.New(slog.DiscardHandler), Random: func() float64 { return 0.5 },
	}
}

// node is one running dispatcher.
type node struct {
	*dispatch.Dispatcher
	set  dispatch.Settings
	w    *world
	stop context.CancelFunc
	done chan error
}

// start runs a dispatcher with settings that f changed.
func (w *world) start(f func(*dispatch.Settings)) *node {
	set := w.settings()
	if f != nil {
		f(&set)
	}
	d, err := dispatch.New(set)
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	n := &node{d, set, w, stop, make(chan error, 1)}
	w.nodes = append(w.nodes, n)
	go func() { n.done <- d.Run(ctx) }()
	return n
}

// end stops a dispatcher cleanly.
func (n *node) end(t fatal) {
	t.Helper()
	n.w.nodes = slices.DeleteFunc(n.w.nodes, func(other *node) bool { return other == n })
	n.stop()
	if err := <-n.done; err != nil {
		t.Errorf("run: %v", err)
	}
}

// request is what the receiver saw.
type request struct {
	delivery domain.UUID
	number   int
	event    domain.UUID
	endpoint domain.UUID
	at       time.Time
}

// receiver is a Sender that answers for the world's receivers. answer says how an attempt ends; nil: it succeeds.
type receiver struct {
	w      *world
	answer func(domain.Shipment) domain.Answer
	took   time.Duration                       // for which each request is under way
	slow   func(domain.Shipment) time.Duration // for which one is, if it isn't nil

	mu       sync.Mutex
	requests []request
	running  map[domain.UUID]int // by endpoint
	most     int
}

// Send implements Sender.
func (r *receiver) Send(ctx context.Context, s domain.Shipment) domain.Answer {
	if !time.Now().Before(s.Deadline) {
		r.w.t.Errorf("delivery %s is sent after its deadline", s.Delivery.ID)
	}
	r.mu.Lock()
	r.requests = append(r.requests, request{s.Delivery.ID, s.Attempt.Number, s.Event.ID, s.Endpoint.ID, time.Now()})
	r.running[s.Endpoint.ID]++
	r.most = max(r.most, r.running[s.Endpoint.ID])
	answer, took := r.answer, r.took
	if r.slow != nil {
		took = r.slow(s)
	}
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.running[s.Endpoint.ID]--
		r.mu.Unlock()
	}()
	if took > 0 {
		timer := time.NewTimer(took)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return failsBy("cancelled")
		}
	}
	if answer == nil {
		return succeeds(s)
	}
	return answer(s)
}

func succeeds(domain.Shipment) domain.Answer {
	return domain.Answer{Result: domain.AttemptResult{AttemptEnd: domain.AttemptEnd{Outcome: domain.OutcomeSucceeded, StatusCode: 200}}}
}

func fails(domain.Shipment) domain.Answer {
	return domain.Answer{Result: domain.AttemptResult{AttemptEnd: domain.AttemptEnd{Outcome: domain.OutcomeFailed, StatusCode: 503, Error: "status"}}}
}

func failsBy(code string) domain.Answer {
	return domain.Answer{Result: domain.AttemptResult{AttemptEnd: domain.AttemptEnd{Outcome: domain.OutcomeFailed, Error: code, FinishedAt: time.Now()}}}
}

func (r *receiver) set(answer func(domain.Shipment) domain.Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func (r *receiver) delay(took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.took = took
}

func (r *receiver) seen() []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

// heartbeats implements Leases over the log in memory.
type heartbeats struct {
	log *logtest.Memory

	mu    sync.Mutex
	beats map[domain.UUID]time.Time
	mute  map[domain.UUID]bool    // nodes that are cut off
	held  map[string]domain.Lease // as of after
	after domain.Position
}

// Heartbeat implements Leases.
func (h *heartbeats) Heartbeat(_ context.Context, node domain.UUID) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mute[node] {
		return domain.ErrUnavailable
	}
	h.beats[node] = time.Now()
	h.log.Heartbeat(node)
	return nil
}

// Standing implements Leases.
func (h *heartbeats) Standing(ctx context.Context) (domain.Standing, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var s domain.Standing
	for id, at := range h.beats {
		s.Nodes = append(s.Nodes, domain.Node{ID: id, Age: time.Since(at)})
	}
	for {
		entries, err := h.log.Page(ctx, h.after, 1000)
		if err != nil {
			return domain.Standing{}, err
		}
		if len(entries) == 0 {
			break
		}
		for _, e := range entries {
			h.after = e.Position
			if f, ok := e.Fact.(*domain.LeaseTaken); ok {
				for _, l := range f.Leases {
					h.held[l.Name] = domain.Lease{Name: l.Name, Owner: f.Node, Epoch: l.Epoch, Partings: l.Partings}
				}
			}
		}
	}
	for _, l := range h.held {
		s.Leases = append(s.Leases, l)
	}
	return s, nil
}

// Retire implements Leases.
func (h *heartbeats) Retire(_ context.Context, node domain.UUID) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mute[node] {
		return domain.ErrUnavailable
	}
	delete(h.beats, node)
	h.log.Retire(node)
	return nil
}
