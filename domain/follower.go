package domain

import (
	"context"
	"errors"
	"fmt"
)

// FollowerStop is why and at which entry a follower of the log stopped: it can't fold that entry, and whatever it folded
// after it would be wrong.
type FollowerStop struct {
	Follower string // as metrics and facts name it
	At       Position
	Err      error
}

// Error implements error.
func (s *FollowerStop) Error() string {
	return fmt.Sprintf("the follower %q stopped at position %d: %v", s.Follower, s.At, s.Err)
}

// Unwrap returns why.
func (s *FollowerStop) Unwrap() error { return s.Err }

// Record appends to the instance's log that the follower stopped. That is once for each follower and entry, however
// many processes stop there and however often they are started again.
func (s *FollowerStop) Record(ctx context.Context, log Log) error {
	_, err := AppendOne(ctx, log, Group{
		Drafts: []Draft{{
			Tenant: InstanceTenant, Stream: Stream{Kind: StreamServer, ID: NewUUID()}, Expected: AnyVersion,
			Fact: &FollowerStopped{Follower: s.Follower, Position: s.At, Problem: s.Err.Error()},
		}},
		Claims: []Claim{{
			Tenant: InstanceTenant, Scope: "follower.stopped/" + s.Follower, Key: fmt.Sprint(s.At), Count: 1,
		}},
	})
	if recorded := new(ClaimedError); errors.As(err, &recorded) {
		return nil
	}
	return err
}
