package dispatch_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/domain/logtest"
	"github.com/hooktrail/hooktrail/projections"
	"github.com/hooktrail/hooktrail/projections/memorytest"
)

// views implements State over a fold in memory, some entries behind the log.
type views struct {
	log *logtest.Memory

	mu     sync.Mutex
	behind int           // entries that the views lag
	takes  time.Duration // that a page of waiting deliveries takes
	memory *memorytest.Memory
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
func (v *views) rows(ctx context.Context, keep func(*projections.Delivery) bool) (rows []domain.WaitingDelivery, as domain.Position, err error) {
	if as, err = v.follow(ctx); err != nil {
		return nil, 0, err
	}
	err = v.read(func(r projections.Reader) error {
		all, err := r.Deliveries(ctx, projections.DeliveryFilter{}, projections.Page{Limit: 1 << 30}, projections.AsOf{})
		for i := range all {
			if keep(&all[i]) {
				rows = append(rows, domain.WaitingDelivery{Delivery: all[i].Delivery, Position: all[i].Created.Position})
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
func (v *views) Waiting(ctx context.Context, q domain.WaitingQuery) ([]domain.WaitingDelivery, domain.Position, error) {
	rows, as, err := v.page(ctx, q)
	time.Sleep(v.takes) // the log goes on meanwhile
	return rows, as, err
}

func (v *views) page(ctx context.Context, q domain.WaitingQuery) ([]domain.WaitingDelivery, domain.Position, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	rows, as, err := v.rows(ctx, func(d *projections.Delivery) bool { return d.Endpoint == q.Endpoint && unfinished(d) })
	rows = slices.DeleteFunc(rows, func(w domain.WaitingDelivery) bool { return w.Key().Compare(q.After) <= 0 })
	slices.SortFunc(rows, func(a, b domain.WaitingDelivery) int { return a.Key().Compare(b.Key()) })
	return rows[:min(q.Limit, len(rows))], as, err
}

// Deliveries implements State.
func (v *views) Deliveries(ctx context.Context, ids []domain.UUID) ([]domain.WaitingDelivery, domain.Position, error) {
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
func (w *world) fold() *memorytest.Memory {
	w.t.Helper()
	m := memorytest.New()
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

// story returns the facts of one delivery in order, as short texts.
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
			if f.Result.Error == "not_sent" || f.Result.Error == "too_late" || f.Result.Error == "internal" {
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
		want, err := dispatch.Preview(context.Background(), c.Snapshot(e.Tenant), &domain.FilterRun{Event: f, Now: e.RecordedAt})
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
	partings := make(map[string][]domain.Parting)
	for _, e := range w.entries() {
		for _, s := range startsOf(&e) {
			started[key{s.delivery, s.Number}] = true
			nodes[key{s.delivery, s.Number}] = s.Node
			if s.Node != holders[shardLease(s.delivery)] {
				w.t.Errorf("position %d: an attempt is started by a node that doesn't hold the shard", e.Position)
			}
		}
		holder := holders[shardLease(e.Stream.ID)]
		switch f := e.Fact.(type) {
		case *domain.LeaseTaken:
			for _, l := range f.Leases {
				holders[l.Name], partings[l.Name] = f.Node, l.Partings
			}
		case *domain.AttemptFinished:
			node := nodes[key{e.Stream.ID, f.Result.Number}]
			parts := slices.ContainsFunc(partings[shardLease(e.Stream.ID)], func(p domain.Parting) bool {
				return p.Node == node && e.RecordedAt.Before(p.Until)
			})
			if node != holder && !parts && f.Result.Outcome != domain.OutcomeUnknown {
				w.t.Errorf("position %d: an attempt ends as %s after its node lost the shard", e.Position, f.Result.Outcome)
			}
			if f.Result.Error == "not_sent" || f.Result.Error == "too_late" || f.Result.Outcome == domain.OutcomeUnknown {
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
			w.t.Errorf("attempt %d of delivery %s is in the log but was never sent", k.number, k.delivery)
		}
	}
	for _, d := range w.deliveries() {
		if d.Open {
			w.t.Errorf("delivery %s has an attempt that never ended", d.ID)
		}
	}
}
