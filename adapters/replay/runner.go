package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// lease is the lease of the node that runs all replays.
const lease = "replays"

const (
	// maxUntried bounds the deliveries of one replay that are set off and haven't been tried since.
	maxUntried = 2000
	// maxSent bounds the deliveries that one step sets off.
	maxSent = 500
	// busy and idle are the pauses between two looks at the replays, while some go on and while none does.
	busy = 100 * time.Millisecond
	idle = time.Second
	// alone and hopeless are after how many conflicts in a row a replay sends one by one, and passes over what the log won't
	// have.
	alone, hopeless = 3, 10
)

// Log is the log, with a way to read many entries at once.
type Log interface {
	domain.Log
	// Entries returns a tenant's entries at sequences, opened, in order of sequence; those that there aren't are left
	// out.
	Entries(ctx context.Context, tenant domain.TenantID, sequences []domain.Sequence) ([]domain.Entry, error)
}

// State is what replays read of the views.
type State interface {
	// ActiveReplays returns the replays of all tenants that are to go on.
	ActiveReplays(ctx context.Context) ([]projections.Replay, error)
	// Read is projections.Views' Read.
	Read(ctx context.Context, tenant domain.TenantID, atLeast domain.Sequence, f func(projections.Reader) error) error
}

// Leases knows who lives and who holds what.
type Leases interface {
	Standing(ctx context.Context) (domain.Standing, error)
}

// Settings is what a Runner is made of.
type Settings struct {
	Log    Log
	State  State
	Leases Leases
	// Node is this process. Its heartbeats are the dispatcher's.
	Node domain.UUID
	// Displaced are nodes that are known to be dead: the lease is taken from them at once.
	Displaced []domain.UUID
	// Expiry is how old a node's last heartbeat must be for its lease to be free; 0: three seconds.
	Expiry time.Duration
	Logger *slog.Logger
}

// Runner moves replays on, in the process that holds their lease. Run is to be called once.
type Runner struct {
	set    Settings
	most   int                                 // that one step sets off
	epoch  int64                               // of the lease, while this node holds it; 0: it doesn't
	reach  map[domain.TenantID]domain.Sequence // up to where this process has appended steps, which the views must have for the next
	limits map[domain.UUID]*rate.Limiter       // by replay
	stuck  map[domain.UUID]int                 // by replay: steps in a row that were refused as a conflict
	gone   map[domain.TenantID]bool            // deleted tenants, whose replays go nowhere
}

// New returns a Runner, which does nothing before Run.
func New(set Settings) *Runner {
	if set.Expiry == 0 {
		set.Expiry = 3 * time.Second
	}
	return &Runner{
		set: set, most: maxSent, reach: make(map[domain.TenantID]domain.Sequence), limits: make(map[domain.UUID]*rate.Limiter),
		stuck: make(map[domain.UUID]int), gone: make(map[domain.TenantID]bool),
	}
}

