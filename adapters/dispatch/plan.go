package dispatch

import (
	"bytes"
	"slices"

	"github.com/hooktrail/hooktrail/domain"
)

// plan is what one node does about the leases of shards.
type plan struct {
	take []domain.Lease         // in their present epochs
	give map[string]domain.UUID // name → the node that gets it
}

// planOf returns what a node does. Every node comes to the same distribution from the same standing, so that they
// seldom try the same: a free lease goes to the living node that has the fewest, and while two differ by more than one,
// the fuller one gives to the emptier one.
func planOf(s domain.Standing, set Settings, steady bool) plan {
	nodes := livingNodes(s, set)
	held := make(map[domain.UUID][]domain.Lease, len(nodes))
	known := make(map[string]domain.Lease, len(s.Leases))
	for _, l := range s.Leases {
		known[l.Name] = l
	}
	p := plan{give: make(map[string]domain.UUID)}
	var free []domain.Lease
	for _, name := range shardLeases {
		l, ok := known[name]
		switch {
		case !ok:
			free = append(free, domain.Lease{Name: name})
		case slices.Contains(nodes, l.Owner):
			held[l.Owner] = append(held[l.Owner], l)
		case steady || retired(s, l.Owner) || slices.Contains(set.Displaced, l.Owner):
			free = append(free, l)
		}
	}
	for _, l := range free {
		to := fewest(nodes, held)
		held[to] = append(held[to], l)
		if to == set.Node {
			p.take = append(p.take, l)
		}
	}
	if len(free) == 0 {
		p.rebalance(nodes, held, set.Node)
	}
	return p
}

// partingPlan is what a node does that stops: it gives all it holds to the others that live, as evenly as it can.
func partingPlan(s domain.Standing, set Settings) plan {
	others := slices.DeleteFunc(livingNodes(s, set), func(n domain.UUID) bool { return n == set.Node })
	p := plan{give: make(map[string]domain.UUID)}
	if len(others) == 0 {
		return p // what is left is free when the heartbeat is taken back
	}
	held := make(map[domain.UUID][]domain.Lease, len(others))
	for _, l := range s.Leases {
		held[l.Owner] = append(held[l.Owner], l)
	}
	for _, name := range shardLeases {
		to := fewest(others, held)
		held[to] = append(held[to], domain.Lease{})
		p.give[name] = to // of a shard that isn't held this has no effect
	}
	return p
}

// rebalance notes what this node gives away.
func (p *plan) rebalance(nodes []domain.UUID, held map[domain.UUID][]domain.Lease, self domain.UUID) {
	for {
		from, to := most(nodes, held), fewest(nodes, held)
		n := len(held[from])
		if n-len(held[to]) <= 1 {
			return
		}
		l := held[from][n-1]
		held[from] = held[from][:n-1]
		held[to] = append([]domain.Lease{l}, held[to]...)
		if from == self {
			p.give[l.Name] = to
		}
	}
}

// retired reports whether a node has taken back its heartbeat.
func retired(s domain.Standing, node domain.UUID) bool {
	return !slices.ContainsFunc(s.Nodes, func(n domain.Node) bool { return n.ID == node })
}

// livingNodes returns the nodes that may hold leases, this one among them, in order.
func livingNodes(s domain.Standing, set Settings) []domain.UUID {
	nodes := []domain.UUID{set.Node}
	for _, n := range s.Nodes {
		if n.ID != set.Node && n.Age <= set.Expiry && !slices.Contains(set.Displaced, n.ID) {
			nodes = append(nodes, n.ID)
		}
	}
	slices.SortFunc(nodes, func(a, b domain.UUID) int { return bytes.Compare(a[:], b[:]) })
	return nodes
}

func fewest(nodes []domain.UUID, held map[domain.UUID][]domain.Lease) domain.UUID {
	return slices.MinFunc(nodes, func(a, b domain.UUID) int { return len(held[a]) - len(held[b]) })
}

func most(nodes []domain.UUID, held map[domain.UUID][]domain.Lease) domain.UUID {
	return slices.MaxFunc(nodes, func(a, b domain.UUID) int { return len(held[a]) - len(held[b]) })
}
