package domain_test

import (
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/hooktrail/hooktrail/domain"
)

// TestReplay_Fold: whatever entries come, an error changes nothing, progress never goes back or beyond the range, and a
// decision is allowed exactly where the fold takes its fact.
func TestReplay_Fold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var r domain.Replay
		fold := func(f domain.Fact) error {
			e := &domain.Entry{
				Tenant: "acme", Sequence: 70, Stream: domain.Stream{Kind: domain.StreamReplay, ID: id(60)},
				StreamVersion: r.Version + 1, Kind: f.Kind(), Fact: f,
			}
			before := r
			err := r.Fold(e)
			if err != nil && !reflect.DeepEqual(before, r) {
				t.Fatalf("%s failed (%v) and changed the replay: %+v, was %+v", e.Kind, err, r, before)
			}
			after := r
			if err == nil && (r.Fold(e) != nil || !reflect.DeepEqual(after, r)) {
				t.Fatalf("%s folded again: %+v", e.Kind, r)
			}
			return err
		}
		config := domain.ReplayConfig{From: 5, To: 5 + domain.Sequence(rapid.IntRange(0, 20).Draw(t, "range")), Approval: rapid.Bool().Draw(t, "approval")}
		if err := fold(&domain.ReplayCreated{Replay: config}); err != nil || r.Done() != 0 || r.Status.Active() == config.Approval {
			t.Fatalf("created: %v, %+v", err, r)
		}
		for range rapid.IntRange(0, 20).Draw(t, "entries") {
			before := r
			var fact domain.Fact
			var decided error
			switch rapid.IntRange(0, 6).Draw(t, "step") {
			case 0:
				if fact, decided = before.Approve(); fact == nil {
					fact = &domain.ReplayApproved{}
				}
			case 1:
				if fact, decided = before.Pause(); fact == nil {
					fact = &domain.ReplayPaused{}
				}
			case 2:
				if fact, decided = before.Resume(); fact == nil {
					fact = &domain.ReplayResumed{}
				}
			case 3:
				if fact, decided = before.Cancel(); fact == nil {
					fact = &domain.ReplayCancelled{}
				}
			case 4:
				fact = &domain.ReplayFinished{}
			default:
				counts := r.Counts.Clone()
				counts.Send()
				counts.Refuse(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "reason"))
				further := rapid.IntRange(-1, 5).Draw(t, "further")
				fact = &domain.ReplayAdvanced{Counts: counts, Through: domain.ReplayPlace{Sequence: r.Through.Sequence + domain.Sequence(further)}}
				if further < 0 && r.Status.Active() {
					decided = domain.ErrConflict
				}
			}
			err := fold(fact)
			if (decided != nil) != (err != nil) && decided != nil || decided != nil && !errors.Is(decided, domain.ErrConflict) {
				t.Fatalf("%s: decided %v, folded %v, %+v", fact.Kind(), decided, err, before)
			}
			if before.Status.Ended() && err == nil {
				t.Fatalf("%s was folded after the end", fact.Kind())
			}
			if r.Done() < before.Done() || r.Done() > r.Total() || r.Counts.Sent < before.Counts.Sent {
				t.Fatalf("progress went from %+v to %+v", before, r)
			}
			if r.Status == domain.ReplaySucceeded && r.Done() != r.Total() {
				t.Fatalf("it has succeeded at %d of %d", r.Done(), r.Total())
			}
		}
	})
}

// TestReplay_FoldTorn: of a replay of which an entry can't be read nothing goes on, and nothing stops the fold.
func TestReplay_FoldTorn(t *testing.T) {
	t.Parallel()
	facts := []domain.Fact{
		&domain.ReplayCreated{}, &domain.ReplayAdvanced{}, &domain.ReplayPaused{}, &domain.ReplayResumed{}, &domain.ReplayAdvanced{},
	}
	for torn, kind := range map[int]domain.Kind{0: domain.KindReplayCreated, 1: domain.KindReplayAdvanced, 4: domain.KindReplayAdvanced} {
		var r domain.Replay
		for i, f := range facts {
			e := &domain.Entry{StreamVersion: i + 1, Kind: f.Kind(), Fact: f}
			if i == torn {
				e.Fact, e.Damaged = nil, true
			}
			if err := r.Fold(e); err != nil {
				t.Fatalf("%s is torn: %v", kind, err)
			}
			if i == torn && r.Status.Active() {
				t.Errorf("%s is torn, and the replay goes on: %+v", kind, r)
			}
		}
	}
}
