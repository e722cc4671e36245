package replay

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/domain/logtest"
	"github.com/hooktrail/hooktrail/projections"
	"github.com/hooktrail/hooktrail/projections/memorytest"
)

const acme = domain.TenantID("acme")

// world is a log with its views, in memory, and the nodes that may run replays.
type world struct {
	*logtest.Memory
	t     rapid.TB
	views *memorytest.Memory
	nodes []domain.UUID // that live

	// fail is asked before each append of a step; what it returns is the append's error.
	fail func() error
	lost bool // the failing append is committed nevertheless
}

func newWorld(t rapid.TB) *world {
	w := &world{Memory: logtest.NewMemory(time.Now), t: t, views: memorytest.New()}
	for _, id := range []domain.TenantID{domain.InstanceTenant, acme} {
		w.append(domain.Draft{
			Tenant: id, Stream: domain.Stream{Kind: domain.StreamTenant, ID: domain.NewUUID()},
			Fact: &domain.TenantCreated{Tenant: domain.TenantConfig{ID: id, Name: "t", WebhooksEnabled: true}},
		})
	}
	return w
}

// append appends by hand, and has the views follow.
func (w *world) append(drafts ...domain.Draft) []domain.Entry {
	entries, err := domain.AppendOne(context.Background(), w.Memory, domain.Group{Drafts: drafts})
	if err != nil {
		w.t.Fatalf("append %s: %v", drafts[0].Fact.Kind(), err)
	}
	w.follow()
	return entries
}

