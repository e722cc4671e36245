package dispatch_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/domain"
)

// TestRouter_Model draws histories of several processes: producers, and people who change the configuration, at once,
// over a log that takes its time and loses answers. What an event's entries say of its routing is what the log before
// them says.
func TestRouter_Model(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		nodes := rapid.IntRange(1, 3).Draw(rt, "nodes")
		faults := rapid.SampledFrom([]int{0, 0, 10, 30}).Draw(rt, "faults in a hundred appends")
		changes := rapid.IntRange(1, 40).Draw(rt, "milliseconds between changes")
		attempts := rapid.SampledFrom([]int{0, 1, 3, 10}).Draw(rt, "attempts under way at most")
		r := new(failures)
		synctest.Test(t, func(*testing.T) {
			done := make(chan struct{}) // a goroutine of its own, so that Fatalf can end it
			go func() {
				defer close(done)
				routerModel(newWorld(r), seed, nodes, faults, attempts, time.Duration(changes)*time.Millisecond)
			}()
			<-done
		})
		for _, text := range r.faults {
			rt.Errorf("%s", text)
		}
	})
}

func routerModel(w *world, seed uint64, nodes, faults, attempts int, changes time.Duration) {
	w.filter = sayingFilter
	random := rand.New(rand.NewPCG(seed, 0))
	w.receiver.took = 20 * time.Millisecond
	m := &configurer{w: w, random: rand.New(rand.NewPCG(seed, 1))}
	for range 3 {
		m.step()
	}
	var all []*node
	for i := range nodes {
		chance := rand.New(rand.NewPCG(seed, uint64(i)+2))
		slow := &before{Log: &faulty{Log: w.memory, plan: func(int) fault {
			if chance.IntN(100) >= faults {
				return none
			}
			return []fault{busy, refuse, lose}[chance.IntN(3)]
		}}}
		waits := rand.New(rand.NewPCG(seed, uint64(i)+100))
		slow.do = func(int, []domain.Group) {
			slow.mu.Lock()
			wait := time.Duration(waits.IntN(10)) * time.Millisecond
			slow.mu.Unlock()
			time.Sleep(wait)
		}
		all = append(all, w.start(func(s *dispatch.Settings) { s.Log, s.Attempts = slow, attempts }))
	}
	time.Sleep(5 * time.Second)
	var producers sync.WaitGroup
	for i := range 4 {
		node, pause := all[i%nodes], time.Duration(random.IntN(30)+1)*time.Millisecond
		producers.Go(func() {
			for k := range 20 {
				time.Sleep(pause)
				group := eventGroup([]domain.EventType{"a", "b.c"}[k%2])
				if k%5 == 0 {
					group.Drafts = append(group.Drafts, eventDraft("a"), eventDraft("d"))
				}
				// What fails may be in the log all the same, or not: the log says it.
				_, _ = domain.AppendOne(context.Background(), node.Router(), group)
			}
		})
	}
	for range 40 {
		time.Sleep(changes)
		m.step()
		for _, n := range all {
			if text := n.Imbalance(); text != "" {
				w.t.Errorf("slots: %s", text)
			}
		}
	}
	producers.Wait()
	time.Sleep(3 * time.Minute)
	for _, n := range all {
		if slots, _, _, _ := n.InHand(); slots != 0 || n.Imbalance() != "" {
			w.t.Errorf("%d slots are taken at rest; %s", slots, n.Imbalance())
		}
	}
	for _, n := range all {
		n.end(w.t)
	}
	w.check()
}

// configurer changes a tenant's configuration at random.
type configurer struct {
	w             *world
	random        *rand.Rand
	endpoints     []domain.UUID
	subscriptions []domain.UUID
}

func (m *configurer) step() {
	switch w, n := m.w, m.random.IntN(10); {
	case n < 3 || len(m.endpoints) < 2:
		m.endpoints = append(m.endpoints, w.endpoint(nil))
		fallthrough
	case n < 6:
		id := domain.NewUUID()
		m.subscriptions = append(m.subscriptions, id)
		w.append(acme, subscriptionStream(id), 0, 0, &domain.SubscriptionCreated{Subscription: m.subscription()})
	case n < 7:
		f := &domain.SubscriptionUpdated{Subscription: m.subscription()}
		w.append(acme, subscriptionStream(m.subscriptions[m.random.IntN(len(m.subscriptions))]), domain.AnyVersion, 0, f)
	case n < 8:
		i := m.random.IntN(len(m.endpoints))
		w.change(m.endpoints[i], func(c domain.EndpointConfig) domain.Fact { return &domain.EndpointDeleted{Endpoint: c} })
		m.endpoints = slices.Delete(m.endpoints, i, i+1)
	case n < 9:
		w.change(m.endpoints[m.random.IntN(len(m.endpoints))], func(c domain.EndpointConfig) domain.Fact {
			c.Paused = !c.Paused
			if c.Paused {
				return &domain.EndpointPaused{Endpoint: c}
			}
			return &domain.EndpointResumed{Endpoint: c}
		})
	default:
		w.change(m.endpoints[m.random.IntN(len(m.endpoints))], func(c domain.EndpointConfig) domain.Fact {
			c.Disabled = []string{"", "for a test"}[m.random.IntN(2)]
			return &domain.EndpointUpdated{Endpoint: c}
		})
	}
}

func (m *configurer) subscription() domain.SubscriptionConfig {
	return domain.SubscriptionConfig{
		Endpoint:   m.endpoints[m.random.IntN(len(m.endpoints))],
		EventTypes: [][]domain.Pattern{{"*"}, {"a"}, {"b.*"}}[m.random.IntN(3)],
		Filter:     []string{"", "", "yes", "no", "broken", "dear"}[m.random.IntN(6)],
		Paused:     m.random.IntN(6) == 0,
	}
}
