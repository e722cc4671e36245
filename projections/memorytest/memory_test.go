package memorytest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/domain/logtest"
	"github.com/hooktrail/hooktrail/projections"
	"github.com/hooktrail/hooktrail/projections/historytest"
	"github.com/hooktrail/hooktrail/projections/memorytest"
)

// The memory as of every sequence is the fold of the log up to there.
func TestMemory_AsOfIsTheFoldOfThePrefix(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := historytest.New(t, logtest.NewMemory(time.Now), memorytest.New())
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			h.Step()
		}
		prefix := memorytest.New()
		for _, e := range h.Entries {
			if err := projections.Apply(prefix, e); err != nil {
				t.Fatal(err)
			}
			then := snapshot(t, h.Views, e.Tenant, projections.AsOf{Sequence: e.Sequence, Set: true})
			if diff := cmp.Diff(snapshot(t, prefix, e.Tenant, projections.AsOf{}), then); diff != "" {
				t.Fatalf("%s as of %d (-fold of the prefix +memory):\n%s", e.Tenant, e.Sequence, diff)
			}
		}
	})
}

// TestMemory_ErasureChangesNoFold: whoever is erased, where every delivery and endpoint was at every moment stays.
func TestMemory_ErasureChangesNoFold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		h := historytest.New(rt, logtest.NewMemory(time.Now), memorytest.New())
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			h.Step()
		}
		erased := memorytest.New()
		for _, e := range h.Entries {
			if !e.SubjectKey.IsZero() && e.Stream.Kind != domain.StreamKey {
				e = historytest.Erase(t, e)
			}
			if err := projections.Apply(erased, e); err != nil {
				rt.Fatal(err)
			}
		}
		for _, e := range h.Entries {
			as := projections.AsOf{Sequence: e.Sequence, Set: true}
			before, after := snapshot(rt, h.Views, e.Tenant, as), snapshot(rt, erased, e.Tenant, as)
			for _, s := range []*historytest.Snapshot{&before, &after} {
				for _, attempts := range s.Attempts {
					forgetExchanges(attempts)
				}
			}
			if diff := cmp.Diff(before, after); diff != "" {
				rt.Fatalf("%s as of %d (-whole +erased):\n%s", e.Tenant, e.Sequence, diff)
			}
		}
	})
}

// forgetExchanges leaves of attempts what the tenant keeps of them.
func forgetExchanges(attempts []projections.Attempt) {
	for i := range attempts {
		a := &attempts[i]
		a.BodySize, a.Erased = 0, false
		if a.Result != nil {
			kept := *a.Result
			kept.Exchange = domain.Exchange{}
			a.Result = &kept
		}
	}
}

func snapshot(t *rapid.T, m *memorytest.Memory, tenant domain.TenantID, as projections.AsOf) (s historytest.Snapshot) {
	err := m.Read(context.Background(), tenant, -1, func(r projections.Reader) (err error) {
		if s, err = historytest.Take(context.Background(), r, as, 3); err != nil {
			return err
		}
		_, err = historytest.TakePresent(context.Background(), r, 3)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMemory_ReadWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := logtest.NewMemory(time.Now)
		m := memorytest.New()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- m.Follow(ctx, log) }()
		go func() {
			time.Sleep(time.Second)
			_, err := domain.AppendOne(ctx, log, domain.Group{Drafts: []domain.Draft{{
				Tenant: "acme", Stream: domain.Stream{Kind: domain.StreamTenant, ID: domain.UUID{1}}, Expected: domain.AnyVersion,
				Fact: &domain.TenantCreated{Tenant: domain.TenantConfig{ID: "acme"}},
			}}})
			if err != nil {
				t.Error(err)
			}
		}()
		none := func(r projections.Reader) error { return nil }
		short, stop := context.WithTimeout(ctx, time.Millisecond)
		defer stop()
		if err := m.Read(short, "acme", 0, none); !errors.Is(err, projections.ErrBehind) {
			t.Errorf("read of what isn't there yet: %v", err)
		}
		if err := m.Read(ctx, "acme", 0, none); err != nil {
			t.Error(err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestMemory_SequenceAt(t *testing.T) {
	t.Parallel()
	m := memorytest.New()
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for n := range 10 {
		var fact domain.Fact = &domain.TenantUpdated{}
		if n == 0 {
			fact = &domain.TenantCreated{}
		}
		err := projections.Apply(m, domain.Entry{
			Position: domain.Position(n + 1), Tenant: "acme", Sequence: domain.Sequence(n), Kind: fact.Kind(), KindVersion: 1,
			Stream: domain.Stream{Kind: domain.StreamTenant, ID: domain.UUID{1}}, StreamVersion: n + 1, Fact: fact,
			RecordedAt: noon.Add(time.Duration(n) * time.Microsecond),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	err := m.Read(t.Context(), "acme", 0, func(r projections.Reader) error {
		for at, want := range map[time.Time]domain.Sequence{
			noon.Add(-1): -1, noon: 0, noon.Add(5 * time.Microsecond): 5, noon.Add(5999): 5, noon.Add(time.Hour): 9,
		} {
			if got, err := r.SequenceAt(t.Context(), at); err != nil || got != want {
				t.Errorf("at %s: %d, %v; want %d", at, got, err, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestMemory_UnknownTenant(t *testing.T) {
	t.Parallel()
	err := memorytest.New().Read(t.Context(), "nobody", -1, func(r projections.Reader) error {
		if r.Sequence() != -1 {
			t.Error("a tenant without a log has a sequence")
		}
		s, err := historytest.Take(t.Context(), r, projections.AsOf{}, 10)
		if s.Tenant != nil {
			t.Error("it exists")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
