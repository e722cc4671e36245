package eventlog_test

import (
	"slices"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

func (o *opened) beat(t *testing.T, node domain.UUID) {
	t.Helper()
	if err := o.Leases().Heartbeat(t.Context(), node); err != nil {
		t.Fatal(err)
	}
}

func (o *opened) standing(t *testing.T) (leases []domain.Lease, ages map[domain.UUID]time.Duration) {
	t.Helper()
	standing, err := o.Leases().Standing(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ages = make(map[domain.UUID]time.Duration)
	for _, n := range standing.Nodes {
		if _, twice := ages[n.ID]; twice {
			t.Errorf("duplicate node %s", n.ID)
		}
		ages[n.ID] = n.Age
	}
	return standing.Leases, ages
}

// since moves a node's heartbeat into the past.
func (o *opened) since(t *testing.T, node domain.UUID, ago time.Duration) {
	t.Helper()
	mustExec(t, connect(t, o.db.AdminURL), `UPDATE heartbeats SET at = at - $2::interval WHERE node = $1`, [16]byte(node), ago)
}

func taking(lease string, owner domain.UUID, epoch int64) domain.Group {
	return domain.Group{
		Drafts: []domain.Draft{{
			Tenant: domain.InstanceTenant, Stream: domain.Stream{Kind: domain.StreamLease, ID: owner}, Expected: domain.AnyVersion,
			Fact: &domain.LeaseTaken{Node: owner, Leases: []domain.LeaseEpoch{{Name: lease, Epoch: epoch}}},
		}},
		Takes: []domain.Take{{Lease: lease, Owner: owner, Epoch: epoch, Expiry: time.Hour}},
	}
}

// TestLog_Heartbeat has nodes grow old, come back and be forgotten.
func TestLog_Heartbeat(t *testing.T) {
	t.Parallel()
	log := open(t)
	if leases, nodes := log.standing(t); len(leases) > 0 || len(nodes) > 0 {
		t.Fatalf("in a new log stand %v and %v", leases, nodes)
	}
	begin := time.Now()
	young, old, gone := domain.NewUUID(), domain.NewUUID(), domain.NewUUID()
	for _, node := range []domain.UUID{young, old, gone} {
		log.beat(t, node)
	}
	log.since(t, old, 23*time.Hour)
	log.since(t, gone, 25*time.Hour)
	_, ages := log.standing(t)
	test := func(node domain.UUID, ago time.Duration) {
		t.Helper()
		if age, ok := ages[node]; !ok || age < ago || age > ago+time.Since(begin) {
			t.Errorf("a node that beat %v ago has age %v (%v)", ago, age, ok)
		}
	}
	test(young, 0)
	test(old, 23*time.Hour)
	test(gone, 25*time.Hour)

	log.since(t, young, time.Minute)
	log.beat(t, young)
	if _, ages = log.standing(t); len(ages) != 3 {
		t.Errorf("a later heartbeat made the nodes %v", ages)
	}
	test(young, 0)
	log.beat(t, domain.NewUUID()) // a first one forgets
	if _, ages = log.standing(t); len(ages) != 3 || ages[gone] != 0 {
		t.Errorf("a first heartbeat made the nodes %v", ages)
	}
	test(old, 23*time.Hour)
}

// TestLog_Retire frees at once what a node held, and leaves others as they are.
func TestLog_Retire(t *testing.T) {
	t.Parallel()
	log := open(t)
	leaving, staying, next := domain.NewUUID(), domain.NewUUID(), domain.NewUUID()
	for _, node := range []domain.UUID{leaving, staying, next} {
		log.beat(t, node)
	}
	log.mustAppend(t, taking("shard/00", leaving, 1), taking("shard/01", staying, 1))
	if err := log.Leases().Retire(t.Context(), leaving); err != nil {
		t.Fatal(err)
	}
	if err := log.Leases().Retire(t.Context(), leaving); err != nil {
		t.Errorf("again: %v", err)
	}
	stand := func(want ...domain.Lease) {
		t.Helper()
		leases, nodes := log.standing(t)
		slices.SortFunc(leases, func(a, b domain.Lease) int { return int(a.Name[len(a.Name)-1]) - int(b.Name[len(b.Name)-1]) })
		if !slices.EqualFunc(leases, want, func(a, b domain.Lease) bool {
			return a.Name == b.Name && a.Owner == b.Owner && a.Epoch == b.Epoch && slices.Equal(a.Partings, b.Partings)
		}) {
			t.Errorf("the leases are %+v, want %+v", leases, want)
		}
		if _, ok := nodes[leaving]; ok || len(nodes) != 2 {
			t.Errorf("the nodes are %v", nodes)
		}
	}
	stand(domain.Lease{Name: "shard/00", Owner: leaving, Epoch: 1}, domain.Lease{Name: "shard/01", Owner: staying, Epoch: 1})
	again := taking("shard/00", next, 2)
	until := time.Date(2100, 1, 1, 12, 0, 0, 123456000, time.UTC)
	partings := []domain.Parting{{Node: leaving, Epoch: 1, Until: until}}
	again.Takes[0].Partings, again.Drafts[0].Fact.(*domain.LeaseTaken).Leases[0].Partings = partings, partings
	outcomes := log.Append(t.Context(), again, taking("shard/01", next, 2))
	if outcomes[0].Err != nil {
		t.Errorf("the lease of a node that retired: %v", outcomes[0].Err)
	}
	if outcomes[1].Err == nil {
		t.Error("the lease of a living node was taken")
	}
	stand(domain.Lease{Name: "shard/00", Owner: next, Epoch: 2, Partings: partings}, domain.Lease{Name: "shard/01", Owner: staying, Epoch: 1})
	log.check(t)
}
