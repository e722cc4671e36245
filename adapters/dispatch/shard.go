package dispatch

import (
	"fmt"

	"github.com/hooktrail/hooktrail/domain"
)

// Shards is the number of shards over which endpoints are spread. It is part of every delivery's id and never changes.
const Shards = 64

const shardMask = Shards - 1

// shardOf returns the shard of an endpoint: the last six of the 62 random bits of its version 7 UUID.
func shardOf(endpoint domain.UUID) int { return int(endpoint[15] & shardMask) }

// newDelivery makes the id of a delivery. Its last six bits are its endpoint's, so that an entry of a delivery's stream
// tells its shard without a look-up.
func newDelivery(endpoint domain.UUID) domain.UUID {
	id := domain.NewUUID()
	id[15] = id[15]&^shardMask | endpoint[15]&shardMask
	return id
}

// shardLeases are the names of the shards' leases; it is read only.
var shardLeases = func() (names [Shards]string) {
	for i := range names {
		names[i] = fmt.Sprintf("shard/%02d", i)
	}
	return names
}()

// shard is one shard that this node holds, in one epoch. Taken again, it is a new one.
type shard struct {
	index  int
	fences []domain.Fence // the one of its lease; read only
	lanes  map[domain.UUID]*lane
	items  map[domain.UUID]*item // every delivery known here, by id

	ready bool // loaded: entries are folded into it and work may start
	lost  bool // no longer held: whoever still has it in hand drops it
	// giving: it is to be handed over. Nothing starts any more, and it goes when running is 0.
	giving  bool
	running int // tasks: attempts, closings, cancellations

	pending   []pendingFact // to be appended
	appending bool          // a task is at it

	placeholders []domain.UUID // deliveries whose rows are to be read
	looking      bool          // a task is at it
}

func newShard(index int, fence domain.Fence) *shard {
	return &shard{
		index: index, fences: []domain.Fence{fence},
		lanes: make(map[domain.UUID]*lane), items: make(map[domain.UUID]*item),
	}
}
