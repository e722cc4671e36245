package views_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/hooktrail/hooktrail/adapters/postgres/views"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
	"github.com/hooktrail/hooktrail/projections/historytest"
	"github.com/hooktrail/hooktrail/projections/memorytest"
)

// folded is a log whose views a follower folds.
type folded struct {
	*opened
	pool   *pgxpool.Pool
	views  *views.Views
	memory *memorytest.Memory // of everything but what is appended past it
	halt   func()             // ends the follower
}

// openFolded opens a new log with its views. wrap, unless nil, is what the follower reads the log through.
func openFolded(t testing.TB, wrap func(views.Log) views.Log) *folded {
	t.Helper()
	return foldedIn(t, open(t), wrap)
}

func foldedIn(t testing.TB, opened *opened, wrap func(views.Log) views.Log) *folded {
	t.Helper()
	f := &folded{opened: opened, memory: memorytest.New()}
	f.pool = newPool(t, f.db.URL)
	var log views.Log = f.opened
	if wrap != nil {
		log = wrap(log)
	}
	follower := views.NewFollower(views.FollowerConfig{Pool: f.pool, Log: log, Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- follower.Run(ctx) }()
	ended := false
	f.halt = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("follow: %v", err)
		}
	}
	t.Cleanup(f.halt)
	f.views = views.NewViews(f.pool, f.opened, follower)
	f.remember(t)
	return f
}

