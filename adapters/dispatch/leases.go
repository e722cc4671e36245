package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// keepLeases beats until ctx ends. What follows from how things stand is done beside it (tendLeases): no append may
// hold up a heartbeat.
func (d *Dispatcher) keepLeases(ctx context.Context) error {
	ticker := time.NewTicker(d.set.Beat)
	defer ticker.Stop()
	failing := false
	for {
		standing, err := d.beat(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			failing = false
			select {
			case <-d.standings: // not looked at yet, and old
			default:
			}
			d.standings <- standing
		case !failing:
			failing = true
			d.set.Logger.Warn("no heartbeat: others may take over what this node holds", slog.Any("error", err))
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (d *Dispatcher) beat(ctx context.Context) (domain.Standing, error) {
	ctx, cancel := context.WithTimeout(ctx, d.set.Expiry)
	defer cancel()
	if err := d.set.Leases.Heartbeat(ctx, d.set.Node); err != nil {
		return domain.Standing{}, err
	}
	return d.set.Leases.Standing(ctx)
}

// tendLeases takes leases that are free and hands over what is too much, until ctx ends. What was taken comes to pass
// when the fold gets to the fact (applyLease): there is one way in, whoever took it for this node.
//
// Until this node has beaten steadily for as long as a lease lasts, others' heartbeats may be old for the same reason as
// its own were (the database was away), so it takes only from nodes that are known to be dead.
func (d *Dispatcher) tendLeases(ctx context.Context) error {
	var steady, last time.Time // since when this node has beaten without a gap; when it last did
	var standing domain.Standing
	for {
		select {
		case standing = <-d.standings:
			now := time.Now()
			if now.Sub(last) > d.set.Expiry {
				steady = now
			}
			last = now
		case <-d.freed:
		case <-ctx.Done(): // what ended last may not be given away yet
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), partingGrace)
			defer cancel()
			d.tend(ctx, partingPlan(standing, d.set))
			return nil
		}
		d.mu.Lock()
		stopping := d.stopping
		d.unlock()
		if stopping {
			d.tend(ctx, partingPlan(standing, d.set))
		} else {
			d.tend(ctx, planOf(standing, d.set, last.Sub(steady) >= d.set.Expiry))
		}
	}
}

// partingGrace is how long a node that stops may take to hand over the shards on which work ended last.
const partingGrace = 2 * time.Second

// free has tendLeases hand over a shard at once on which nothing is under way any more, while the node stops; mu is held.
func (d *Dispatcher) free() {
	if !d.stopping {
		return
	}
	select {
	case d.freed <- struct{}{}:
	default:
	}
}

// tend does what is planned.
func (d *Dispatcher) tend(ctx context.Context, p plan) {
	if len(p.take) > 0 {
		d.noteTake("take leases", d.takeLeases(ctx, d.set.Node, p.take, d.set.Displaced))
	}
	for to, leases := range d.yield(p.give) {
		d.noteTake("hand leases over", d.takeLeases(ctx, to, leases, []domain.UUID{d.set.Node}))
	}
}

// noteTake says what failed, unless another node was only faster: then it is planned again at the next beat.
func (d *Dispatcher) noteTake(what string, err error) {
	if err != nil && !errors.Is(err, domain.ErrFenced) {
		d.trouble(what, err)
	}
}

// takeLeases has a node hold leases in their next epochs, all or none.
func (d *Dispatcher) takeLeases(ctx context.Context, node domain.UUID, leases []domain.Lease, displaced []domain.UUID) error {
	fact := &domain.LeaseTaken{Node: node}
	group := domain.Group{Drafts: []domain.Draft{{
		Tenant: domain.InstanceTenant, Stream: domain.Stream{Kind: domain.StreamLease, ID: node},
		Expected: domain.AnyVersion, Fact: fact,
	}}}
	for _, l := range leases {
		fact.Leases = append(fact.Leases, domain.LeaseEpoch{Name: l.Name, Epoch: l.Epoch + 1})
		group.Takes = append(group.Takes, domain.Take{
			Lease: l.Name, Owner: node, Epoch: l.Epoch + 1, Expiry: d.set.Expiry, Displaced: displaced,
		})
	}
	if _, err := domain.AppendOne(ctx, d.set.Log, group); err != nil {
		return fmt.Errorf("take %d leases: %w", len(leases), err)
	}
	return nil
}

// yield stops work on shards that are to go and returns those on which nothing is under way any more.
func (d *Dispatcher) yield(give map[string]domain.UUID) map[domain.UUID][]domain.Lease {
	d.mu.Lock()
	defer d.unlock()
	free := make(map[domain.UUID][]domain.Lease)
	for _, sh := range d.shards {
		if sh == nil {
			continue
		}
		fence := sh.fences[0]
		to, going := give[fence.Lease]
		if sh.giving && !going { // the plan has changed: go on
			for _, l := range sh.lanes {
				d.touch(l)
			}
		}
		sh.giving = going
		if going && (sh.ready || d.stopping) && sh.running == 0 {
			free[to] = append(free[to], domain.Lease{Name: fence.Lease, Owner: fence.Owner, Epoch: fence.Epoch})
		}
	}
	return free
}

// applyLease folds who holds what.
func (d *Dispatcher) applyLease(e *domain.Entry) {
	f, ok := e.Fact.(*domain.LeaseTaken)
	if !ok {
		return
	}
	var taken []*shard
	for _, l := range f.Leases {
		fence := domain.Fence{Lease: l.Name, Owner: f.Node, Epoch: l.Epoch}
		index, ok := shardIndex(l.Name)
		if !ok {
			continue
		}
		if sh := d.shards[index]; sh != nil {
			d.drop(sh)
		}
		if f.Node == d.set.Node && !d.stopping {
			d.shards[index] = newShard(index, fence)
			taken = append(taken, d.shards[index])
		}
	}
	if len(taken) > 0 {
		d.set.Logger.Info("shards taken", slog.Int("shards", len(taken)), slog.Any("position", e.Position))
		d.tasks.Add(1)
		go func() {
			defer d.tasks.Done()
			d.load(taken)
		}()
	}
}

// lose drops a shard that the log says isn't held any more.
func (d *Dispatcher) lose(sh *shard) {
	d.mu.Lock()
	d.drop(sh)
	d.unlock()
}

// drop forgets a shard; mu is held. What is under way finds out by shard.lost.
func (d *Dispatcher) drop(sh *shard) {
	if sh.lost {
		return
	}
	sh.lost = true
	if d.shards[sh.index] == sh {
		d.shards[sh.index] = nil
	}
	for _, l := range sh.lanes {
		d.sleepLane(l)
		d.waiting -= l.window.len()
	}
	sh.items, sh.lanes = nil, nil
	d.set.Logger.Info("shard given up", slog.String("lease", sh.fences[0].Lease), slog.Any("epoch", sh.fences[0].Epoch))
}
