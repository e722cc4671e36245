package domain_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// recordingLog remembers what is appended, and answers as the log does that has the claim already.
type recordingLog struct {
	domain.Log
	groups []domain.Group
	err    error
}

func (l *recordingLog) Append(_ context.Context, groups ...domain.Group) []domain.Outcome {
	l.groups = append(l.groups, groups...)
	return []domain.Outcome{{Err: l.err}}
}

// TestFollowerStop_Record: the claim names follower and entry, so that it is recorded once, and that it was recorded
// before is no error. The scope is in logs that exist.
func TestFollowerStop_Record(t *testing.T) {
	t.Parallel()
	why := errors.New("it can't be read")
	stop := &domain.FollowerStop{Follower: "views", At: 7, Err: why}
	if !errors.Is(stop, why) || !strings.Contains(stop.Error(), "position 7") {
		t.Errorf("the error is %v", stop)
	}
	log := &recordingLog{err: &domain.ClaimedError{}}
	if err := stop.Record(t.Context(), log); err != nil {
		t.Errorf("recorded before: %v", err)
	}
	claim := log.groups[0].Claims[0]
	if claim.Scope != "follower.stopped/views" || claim.Key != "7" || claim.Tenant != domain.InstanceTenant {
		t.Errorf("the claim is %+v", claim)
	}
	log.err = domain.ErrUnavailable
	if err := stop.Record(t.Context(), log); !errors.Is(err, domain.ErrUnavailable) {
		t.Errorf("a log that can't be reached: %v", err)
	}
}
