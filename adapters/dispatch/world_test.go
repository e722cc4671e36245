package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/domain/logtest"
	"github.com/hooktrail/hooktrail/projections"
)

const acme domain.TenantID = "acme"

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

func newWorld(t fatal) *world {
	w := &world{t: t, memory: logtest.NewMemory(nil)}
	w.log = w.memory
	w.views = &views{log: w.memory, memory: projections.NewMemory()}
	w.leases = &heartbeats{log: w.memory, beats: make(map[domain.UUID]time.Time), held: make(map[string]Lease)}
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
	config := domain.EndpointConfig{
		Name: "receiver", URL: "https://receiver.example/hooks", Profile: "standard-webhooks", ProfileDigest: "d1",
		Concurrency: domain.DefaultConcurrency, Timeout: domain.DefaultTimeout, Retry: domain.DefaultSchedule(),
	}
	if f != nil {
		f(&config)
	}
	id := domain.NewUUID()
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

// submit appends an event as a producer does: at one of the nodes, and again at a process that delivers nothing until it is
// known to be in the log.
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
func (w *world) bystander() *Dispatcher {
	set := w.settings()
	set.Log = w.memory
	d, err := New(set)
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	w.inform(d)
	return d
}

// inform has a dispatcher that isn't running know the newest configuration.
func (w *world) inform(d *Dispatcher) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.config = w.views.config(w.t)
	d.position = d.config.Cursor()
	if w.filter != nil {
		d.config.KeepFilters(w.filter)
	}
	tenants := make(map[domain.TenantID]bool)
	for _, id := range d.config.Tenants() {
		tenants[id] = true
	}
	d.publish(tenants)
}

func (w *world) settings() Settings {
	return Settings{
		Log: w.log, State: w.views, Leases: w.leases, Sender: w.receiver, Filter: w.filter, Node: domain.NewUUID(),
		Logger: slog.New(slog.DiscardHandler), Random: func() float64 { return 0.5 },
	}
}

// node is one running dispatcher.
type node struct {
	*Dispatcher
	w    *world
	stop context.CancelFunc
	done chan error
}

