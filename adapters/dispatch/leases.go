package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// leases decides which shards this node has: it takes free ones, hands over what is too much, and gives all away when
// the node stops. What it has appended comes to pass when the fold gets to the fact (lanes.foldLease): there is one way
// in, whoever took a shard for this node.
type leases struct {
	set     *Settings
	lanes   *lanes
	trouble *trouble
	// standings has the newest heartbeat's answer for tend. Its capacity is 1.
	standings chan domain.Standing
}

// partingGrace is how long a node that stops may take to hand over the shards on which work ended last, and to retire.
const partingGrace = 2 * time.Second

// beat sends heartbeats until ctx ends. What follows from the answer is done beside it (tend): no append may hold
// up a heartbeat.
func (s *leases) beat(ctx context.Context) error {
	ticker := time.NewTicker(s.set.Beat)
	defer ticker.Stop()
	failing := false
	for {
		standing, err := s.standing(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			failing = false
			select {
			case <-s.standings: // not looked at yet, and old
			default:
			}
			s.standings <- standing
		case !failing:
			failing = true
			s.set.Logger.Warn("no heartbeat: others may take over what this node holds", slog.Any("error", err))
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// standing beats once and returns who lives and holds what after it.
func (s *leases) standing(ctx context.Context) (domain.Standing, error) {
	ctx, cancel := context.WithTimeout(ctx, s.set.Expiry)
	defer cancel()
	if err := s.set.Leases.Heartbeat(ctx, s.set.Node); err != nil {
		return domain.Standing{}, err
	}
	return s.set.Leases.Standing(ctx)
}

// tend takes leases that are free and hands over what is too much, until ctx ends.
//
// Until this node has beaten steadily for as long as a lease lasts, others' heartbeats may be old for the same reason
// as its own were (the database was away), so it takes only from nodes that are known to be dead.
func (s *leases) tend(ctx context.Context) error {
	var steady, last time.Time // since when this node has beaten without a gap; when it last did
	var standing domain.Standing
	for {
		select {
		case standing = <-s.standings:
			now := time.Now()
			if now.Sub(last) > s.set.Expiry {
				steady = now
			}
			last = now
			s.lanes.forsake(standing)
		case <-s.lanes.slots.stopped:
		case <-ctx.Done(): // what ended last may not be given away yet
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), partingGrace)
			defer cancel()
			s.carryOut(ctx, partingPlan(standing, *s.set))
			return nil
		}
		if s.lanes.stopping() {
			s.carryOut(ctx, partingPlan(standing, *s.set))
		} else {
			s.carryOut(ctx, planOf(standing, *s.set, last.Sub(steady) >= s.set.Expiry))
		}
	}
}

// carryOut does what is planned. What fails is planned again at the next beat.
func (s *leases) carryOut(ctx context.Context, p plan) {
	if len(p.take) > 0 {
		if err := s.take(ctx, s.set.Node, p.take, s.set.Displaced); err != nil && !errors.Is(err, domain.ErrFenced) {
			s.trouble.warn("take leases", err) // unless another node was only faster
		}
	}
	for to, leases := range s.lanes.yield(p.give) {
		if err := s.take(ctx, to, leases, []domain.UUID{s.set.Node}); err != nil && !errors.Is(err, domain.ErrFenced) {
			s.trouble.warn("hand leases over", err)
		}
	}
}

// take has a node hold leases in their next epochs, all or none. Nodes that part with them go on doing so until their
// time is over.
func (s *leases) take(ctx context.Context, node domain.UUID, leases []domain.Lease, displaced []domain.UUID) error {
	fact := &domain.LeaseTaken{Node: node}
	group := domain.Group{Drafts: []domain.Draft{{
		Tenant: domain.InstanceTenant, Stream: domain.Stream{Kind: domain.StreamLease, ID: node},
		Expected: domain.AnyVersion, Fact: fact,
	}}}
	now := time.Now()
	for _, l := range leases {
		var partings []domain.Parting
		for _, p := range l.Partings {
			if p.Until.After(now) {
				partings = append(partings, p)
			}
		}
		fact.Leases = append(fact.Leases, domain.LeaseEpoch{Name: l.Name, Epoch: l.Epoch + 1, Partings: partings})
		group.Takes = append(group.Takes, domain.Take{
			Lease: l.Name, Owner: node, Epoch: l.Epoch + 1, Expiry: s.set.Expiry, Displaced: displaced, Partings: partings,
		})
	}
	if _, err := domain.AppendOne(ctx, s.set.Log, group); err != nil {
		return fmt.Errorf("take %d leases: %w", len(leases), err)
	}
	return nil
}

// retire gives up what this node holds, once nothing of it is at work any more.
func (s *leases) retire(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), partingGrace)
	defer cancel()
	if err := s.set.Leases.Retire(ctx, s.set.Node); err != nil {
		s.set.Logger.Warn("leases not given up: others take them over when they expire", slog.Any("error", err))
	}
}