func (w *world) follow() {
	entries, err := w.Page(context.Background(), w.views.Cursor(), 100_000)
	for _, e := range entries {
		if err == nil {
			err = projections.Apply(w.views, e)
		}
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// Append has the runner's appends fail as planned, and the views follow.
func (w *world) Append(ctx context.Context, groups ...domain.Group) []domain.Outcome {
	if w.fail != nil && groups[0].Drafts[0].Stream.Kind == domain.StreamReplay {
		if err := w.fail(); err != nil {
			if w.lost {
				w.Memory.Append(ctx, groups...)
				w.follow()
			}
			return []domain.Outcome{{Err: err}}
		}
	}
	outcomes := w.Memory.Append(ctx, groups...)
	w.follow()
	return outcomes
}

// Entries implements Log.
func (w *world) Entries(ctx context.Context, tenant domain.TenantID, sequences []domain.Sequence) (found []domain.Entry, err error) {
	for _, from := range sequences {
		to := from + 1
		entries, err := domain.Select(ctx, w.Memory, domain.Query{Tenant: tenant, From: &from, To: &to, Limit: 1})
		if err != nil {
			return nil, err
		}
		found = append(found, entries...)
	}
	return found, nil
}

// Standing implements Leases, by the log.
func (w *world) Standing(ctx context.Context) (s domain.Standing, err error) {
	entries, err := w.Page(ctx, 0, 100_000)
	for _, e := range entries {
		if f, ok := e.Fact.(*domain.LeaseTaken); ok {
			s.Leases = []domain.Lease{{Name: f.Leases[0].Name, Owner: f.Node, Epoch: f.Leases[0].Epoch}}
		}
	}
	for _, n := range w.nodes {
		s.Nodes = append(s.Nodes, domain.Node{ID: n})
	}
	return s, err
}

// node starts another process; displaced are known to be dead.
func (w *world) node(displaced ...domain.UUID) *Runner {
	n := domain.NewUUID()
	w.nodes = slices.DeleteFunc(append(w.nodes, n), func(n domain.UUID) bool { return slices.Contains(displaced, n) })
	return New(Settings{Log: w, State: w.views, Leases: w, Node: n, Displaced: displaced, Logger: slog.New(slog.DiscardHandler)})
}

// rounds has a runner go on until nothing is left to do, or so many times.
func (w *world) rounds(r *Runner, most int) {
	for range most {
		moved, err := r.Round(context.Background())
		if err != nil && !errors.Is(err, domain.ErrUnavailable) {
			w.t.Fatal(err)
		}
		if !moved && w.fail == nil {
			return
		}
	}
}

func (w *world) endpoint() domain.UUID {
	id := domain.NewUUID()
	w.append(domain.Draft{
		Tenant: acme, Stream: domain.Stream{Kind: domain.StreamEndpoint, ID: id},
		Fact: &domain.EndpointCreated{Endpoint: domain.EndpointConfig{Name: "e", URL: "https://receiver.example/"}},
	})
	return id
}

// event appends an event and routes it to endpoints, without subscriptions, or has it skipped for others.
func (w *world) event(typ domain.EventType, subject string, to []domain.UUID, skipped ...domain.Skipped) domain.Entry {
	id := domain.NewUUID()
	fact := &domain.EventAppended{
		Event: domain.EventAttributes{
			EventClass:    domain.EventClass{Type: typ, SchemaVersion: "v1"},
			EventIdentity: domain.EventIdentity{ID: id.String(), Source: "/tenants/acme", Subject: subject},
		},
		Data: []byte(`1`), Routing: domain.Routing{Complete: true, Skipped: skipped},
	}
	for _, n := range to {
		fact.Routing.Deliveries = append(fact.Routing.Deliveries, domain.RoutedDelivery{ID: domain.NewUUID(), Endpoint: n, EndpointVersion: 1})
	}
	return w.append(domain.Draft{Tenant: acme, Stream: domain.Stream{Kind: domain.StreamEvent, ID: id}, Subject: subject, Fact: fact})[0]
}

// end has a delivery's next attempt end with a status.
func (w *world) end(id domain.UUID, status domain.DeliveryStatus, code int) {
	var d projections.Delivery
	w.read(func(r projections.Reader) (err error) {
		d, err = r.Delivery(context.Background(), id, projections.AsOf{})
		return err
	})
	stream := domain.Stream{Kind: domain.StreamDelivery, ID: id}
	result := domain.AttemptEnd{Number: d.Attempts + 1, Status: status, Outcome: domain.OutcomeFailed, StatusCode: code, Error: "http_status"}
	w.append(
		domain.Draft{Tenant: acme, Stream: stream, Expected: domain.AnyVersion, Cause: d.EventSequence, Fact: &domain.AttemptStarted{Number: d.Attempts + 1, Node: domain.NewUUID()}},
		domain.Draft{Tenant: acme, Stream: stream, Expected: domain.AnyVersion, Cause: d.EventSequence, Fact: &domain.AttemptFinished{Result: domain.AttemptResult{AttemptEnd: result}}},
	)
}

func (w *world) read(f func(projections.Reader) error) {
	if err := w.views.Read(context.Background(), acme, -1, f); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) deliveries() (rows []projections.Delivery) {
	w.read(func(r projections.Reader) (err error) {
		rows, err = r.Deliveries(context.Background(), projections.DeliveryFilter{}, projections.Page{Limit: 100_000}, projections.AsOf{})
		return err
	})
	return rows
}

// ask asks for a replay of everything until now.
func (w *world) ask(config domain.ReplayConfig) domain.UUID {
	id := domain.NewUUID()
	w.read(func(r projections.Reader) error {
		if config.To == 0 {
			config.To = r.Sequence() + 1
		}
		return nil
	})
	w.append(domain.Draft{
		Tenant: acme, Stream: domain.Stream{Kind: domain.StreamReplay, ID: id}, By: domain.Actor{Principal: domain.UUID{1: 7}},
		Reason: "why", Fact: &domain.ReplayCreated{Replay: config},
	})
	return id
}

func (w *world) replay(id domain.UUID) (row projections.Replay) {
	w.read(func(r projections.Reader) (err error) {
		row, err = r.Replay(context.Background(), id)
		return err
	})
	return row
}

// setOff counts, by delivery, how often a replay has set it off.
func (w *world) setOff(id domain.UUID) map[domain.UUID]int {
	entries, err := w.Page(context.Background(), 0, 100_000)
	if err != nil {
		w.t.Fatal(err)
	}
	row, count := w.replay(id), make(map[domain.UUID]int)
	for _, e := range entries {
		by := domain.UUID{}
		switch f := e.Fact.(type) {
		case *domain.DeliveryResent:
			by = f.Replay
		case *domain.DeliveryCreated:
			by = f.Replay
		}
		if by == id {
			count[e.Stream.ID]++
			if e.Cause != row.Cause || e.By != row.By {
				w.t.Fatalf("%s of replay %s is by %+v, caused by %d", e.Kind, id, e.By, e.Cause)
			}
		}
	}
	return count
}

// TestRunner: whatever fails when, however nodes die and take over, and whatever else happens to the deliveries, a replay
// sets off exactly what its filters choose, once each, its counts are right after every step, and a dry run has said so.
func TestRunner(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		endpoints := []domain.UUID{w.endpoint(), w.endpoint()}
		statuses := []domain.DeliveryStatus{domain.DeliveryDead, domain.DeliverySucceeded, domain.DeliveryRetrying}
		for range rapid.IntRange(0, 30).Draw(t, "events") {
			to := endpoints[:rapid.IntRange(0, 2).Draw(t, "endpoints")]
			typ := rapid.SampledFrom([]domain.EventType{"offer.issued", "other"}).Draw(t, "type")
			w.event(typ, rapid.SampledFrom([]string{"", "person"}).Draw(t, "subject"), to,
				domain.Skipped{Subscription: domain.NewUUID(), Endpoint: endpoints[1], Reason: domain.SkipSubscriptionPaused})
		}
		for _, d := range w.deliveries() {
			if rapid.IntRange(0, 4).Draw(t, "tried") > 0 {
				w.end(d.ID, rapid.SampledFrom(statuses).Draw(t, "status"), rapid.SampledFrom([]int{500, 503}).Draw(t, "code"))
			}
		}
		if rapid.Bool().Draw(t, "erased") {
			w.Erase(acme, "person")
		}
		config := drawConfig(t, endpoints)
		preview, err := Previewer{w, w.views}.Preview(t.Context(), acme, func() domain.ReplayConfig {
			c := config
			w.read(func(r projections.Reader) error { c.To = r.Sequence() + 1; return nil })
			return c
		}())
		if err != nil {
			t.Fatal(err)
		}
		id := w.ask(config)
		w.fail = func() error {
			w.lost = rapid.Bool().Draw(t, "committed all the same")
			return rapid.SampledFrom([]error{nil, nil, domain.ErrUnavailable, domain.ErrConflict}).Draw(t, "fault")
		}
		most := rapid.IntRange(1, 4).Draw(t, "at once")
		next := func(displaced ...domain.UUID) *Runner {
			r := w.node(displaced...)
			r.most = most
			return r
		}
		r := next()
		for range 40 {
			w.rounds(r, 1)
			check(w, id)
			switch rapid.IntRange(0, 6).Draw(t, "meanwhile") {
			case 0: // it dies, and another one takes over
				r = next(r.set.Node)
			case 1: // it is deposed without knowing it
				old := r
				r = next(r.set.Node)
				w.rounds(r, 1)
				w.rounds(old, 1)
			case 2: // something that it set off ends
				for _, d := range w.deliveries() {
					if d.Replay == id {
						w.end(d.ID, rapid.SampledFrom(statuses[:2]).Draw(t, "ends"), 500)
						break
					}
				}
			}
		}
		w.fail = nil
		w.rounds(r, 1000)
		check(w, id)
		row := w.replay(id)
		if row.Status != domain.ReplaySucceeded || row.Done() != row.Total() {
			t.Fatalf("it is %+v", row)
		}
		if row.Counts.Sent != preview.Counts.Sent || row.Counts.Examined != preview.Counts.Examined || !slices.Equal(row.Counts.Refused, preview.Counts.Refused) {
			t.Fatalf("it counted %+v, the dry run %+v", row.Counts, preview.Counts)
		}
	})
}

