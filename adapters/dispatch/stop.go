package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/hooktrail/hooktrail/domain"
)

// The two folds of this package, as metrics and facts name them.
const (
	feedFollower          = "dispatcher"
	configurationFollower = "configuration"
)

// stopError is why and at which entry a fold stopped.
type stopError struct {
	follower string
	at       domain.Position
	err      error
}

func (e *stopError) Error() string {
	return fmt.Sprintf("the %s stopped at position %d: %v", e.follower, e.at, e.err)
}

// Unwrap returns why.
func (e *stopError) Unwrap() error { return e.err }

// halt ends this node's dispatching for good since its fold can't go on; mu is held. What is under way ends as usual.
func (d *Dispatcher) halt(stop *stopError) {
	d.halted, d.stopping = true, true // what is folded halfway must not be acted upon
	select {
	case d.stops <- stop:
	default: // both followers have stopped already
	}
}

// rest tells by log line, metric and, once for each entry, a fact that a fold has stopped and that this node delivers
// nothing any more, and returns when ctx ends. Its shards are free for a node whose program can go on.
func (d *Dispatcher) rest(ctx context.Context, stop *stopError) {
	d.mu.Lock()
	d.shards, d.waiting = [Shards]*shard{}, 0
	d.unlock()
	for {
		d.metrics.stopped(stop.follower)
		d.set.Logger.Error("nothing is delivered by this node any more: an entry can't be folded (hint: upgrade or repair this program and start it again)",
			slog.String("follower", stop.follower), slog.Any("position", stop.at), slog.Any("error", stop.err))
		if d.persist(ctx, "tell in the log that a fold stopped", func() error { return d.recordStop(ctx, stop) }) != nil {
			return
		}
		select {
		case stop = <-d.stops:
		case <-ctx.Done():
			return
		}
	}
}

func (d *Dispatcher) recordStop(ctx context.Context, stop *stopError) error {
	_, err := domain.AppendOne(ctx, d.set.Log, domain.Group{
		Drafts: []domain.Draft{{
			Tenant: domain.InstanceTenant, Stream: domain.Stream{Kind: domain.StreamServer, ID: domain.NewUUID()},
			Expected: domain.AnyVersion,
			Fact:     &domain.FollowerStopped{Follower: stop.follower, Position: stop.at, Problem: stop.err.Error()},
		}},
		Claims: []domain.Claim{{
			Tenant: domain.InstanceTenant, Scope: "follower.stopped/" + stop.follower, Key: fmt.Sprint(stop.at), Count: 1,
		}},
	})
	var recorded *domain.ClaimedError
	if errors.As(err, &recorded) {
		return nil
	}
	return err
}
