package dispatch

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"golang.org/x/sync/errgroup"
)

// Dispatcher delivers events, and has its Router route them. Make one with New and call Run once.
//
// It makes the parts, wires them and runs them: leases decides which shards the node has, feed folds the log into
// lanes, lanes decides what begins when, and the methods that Dispatcher has as the lanes' crew pass it on to who does
// it.
type Dispatcher struct {
	set       Settings
	metrics   *metrics
	contents  *contents
	snapshots *snapshots
	lanes     *lanes
	feed      *feed
	reader    *reader
	leases    *leases
	router    *Router
	disabler  *disabler
	recorder  *recorder

	// work ends when the dispatcher is told to stop; send when attempts under way are to be broken off; io when nothing
	// may be appended or read any more. Run sets them before anything begins.
	work, send, io context.Context
}

// New returns a dispatcher that has not yet begun. It fails on incomplete Settings or metrics registered twice.
func New(set Settings) (*Dispatcher, error) {
	set = set.withDefaults()
	if err := set.validate(); err != nil {
		return nil, err
	}
	d := &Dispatcher{set: set}
	d.lanes = newLanes(&d.set, d)
	var err error
	if d.metrics, err = newMetrics(set.Metrics, d.lanes); err != nil {
		return nil, err
	}
	trouble := &trouble{logger: set.Logger}
	d.contents = newContents(set.Log, set.ContentBytes, set.Logger)
	d.snapshots = newSnapshots()
	d.feed = &feed{log: set.Log, logger: set.Logger, lanes: d.lanes, contents: d.contents, snapshots: d.snapshots}
	d.reader = &reader{&d.set, d.feed, d.lanes}
	d.leases = &leases{&d.set, d.lanes, trouble, make(chan domain.Standing, 1)}
	d.router = &Router{set.Log, d.lanes, d.snapshots, d.metrics}
	d.disabler = &disabler{d.router, &d.set, &d.feed.progress, d.metrics, trouble}
	d.recorder = &recorder{
		log: d.router, set: &d.set, lanes: d.lanes, contents: d.contents, progress: &d.feed.progress, metrics: d.metrics,
		disabler: d.disabler, trouble: trouble,
	}
	return d, nil
}

// Router returns the log through which this process appends events.
func (d *Dispatcher) Router() *Router { return d.router }

// Forget drops every event from memory whose personal parts a key seals. Who destroys the key calls it on all nodes, so
// that what is retried finds the event erased.
func (d *Dispatcher) Forget(subjectKey domain.UUID) { d.contents.forget(subjectKey) }

// Held returns what of the endpoint's throttle and rate limit holds its due deliveries, and since when; "": nothing, or
// its shard is another node's.
func (d *Dispatcher) Held(endpoint domain.UUID) (by string, since time.Time) {
	return d.lanes.held(endpoint)
}

// Run delivers until ctx ends, and returns nil then: after it has let the attempts under way finish, within
// Settings.Grace, and given up its leases. If the log or the views are unreachable, it waits until they are back. At an
// entry that can't be folded it stops in the same way, since all that came after would be wrong, reports that by metric
// and fact, and then waits for ctx's end: the process goes on without it. Events are appended and routed as long as the
// configuration can be folded.
func (d *Dispatcher) Run(ctx context.Context) error {
	// What must go on while attempts finish outlives ctx, and the configuration is folded for others until Run returns.
	folding, endFolding := context.WithCancel(context.WithoutCancel(ctx))
	life, end := context.WithCancel(folding)
	defer end()
	var broken context.CancelFunc
	d.send, broken = context.WithCancel(life)
	defer broken()
	d.work, d.io = ctx, life

	if d.begin(ctx) != nil || ctx.Err() != nil {
		endFolding()
		return nil // ctx ended
	}
	var feed sync.WaitGroup
	feed.Go(func() { d.feed.run(folding) })
	defer feed.Wait()
	defer endFolding()

	g, life := errgroup.WithContext(life)
	g.Go(func() error { return d.watchClock(life) })
	g.Go(func() error { return d.leases.beat(life) })
	g.Go(func() error { return d.leases.tend(life) })
	var stop *domain.FollowerStop
	g.Go(func() error {
		select {
		case <-ctx.Done():
		case stop = <-d.lanes.stops:
		case <-life.Done(): // one of the others failed
		}
		d.drain(broken)
		end()
		return nil
	})
	err := g.Wait()
	d.lanes.slots.tasks.Wait()
	d.leases.retire(d.io)
	if err == nil && stop != nil {
		d.rest(ctx, stop)
	}
	return err
}

// begin loads the configuration from which the fold goes on.
func (d *Dispatcher) begin(ctx context.Context) error {
	return persist(ctx, d.set.Logger, "read the configuration", func() error {
		head, err := d.set.Log.Head(ctx)
		if err != nil {
			return err
		}
		config, err := d.set.State.LoadConfig(ctx, head)
		if err != nil {
			return err
		}
		if d.set.Filter != nil {
			config.KeepFilters(d.set.Filter)
		}
		d.feed.begin(config)
		return nil
	})
}

// drain lets the attempts under way finish and be recorded. Meanwhile leases gives the shards to other nodes, each as
// soon as nothing is under way on it.
func (d *Dispatcher) drain(breakOff context.CancelFunc) {
	d.set.Logger.Info("dispatcher stops", slog.Int("attempts_under_way", d.lanes.stop()))

	idle := make(chan struct{})
	go func() {
		d.lanes.slots.tasks.Wait()
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

// rest tells by log line, metric and, once for each entry, a fact that a fold has stopped and that this node delivers
// nothing any more, and returns when ctx ends. Its shards are free for a node whose program can go on.
func (d *Dispatcher) rest(ctx context.Context, stop *domain.FollowerStop) {
	d.lanes.clear()
	for {
		d.metrics.stopped(stop.Follower)
		d.set.Logger.Error("nothing is delivered by this node any more: an entry can't be folded "+
			"(hint: upgrade or repair this program and start it again)",
			slog.String("follower", stop.Follower), slog.Any("position", stop.At), slog.Any("error", stop.Err))
		err := persist(ctx, d.set.Logger, "tell in the log that a fold stopped", func() error {
			return stop.Record(ctx, d.set.Log)
		})
		if err != nil {
			return
		}
		select {
		case stop = <-d.lanes.stops:
		case <-ctx.Done():
			return
		}
	}
}

// watchClock has lanes pumped when their time comes.
func (d *Dispatcher) watchClock(ctx context.Context) error {
	timer := time.NewTimer(longestSleep)
	defer timer.Stop()
	for {
		timer.Reset(d.lanes.pumpDue())
		select {
		case <-timer.C:
		case <-d.lanes.timers.sooner:
		case <-ctx.Done():
			return nil
		}
	}
}

// attempt implements crew.
func (d *Dispatcher) attempt(first *attempt) {
	w := worker{set: &d.set, contents: d.contents, recorder: d.recorder}
	w.run(d.io, d.send, first)
}

// load implements crew.
func (d *Dispatcher) load(shards []*shard) { d.reader.load(d.io, shards) }

// readMore implements crew.
func (d *Dispatcher) readMore(l *lane) { d.reader.readMore(d.io, l) }

// lookUp implements crew.
func (d *Dispatcher) lookUp(sh *shard) { d.reader.lookUp(d.io, sh) }

// record implements crew.
func (d *Dispatcher) record(sh *shard) { d.recorder.recordPending(d.io, sh) }

// examine implements crew.
func (d *Dispatcher) examine(l *lane) { d.disabler.examine(d.io, d.work, l) }