func drawConfig(t *rapid.T, endpoints []domain.UUID) domain.ReplayConfig {
	c := domain.ReplayConfig{As: domain.AsReplay, Walk: domain.WalkDeliveries}
	switch rapid.IntRange(0, 3).Draw(t, "walk") {
	case 0:
		c.As, c.Statuses = domain.AsRedrive, []domain.DeliveryStatus{domain.DeliveryDead}
	case 1:
		c.As, c.Walk, c.SkipReasons = domain.AsRedrive, domain.WalkSkips, []domain.SkipReason{domain.SkipSubscriptionPaused}
	case 2:
		c.Walk, c.Endpoint = domain.WalkEvents, endpoints[1]
	}
	if rapid.Bool().Draw(t, "by type") {
		c.EventTypes = []domain.Pattern{"offer.*"}
	}
	if c.Walk == domain.WalkDeliveries && rapid.Bool().Draw(t, "by error") {
		c.Errors = []string{"503"}
	}
	if c.Walk == domain.WalkDeliveries && rapid.Bool().Draw(t, "by endpoint") {
		c.Endpoint = endpoints[0]
	}
	return c
}

// check holds what a replay says of itself against the log.
func check(w *world, id domain.UUID) {
	row, set := w.replay(id), w.setOff(id)
	for d, n := range set {
		if n != 1 {
			w.t.Fatalf("delivery %s was set off %d times", d, n)
		}
	}
	ended := projections.ReplayResults{}
	inHand := 0
	for _, d := range w.deliveries() {
		switch {
		case set[d.ID] == 0:
		case d.Replay == id:
			inHand++
			if d.Attempts > d.ScheduleBase && !d.Open {
				ended.Tried++
			}
		default:
			results := map[domain.DeliveryStatus]projections.ReplayResults{
				domain.DeliverySucceeded: {Succeeded: 1, Tried: 1}, domain.DeliveryDead: {Dead: 1, Tried: 1},
				domain.DeliveryStatusCancelled: {Cancelled: 1, Tried: 1},
			}
			ended.Add(results[d.Status])
		}
	}
	if row.Counts.Sent != len(set) || row.Results != ended || row.Unfinished() != inHand {
		w.t.Fatalf("it says %+v, %+v; the log has %d set off, %+v, and %d in hand", row.Counts, row.Results, len(set), ended, inHand)
	}
	perEndpoint := make(map[[2]domain.UUID]int)
	for _, d := range w.deliveries() {
		if perEndpoint[[2]domain.UUID{d.Event, d.Endpoint}]++; perEndpoint[[2]domain.UUID{d.Event, d.Endpoint}] > 1 {
			w.t.Fatalf("two deliveries of event %s to endpoint %s", d.Event, d.Endpoint)
		}
	}
}

