package dispatch_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// TestDispatcher_CrashAtEachAppend ends a process at every append that it makes, before and after the commit, and has
// another one go on.
func TestDispatcher_CrashAtEachAppend(t *testing.T) {
	t.Parallel()
	when := map[fault]string{die: "dies before", vanish: "dies after the commit of"}
	for how := range when {
		for at := 1; at <= 14; at++ {
			t.Run(fmt.Sprintf("%s append %d", when[how], at), func(t *testing.T) {
				t.Parallel()
				bubble(t, func(t *testing.T, w *world) { crashAt(t, w, how, at) })
			})
		}
	}
}

func crashAt(t *testing.T, w *world, how fault, at int) {
	w.subscribe(w.endpoint(func(c *domain.EndpointConfig) { c.Concurrency = 2 }), "*")
	var sent atomic.Int32
	w.receiver.answer = func(s domain.Shipment) domain.Answer {
		if sent.Add(1) == 1 {
			return fails(s)
		}
		return succeeds(s)
	}
	w.receiver.took = time.Second
	log := &faulty{Log: w.memory, plan: func(call int) fault {
		if call == at {
			return how
		}
		return none
	}}
	n := w.start(func(s *dispatch.Settings) { s.Log, s.Grace = log, time.Second })
	for range 4 {
		w.event("a")
		time.Sleep(300 * time.Millisecond)
	}
	time.Sleep(3 * time.Second)
	log.kill()
	n.end(w.t)

	after := w.start(func(s *dispatch.Settings) { s.Displaced = []domain.UUID{n.set.Node} })
	time.Sleep(time.Hour)
	synctest.Wait()
	after.end(t)
	all := w.deliveries()
	if len(all) != 4 {
		t.Errorf("%d deliveries of 4 events", len(all))
	}
	for _, d := range all {
		if d.Status != domain.DeliverySucceeded {
			t.Errorf("a delivery is %s: %q", d.Status, w.story(d.ID))
		}
	}
	w.check()
}

// TestDispatcher_Deposed: a node that is cut off from its heartbeats loses its shards, whether its fold still gets to
// know it or only its appends do, and nothing leaves it any more that the log doesn't know.
func TestDispatcher_Deposed(t *testing.T) {
	t.Parallel()
	for name, blind := range map[string]bool{"its fold tells it": false, "its fold is at a standstill": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, w *world) { depose(t, w, blind) })
		})
	}
}

func depose(t *testing.T, w *world, blind bool) {
	endpoint := w.endpoint(func(c *domain.EndpointConfig) { c.Concurrency = 3 })
	w.subscribe(endpoint, "*")
	w.receiver.took = 700 * time.Millisecond
	log := &faulty{Log: w.memory}
	old := w.start(func(s *dispatch.Settings) { s.Log = log })
	for range 30 {
		w.event("a")
	}
	time.Sleep(2 * time.Second)
	w.leases.cut(old.set.Node)
	log.shut(blind)
	young := w.start(nil)
	time.Sleep(10 * time.Second)
	owner, epoch := w.holder(shardLease(endpoint))
	if owner != young.set.Node || epoch != 2 {
		t.Errorf("the shard is held by %s in epoch %d, want %s in 2", owner, epoch, young.set.Node)
	}
	if running, _, _, _ := old.InHand(); running > 0 {
		t.Errorf("%d attempts are under way on the deposed node", running)
	}
	time.Sleep(time.Hour)
	old.end(t)
	young.end(t)
	for _, d := range w.deliveries() {
		if d.Status != domain.DeliverySucceeded {
			t.Errorf("a delivery is %s: %q", d.Status, w.story(d.ID))
		}
	}
	w.check()
}

