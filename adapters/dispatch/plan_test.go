package dispatch

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hooktrail/hooktrail/domain"
)

// TestPlanOf draws standings and lets every node act on its plan: no two take the same, everything ends up held, and
// evenly.
func TestPlanOf(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		nodes := make([]domain.UUID, rapid.IntRange(1, 9).Draw(t, "nodes"))
		for i := range nodes {
			nodes[i] = domain.NewUUID()
		}
		dead := domain.NewUUID()
		var s domain.Standing
		for _, n := range nodes {
			s.Nodes = append(s.Nodes, domain.Node{ID: n, Age: time.Second})
		}
		s.Nodes = append(s.Nodes, domain.Node{ID: dead, Age: time.Minute})
		held := make(map[string]domain.Lease)
		for _, name := range shardLeases {
			switch i := rapid.IntRange(-2, len(nodes)-1).Draw(t, name); i {
			case -2: // never taken
			case -1:
				held[name] = domain.Lease{Name: name, Owner: dead, Epoch: 3}
			default:
				held[name] = domain.Lease{Name: name, Owner: nodes[i], Epoch: 3}
			}
		}
		for range 3 { // take what is free, then hand over, then stay
			s.Leases = s.Leases[:0]
			for _, l := range held {
				s.Leases = append(s.Leases, l)
			}
			actOn(t, s, nodes, held)
		}
		counts := make(map[domain.UUID]int)
		for _, l := range held {
			counts[l.Owner]++
		}
		for _, n := range nodes {
			if got := counts[n]; got < shardCount/len(nodes) || got > (shardCount-1)/len(nodes)+1 {
				t.Errorf("one of %d nodes holds %d leases", len(nodes), got)
			}
		}
	})
}

// actOn has every node do what it plans.
func actOn(t *rapid.T, s domain.Standing, nodes []domain.UUID, held map[string]domain.Lease) {
	touched := make(map[string]bool)
	for _, n := range nodes {
		p := planOf(s, Settings{Node: n, Expiry: defaultExpiry}, true)
		for _, l := range p.take {
			if touched[l.Name] {
				t.Fatalf("two nodes take %s", l.Name)
			}
			touched[l.Name] = true
			held[l.Name] = domain.Lease{Name: l.Name, Owner: n, Epoch: l.Epoch + 1}
		}
		for name, to := range p.give {
			if touched[name] || held[name].Owner != n {
				t.Fatalf("%s is given away by a node that doesn't hold it", name)
			}
			touched[name] = true
			held[name] = domain.Lease{Name: name, Owner: to, Epoch: held[name].Epoch + 1}
		}
	}
}

func TestPlanOf_WaitsUntilSteady(t *testing.T) {
	t.Parallel()
	self, dead, former, retired := domain.NewUUID(), domain.NewUUID(), domain.NewUUID(), domain.NewUUID()
	s := domain.Standing{
		Leases: []domain.Lease{
			{Name: shardLeases[0], Owner: dead, Epoch: 1},
			{Name: shardLeases[1], Owner: former, Epoch: 1},
			{Name: shardLeases[2], Owner: retired, Epoch: 1},
		},
		Nodes: []domain.Node{{ID: dead, Age: time.Minute}, {ID: former}},
	}
	set := Settings{Node: self, Expiry: defaultExpiry, Displaced: []domain.UUID{former}}
	if got := len(planOf(s, set, false).take); got != shardCount-1 {
		t.Errorf("%d leases are taken at once, want the %d that nobody had, or a retired or displaced node has", got, shardCount-1)
	}
	if got := len(planOf(s, set, true).take); got != shardCount {
		t.Errorf("%d leases are taken by a steady node, want all", got)
	}
}
