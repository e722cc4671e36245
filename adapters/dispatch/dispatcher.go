package dispatch

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
	"golang.org/x/sync/errgroup"
)

// Dispatcher delivers events, and has its Router route them. Make one with New and call Run once.
//
// Locks: turn is taken before mu, and mu before those of snapshots and contents. No I/O takes place and nothing blocks while
// mu is held; reading the log may take place under turn.
type Dispatcher struct {
	set       Settings
	metrics   *metrics
	contents  *contents
	snapshots *snapshots
	router    *Router
	sooner    chan struct{} // a timer earlier than all others was set
	// standings has the newest heartbeat's answer for tendLeases.
	standings chan domain.Standing
	freed     chan struct{}   // see free
	stops     chan *stopError // folds that stopped, each at most once

	// turn is held by who needs the fold to keep still: the feed, which alone moves it, for a page, and a loader for the
	// rest of its way, so that what it hands over is as of the feed's position.
	turn sync.Mutex

	mu       sync.Mutex          // guards all below, and all of shards, lanes and items; released by unlock
	position domain.Position     // up to which the log is folded; changed under turn and mu
	moved    chan struct{}       // closed when position moves, if somebody waits; else nil
	config   *projections.Config // at position
	shards   [Shards]*shard      // that this node holds; nil: it doesn't
	waiting  int                 // items in windows
	running  int                 // attempts
	dirty    []*lane             // to be pumped before mu is released
	timers   timerHeap           // lanes by time
	stopping bool                // no attempt starts any more
	halted   bool                // deliveries can't be folded any more: only the configuration is

	tasks    sync.WaitGroup // everything that works on items
	troubled atomic.Int64   // when trouble last warned, in Unix nanoseconds
	// work ends when the dispatcher is told to stop; send when attempts under way are to be broken off; io when nothing may be
	// appended or read any more.
	work, send, io context.Context
}

// New returns a dispatcher that has not yet begun. It fails on incomplete Settings or metrics registered twice.
func New(set Settings) (*Dispatcher, error) {
	set = set.withDefaults()
	if err := set.validate(); err != nil {
		return nil, err
	}
	d := &Dispatcher{
		set:       set,
		contents:  newContents(set.Log, set.ContentBytes),
		snapshots: newSnapshots(),
		sooner:    make(chan struct{}, 1),
		standings: make(chan domain.Standing, 1),
		freed:     make(chan struct{}, 1),
		stops:     make(chan *stopError, 2), // of each follower
	}
	d.router = &Router{set.Log, d}
	var err error
	d.metrics, err = newMetrics(set.Metrics, d)
	return d, err
}

// Router returns the log through which this process appends events.
func (d *Dispatcher) Router() *Router { return d.router }

// Forget drops every event from memory whose personal parts a key seals. Who destroys the key calls it on all nodes, so that
// what is retried finds the event erased.
func (d *Dispatcher) Forget(subjectKey domain.UUID) { d.contents.forget(subjectKey) }

// Run delivers until ctx ends, and returns nil then: after it has let the attempts under way finish, within Settings.Grace,
// and given up its leases. If the log or the views are unreachable, it waits until they are back. At an entry that can't be
// folded it stops in the same way, since all that came after would be wrong, reports that by metric and fact, and then waits
// for ctx's end: the process goes on without it. Events are appended and routed as long as the configuration can be folded.
func (d *Dispatcher) Run(ctx context.Context) error {
	// What must go on while attempts finish outlives ctx, and the configuration is folded for others until Run returns.
	folding, endFolding := context.WithCancel(context.WithoutCancel(ctx))
	life, end := context.WithCancel(folding)
	defer end()
	var broken context.CancelFunc
	d.send, broken = context.WithCancel(life)
	defer broken()
	d.work, d.io = ctx, life

	if err := d.begin(ctx); err != nil || ctx.Err() != nil {
		endFolding()
		return err
	}
	var feed sync.WaitGroup
	feed.Go(func() { d.feed(folding) })
	defer feed.Wait()
	defer endFolding()

	g, life := errgroup.WithContext(life)
	g.Go(func() error { return d.watchClock(life) })
	g.Go(func() error { return d.keepLeases(life) })
	g.Go(func() error { return d.tendLeases(life) })
	var stop *stopError
	g.Go(func() error {
		select {
		case <-ctx.Done():
		case stop = <-d.stops:
		case <-life.Done(): // one of the others failed
		}
		d.drain(broken)
		end()
		return nil
	})
	err := g.Wait()
	d.retire()
	if err == nil && stop != nil {
		d.rest(ctx, stop)
	}
	return err
}