// TestRunner_Chooses: each filter's choice, spelled out.
func TestRunner_Chooses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.endpoint(), w.endpoint()
	skip := func(of domain.UUID, r domain.SkipReason) domain.Skipped {
		return domain.Skipped{Subscription: domain.NewUUID(), Endpoint: of, Reason: r}
	}
	names := make(map[domain.UUID]string)
	add := func(name string, e domain.Entry, status domain.DeliveryStatus, code int) {
		names[e.Stream.ID] = name
		for _, d := range domain.Routed(&e) {
			if status != "" {
				w.end(d.ID, status, code)
			}
		}
	}
	add("dead a", w.event("offer.issued", "", []domain.UUID{a}), domain.DeliveryDead, 500)
	add("dead b", w.event("other", "", []domain.UUID{b}), domain.DeliveryDead, 503)
	add("done a", w.event("offer.issued", "", []domain.UUID{a}), domain.DeliverySucceeded, 200)
	add("waits a", w.event("offer.issued", "", []domain.UUID{a}), domain.DeliveryRetrying, 500)
	add("erased a", w.event("offer.issued", "person", []domain.UUID{a}), domain.DeliveryDead, 500)
	add("paused for b", w.event("other", "", nil, skip(b, domain.SkipSubscriptionPaused)), "", 0)
	add("filtered for b", w.event("other", "", nil, skip(b, domain.SkipFilter)), "", 0)
	add("paused for b, but sent", w.event("other", "", []domain.UUID{b}, skip(b, domain.SkipSubscriptionPaused)), domain.DeliverySucceeded, 200)
	w.Erase(acme, "person")
	late := w.endpoint()
	dead := []domain.DeliveryStatus{domain.DeliveryDead}
	refused := func(reason string, n int) []domain.ReplayRefusal {
		return []domain.ReplayRefusal{{Reason: reason, Count: n}}
	}
	for name, test := range map[string]struct {
		config  domain.ReplayConfig
		want    []string
		refused []domain.ReplayRefusal
	}{
		"dead":                 {domain.ReplayConfig{Walk: domain.WalkDeliveries, Statuses: dead}, []string{"dead a", "dead b"}, refused("event_erased", 1)},
		"dead, by endpoint":    {domain.ReplayConfig{Walk: domain.WalkDeliveries, Statuses: dead, Endpoint: b}, []string{"dead b"}, nil},
		"dead, by type":        {domain.ReplayConfig{Walk: domain.WalkDeliveries, Statuses: dead, EventTypes: []domain.Pattern{"oth*", "other"}}, []string{"dead b"}, nil},
		"dead, by status code": {domain.ReplayConfig{Walk: domain.WalkDeliveries, Statuses: dead, Errors: []string{"503"}}, []string{"dead b"}, nil},
		"dead, by error code":  {domain.ReplayConfig{Walk: domain.WalkDeliveries, Statuses: dead, Errors: []string{"timeout"}}, nil, nil},
		"dead, by range":       {domain.ReplayConfig{Walk: domain.WalkDeliveries, Statuses: dead, To: 4}, []string{"dead a"}, nil},
		"two statuses": {
			domain.ReplayConfig{Walk: domain.WalkDeliveries, Statuses: []domain.DeliveryStatus{domain.DeliverySucceeded, domain.DeliveryRetrying}},
			[]string{"done a", "paused for b, but sent"},
			refused("not_ended", 1),
		},
		"skipped": {
			domain.ReplayConfig{Walk: domain.WalkSkips, SkipReasons: []domain.SkipReason{domain.SkipSubscriptionPaused}},
			[]string{"paused for b"},
			refused("has_delivery", 1),
		},
		"skipped for another endpoint": {
			domain.ReplayConfig{Walk: domain.WalkSkips, SkipReasons: []domain.SkipReason{domain.SkipSubscriptionPaused}, Endpoint: a}, nil, nil,
		},
		"to a new endpoint": {
			domain.ReplayConfig{Walk: domain.WalkEvents, Endpoint: late, EventTypes: []domain.Pattern{"offer.*"}},
			[]string{"dead a", "done a", "waits a"},
			refused("event_erased", 1),
		},
	} {
		test.config.As = domain.AsRedrive
		if test.config.To == 0 {
			w.read(func(r projections.Reader) error { test.config.To = r.Sequence() + 1; return nil })
		}
		preview, err := Previewer{w, w.views}.Preview(t.Context(), acme, test.config)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range preview.Sample {
			got = append(got, names[s.Event.ID])
		}
		if !slices.Equal(got, test.want) || !slices.Equal(preview.Counts.Refused, test.refused) {
			t.Errorf("%s: chose %q, refused %+v; want %q, %+v", name, got, preview.Counts.Refused, test.want, test.refused)
		}
	}

	// The new endpoint gets them in the order of the log.
	id := w.ask(domain.ReplayConfig{As: domain.AsReplay, Walk: domain.WalkEvents, Endpoint: late})
	w.rounds(w.node(), 10)
	rows := slices.DeleteFunc(w.deliveries(), func(d projections.Delivery) bool { return d.Endpoint != late })
	if len(rows) != 7 || !slices.IsSortedFunc(rows, func(a, b projections.Delivery) int { return int(a.EventSequence - b.EventSequence) }) {
		t.Errorf("%d deliveries, in another order than their events: %+v", len(rows), rows)
	}
	if set := w.setOff(id); len(set) != len(rows) {
		t.Errorf("it set off %v", slices.Collect(maps.Keys(set)))
	}
}

