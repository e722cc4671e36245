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
	feedFollower   = "dispatcher"
	routerFollower = "router"
)

// stopError says at which entry a fold stopped.
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

// rest says that this node delivers nothing any more, by log line, metric and, once for each entry, a fact, and returns
// when ctx ends. Its shards and the routing are free for a node whose program can go on.
func (d *Dispatcher) rest(ctx context.Context, stop *stopError) {
	d.mu.Lock()
	d.shards, d.leading, d.waiting = [Shards]*shard{}, nil, 0
	d.unlock()
	d.metrics.stopped(stop.follower)
	d.set.Logger.Error("nothing is delivered by this node any more: an entry can't be folded (hint: upgrade or repair this program and start it again)",
		slog.String("follower", stop.follower), slog.Any("position", stop.at), slog.Any("error", stop.err))
	if d.persist(ctx, "say in the log that the dispatcher stopped", func() error { return d.sayStopped(ctx, stop) }) == nil {
		<-ctx.Done()
	}
}

func (d *Dispatcher) sayStopped(ctx context.Context, stop *stopError) error {
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
	var said *domain.ClaimedError
	if errors.As(err, &said) {
		return nil
	}
	return err
}
