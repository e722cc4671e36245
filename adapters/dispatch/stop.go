package dispatch

import (
	"context"
	"errors"
	"fmt"

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

// understood reports whether this program knows an entry's kind. Entries of other kinds are passed over, unless they
// are critical; one of a newer version of a known kind must not be.
func understood(e *domain.Entry) (known bool, err error) {
	switch version := e.Kind.Version(); {
	case version == 0 && e.Critical:
		return false, fmt.Errorf("this program doesn't know %s, which must not be passed over: upgrade it", e.Kind)
	case e.KindVersion > version && version > 0:
		return false, fmt.Errorf("this program doesn't know version %d of %s: upgrade it", e.KindVersion, e.Kind)
	default:
		return version > 0, nil
	}
}

// recordStop appends, once for each entry, that a fold has stopped at it.
func recordStop(ctx context.Context, log domain.Log, stop *stopError) error {
	_, err := domain.AppendOne(ctx, log, domain.Group{
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
