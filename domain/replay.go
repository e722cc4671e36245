package domain

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
)

// ReplayAs is under which name a replay was asked for.
type ReplayAs string

// A redrive sends again what failed or was skipped. A replay sends again whatever became of it, or to an endpoint that
// wasn't there.
const (
	AsRedrive ReplayAs = "redrive"
	AsReplay  ReplayAs = "replay"
)

// ReplayWalk is what a replay goes through, in the order of the log.
type ReplayWalk string

// What a replay goes through.
const (
	WalkDeliveries ReplayWalk = "deliveries" // in order of their creation: those with a status go again
	WalkSkips      ReplayWalk = "skips"      // of routings: what was skipped for a reason goes to the endpoint that it was skipped for
	WalkEvents     ReplayWalk = "events"     // all go to one endpoint, in order
)

// ReplayConfig is what a replay was asked to do. What isn't set doesn't restrict.
type ReplayConfig struct {
	As   ReplayAs   `json:"as"`
	Walk ReplayWalk `json:"walk"`
	// From and To bound the entries that made what is walked: From inclusive, To exclusive. To isn't beyond the log's
	// end when the replay was asked for, so that a replay doesn't follow what is appended meanwhile.
	From Sequence `json:"from"`
	To   Sequence `json:"to"`
	// Endpoint restricts deliveries and skips. Of events, it is where they go.
	Endpoint     UUID             `json:"endpoint,omitzero"`
	Subscription UUID             `json:"subscription,omitzero"`
	EventTypes   []Pattern        `json:"event_types,omitempty"`
	Statuses     []DeliveryStatus `json:"statuses,omitempty"`
	SkipReasons  []SkipReason     `json:"skip_reasons,omitempty"`
	Errors       []string         `json:"errors,omitempty"` // of the last attempt: error codes and status codes
	// PerSecond bounds how many deliveries are set off a second; 0: as fast as they end.
	PerSecond float64 `json:"per_second,omitzero"`
	// Approval: another principal has to approve before it begins.
	Approval bool `json:"approval,omitzero"`
}

// ReplayPlace is a place in what a replay walks: the sequence of an entry, and one of the deliveries that it made.
type ReplayPlace struct {
	Sequence Sequence `json:"sequence"`
	ID       UUID     `json:"id,omitzero"` // zero: behind all of the entry's
}

// Compare orders places: it returns a negative number, zero or a positive number as p comes before, equals or follows
// other.
func (p ReplayPlace) Compare(other ReplayPlace) int {
	if c := cmp.Compare(p.Sequence, other.Sequence); c != 0 || p.ID == other.ID {
		return c
	}
	switch {
	case p.ID.IsZero():
		return 1
	case other.ID.IsZero():
		return -1
	}
	return bytes.Compare(p.ID[:], other.ID[:])
}

// ReplayCounts is what a replay has done.
type ReplayCounts struct {
	Examined int             `json:"examined"` // that the filters chose: sent and refused ones
	Sent     int             `json:"sent"`     // deliveries set off
	Refused  []ReplayRefusal `json:"refused,omitempty"`
}

// ReplayRefusal is how many were not sent for one reason.
type ReplayRefusal struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

// Refuse counts one that isn't sent.
func (c *ReplayCounts) Refuse(reason string) {
	c.Examined++
	i, found := slices.BinarySearchFunc(c.Refused, reason, func(r ReplayRefusal, reason string) int {
		return cmp.Compare(r.Reason, reason)
	})
	if !found {
		c.Refused = slices.Insert(c.Refused, i, ReplayRefusal{Reason: reason})
	}
	c.Refused[i].Count++
}

// Send counts one that is sent.
func (c *ReplayCounts) Send() {
	c.Examined++
	c.Sent++
}

// Clone returns a copy that shares nothing.
func (c *ReplayCounts) Clone() ReplayCounts {
	return ReplayCounts{c.Examined, c.Sent, slices.Clone(c.Refused)}
}

// ReplayStatus is the state of a replay.
type ReplayStatus string

// The statuses of a replay. The last three are ends.
const (
	ReplayAwaiting        ReplayStatus = "awaiting_approval"
	ReplayQueued          ReplayStatus = "queued" // it hasn't begun
	ReplayRunning         ReplayStatus = "running"
	ReplayStatusPaused    ReplayStatus = "paused"
	ReplaySucceeded       ReplayStatus = "succeeded" // everything is set off
	ReplayFailed          ReplayStatus = "failed"
	ReplayStatusCancelled ReplayStatus = "cancelled"
)

// Ended reports whether nothing more happens to the replay.
func (s ReplayStatus) Ended() bool {
	return s == ReplaySucceeded || s == ReplayFailed || s == ReplayStatusCancelled
}

// Active reports whether the replay is to go on.
func (s ReplayStatus) Active() bool { return s == ReplayQueued || s == ReplayRunning }