// Run moves replays on until ctx ends. What fails is tried again.
func (r *Runner) Run(ctx context.Context) error {
	failing := false
	for {
		moved, err := r.Round(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			failing = false
		case !failing:
			failing = true
			r.set.Logger.Warn("replays don't go on for now", slog.Any("error", err))
		}
		pause := idle
		if moved {
			pause = busy
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// Round takes one step of each replay that is to go on, and reports whether there are any. It is not for concurrent
// use.
func (r *Runner) Round(ctx context.Context) (bool, error) {
	active, err := r.set.State.ActiveReplays(ctx)
	if err != nil {
		return false, err
	}
	r.forget(active)
	if len(active) == 0 {
		return false, nil
	}
	if held, err := r.hold(ctx); err != nil || !held {
		return false, err
	}
	var failed error
	for i := range active {
		if r.gone[active[i].Tenant] {
			continue
		}
		err := r.move(ctx, &active[i])
		switch {
		case errors.Is(err, domain.ErrFenced):
			r.epoch = 0
			return false, nil // another node goes on
		case errors.Is(err, domain.ErrUnknownTenant):
			r.gone[active[i].Tenant] = true
		case errors.Is(err, domain.ErrConflict):
			r.stuck[active[i].ID]++
			if err := r.catchUp(ctx, active[i].Tenant); err != nil {
				failed = errors.Join(failed, err)
			}
		case errors.Is(err, projections.ErrBehind): // the next look is in time
		case err != nil:
			failed = errors.Join(failed, err)
		}
	}
	return true, failed
}

// forget drops what is known of replays that don't go on.
func (r *Runner) forget(active []projections.Replay) {
	for id := range r.limits {
		if !slices.ContainsFunc(active, func(row projections.Replay) bool { return row.ID == id }) {
			delete(r.limits, id)
		}
	}
	for id := range r.stuck {
		if !slices.ContainsFunc(active, func(row projections.Replay) bool { return row.ID == id }) {
			delete(r.stuck, id)
		}
	}
}

// catchUp has the next look at a tenant see all that its log has now: what was in the way among it.
func (r *Runner) catchUp(ctx context.Context, tenant domain.TenantID) error {
	last, err := domain.Select(ctx, r.set.Log, domain.Query{Tenant: tenant, Descending: true, Limit: 1, HeadersOnly: true})
	if err == nil && len(last) > 0 {
		r.reach[tenant] = last[0].Sequence
	}
	return err
}

// hold reports whether this node has the lease, which it takes where it is free.
func (r *Runner) hold(ctx context.Context) (bool, error) {
	standing, err := r.set.Leases.Standing(ctx)
	if err != nil {
		return false, err
	}
	held := domain.Lease{Name: lease}
	for _, l := range standing.Leases {
		if l.Name == lease {
			held = l
		}
	}
	if held.Owner == r.set.Node {
		r.epoch = held.Epoch
		return true, nil
	}
	r.epoch = 0
	lives := slices.ContainsFunc(standing.Nodes, func(n domain.Node) bool {
		return n.ID == held.Owner && n.Age <= r.set.Expiry && !slices.Contains(r.set.Displaced, n.ID)
	})
	if lives {
		return false, nil
	}
	_, err = domain.AppendOne(ctx, r.set.Log, domain.Group{
		Drafts: []domain.Draft{{
			Tenant: domain.InstanceTenant, Stream: domain.Stream{Kind: domain.StreamLease, ID: r.set.Node},
			Expected: domain.AnyVersion,
			Fact:     &domain.LeaseTaken{Node: r.set.Node, Leases: []domain.LeaseEpoch{{Name: lease, Epoch: held.Epoch + 1}}},
		}},
		Takes: []domain.Take{{
			Lease: lease, Owner: r.set.Node, Epoch: held.Epoch + 1, Expiry: r.set.Expiry, Displaced: r.set.Displaced,
		}},
	})
	switch {
	case errors.Is(err, domain.ErrFenced): // another node was faster
		return false, nil
	case err != nil:
		return false, fmt.Errorf("take the lease of replays: %w", err)
	}
	r.epoch = held.Epoch + 1
	r.set.Logger.Info("this node runs the replays", slog.Int64("epoch", r.epoch))
	return true, nil
}

// move takes the next step of a replay, as far as its rate and what it has under way let it.
func (r *Runner) move(ctx context.Context, replay *projections.Replay) error {
	waiting, cancel := context.WithTimeout(ctx, idle)
	defer cancel()
	var next *step
	limit := r.limit(replay)
	now := time.Now()
	err := r.set.State.Read(waiting, replay.Tenant, r.reach[replay.Tenant], func(reader projections.Reader) error {
		row, err := reader.Replay(ctx, replay.ID)
		if err != nil || !row.Status.Active() {
			return err
		}
		*replay = row
		most := min(r.most, maxUntried-row.Untried())
		if limit != nil {
			most = min(most, int(limit.TokensAt(now)))
		}
		if most < 1 {
			return nil
		}
		if r.stuck[replay.ID] >= alone {
			most = 1
		}
		next, err = plan(ctx, r.set.Log, reader, &row, most, r.stuck[replay.ID] >= hopeless)
		return err
	})
	if err != nil || next == nil {
		return err
	}
	entries, err := domain.AppendOne(ctx, r.set.Log, r.group(replay, next))
	if err != nil {
		return fmt.Errorf("append a step of replay %s: %w", replay.ID, err)
	}
	delete(r.stuck, replay.ID)
	if limit != nil {
		limit.AllowN(now, len(next.sent))
	}
	r.reach[replay.Tenant] = entries[len(entries)-1].Sequence
	if next.done || next.problem != "" {
		r.set.Logger.Info("a replay has finished", slog.Any("tenant", replay.Tenant), slog.Any("replay", replay.ID),
			slog.Int("sent", next.counts.Sent), slog.String("problem", next.problem))
	}
	return nil
}

// limit is the limiter of a replay's own rate, nil where it has none. A second's worth may come at once.
func (r *Runner) limit(replay *projections.Replay) *rate.Limiter {
	perSecond := replay.Config.PerSecond
	if perSecond <= 0 {
		return nil
	}
	if r.limits[replay.ID] == nil {
		r.limits[replay.ID] = rate.NewLimiter(rate.Limit(perSecond), max(1, min(maxSent, int(perSecond))))
	}
	return r.limits[replay.ID]
}

// group is a step as it goes into the log.
func (r *Runner) group(replay *projections.Replay, next *step) domain.Group {
	stream := domain.Stream{Kind: domain.StreamReplay, ID: replay.ID}
	g := domain.Group{Fences: []domain.Fence{{Lease: lease, Owner: r.set.Node, Epoch: r.epoch}}}
	version := replay.Version
	add := func(f domain.Fact) {
		g.Drafts = append(g.Drafts, domain.Draft{
			Tenant: replay.Tenant, Stream: stream, Expected: version, Cause: replay.Cause, Fact: f,
		})
		version++
	}
	add(&domain.ReplayAdvanced{Through: next.through, Counts: next.counts})
	if next.done || next.problem != "" {
		add(&domain.ReplayFinished{Problem: next.problem})
	}
	for i := range next.sent {
		g.Drafts = append(g.Drafts, next.sent[i].draft)
	}
	return g
}

func isNotFound(err error) bool { return errors.Is(err, domain.ErrNotFound) }
