package eventlog_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
)

// waitFor polls for what another process or goroutine does.
func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(20 * time.Second)
	for !done() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func claim(key string, first, count int) domain.Claim {
	return domain.Claim{Tenant: domain.DefaultTenant, Scope: "test", Key: key, Digest: [32]byte{1}, First: first, Count: count}
}

// appendSurely appends until it is known to be in the log, as a client with an idempotency key does.
func appendSurely(ctx context.Context, log domain.Log, key string) error {
	g := group(event(`{"key":"` + key + `"}`))
	g.Claims = []domain.Claim{claim(key, 0, 1)}
	for {
		_, err := domain.AppendOne(ctx, log, g)
		var claimed *domain.ClaimedError
		if err == nil || errors.As(err, &claimed) {
			return nil
		}
		if !errors.Is(err, domain.ErrUnavailable) && !errors.Is(err, domain.ErrBusy) || ctx.Err() != nil {
			return err
		}
	}
}

func countEvents(t testing.TB, log *opened) int {
	t.Helper()
	admin := connect(t, log.db.AdminURL)
	var n int
	if err := admin.QueryRow(t.Context(), `SELECT count(*) FROM entries WHERE kind LIKE 'event.%'`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestLog_KilledConnections appends 10,000 events while the append connections are killed at random: each is in the log
// exactly once, and the log is whole.
func TestLog_KilledConnections(t *testing.T) {
	t.Parallel()
	log := open(t)
	const events, callers = 10_000, 100
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	killer := connect(t, log.db.AdminURL)
	killing, stopKilling := context.WithCancel(ctx)
	var kills int
	var background sync.WaitGroup
	background.Go(func() {
		for killing.Err() == nil {
			const sql = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'hooktrail append'`
			var n int
			if err := killer.QueryRow(ctx, sql).Scan(&n); err != nil {
				t.Error(err)
				return
			}
			kills += n
			select {
			case <-killing.Done():
			case <-time.After(time.Duration(rand.IntN(150)) * time.Millisecond):
			}
		}
	})
	var next atomic.Int64
	var work sync.WaitGroup
	for range callers {
		work.Go(func() {
			for i := next.Add(1); i <= events; i = next.Add(1) {
				if err := appendSurely(ctx, log, fmt.Sprint(i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
	stopKilling()
	background.Wait()
	log.check(t)
	if n := countEvents(t, log); n != events {
		t.Errorf("%d events are in the log, want %d", n, events)
	}
	if kills < 3 {
		t.Errorf("only %d connections were killed: nothing was tried", kills)
	}
}

// TestLog_StoppedProcess stops another process by SIGSTOP while it holds the append lock.
func TestLog_StoppedProcess(t *testing.T) {
	t.Parallel()
	log := open(t)
	admin := connect(t, log.db.AdminURL)
	other := exec.CommandContext(t.Context(), os.Args[0])
	other.Env = append(os.Environ(), appenderURL+"="+log.db.URL, appenderKey+"="+log.keyFile)
	var stderr strings.Builder
	other.Stderr = &stderr
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	before := head(t, log)
	waitFor(t, "the other process to append", func() bool { return head(t, log) > before })
	signal := func(s syscall.Signal) {
		if err := other.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "the other process to be stopped with the lock", func() bool {
		signal(syscall.SIGSTOP)
		first := holder(t, admin)
		if first != 0 && first == holder(t, admin) && stillHeld(t, admin) {
			return true
		}
		signal(syscall.SIGCONT)
		return false
	})
	begin := time.Now()
	log.mustAppend(t, group(event(`{}`)))
	if took := time.Since(begin); took > 3*time.Second || took < 100*time.Millisecond {
		t.Errorf("the append took %v; want it to wait, and at most 3 s", took)
	}
	log.check(t)
	signal(syscall.SIGCONT)
	before = head(t, log)
	waitFor(t, "the other process to append again", func() bool { return head(t, log) > before+100 })
	signal(syscall.SIGTERM)
	if err := other.Wait(); err != nil {
		t.Errorf("the other process: %v\n%s", err, &stderr)
	}
	log.check(t)
}

func head(t testing.TB, log domain.Log) domain.Position {
	t.Helper()
	position, err := log.Head(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return position
}

// holder is the backend that holds the append lock, 0 if none does.
func holder(t testing.TB, admin *pgx.Conn) (pid int) {
	t.Helper()
	const sql = `
		SELECT coalesce(max(pid), 0) FROM pg_locks
		 WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
	if err := admin.QueryRow(t.Context(), sql).Scan(&pid); err != nil {
		t.Fatal(err)
	}
	return pid
}

// stillHeld reports whether the lock's holder waits for its stopped client rather than finishing by itself.
func stillHeld(t testing.TB, admin *pgx.Conn) bool {
	t.Helper()
	pid := holder(t, admin)
	mustExec(t, admin, `SELECT pg_sleep(0.05)`) // a commit under way ends in it
	return pid != 0 && pid == holder(t, admin)
}

// TestLog_RefusedValue has the database refuse one append of a full batch.
func TestLog_RefusedValue(t *testing.T) {
	t.Parallel()
	log := open(t)
	admin := connect(t, log.db.AdminURL)
	mustExec(t, admin, `ALTER TABLE entries ADD CONSTRAINT refused_by_test CHECK (stream_kind <> 'hold')`)
	groups := make([]domain.Group, 1000)
	for i := range groups {
		groups[i] = group(event(fmt.Sprint(i)))
	}
	const bad = 637
	groups[bad].Drafts[0].Stream.Kind = domain.StreamHold
	for i, outcome := range log.Append(t.Context(), groups...) {
		if i != bad && outcome.Err != nil {
			t.Errorf("group %d: %v", i, outcome.Err)
		}
		if i == bad && !errors.Is(outcome.Err, domain.ErrRefused) {
			t.Errorf("group %d: %v, want %v", i, outcome.Err, domain.ErrRefused)
		}
	}
	log.check(t)
	if n := countEvents(t, log); n != len(groups)-1 {
		t.Errorf("%d events are in the log", n)
	}
}

// TestLog_ManyProcesses has four Logs append at once.
func TestLog_ManyProcesses(t *testing.T) {
	t.Parallel()
	first := open(t)
	logs := []*opened{first}
	for range 3 {
		logs = append(logs, reopen(t, first.db, first.key))
	}
	shared := first.mustAppend(t, group(event(`{}`)))[0].Stream
	const rounds, callers = 30, 8
	var competed atomic.Int64
	var work sync.WaitGroup
	for n, log := range logs {
		for c := range callers {
			work.Go(func() {
				version := 1
				for i := range rounds {
					if err := appendSurely(t.Context(), log, fmt.Sprint(n, c, i)); err != nil {
						t.Error(err)
					}
					d := routed(shared, version)
					entries, err := domain.AppendOne(t.Context(), log, group(d))
					switch {
					case err == nil:
						competed.Add(1)
						version = entries[0].StreamVersion
					case errors.Is(err, domain.ErrConflict):
						version++
					default:
						t.Error(err)
					}
				}
			})
		}
	}
	work.Wait()
	for _, log := range logs {
		log.check(t)
	}
	if n, want := countEvents(t, first), 1+len(logs)*rounds*callers+int(competed.Load()); n != want {
		t.Errorf("%d events are in the log, want %d", n, want)
	}
}

// TestLog_DatabaseAway has the append answered while the database refuses connections, and resumes.
func TestLog_DatabaseAway(t *testing.T) {
	t.Parallel()
	log := open(t)
	admin := connect(t, strings.Replace(log.db.AdminURL, "/"+log.db.Name, "/postgres", 1))
	mustExec(t, admin, `ALTER DATABASE `+log.db.Name+` ALLOW_CONNECTIONS false`)
	mustExec(t, admin, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, log.db.Name)
	begin := time.Now()
	if _, err := domain.AppendOne(t.Context(), log, group(event(`{}`))); !errors.Is(err, domain.ErrUnavailable) {
		t.Errorf("append: %v, want %v", err, domain.ErrUnavailable)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %v to answer", took)
	}
	begin = time.Now()
	if _, err := domain.AppendOne(t.Context(), log, group(event(`{}`))); !errors.Is(err, domain.ErrUnavailable) {
		t.Errorf("second append: %v, want %v", err, domain.ErrUnavailable)
	}
	if took := time.Since(begin); took > time.Second {
		t.Errorf("the second took %v to answer", took)
	}
	mustExec(t, admin, `ALTER DATABASE `+log.db.Name+` ALLOW_CONNECTIONS true`)
	waitFor(t, "appends to go on", func() bool {
		_, err := domain.AppendOne(t.Context(), log, group(event(`{}`)))
		return err == nil
	})
	log.check(t)
}

// TestLog_Restart goes on with trees that another Log left unfinished.
func TestLog_Restart(t *testing.T) {
	t.Parallel()
	log := open(t)
	for range 4 {
		for _, n := range []int{1, 130, 255, 256, 257} {
			g := group()
			for range n {
				g.Drafts = append(g.Drafts, event(`{}`))
			}
			log.mustAppend(t, g)
			log.stop()
			log = reopen(t, log.db, log.key)
		}
	}
	log.mustAppend(t, group(event(`{}`)))
	log.check(t)
}

// snapshotFor is how long the foreign snapshot stays open: .ci/run sets a longer while.
var snapshotFor = flag.Duration("foreign-snapshot", 6*time.Second, "how long TestLog_ForeignSnapshot keeps a foreign snapshot open")

// TestLog_ForeignSnapshot appends with a foreign snapshot open, as pg_dump's: that must not slow appends by more than a
// fifth. Between its short turns it appends to another log without one, before and after each, so that whatever else
// the machine does slows both alike, and a drift cancels out.
func TestLog_ForeignSnapshot(t *testing.T) {
	t.Parallel()
	free, held := open(t), open(t)
	for range 20 { // connections, plans, pages of the tables
		timeOfAppends(t, free)
		timeOfAppends(t, held)
	}
	admin := connect(t, held.db.AdminURL)
	mustExec(t, admin, `BEGIN ISOLATION LEVEL REPEATABLE READ`)
	mustExec(t, admin, `SELECT count(*) FROM heads`)
	var slower []float64 // in each turn
	for begin := time.Now(); time.Since(begin) < *snapshotFor; {
		without := timeOfAppends(t, free)
		with := timeOfAppends(t, held) + timeOfAppends(t, held)
		without += timeOfAppends(t, free)
		slower = append(slower, float64(with)/float64(without))
	}
	mustExec(t, admin, `COMMIT`)
	last := slices.Sorted(slices.Values(slower[len(slower)/2:])) // the first half met fewer dead rows
	median := last[len(last)/2]
	t.Logf("with a foreign snapshot open for %v an append takes %.2f times as long, in the median of %d turns", *snapshotFor, median, len(last))
	if median > 1.20 {
		t.Errorf("a foreign snapshot makes appends %.2f times as slow, at most 1.20 is expected", median)
	}
	held.check(t)
}

// timeOfAppends is the time of a few appends, one after the other.
func timeOfAppends(t testing.TB, log *opened) time.Duration {
	t.Helper()
	begin := time.Now()
	for range 5 {
		log.mustAppend(t, group(event(`{}`)))
	}
	return time.Since(begin)
}

// TestLog_Stopped answers appends before Run, and after its end, in bounded time.
func TestLog_Stopped(t *testing.T) {
	t.Parallel()
	log := open(t)
	log.mustAppend(t, group(event(`{}`)))
	idle, err := eventlog.Open(t.Context(), eventlog.Config{URL: log.db.URL, MasterKey: log.key})
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	if _, err := domain.AppendOne(t.Context(), idle, group(event(`{}`))); !errors.Is(err, domain.ErrUnavailable) {
		t.Errorf("append before Run: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := idle.Run(ctx); err != nil {
		t.Errorf("run: %v", err)
	}
	if _, err := domain.AppendOne(t.Context(), idle, group(event(`{}`))); !errors.Is(err, domain.ErrUnavailable) {
		t.Errorf("append after Run: %v", err)
	}
	if err := idle.Run(ctx); err == nil {
		t.Error("a log ran twice")
	}
}

// TestLog_Busy fills the queue while the lock is held elsewhere.
func TestLog_Busy(t *testing.T) {
	t.Parallel()
	log := open(t, func(c *eventlog.Config) { c.QueuedEntries = 10 })
	admin := connect(t, log.db.AdminURL)
	mustExec(t, admin, `SELECT pg_advisory_lock(hashtextextended('hooktrail/log', 0))`)
	var busy, appended atomic.Int32
	var work sync.WaitGroup
	for range 40 {
		work.Go(func() {
			_, err := domain.AppendOne(t.Context(), log, group(event(`{}`), event(`{}`)))
			switch {
			case err == nil:
				appended.Add(1)
			case errors.Is(err, domain.ErrBusy):
				busy.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	waitFor(t, "a full queue", func() bool { return busy.Load() > 0 })
	mustExec(t, admin, `SELECT pg_advisory_unlock_all()`)
	work.Wait()
	if appended.Load() < 5 || appended.Load()+busy.Load() != 40 {
		t.Errorf("%d appended, %d refused", appended.Load(), busy.Load())
	}
	log.check(t)
}

// TestLog_Notified has one process wake another's reader.
func TestLog_Notified(t *testing.T) {
	t.Parallel()
	writer := open(t)
	reader := reopen(t, writer.db, writer.key)
	woken := 0
	for range 5 {
		after := head(t, reader)
		waited := make(chan time.Duration)
		go func() {
			begin := time.Now()
			for begin := time.Now(); time.Since(begin) < 900*time.Millisecond; {
				reader.Await(t.Context(), after)
				if page, err := reader.Page(t.Context(), after, 1); err != nil || len(page) > 0 {
					break
				}
			}
			waited <- time.Since(begin)
		}()
		writer.mustAppend(t, group(event(`{}`)))
		if <-waited < 500*time.Millisecond {
			woken++
		}
	}
	if woken < 3 { // the first may come before LISTEN
		t.Errorf("the reader was woken %d times of 5", woken)
	}
}