// TestDispatcher_CancelledUnderWay: an attempt whose delivery is cancelled meanwhile ends all the same, and isn't
// retried.
func TestDispatcher_CancelledUnderWay(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(domain.Shipment) domain.Answer{"failed": fails, "succeeded": succeeds} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, w *world) {
				w.subscribe(w.endpoint(nil), "*")
				w.receiver.took, w.receiver.answer = time.Second, answer
				n := w.start(nil)
				time.Sleep(2 * time.Second)
				e := w.event("a")
				synctest.Wait()
				id := w.deliveries()[0].ID
				w.append(acme, domain.Stream{Kind: domain.StreamDelivery, ID: id}, 0, e.Sequence, &domain.DeliveryCancelled{Reason: domain.CancelErased})
				time.Sleep(time.Hour)
				n.end(t)
				want := []string{"started 1", "cancelled erased", "failed 1 cancelled"}
				if name == "succeeded" {
					want[2] = "succeeded 1 succeeded"
				}
				if got := w.story(id); !slices.Equal(got, want) {
					t.Errorf("the log tells %q", got)
				}
				w.check()
			})
		})
	}
}

// cut has a node's heartbeats fail.
func (h *heartbeats) cut(node domain.UUID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mute == nil {
		h.mute = make(map[domain.UUID]bool)
	}
	h.mute[node] = true
}

// holder says who holds a lease.
func (w *world) holder(lease string) (owner domain.UUID, epoch int64) {
	for _, e := range w.entries() {
		if f, ok := e.Fact.(*domain.LeaseTaken); ok {
			for _, l := range f.Leases {
				if l.Name == lease {
					owner, epoch = f.Node, l.Epoch
				}
			}
		}
	}
	return owner, epoch
}

// TestDispatcher_Nodes: nodes share the shards fairly as they come and go, and no attempt is lost or unknown by it.
func TestDispatcher_Nodes(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		for range 40 {
			w.subscribe(w.endpoint(nil), "*")
		}
		w.receiver.took = 300 * time.Millisecond
		events := func() {
			for range 20 {
				w.event("a")
				time.Sleep(200 * time.Millisecond)
			}
			time.Sleep(15 * time.Second)
		}
		nodes := []*node{w.start(nil)}
		events()
		for range 2 {
			nodes = append(nodes, w.start(nil))
			events()
		}
		counts := make(map[domain.UUID]int)
		for i := range shards {
			owner, _ := w.holder(fmt.Sprintf("shard/%02d", i))
			counts[owner]++
		}
		for _, n := range nodes {
			if got := counts[n.set.Node]; got < 21 || got > 22 {
				t.Errorf("a node of three holds %d shards of 64", got)
			}
		}
		for _, n := range nodes[:2] {
			n.end(t)
			events()
		}
		nodes[2].end(t)
		if got := len(w.deliveries()); got != 40*100 {
			t.Errorf("%d deliveries", got)
		}
		for _, d := range w.deliveries() {
			if d.Status != domain.DeliverySucceeded || d.Attempts != 1 {
				t.Fatalf("a delivery is %s: %q", d.Status, w.story(d.ID))
			}
		}
		w.check()
	})
}

// TestDispatcher_Model draws worlds in which everything goes wrong, and holds the log against the receivers' own list.
func TestDispatcher_Model(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{
			seed:   rapid.Uint64().Draw(rt, "seed"),
			steps:  rapid.IntRange(5, 60).Draw(rt, "steps"),
			window: rapid.SampledFrom([]int{2, 3, 8, dispatch.DefaultWindow}).Draw(rt, "window"),
			faults: rapid.IntRange(0, 30).Draw(rt, "faults in a hundred appends"),
			fails:  rapid.IntRange(0, 60).Draw(rt, "failures in a hundred attempts"),
			gones:  rapid.SampledFrom([]int{0, 0, 3}).Draw(rt, "410 in a hundred attempts"),
			fulls:  rapid.SampledFrom([]int{0, 0, 10}).Draw(rt, "429 in a hundred attempts"),
			lag:    rapid.SampledFrom([]int{0, 1, 7, 40, 300}).Draw(rt, "entries that the views lag"),
			nodes:  rapid.IntRange(1, 3).Draw(rt, "nodes"),
			takes:  rapid.SampledFrom([]int{0, 0, 10, 700}).Draw(rt, "milliseconds that a page of a view takes"),
		}
		r := new(failures)
		synctest.Test(t, func(*testing.T) {
			// A goroutine of its own, so that Fatalf can end it.
			done := make(chan struct{})
			go func() {
				defer close(done)
				m.run(newWorld(r))
			}()
			<-done
		})
		for _, text := range r.faults {
			rt.Errorf("%s", text)
		}
	})
}