// Replay is a bulk of deliveries that somebody asked to have sent, as the fold of its stream sees it.
type Replay struct {
	ID      UUID
	Tenant  TenantID
	Config  ReplayConfig
	By      Actor // who asked for it
	Status  ReplayStatus
	Problem string // why it failed
	Through ReplayPlace
	Counts  ReplayCounts
	Version int
	// Cause is the sequence of its first entry, which causes all that it sets off.
	Cause Sequence
}

// replayTorn is the problem of a replay of which an entry can't be read: what it was to do, or where it has got to,
// isn't known, and it doesn't go on.
const replayTorn = "an entry of it can't be read"

// Done is how many of the range's entries the replay has come past.
func (r *Replay) Done() Sequence {
	switch {
	case r.Status == ReplaySucceeded:
		return r.Total()
	case r.Through.Sequence < r.Config.From:
		return 0
	}
	done := r.Through.Sequence - r.Config.From
	if r.Through.ID.IsZero() {
		done++
	}
	return min(done, r.Total())
}

// Total is how many entries the range has.
func (r *Replay) Total() Sequence { return max(0, r.Config.To-r.Config.From) }

// Fold applies an entry of the replay's stream: the only fold of a replay. It reports an error, and changes nothing,
// for an entry that contradicts the state. Entries that were folded before are ignored.
func (r *Replay) Fold(e *Entry) error {
	if e.StreamVersion <= r.Version {
		return nil
	}
	if e.StreamVersion != r.Version+1 {
		return fmt.Errorf("replay %s: version %d follows version %d", e.Stream.ID, e.StreamVersion, r.Version)
	}
	allowed := false
	next := *r
	switch e.Kind {
	case KindReplayCreated:
		allowed = r.Version == 0
		next = Replay{ID: e.Stream.ID, Tenant: e.Tenant, By: e.By, Cause: e.Sequence, Status: ReplayFailed, Problem: replayTorn}
		if f, ok := e.Fact.(*ReplayCreated); ok {
			next.Config, next.Through, next.Status, next.Problem = f.Replay, ReplayPlace{Sequence: f.Replay.From - 1}, ReplayQueued, ""
		}
		if next.Config.Approval {
			next.Status = ReplayAwaiting
		}
	case KindReplayApproved:
		allowed, next.Status = r.Status == ReplayAwaiting, ReplayQueued
	case KindReplayPaused:
		allowed, next.Status = r.Status.Active(), ReplayStatusPaused
	case KindReplayResumed:
		allowed, next.Status = r.Status == ReplayStatusPaused, ReplayRunning
	case KindReplayAdvanced:
		allowed, next.Status, next.Problem = r.Status.Active(), ReplayFailed, replayTorn
		if f, ok := e.Fact.(*ReplayAdvanced); ok {
			allowed = allowed && f.Through.Compare(r.Through) >= 0 && f.Counts.Sent >= r.Counts.Sent && f.Counts.Examined >= r.Counts.Examined
			next.Status, next.Through, next.Counts, next.Problem = ReplayRunning, f.Through, f.Counts, ""
		}
	case KindReplayFinished:
		allowed, next.Status = r.Status.Active(), ReplaySucceeded
		if f, ok := e.Fact.(*ReplayFinished); ok && f.Problem != "" {
			next.Status, next.Problem = ReplayFailed, f.Problem
		}
	case KindReplayCancelled:
		allowed, next.Status = r.Version > 0 && !r.Status.Ended(), ReplayStatusCancelled
	}
	if !allowed && r.Problem != replayTorn { // which leaves open what may follow
		return fmt.Errorf("replay %s: %s, but it was %s", e.Stream.ID, e.Kind, r.Status)
	}
	next.Version = e.StreamVersion
	*r = next
	return nil
}

// Approve decides to let the replay begin; any status but awaiting approval is refused with ErrConflict. Whether the
// approver may is for the caller to say.
func (r *Replay) Approve() (Fact, error) {
	return allowedIf(r.Status == ReplayAwaiting, &ReplayApproved{})
}

// Pause decides to have the replay wait.
func (r *Replay) Pause() (Fact, error) { return allowedIf(r.Status.Active(), &ReplayPaused{}) }

// Resume decides to have a paused replay go on.
func (r *Replay) Resume() (Fact, error) {
	return allowedIf(r.Status == ReplayStatusPaused, &ReplayResumed{})
}

// Cancel decides to end the replay where it is.
func (r *Replay) Cancel() (Fact, error) {
	return allowedIf(!r.Status.Ended(), &ReplayCancelled{})
}

func allowedIf(allowed bool, f Fact) (Fact, error) {
	if !allowed {
		return nil, ErrConflict
	}
	return f, nil
}

// MayApprove reports whether a principal may approve what another has asked for: they are different ones, and neither
// made the key of the other. madeRequester and madeApprover made the keys that were used.
func MayApprove(requester, approver, madeRequester, madeApprover Actor) bool {
	return approver.Principal != requester.Principal && madeRequester.Principal != approver.Principal &&
		madeApprover.Principal != requester.Principal
}
