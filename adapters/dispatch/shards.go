package dispatch

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
)

// shardCount is the number of shards over which endpoints are spread. It is part of every delivery's id and never
// changes.
const shardCount = 64

const shardMask = shardCount - 1

// shardOf returns the shard of an endpoint or a delivery: the last six of the 62 random bits of its version 7 UUID.
func shardOf(id domain.UUID) int { return int(id[15] & shardMask) }

// newDelivery makes the id of a delivery. Its last six bits are its endpoint's, so that an entry of a delivery's stream
// tells its shard without a look-up.
func newDelivery(endpoint domain.UUID) domain.UUID {
	id := domain.NewUUID()
	id[15] = id[15]&^shardMask | endpoint[15]&shardMask
	return id
}

// shardLeases are the names of the shards' leases; it is read only.
var shardLeases = func() (names [shardCount]string) {
	for i := range names {
		names[i] = fmt.Sprintf("shard/%02d", i)
	}
	return names
}()

// shardIndex returns the shard of which a lease is the lease.
func shardIndex(lease string) (int, bool) {
	if !strings.HasPrefix(lease, "shard/") {
		return 0, false
	}
	index := slices.Index(shardLeases[:], lease)
	return index, index >= 0
}
