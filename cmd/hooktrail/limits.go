package main

import (
	"log/slog"
	"math"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// gcPercent trades memory for processor time: what lives is bounded (queues, windows, caches) and small beside what
// passes through. GOGC overrides it.
const gcPercent = 400

// The share of a container's memory that this process's Go heap may take: less where its private Postgres is in the
// container as well.
const (
	memoryShare        = 0.9
	memorySharePrivate = 0.6
)

// memoryLimit is what the heap may take, in bytes, where no cgroup says how much there is. What lives is far below it: it
// bounds what the collector leaves lying about after large answers.
const memoryLimit = 2 << 30

// limitMemory has the collector work harder as the process comes near to what its cgroup allows, rather than be killed
// there, or near to memoryLimit. GOMEMLIMIT overrides both.
func limitMemory(log *slog.Logger, private bool) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	share := memoryShare
	if private {
		share = memorySharePrivate
	}
	limit, err := memlimit.SetGoMemLimitWithOpts(
		memlimit.WithRatio(
			share,
		),
		memlimit.WithProvider(memlimit.FromCgroup),
		memlimit.WithLogger(slog.New(slog.DiscardHandler)),
	)
	switch {
	case limit == 0 && os.Getenv("GOMEMLIMIT") == "":
		log.Debug("no cgroup limits memory", slog.Any("error", err))
		debug.SetMemoryLimit(memoryLimit)
	case limit > 0:
		log.Info("memory limited", slog.Int64("bytes", limit))
	}
}

// The share of the memory limit that requests under way hold together, and its least: a page, a body and a preview have to
// fit into a tenant's half.
const (
	heldShare = 8
	leastHeld = 64 << 20
)

// heldBytes is how much requests under way may hold, by the limit that is in force; 0: the API's default, where GOMEMLIMIT
// has switched that off.
func heldBytes() int {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		return 0
	}
	return int(max(limit/heldShare, leastHeld))
}

// descriptors shares out the files and connections that the process may have open, so that no user of them can take
// those of another: clients that keep the API's connections leave webhooks and Postgres theirs, and slow receivers
// leave the API its own.
type descriptors struct {
	api      int // connections of clients
	attempts int // webhooks under way, each with a connection
}

const (
	// reservedDescriptors are for Postgres, files and what the runtime needs.
	reservedDescriptors = 100
	// maxAPIConnections and maxAttempts bound what a large limit would allow: each takes memory as well, about 50 KiB.
	maxAPIConnections = 8192
	maxAttempts       = 8192
	// leastDescriptors is with how many the server still starts.
	leastDescriptors = 256
)

// shareDescriptors shares out a limit on open files.
func shareDescriptors(limit uint64) (descriptors, error) {
	if limit < leastDescriptors {
		return descriptors{}, usagef(
			"the process may open %d files only: it needs %d, better %d (raise `ulimit -n`, or LimitNOFILE= of the service)",
			limit,
			leastDescriptors,
			reservedDescriptors+maxAPIConnections+2*maxAttempts,
		)
	}
	left := int(min(limit, 1<<20)) - reservedDescriptors
	// A connection to a receiver stays open for a while after its attempt: attempts get half of theirs.
	return descriptors{api: min(left/3, maxAPIConnections), attempts: min(left/3, maxAttempts)}, nil
}