// model is one drawn world.
type model struct {
	seed                              uint64
	steps, window, faults, fails, lag int
	gones, fulls                      int
	nodes, takes                      int
	random                            *rand.Rand
	healed                            atomic.Bool // receivers neither go nor complain any more
	endpoints, paused, gone           []domain.UUID
}

func (m *model) run(w *world) {
	m.random = rand.New(rand.NewPCG(m.seed, 0))
	w.views.lag(m.lag)
	w.views.takes = time.Duration(m.takes) * time.Millisecond
	w.receiver.took = 50 * time.Millisecond
	w.receiver.set(m.answer())
	for range 3 {
		m.addEndpoint(w)
	}
	var nodes []*node
	for range m.nodes {
		nodes = append(nodes, m.start(w, nil))
	}
	defer func() {
		for _, n := range nodes {
			n.end(w.t)
		}
	}()
	for range m.steps {
		time.Sleep(time.Duration(m.random.IntN(2000)) * time.Millisecond)
		if m.random.IntN(12) == 0 {
			i := m.random.IntN(len(nodes))
			nodes[i] = m.restart(w, nodes[i])
			continue
		}
		m.step(w)
	}
	m.heal(w, nodes)
	m.judge(w)
}

// answer draws how attempts end.
func (m *model) answer() func(domain.Shipment) domain.Answer {
	random := rand.New(rand.NewPCG(m.seed, 1))
	lock := make(chan struct{}, 1)
	return func(s domain.Shipment) domain.Answer {
		lock <- struct{}{}
		defer func() { <-lock }()
		switch n := random.IntN(100); {
		case random.IntN(100) < m.fails:
			return fails(s)
		case n < m.gones && !m.healed.Load():
			return isGone(s)
		case n >= 100-m.fulls && !m.healed.Load():
			return complains(time.Duration(random.IntN(3)) * time.Second)(s)
		}
		return succeeds(s)
	}
}

func (m *model) start(w *world, displaced []domain.UUID) *node {
	random := rand.New(rand.NewPCG(m.seed, m.random.Uint64()))
	log := &faulty{Log: w.memory, plan: func(int) fault {
		if random.IntN(100) >= m.faults {
			return none
		}
		return []fault{busy, refuse, lose, half, lose}[random.IntN(5)]
	}}
	return w.start(func(s *dispatch.Settings) {
		s.Log, s.Window, s.Displaced, s.Grace, s.ContentBytes = log, m.window, displaced, time.Second, 4*dispatch.ContentOverhead
	})
}

// restart kills a node and starts another one in its place, which may know so or not.
func (m *model) restart(w *world, n *node) *node {
	n.set.Log.(*faulty).kill()
	w.leases.cut(n.set.Node)
	n.end(w.t)
	if m.random.IntN(2) == 0 {
		return m.start(w, nil)
	}
	return m.start(w, []domain.UUID{n.set.Node})
}

func (m *model) addEndpoint(w *world) {
	id := w.endpoint(func(c *domain.EndpointConfig) {
		c.Concurrency = 1 + m.random.IntN(4)
		c.Retry = domain.Schedule{Gaps: []domain.Duration{
			domain.Duration(time.Second), domain.Duration(3 * time.Second), domain.Duration(10 * time.Second),
		}, Jitter: 0.1}
		if m.random.IntN(3) == 0 {
			c.DisableAfter = domain.Duration(20 * time.Second)
		}
		if m.random.IntN(3) == 0 {
			c.RateLimit = &domain.RateLimit{PerSecond: 5, Burst: 1}
		}
	})
	w.subscribe(id, "*", "hooktrail.*")
	m.endpoints = append(m.endpoints, id)
}