// begin loads the configuration from which the fold goes on.
func (d *Dispatcher) begin(ctx context.Context) error {
	err := d.persist(ctx, "read the configuration", func() error {
		head, err := d.set.Log.Head(ctx)
		if err != nil {
			return err
		}
		d.config, err = d.set.State.LoadConfig(ctx, head)
		return err
	})
	if err != nil {
		return nil // ctx ended
	}
	d.position = d.config.Cursor()
	if d.set.Filter != nil {
		d.config.KeepFilters(d.set.Filter)
	}
	tenants := make(map[domain.TenantID]bool)
	for _, id := range d.config.Tenants() {
		tenants[id] = true
	}
	d.publish(tenants)
	return nil
}

// drain lets the attempts under way finish and be recorded. Meanwhile tendLeases gives the shards to other nodes, each as
// soon as nothing is under way on it.
func (d *Dispatcher) drain(breakOff context.CancelFunc) {
	d.mu.Lock()
	d.stopping = true
	running := d.running
	d.free()
	d.unlock()
	d.set.Logger.Info("dispatcher stops", slog.Int("attempts_under_way", running))

	idle := make(chan struct{})
	go func() {
		d.tasks.Wait()
		close(idle)
	}()
	for _, step := range []struct {
		wait time.Duration
		then func()
	}{{d.set.Grace, breakOff}, {recordGrace, func() {}}} {
		timer := time.NewTimer(step.wait)
		select {
		case <-idle:
			timer.Stop()
			return
		case <-timer.C:
			step.then()
		}
	}
	d.set.Logger.Warn("dispatcher stopped with attempts whose end isn't recorded: they will be closed as unknown")
}

// recordGrace is how long the outcomes of attempts that were broken off may take to be recorded.
const recordGrace = 5 * time.Second

// retire gives up what this node holds, once nothing of it is at work any more.
func (d *Dispatcher) retire() {
	d.tasks.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.io), 2*time.Second)
	defer cancel()
	if err := d.set.Leases.Retire(ctx, d.set.Node); err != nil {
		d.set.Logger.Warn("leases not given up: others take them over when they expire", slog.Any("error", err))
	}
}

// spawnTask runs something that works on items of a shard; mu is held. While the dispatcher stops nothing new begins: the
// next owner of the shard finds the same to do.
func (d *Dispatcher) spawnTask(sh *shard, f func()) {
	if d.stopping || sh.lost {
		return
	}
	sh.running++
	d.tasks.Add(1)
	go func() {
		defer d.tasks.Done()
		f()
		d.mu.Lock()
		sh.running--
		d.free()
		d.unlock()
	}()
}

// await returns when the fold has moved beyond a position, or with ctx's error.
func (d *Dispatcher) await(ctx context.Context, beyond domain.Position) error {
	d.mu.Lock()
	for d.position <= beyond {
		if d.moved == nil {
			d.moved = make(chan struct{})
		}
		moved := d.moved
		d.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
		d.mu.Lock()
	}
	d.mu.Unlock()
	return nil
}

// persist calls f until it succeeds, and fails only when ctx ends. It warns once of what is the matter.
func (d *Dispatcher) persist(ctx context.Context, what string, f func() error) error {
	pause, told := backoff{}, false
	for {
		err := f()
		if err == nil {
			if told {
				d.set.Logger.Info("works again", slog.String("what", what))
			}
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !told {
			d.set.Logger.Warn("failed and is tried again", slog.String("what", what), slog.Any("error", err))
			told = true
		}
		if err := pause.wait(ctx); err != nil {
			return err
		}
	}
}

// backoff spaces tries that fail because something else is unreachable. The zero value is ready.
type backoff struct{ tries int }

// wait blocks for 10 ms, 20 ms, … at most about 1 s, or until ctx ends.
func (b *backoff) wait(ctx context.Context) error {
	pause := 10 * time.Millisecond << min(b.tries, 7)
	b.tries++
	timer := time.NewTimer(min(pause, time.Second)/2 + time.Duration(rand.Int64N(int64(pause))))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// trouble warns that the log doesn't take what must go into it, at most once a second.
func (d *Dispatcher) trouble(what string, err error) {
	now := time.Now().UnixNano()
	last := d.troubled.Load()
	if now-last < int64(time.Second) || !d.troubled.CompareAndSwap(last, now) {
		return
	}
	d.set.Logger.Warn("the log takes nothing for now; tried again until it does", slog.String("what", what), slog.Any("error", err))
}

func random() float64 { return rand.Float64() }

// unforeseen names a defect for the log.
func unforeseen(p any) error { return fmt.Errorf("panic: %v", p) }