func newPool(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// remember folds the log into the memory, to its end.
func (f *folded) remember(t testing.TB) {
	t.Helper()
	for {
		entries, err := f.Page(context.Background(), f.memory.Cursor(), 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 {
			return
		}
		for _, e := range entries {
			if err := projections.Apply(f.memory, e); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// take reads what views answer about a tenant at a sequence or later.
func take(t interface{ Fatal(...any) }, v projections.Views, tenant domain.TenantID, atLeast domain.Sequence, as projections.AsOf) (s historytest.Snapshot, present historytest.Present) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := v.Read(ctx, tenant, atLeast, func(r projections.Reader) (err error) {
		if s, err = historytest.Take(ctx, r, as, 3); err != nil {
			return err
		}
		present, err = historytest.TakePresent(ctx, r, 3)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, present
}

// compared returns how many histories TestViews_AreTheMemory draws, and of how many steps at most: as of every entry it takes a
// query or two for every row. With -short, which is how races are looked for, that is less.
func compared() (histories, steps int) {
	if testing.Short() {
		return 3, 15
	}
	return 15, 40
}

// The property that holds the design together: the memory at every sequence, which a test of projections holds against
// the fold of the log up to there, and the tables as of it, are one, wherever pages begin and end.
func TestViews_AreTheMemory(t *testing.T) {
	t.Parallel()
	f := openFolded(t, nil)
	histories, steps := compared()
	drawn, under := 0, false // under: a history is being compared, or one differed and is being made smaller
	rapid.Check(t, func(t *rapid.T) {
		if drawn++; drawn > histories && !under {
			return
		}
		under = true
		h := historytest.New(t, f, f.memory)
		for range rapid.IntRange(1, steps).Draw(t, "steps") {
			h.Step()
			if rapid.IntRange(0, 3).Draw(t, "a page ends") == 0 {
				last := h.Entries[len(h.Entries)-1]
				if err := f.views.Read(context.Background(), last.Tenant, last.Sequence, func(projections.Reader) error { return nil }); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, e := range h.Entries {
			compare(t, f, e.Tenant, e.Sequence, projections.AsOf{Sequence: e.Sequence, Set: true})
		}
		last := h.Entries[len(h.Entries)-1]
		compare(t, f, last.Tenant, last.Sequence, projections.AsOf{})
		under = false
	})
}

func compare(t *rapid.T, f *folded, tenant domain.TenantID, atLeast domain.Sequence, as projections.AsOf) {
	want, wantPresent := take(t, f.memory, tenant, -1, as)
	got, gotPresent := take(t, f.views, tenant, atLeast, as)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("tenant %s as of %+v (-memory +tables):\n%s", tenant, as, diff)
	}
	if as.Set {
		return
	}
	if diff := cmp.Diff(wantPresent, gotPresent); diff != "" {
		t.Fatalf("tenant %s (-memory +tables):\n%s", tenant, diff)
	}
}

func TestViews_RowsOfOtherTenantsAreInvisible(t *testing.T) {
	t.Parallel()
	f := openFolded(t, nil)
	made := f.mustAppend(t, group(event(`1`)))
	awaitFold(t, f, made[0])
	conn := connect(t, f.db.URL)
	count := func(tenant string) (n int) {
		t.Helper()
		err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
			if tenant != "" {
				if _, err := tx.Exec(t.Context(), `SELECT set_config('hooktrail.tenant', $1, true)`, tenant); err != nil {
					return err
				}
			}
			return tx.QueryRow(t.Context(), `SELECT count(*) FROM events`).Scan(&n)
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for tenant, want := range map[string]int{"": 0, "other": 0, string(domain.DefaultTenant): 1, "*": 1} {
		if got := count(tenant); got != want {
			t.Errorf("as tenant %q: %d events, want %d", tenant, got, want)
		}
	}
	err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `SELECT set_config('hooktrail.tenant', 'other', true)`); err != nil {
			return err
		}
		_, err := tx.Exec(t.Context(), `INSERT INTO cursors (follower, tenant, position, sequence) VALUES ('views', 'default', 99, 99)`)
		return err
	})
	if code(err) != "42501" {
		t.Errorf("a row of another tenant was written: %v", err)
	}
}

// awaitFold waits until the views reflect an entry.
func awaitFold(t testing.TB, f *folded, e domain.Entry) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := f.views.Read(ctx, e.Tenant, e.Sequence, func(projections.Reader) error { return nil }); err != nil {
		t.Fatal(err)
	}
}

func TestViews_Read(t *testing.T) {
	t.Parallel()
	f := openFolded(t, nil)
	made := f.mustAppend(t, group(event(`1`)))[0]
	awaitFold(t, f, made)
	ctx := t.Context()
	t.Run("what isn't there yet is behind", func(t *testing.T) {
		short, cancel := context.WithTimeout(ctx, time.Second) // for the first look, on a busy machine
		defer cancel()
		err := f.views.Read(short, made.Tenant, made.Sequence+1, func(projections.Reader) error { return nil })
		if !errors.Is(err, projections.ErrBehind) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a tenant without a log", func(t *testing.T) {
		s, present := take(t, f.views, "nobody", -1, projections.AsOf{})
		if s.Tenant != nil || len(present.Events)+len(present.Skips)+len(present.Health) > 0 {
			t.Error("it has something")
		}
	})
	t.Run("the sequence at a time", func(t *testing.T) {
		f.remember(t)
		err := f.views.Read(ctx, made.Tenant, -1, func(tables projections.Reader) error {
			return f.memory.Read(ctx, made.Tenant, -1, func(memory projections.Reader) error {
				for _, at := range []time.Time{
					{}, made.RecordedAt.Add(-time.Microsecond), made.RecordedAt, made.RecordedAt.Add(time.Hour),
				} {
					want, err := memory.SequenceAt(ctx, at)
					if err != nil {
						return err
					}
					if got, err := tables.SequenceAt(ctx, at); err != nil || got != want {
						t.Errorf("at %s: %d, %v; want %d", at, got, err, want)
					}
				}
				return nil
			})
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("tenants", func(t *testing.T) {
		tenants, err := f.views.Tenants(ctx, "", 10)
		if err != nil || len(tenants) != 1 || tenants[0].ID != domain.DefaultTenant {
			t.Errorf("%v %v", tenants, err)
		}
	})
}

func TestViews_Rebuild(t *testing.T) {
	t.Parallel()
	f := openFolded(t, nil)
	rapid.Check(t, func(t *rapid.T) {
		if f.memory.Cursor() > 200 {
			return
		}
		h := historytest.New(t, f, f.memory)
		for range 30 {
			h.Step()
		}
	})
	entries, err := f.Page(t.Context(), f.memory.Cursor()-1, 1)
	if err != nil {
		t.Fatal(err)
	}
	awaitFold(t, f, entries[0])
	verify := func(want int) {
		t.Helper()
		differences, err := f.views.VerifyViews(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(differences) != want {
			t.Errorf("the views differ from the log: %+v", differences)
		}
	}
	verify(0)
	admin := connect(t, f.db.AdminURL)
	mustExec(t, admin, `UPDATE events SET data_size = data_size + 1 WHERE position = (SELECT min(position) FROM events)`)
	mustExec(t, admin, `DELETE FROM endpoints WHERE from_position = (SELECT min(from_position) FROM endpoints)`)
	verify(2)
	mustExec(t, admin, `UPDATE cursors SET sequence = sequence - 1 WHERE tenant = 'default'`)
	verify(3)
	if err := f.views.Rebuild(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	verify(0)
}

// TestViews_RebuildResumes: a rebuild that is broken off goes on where it was, and what isn't there yet is behind
// meanwhile.
func TestViews_RebuildResumes(t *testing.T) {
	t.Parallel()
	f := openFolded(t, nil)
	endpoint := domain.NewUUID()
	var last domain.Entry
	for range 30 {
		draft, delivery := sent(endpoint)
		made := f.mustAppend(t, group(draft), group(finished(delivery, 0, 1, domain.OutcomeFailed, domain.DeliveryDead)))
		last = made[1]
	}
	awaitFold(t, f, last)
	f.halt()
	v := views.NewViews(f.pool, f.opened, nil)
	v.RebuildBy(10)
	rebuild := func(pages int) (at []domain.Position, err error) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		err = v.Rebuild(ctx, func(p domain.Position) {
			if at = append(at, p); len(at) == pages {
				cancel()
			}
		})
		return at, err
	}
	if at, err := rebuild(2); err == nil || len(at) != 2 || at[1] != 20 || cursorOf(t, f.opened) != 20 {
		t.Fatalf("broken off at %v: %v", at, err)
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := v.Read(short, last.Tenant, last.Sequence, func(projections.Reader) error { return nil })
	if !errors.Is(err, projections.ErrBehind) {
		t.Errorf("a read of what isn't there yet: %v", err)
	}
	if at, err := rebuild(0); err != nil || len(at) == 0 || at[0] != 30 || at[len(at)-1] < last.Position {
		t.Fatalf("it goes on at %v: %v", at, err)
	}
	if differences, err := v.VerifyViews(t.Context(), nil); err != nil || len(differences) > 0 {
		t.Errorf("%+v, %v", differences, err)
	}
	if at, err := rebuild(0); err != nil || len(at) == 0 || at[0] != 10 {
		t.Errorf("one more begins at %v: %v", at, err)
	}
}
