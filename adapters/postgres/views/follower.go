package views

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// viewsFollower is the name of the follower that folds the views, in cursors, metrics and facts.
const viewsFollower = "views"

const (
	// maxFolded bounds the entries of one page. Larger pages save rows: of what is in flight under load, pages of 1,000
	// write nearly every delivery twice or more, pages of 20,000 one in ten.
	maxFolded = 20_000
	// maxFoldedBytes is where a page ends before: what entries take in memory.
	maxFoldedBytes = 32 << 20
	// A reader who waits ends every gathering. Otherwise pages follow one another after gatherApart, so that a page
	// costs a steady trickle of events little, and later by gatherEach for each entry of the page before, up to
	// gatherFor: pages of a quarter of a second cut half of the deliveries of a loaded system in two, and each half is
	// a row to write.
	gatherApart = 100 * time.Millisecond
	gatherEach  = time.Millisecond
	gatherFor   = time.Second
	// gatherLeast is how long an idle system waits for what follows from an entry: an event's attempt comes within a
	// few milliseconds, and folding each by itself would be in their way.
	gatherLeast = 10 * time.Millisecond
	// foldTimeout bounds one page's statements.
	foldTimeout = 60 * time.Second
)

// FollowerConfig is what a Follower is made of.
type FollowerConfig struct {
	// Pool of connections, for the server's role. It must not be the one that Log uses: a page holds a connection while
	// it reads the log.
	Pool *pgxpool.Pool
	Log  Log
	// Logger gets one line a change of state. Nil: slog.Default().
	Logger *slog.Logger
	// Registerer takes the metrics. Nil: none are kept.
	Registerer prometheus.Registerer
}

// Follower folds the log into the tables of the views. Any number of processes may run one at the same time; each page
// is folded by whichever gets there first.
//
// # Decisions
//
// It reads through watermill-sql's Subscriber, where one message is one page: the message says only that there is
// something to fold, the entries come from the log's memory or, unsealed, from its pages. Rows and cursor are written
// in the Subscriber's transaction. Rejected: a message an entry, of which 12,000/s can be folded, and the stock schema,
// which writes while idle and stalls behind any open transaction.
//
// Every page is acknowledged, also one that failed: the acknowledgement's query then fails with it and rolls it back. A
// nack would send it again into the same broken transaction. For the same reason there is no acknowledgement deadline:
// the Subscriber commits what it holds when one passes.
//
// The lock that lets one process fold is tried in the statement that looks for work, and the cursor is read again
// behind it: that statement's snapshot may be older than the lock.
type Follower struct {
	config  FollowerConfig
	metrics *followerMetrics
	page    pageState
	wanted  atomic.Int64  // readers that wait
	poke    chan struct{} // one when a reader began to wait

	mu    sync.Mutex
	moved chan struct{} // guarded by mu; closed and replaced when the views may have moved on
}

// NewFollower makes a follower, to be Run once.
func NewFollower(config FollowerConfig) *Follower {
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	return &Follower{
		config: config, metrics: newFollowerMetrics(config.Registerer, viewsFollower),
		poke: make(chan struct{}, 1), moved: make(chan struct{}),
	}
}

// Run folds until ctx ends, and returns nil then. Trouble with the database is waited out. An entry that can't be
// folded, or whose rows the database will never take, stops the follower there until the program is started again, and
// so does a cursor beyond the end of the log: reads then show what was folded before, a metric and a fact say so, and
// everything but the views goes on.
func (f *Follower) Run(ctx context.Context) error {
	// The Subscriber commits what its transaction holds when its context ends, acknowledged or not. So its context ends
	// only while no page is being folded.
	subscribed, unsubscribe := context.WithCancel(context.WithoutCancel(ctx))
	defer unsubscribe()
	noDeadline := time.Duration(0)
	subscriber, err := sql.NewSubscriber(sql.BeginnerFromPgx(f.config.Pool), sql.SubscriberConfig{
		AckDeadline:    &noDeadline, // the same: fold keeps its own
		BackoffManager: &followerBackoff{f: f, ctx: ctx},
		SchemaAdapter:  &followerSchema{f: f},
		OffsetsAdapter: &followerOffsets{f: f},
	}, watermill.NopLogger{})
	if err != nil {
		return fmt.Errorf("follow the log for the views: %w", err)
	}
	pages, err := subscriber.Subscribe(subscribed, viewsFollower)
	if err != nil {
		return fmt.Errorf("follow the log for the views: %w", err)
	}
	stopped := f.handle(ctx, pages)
	unsubscribe()
	for range pages { // until the Subscriber has ended; what it still hands out wrote nothing
	}
	if stopped != nil {
		f.sayStopped(ctx, stopped)
		<-ctx.Done()
	}
	return nil
}

// handle folds pages until ctx ends (nil) or an entry can't be folded.
func (f *Follower) handle(ctx context.Context, pages <-chan *message.Message) *domain.FollowerStop {
	for {
		select {
		case <-ctx.Done():
			return nil
		case m, ok := <-pages:
			if !ok {
				return nil
			}
			err := f.fold(ctx, m)
			f.page.failed = err
			// Also what failed is acknowledged: a nack would send it again into the same, broken transaction. The
			// acknowledgement's query then fails with the same error, which rolls everything back.
			m.Ack()
			var stop *domain.FollowerStop
			if errors.As(err, &stop) {
				return stop
			}
		}
	}
}

// sayStopped tells of a stop: by log line, metric, and once for each entry by a fact, whichever process comes first.
func (f *Follower) sayStopped(ctx context.Context, stop *domain.FollowerStop) {
	f.metrics.stopped.Set(1)
	f.config.Logger.LogAttrs(ctx, slog.LevelError, "a follower stopped at an entry that it can't fold (hint: upgrade or repair this program and start it again)",
		slog.String("follower", stop.Follower), slog.Int64("position", int64(stop.At)), slog.String("error", stop.Err.Error()))
	for wait := time.Second; ctx.Err() == nil; wait = min(2*wait, time.Minute) {
		err := stop.Record(ctx, f.config.Log)
		if err == nil {
			return
		}
		f.config.Logger.LogAttrs(ctx, slog.LevelWarn, "a follower's stop isn't logged yet", slog.String("error", err.Error()))
		pause(ctx, wait)
	}
}

// want returns a channel that is closed when the views may have moved on, and asks for that to be soon: the follower
// doesn't gather while a reader waits. Call done when the waiting has ended.
func (f *Follower) want() (moved <-chan struct{}, done func()) {
	f.wanted.Add(1)
	select {
	case f.poke <- struct{}{}:
	default:
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.moved, func() { f.wanted.Add(-1) }
}

// next is the channel of the next move.
func (f *Follower) next() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.moved
}

func (f *Follower) notify() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.moved)
	f.moved = make(chan struct{})
}

var _ projections.Store = (*viewsPage)(nil)

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