// TestRunner_Conflict: a delivery of which the log has what the views can't show holds nothing else up.
func TestRunner_Conflict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var torn domain.Entry
	for n := range 5 {
		e := w.event("a", "", nil)
		if n == 2 {
			torn = e
		}
	}
	to := w.endpoint()
	w.append(domain.Draft{ // its making can't be read: the views pass over what follows
		Tenant: acme, Stream: domain.Stream{Kind: domain.StreamDelivery, ID: domain.DerivedDelivery(torn.Stream.ID, to)},
		Cause: torn.Sequence, Fact: &domain.AttemptStarted{Number: 1},
	})
	id := w.ask(domain.ReplayConfig{As: domain.AsReplay, Walk: domain.WalkEvents, Endpoint: to})
	w.rounds(w.node(), 100)
	row := w.replay(id)
	if row.Status != domain.ReplaySucceeded || row.Counts.Sent != 4 || !slices.Equal(row.Counts.Refused, []domain.ReplayRefusal{{Reason: refusedConflict, Count: 1}}) {
		t.Errorf("it is %+v", row)
	}
}

// TestRunner_Bounds: no more than so many are unfinished, a rate is kept, and what is paused, waits for approval or is
// cancelled doesn't go on.
func TestRunner_Bounds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	to := w.endpoint()
	for range 40 {
		e := w.event("a", "", []domain.UUID{to})
		w.end(domain.Routed(&e)[0].ID, domain.DeliveryDead, 500)
	}
	config := domain.ReplayConfig{As: domain.AsRedrive, Walk: domain.WalkDeliveries, Statuses: []domain.DeliveryStatus{domain.DeliveryDead}}
	r := w.node()
	slow := config
	slow.PerSecond = 3
	id := w.ask(slow)
	began := time.Now()
	w.rounds(r, 20)
	if sent := w.replay(id).Counts.Sent; sent > 3+int(3*time.Since(began).Seconds()) || sent < 3 {
		t.Errorf("%d were sent at 3 a second", sent)
	}
	move := func(f domain.Fact, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		w.append(domain.Draft{Tenant: acme, Stream: domain.Stream{Kind: domain.StreamReplay, ID: id}, Expected: domain.AnyVersion, Fact: f})
	}
	row := w.replay(id)
	move(row.Pause())
	before := w.replay(id).Counts.Sent
	w.rounds(r, 5)
	if after := w.replay(id); after.Counts.Sent != before || after.Status != domain.ReplayStatusPaused {
		t.Errorf("it went on while paused: %+v", after)
	}
	row = w.replay(id)
	move(row.Cancel())
	w.rounds(r, 5)
	if after := w.replay(id); after.Counts.Sent != before || after.Status != domain.ReplayStatusCancelled {
		t.Errorf("it went on after it was cancelled: %+v", after)
	}
	approved := config
	approved.Approval = true
	id = w.ask(approved)
	w.rounds(r, 5)
	if n := w.replay(id).Counts.Sent; n != 0 {
		t.Errorf("%d were sent before the approval", n)
	}
	row = w.replay(id)
	move(row.Approve())
	w.rounds(r, 20)
	if row := w.replay(id); row.Status != domain.ReplaySucceeded || row.Counts.Sent != 40-before {
		t.Errorf("approved, it is %+v", row)
	}
	gone := w.ask(domain.ReplayConfig{As: domain.AsReplay, Walk: domain.WalkEvents, Endpoint: domain.NewUUID()})
	w.rounds(r, 5)
	if row := w.replay(gone); row.Status != domain.ReplayFailed || row.Problem == "" {
		t.Errorf("to a deleted endpoint it is %+v", row)
	}
}
