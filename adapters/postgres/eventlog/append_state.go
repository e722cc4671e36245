package eventlog

import (
	"bytes"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

const (
	// maxKnownVersions bounds each of the two generations of stream versions in memory, about 150 bytes each.
	maxKnownVersions = 100_000
	// maxKnownHeads bounds the tenants whose heads are in memory, up to 16 KiB each.
	maxKnownHeads = 2_000
	// maxCatchUp is by default how many entries of other processes are read to keep what is known; with more it is
	// forgotten.
	maxCatchUp = 20_000
)

// streamKey is a stream of one tenant.
type streamKey struct {
	tenant domain.TenantID
	stream domain.Stream
}

// state is what the appender knows of the log as of its last commit. It holds good only if the instance's head still is
// at position when the lock is taken; else the appender catches up first. Owned by the appender's goroutine.
type state struct {
	known      bool // false: nothing below is known
	position   domain.Position
	recordedAt time.Time
	heads      map[domain.TenantID]*tenantHead
	leases     map[string]domain.Lease
	versions   versions
	starts     starts
}

func newState() *state {
	return &state{heads: make(map[domain.TenantID]*tenantHead), leases: make(map[string]domain.Lease), versions: newVersions()}
}

// forgetHeads drops what entries of others may have changed and catching up doesn't restore.
func (s *state) forgetHeads() {
	clear(s.heads)
	clear(s.leases)
}

// prune keeps the memory bounded. Not to be called during a batch.
func (s *state) prune() {
	if len(s.heads) > maxKnownHeads {
		clear(s.heads)
	}
}

// versions knows the versions of recently appended streams in two generations, and one thing more: every stream of the
// log whose UUID is above floor is in it. As UUIDs of version 7 begin with the time, a new stream's is above it nearly
// always, and so it is proven new without asking the database. A UUID of the far future raises the floor too high: then
// new streams are looked up, nothing else.
type versions struct {
	floor      domain.UUID
	young, old map[streamKey]int
}

func newVersions() versions {
	return versions{young: make(map[streamKey]int), old: make(map[streamKey]int)}
}

// get returns a stream's version, 0 for one that provably doesn't exist. Not ok: the database must be asked.
func (v *versions) get(key streamKey) (version int, ok bool) {
	if version, ok = v.young[key]; ok {
		return version, true
	}
	if version, ok = v.old[key]; ok {
		return version, true
	}
	return 0, bytes.Compare(key.stream.ID[:], v.floor[:]) > 0
}

// put sets a version that is committed. It never lowers one.
func (v *versions) put(key streamKey, version int) {
	known := v.young[key]
	if known == 0 {
		known = v.old[key]
	}
	if known >= version {
		return
	}
	v.young[key] = version
	if len(v.young) < maxKnownVersions {
		return
	}
	for key := range v.old {
		v.raise(key.stream.ID)
	}
	v.old, v.young = v.young, make(map[streamKey]int)
}

func (v *versions) raise(id domain.UUID) {
	if bytes.Compare(id[:], v.floor[:]) > 0 {
		v.floor = id
	}
}