// start runs a dispatcher with settings that f changed.
func (w *world) start(f func(*Settings)) *node {
	set := w.settings()
	if f != nil {
		f(&set)
	}
	d, err := New(set)
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	n := &node{d, w, stop, make(chan error, 1)}
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

// receiver is a Sender that stands for the world's receivers. answer says how an attempt ends; nil: it succeeds.
type receiver struct {
	w      *world
	answer func(Shipment) Answer
	took   time.Duration                // for which each request is under way
	slow   func(Shipment) time.Duration // for which one is, if it isn't nil

	mu       sync.Mutex
	requests []request
	running  map[domain.UUID]int // by endpoint
	most     int
}

// Send implements Sender.
func (r *receiver) Send(ctx context.Context, s Shipment) Answer {
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

func succeeds(Shipment) Answer {
	return Answer{Result: domain.AttemptResult{AttemptEnd: domain.AttemptEnd{Outcome: domain.OutcomeSucceeded, StatusCode: 200}}}
}

func fails(Shipment) Answer {
	return Answer{Result: domain.AttemptResult{AttemptEnd: domain.AttemptEnd{Outcome: domain.OutcomeFailed, StatusCode: 503, Error: "status"}}}
}

func failsBy(code string) Answer {
	return Answer{Result: domain.AttemptResult{AttemptEnd: domain.AttemptEnd{Outcome: domain.OutcomeFailed, Error: code, FinishedAt: time.Now()}}}
}

func (r *receiver) set(answer func(Shipment) Answer) {
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
	mute  map[domain.UUID]bool // nodes that are cut off
	held  map[string]Lease     // as of after
	after domain.Position
}

// Heartbeat implements Leases.
func (h *heartbeats) Heartbeat(ctx context.Context, node domain.UUID) (Standing, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mute[node] {
		return Standing{}, domain.ErrUnavailable
	}
	h.beats[node] = time.Now()
	h.log.Heartbeat(node)
	var s Standing
	for id, at := range h.beats {
		s.Nodes = append(s.Nodes, Node{id, time.Since(at)})
	}
	for {
		entries, err := h.log.Page(ctx, h.after, 1000)
		if err != nil {
			return Standing{}, err
		}
		if len(entries) == 0 {
			break
		}
		for _, e := range entries {
			h.after = e.Position
			if f, ok := e.Fact.(*domain.LeaseTaken); ok {
				for _, l := range f.Leases {
					h.held[l.Name] = Lease{l.Name, f.Node, l.Epoch}
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
	delete(h.beats, node)
	return nil
}

// views implements State over a fold in memory, some entries behind the log.
type views struct {
	log *logtest.Memory

	mu     sync.Mutex
	behind int           // entries that the views lag
	takes  time.Duration // that a page of waiting deliveries takes
	memory *projections.Memory
}

// follow folds up to where the views are meant to be and returns that position; mu is held.
func (v *views) follow(ctx context.Context) (domain.Position, error) {
	head, err := v.log.Head(ctx)
	if err != nil {
		return 0, err
	}
	to := head - domain.Position(v.behind)
	for v.memory.Cursor() < to {
		entries, err := v.log.Page(ctx, v.memory.Cursor(), int(to-v.memory.Cursor()))
		if err != nil {
			return 0, err
		}
		for _, e := range entries {
			if err := projections.Apply(v.memory, e); err != nil {
				return 0, err
			}
		}
	}
	return v.memory.Cursor(), nil
}

func (v *views) lag(entries int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.behind = entries
}

// LoadConfig implements State.
func (v *views) LoadConfig(ctx context.Context, at domain.Position) (*projections.Config, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	as, err := v.follow(ctx)
	if err != nil {
		return nil, err
	}
	c := projections.NewConfig()
	entries, err := v.log.Page(ctx, 0, int(max(1, min(as, at))))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Position > min(as, at) {
			break
		}
		if e.Kind.Configures() {
			if err := projections.Apply(c, e); err != nil {
				return nil, err
			}
		}
	}
	c.SetCursor(min(as, at))
	return c, nil
}

// config returns the newest configuration, however far the views lag.
func (v *views) config(t fatal) *projections.Config {
	v.mu.Lock()
	behind := v.behind
	v.behind = 0
	v.mu.Unlock()
	defer v.lag(behind)
	head, err := v.log.Head(context.Background())
	if err != nil {
		t.Fatalf("%v", err)
	}
	c, err := v.LoadConfig(context.Background(), head)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return c
}

// read calls f with a reader of the tenant.
func (v *views) read(f func(projections.Reader) error) error {
	return v.memory.Read(context.Background(), acme, -1, f)
}

// rows returns the deliveries that keep accepts.
func (v *views) rows(ctx context.Context, keep func(*projections.Delivery) bool) (rows []Waiting, as domain.Position, err error) {
	if as, err = v.follow(ctx); err != nil {
		return nil, 0, err
	}
	err = v.read(func(r projections.Reader) error {
		all, err := r.Deliveries(ctx, projections.DeliveryFilter{}, projections.Page{Limit: 1 << 30}, projections.AsOf{})
		for i := range all {
			if keep(&all[i]) {
				rows = append(rows, Waiting{Delivery: all[i].Delivery, Position: all[i].Created.Position})
			}
		}
		return err
	})
	return rows, as, err
}

func unfinished(d *projections.Delivery) bool { return !d.Status.Ended() || d.Open }

// Outstanding implements State.
func (v *views) Outstanding(ctx context.Context) (endpoints []domain.UUID, as domain.Position, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	rows, as, err := v.rows(ctx, unfinished)
	for i := range rows {
		if !slices.Contains(endpoints, rows[i].Delivery.Endpoint) {
			endpoints = append(endpoints, rows[i].Delivery.Endpoint)
		}
	}
	return endpoints, as, err
}

// Waiting implements State.
func (v *views) Waiting(ctx context.Context, q WaitingQuery) ([]Waiting, domain.Position, error) {
	rows, as, err := v.page(ctx, q)
	time.Sleep(v.takes) // the log goes on meanwhile
	return rows, as, err
}

func (v *views) page(ctx context.Context, q WaitingQuery) ([]Waiting, domain.Position, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	rows, as, err := v.rows(ctx, func(d *projections.Delivery) bool { return d.Endpoint == q.Endpoint && unfinished(d) })
	rows = slices.DeleteFunc(rows, func(w Waiting) bool { return itemOf(&w).key().compare(q.After) <= 0 })
	slices.SortFunc(rows, func(a, b Waiting) int { return itemOf(&a).key().compare(itemOf(&b).key()) })
	return rows[:min(q.Limit, len(rows))], as, err
}

// Deliveries implements State.
func (v *views) Deliveries(ctx context.Context, ids []domain.UUID) ([]Waiting, domain.Position, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.rows(ctx, func(d *projections.Delivery) bool { return slices.Contains(ids, d.ID) })
}

// Health implements State.
func (v *views) Health(ctx context.Context, endpoint domain.UUID, atLeast domain.Position) (h domain.Health, as domain.Position, err error) {
	var behind domain.Position
	read := func() error {
		v.mu.Lock()
		defer v.mu.Unlock()
		if as, err = v.follow(ctx); err != nil {
			return err
		}
		behind = domain.Position(v.behind)
		return v.read(func(r projections.Reader) error {
			h, err = r.Health(ctx, endpoint)
			return err
		})
	}
	for {
		if err := read(); err != nil || as >= atLeast {
			return h, as, err
		}
		v.log.Await(ctx, as+behind)
		if ctx.Err() != nil {
			return h, as, ctx.Err()
		}
	}
}

// deliveries returns every delivery as the whole log has it.
func (w *world) deliveries() []projections.Delivery {
	w.t.Helper()
	var all []projections.Delivery
	m := w.fold()
	err := m.Read(context.Background(), acme, -1, func(r projections.Reader) (err error) {
		all, err = r.Deliveries(context.Background(), projections.DeliveryFilter{}, projections.Page{Limit: 1 << 30}, projections.AsOf{})
		return err
	})
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	return all
}

// fold folds the whole log. It fails on an entry out of turn, such as the second end of an attempt.
func (w *world) fold() *projections.Memory {
	w.t.Helper()
	m := projections.NewMemory()
	for _, e := range w.entries() {
		if err := projections.Apply(m, e); err != nil {
			w.t.Fatalf("%v", err)
		}
	}
	return m
}

func (w *world) entries() []domain.Entry {
	w.t.Helper()
	head, err := w.memory.Head(context.Background())
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	entries, err := w.memory.Page(context.Background(), 0, int(head)+1)
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	return entries
}

// attempts returns the facts of one delivery in order, as short texts.
func (w *world) story(delivery domain.UUID) []string {
	var story []string
	for _, e := range w.entries() {
		for _, s := range startsOf(&e) {
			if s.delivery == delivery {
				story = append(story, fmt.Sprintf("started %d", s.Number))
			}
		}
		if e.Stream.ID != delivery {
			continue
		}
		switch f := e.Fact.(type) {
		case *domain.AttemptFinished:
			text := fmt.Sprintf("%s %d %s", f.Result.Outcome, f.Result.Number, f.Result.Status)
			if f.Result.Error == errorNotSent || f.Result.Error == errorTooLate || f.Result.Error == errorInternal {
				text += " " + f.Result.Error
			}
			story = append(story, text)
		case *domain.DeliveryRedriven:
			story = append(story, fmt.Sprintf("redriven after %d", f.Attempts))
		case *domain.DeliveryCancelled:
			story = append(story, "cancelled "+string(f.Reason))
		}
	}
	return story
}

// start is an attempt that an entry begins.
type start struct {
	delivery domain.UUID
	*domain.AttemptStarted
}

// startsOf returns the attempts that an entry begins.
func startsOf(e *domain.Entry) (starts []start) {
	var routing domain.Routing
	switch f := e.Fact.(type) {
	case *domain.AttemptStarted:
		return []start{{e.Stream.ID, f}}
	case *domain.EventAppended:
		routing = f.Routing
	case *domain.EventRouted:
		routing = f.Routing
	}
	for _, d := range routing.Deliveries {
		if d.First != nil {
			starts = append(starts, start{d.ID, d.First})
		}
	}
	return starts
}

// checkRouting holds what each event's entries say of its routing against the log before them.
func (w *world) checkRouting() {
	w.t.Helper()
	c := projections.NewConfig()
	if w.filter != nil {
		c.KeepFilters(w.filter)
	}
	entries := w.entries()
	for i := range entries {
		e := &entries[i]
		if e.Kind.Configures() {
			if err := projections.Apply(c, *e); err != nil {
				w.t.Fatalf("%v", err)
			}
		}
		f, ok := e.Fact.(*domain.EventAppended)
		if !ok {
			continue
		}
		got := []domain.EventRouted{{Routing: f.Routing, Verdicts: f.Verdicts}}
		for k := i + 1; k < len(entries) && !got[len(got)-1].Routing.Complete; k++ {
			next, ok := entries[k].Fact.(*domain.EventRouted)
			if !ok || entries[k].Stream != e.Stream || entries[k].EventSequence() != e.Sequence {
				w.t.Errorf("position %d doesn't continue the routing of the event at %d", entries[k].Position, e.Position)
				return
			}
			got = append(got, *next)
		}
		want, err := routesOf(context.Background(), c.Snapshot(e.Tenant), &domain.FilterRun{Event: f, Now: e.RecordedAt}, "")
		if err != nil {
			w.t.Fatalf("%v", err)
		}
		if g, w2 := plainly(got), plainly(want); g != w2 {
			w.t.Errorf("position %d: the event's entry says that it goes to\n%s\nthe log before it says\n%s", e.Position, g, w2)
		}
		if a, b := f.Routing.Configuration, want[0].Routing.Configuration; a > b {
			w.t.Errorf("position %d: routed by configuration %d, the log has %d", e.Position, a, b)
		}
	}
}

// plainly tells a routing without its random ids and first attempts.
func plainly(parts []domain.EventRouted) string {
	var deliveries, skipped []string
	for _, p := range parts {
		for _, d := range p.Routing.Deliveries {
			deliveries = append(deliveries, fmt.Sprintf("%s version %d by %v", d.Endpoint, d.EndpointVersion, d.Subscriptions))
		}
		for _, s := range append(slices.Clone(p.Routing.Skipped), p.Verdicts.Skipped...) {
			skipped = append(skipped, fmt.Sprint(s))
		}
	}
	slices.Sort(deliveries)
	slices.Sort(skipped)
	return strings.Join(append(deliveries, skipped...), "\n")
}

// check holds the log against the receiver's own list, in both directions, when nothing is under way, and each event's
// routing against the log before it.
func (w *world) check() {
	w.t.Helper()
	w.checkRouting()
	type key struct {
		delivery domain.UUID
		number   int
	}
	started, unsent := make(map[key]bool), make(map[key]bool)
	holders, nodes := make(map[string]domain.UUID), make(map[key]domain.UUID)
	for _, e := range w.entries() {
		for _, s := range startsOf(&e) {
			started[key{s.delivery, s.Number}] = true
			nodes[key{s.delivery, s.Number}] = s.Node
			if s.Node != holders[shardLeases[shardOf(s.delivery)]] {
				w.t.Errorf("position %d: an attempt is started by who doesn't hold the shard", e.Position)
			}
		}
		holder := holders[shardLeases[shardOf(e.Stream.ID)]]
		switch f := e.Fact.(type) {
		case *domain.LeaseTaken:
			for _, l := range f.Leases {
				holders[l.Name] = f.Node
			}
		case *domain.AttemptFinished:
			if nodes[key{e.Stream.ID, f.Result.Number}] != holder && f.Result.Outcome != domain.OutcomeUnknown {
				w.t.Errorf("position %d: an attempt ends as %s after its node lost the shard", e.Position, f.Result.Outcome)
			}
			if f.Result.Error == errorNotSent || f.Result.Error == errorTooLate || f.Result.Outcome == domain.OutcomeUnknown {
				unsent[key{e.Stream.ID, f.Result.Number}] = true // or perhaps not
			}
		}
	}
	requested := make(map[key]bool)
	for _, r := range w.receiver.seen() {
		k := key{r.delivery, r.number}
		if requested[k] {
			w.t.Errorf("attempt %d of delivery %s was sent twice", r.number, r.delivery)
		}
		requested[k] = true
		if !started[k] {
			w.t.Errorf("attempt %d of delivery %s was sent without a start in the log", r.number, r.delivery)
		}
	}
	for k := range started {
		if !requested[k] && !unsent[k] {
			w.t.Errorf("attempt %d of delivery %s stands in the log but was never sent", k.number, k.delivery)
		}
	}
	for _, d := range w.deliveries() {
		if d.Open {
			w.t.Errorf("delivery %s has an attempt that never ended", d.ID)
		}
	}
}