// step does something to the world, as the API would.
func (m *model) step(w *world) {
	switch m.random.IntN(10) {
	case 0:
		m.addEndpoint(w)
	case 1:
		if len(m.endpoints) > 1 {
			id := m.pick(&m.endpoints)
			w.change(id, func(c domain.EndpointConfig) domain.Fact { c.Paused = true; return &domain.EndpointPaused{Endpoint: c} })
			m.paused = append(m.paused, id)
		}
	case 2:
		if len(m.paused) > 0 {
			m.resume(w, m.pick(&m.paused))
		}
	case 3:
		if len(m.endpoints) > 2 {
			id := m.pick(&m.endpoints)
			w.change(id, func(c domain.EndpointConfig) domain.Fact { return &domain.EndpointDeleted{Endpoint: c} })
			m.gone = append(m.gone, id)
		}
	case 4:
		m.redrive(w)
	default:
		for range 1 + m.random.IntN(12) {
			w.event("a")
		}
	}
}

func (m *model) pick(ids *[]domain.UUID) domain.UUID {
	i := m.random.IntN(len(*ids))
	id := (*ids)[i]
	*ids = slices.Delete(*ids, i, i+1)
	return id
}

func (m *model) resume(w *world, id domain.UUID) {
	w.resume(id)
	m.endpoints = append(m.endpoints, id)
}

func (m *model) redrive(w *world) {
	for _, d := range w.deliveries() {
		if d.Status == domain.DeliveryDead {
			fact, err := d.Redrive(time.Now())
			if err != nil {
				w.t.Fatalf("%v", err)
			}
			w.append(acme, domain.Stream{Kind: domain.StreamDelivery, ID: d.ID}, d.Version, d.EventSequence, fact)
			return
		}
	}
}

// heal ends all faults and waits until everything has come to its end.
func (m *model) heal(w *world, nodes []*node) {
	for _, id := range m.paused {
		m.resume(w, id)
	}
	for _, n := range nodes {
		log := n.set.Log.(*faulty)
		log.mu.Lock()
		log.plan = nil
		log.mu.Unlock()
	}
	w.views.lag(0)
	m.healed.Store(true)
	// A small window over slow views takes its time; what is lost is never found.
	for since := time.Now(); time.Since(since) < time.Hour; {
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if !m.resumeDisabled(w) && !slices.ContainsFunc(w.deliveries(), func(d projections.Delivery) bool { return !d.Status.Ended() }) {
			return
		}
	}
}

// resumeDisabled resumes the endpoints that were disabled and reports whether there were any.
func (m *model) resumeDisabled(w *world) (resumed bool) {
	for _, e := range w.views.config(w.t).Endpoints() {
		if e.Disabled != "" {
			w.resume(e.ID)
			resumed = true
		}
	}
	return resumed
}

// judge holds what became of everything against what was to become of it.
func (m *model) judge(w *world) {
	w.check()
	disabled := make(map[domain.UUID]bool)
	for _, e := range w.entries() {
		switch f := e.Fact.(type) {
		case *domain.EndpointDisabled:
			if disabled[e.Stream.ID] || f.Endpoint.Disabled == "" {
				w.t.Errorf("position %d: an endpoint is disabled twice", e.Position)
			}
			disabled[e.Stream.ID] = true
		case *domain.EndpointResumed:
			disabled[e.Stream.ID] = f.Endpoint.Disabled != ""
		}
	}
	for _, d := range w.deliveries() {
		deleted := slices.Contains(m.gone, d.Endpoint)
		switch {
		case !d.Status.Ended():
			w.t.Errorf("a delivery is still %s: %q", d.Status, w.story(d.ID))
		case d.Status == domain.DeliveryStatusCancelled && !deleted:
			w.t.Errorf("a delivery was cancelled although its endpoint exists: %q", w.story(d.ID))
		}
	}
}
