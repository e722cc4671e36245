package views_test

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hooktrail/hooktrail/adapters/postgres/views"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// watchedLog counts the waits and can spoil entries.
type watchedLog struct {
	views.Log
	awaits *atomic.Int64
	spoil  func(*domain.Entry)
}

func (l *watchedLog) Await(ctx context.Context, after domain.Position) {
	if l.awaits != nil {
		l.awaits.Add(1)
	}
	l.Log.Await(ctx, after)
}

func (l *watchedLog) Page(ctx context.Context, after domain.Position, limit int) ([]domain.Entry, error) {
	entries, err := l.Log.Page(ctx, after, limit)
	if l.spoil == nil {
		return entries, err
	}
	spoilt := append([]domain.Entry(nil), entries...)
	for i := range spoilt {
		l.spoil(&spoilt[i])
	}
	return spoilt, err
}

// A fold that fails stops at its entry: what is before it is there, nothing behind it is, and the log says so once.
func TestFollower_StopsAndSaysSo(t *testing.T) {
	t.Parallel()
	log := open(t)
	var bad atomic.Int64
	spoilt := &watchedLog{Log: log, spoil: func(e *domain.Entry) {
		if int64(e.Position) == bad.Load() {
			e.Kind, e.Critical = "event.from_the_future", true
		}
	}}
	made := log.mustAppend(t, group(event(`1`)), group(event(`22`)), group(event(`333`)))
	bad.Store(int64(made[1].Position))
	registry := prometheus.NewRegistry()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for range 2 { // two processes, one fact
		f := views.NewFollower(views.FollowerConfig{
			Pool: newPool(t, log.db.URL), Log: spoilt, Logger: slog.New(slog.DiscardHandler), Registerer: registry,
		})
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()
		t.Cleanup(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
		waitFor(t, "the follower to stop", func() bool {
			return testutil.ToFloat64(stoppedGauge(t, registry)) == 1
		})
		registry = prometheus.NewRegistry()
	}
	said := func() []domain.Entry {
		entries, err := domain.Select(t.Context(), log, domain.Query{Tenant: domain.InstanceTenant, Kind: domain.KindFollowerStopped, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		return entries
	}
	waitFor(t, "the fact", func() bool { return len(said()) > 0 })
	if all := said(); len(all) != 1 {
		t.Fatalf("%d facts", len(all))
	} else if fact := all[0].Fact.(*domain.FollowerStopped); fact.Position != made[1].Position || !strings.Contains(fact.Problem, "event.from_the_future") {
		t.Errorf("the fact says %+v", fact)
	}
	conn := connect(t, log.db.AdminURL)
	var events int
	var cursor domain.Position
	err := conn.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM events), (SELECT position FROM cursors WHERE tenant = '')`).Scan(&events, &cursor)
	if err != nil || events != 1 || cursor != made[0].Position {
		t.Errorf("%d events at cursor %d, want 1 at %d: %v", events, cursor, made[0].Position, err)
	}
}

func stoppedGauge(t testing.TB, registry *prometheus.Registry) prometheus.Collector {
	t.Helper()
	return gathered{registry}
}

// gathered makes the one value of hooktrail_follower_stopped a collector that testutil can read.
type gathered struct{ registry *prometheus.Registry }

func (g gathered) Describe(chan<- *prometheus.Desc) {}

func (g gathered) Collect(ch chan<- prometheus.Metric) {
	families, err := g.registry.Gather()
	if err != nil {
		return
	}
	for _, family := range families {
		if family.GetName() == "hooktrail_follower_stopped" {
			desc := prometheus.NewDesc("stopped", "", nil, nil)
			ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, family.GetMetric()[0].GetGauge().GetValue())
		}
	}
}

// Rows and cursor are one: connections that are killed at any moment leave neither a row twice nor one out.
func TestFollower_KilledConnections(t *testing.T) {
	t.Parallel()
	f := openFolded(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var kills atomic.Int64
	ended := make(chan struct{})
	go func() {
		killFollowers(ctx, f.db.AdminURL, f.db.Name, &kills)
		close(ended)
	}()
	events := 0
	var last domain.Entry
	for begin := time.Now(); events < 1500 || kills.Load() < 5; events += 5 {
		if time.Since(begin) > time.Minute {
			t.Fatalf("%d connections were killed: the test shows nothing", kills.Load())
		}
		for _, o := range f.Append(ctx, group(event(`1`), event(`2`), event(`3`), event(`4`), event(`5`))) {
			if o.Err != nil {
				t.Fatal(o.Err)
			}
			last = o.Entries[4]
		}
		if events%50 == 0 { // a reader that waits has the follower fold at once
			f.await(last, 5*time.Millisecond)
		}
	}
	cancel()
	<-ended
	waitFor(t, "the follower to recover", func() bool {
		short, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		_, err := headOfViews(short, f)
		return err == nil
	})
	awaitFold(t, f, last)
	differences, err := f.views.VerifyViews(t.Context(), nil)
	if err != nil || len(differences) > 0 {
		t.Errorf("%+v %v", differences, err)
	}
	conn := connect(t, f.db.AdminURL)
	var rows int
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM events`).Scan(&rows); err != nil || rows != events {
		t.Errorf("%d events, %v", rows, err)
	}
}

// await waits for the views to reflect an entry, and gives up after a while.
func (f *folded) await(e domain.Entry, atMost time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), atMost)
	defer cancel()
	_ = f.views.Read(ctx, e.Tenant, e.Sequence, func(projections.Reader) error { return nil }) // they may be behind: that's the caller's doing
}

func headOfViews(ctx context.Context, f *folded) (as domain.Position, err error) {
	_, as, err = f.views.Outstanding(ctx)
	return as, err
}

// killFollowers ends connections that fold, until ctx ends, and counts them.
func killFollowers(ctx context.Context, url, database string, kills *atomic.Int64) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close(context.Background()) }()
	for {
		var killed int64
		// The queries of the follower's transactions, by what they touch.
		err := conn.QueryRow(ctx, `
			SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			 WHERE datname = $1 AND pid <> pg_backend_pid() AND state <> 'idle' AND query ~ 'cursors|INSERT INTO events'`, database).Scan(&killed)
		if err != nil { // ctx ended, or the test fails for want of kills
			return
		}
		kills.Add(killed)
	}
}

// Several processes may follow: each entry is folded once.
func TestFollower_Several(t *testing.T) {
	t.Parallel()
	f := openFolded(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for range 2 {
		follower := views.NewFollower(views.FollowerConfig{Pool: newPool(t, f.db.URL), Log: f.opened, Logger: slog.New(slog.DiscardHandler)})
		done := make(chan error, 1)
		go func() { done <- follower.Run(ctx) }()
		t.Cleanup(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	for range 100 {
		awaitFold(t, f, f.mustAppend(t, group(event(`1`)))[0])
	}
	differences, err := f.views.VerifyViews(t.Context(), nil)
	if err != nil || len(differences) > 0 {
		t.Errorf("%+v %v", differences, err)
	}
}
