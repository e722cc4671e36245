// Watermill is here by decision: the follower reads by watermill-sql's Subscriber, which waits, holds the transaction of a
// page and acknowledges within it, so that what is built on Watermill can follow the log in the same way.

package views

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
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
			err := errors.New("fold a page: the message carries no transaction of pgx")
			if tx, ok := sql.TxFromContext(m.Context()); ok {
				if tx, ok := tx.(*sql.PgxTx); ok {
					err = f.fold(ctx, tx.Tx)
				}
			}
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

// pageState is what the Subscriber's adapters and the handler of its one message at a time tell each other. The
// message's channel and its acknowledgement order all access.
type pageState struct {
	cursor, head domain.Position // as last seen
	next         domain.Position // the new cursor; 0: nothing was folded
	failed       error           // why the page must be rolled back
	committed    time.Time       // when the last page ended
	folded       int             // entries in it
	failures     int             // in a row
}

// followerSchema is watermill-sql's SchemaAdapter: a message is a page of the log that is to be folded.
type followerSchema struct{ f *Follower }

// The lock lets one process fold at a time. It is tried, not awaited: who doesn't get it has nothing to do. A cursor
// beyond the head is the handler's to refuse.
const nextPageSQL = `
	SELECT cursor, head, CASE WHEN head <> cursor THEN pg_try_advisory_xact_lock(hashtextextended('hooktrail/follower/' || $1, 0)) ELSE false END
	  FROM (SELECT coalesce((SELECT position FROM cursors WHERE follower = $1 AND tenant = '' ORDER BY position DESC LIMIT 1), 0) AS cursor,
	               coalesce((SELECT position FROM heads WHERE tenant = '' ORDER BY position DESC LIMIT 1), 0) AS head) AS ends`

// SelectQuery implements sql.SchemaAdapter.
func (s *followerSchema) SelectQuery(sql.SelectQueryParams) (sql.Query, error) {
	return sql.Query{Query: nextPageSQL, Args: []any{viewsFollower}}, nil
}

// UnmarshalMessage implements sql.SchemaAdapter. sql.ErrNoRows is its word for nothing to do.
func (s *followerSchema) UnmarshalMessage(params sql.UnmarshalMessageParams) (sql.Row, error) {
	p := &s.f.page
	var held bool
	if err := params.Row.Scan(&p.cursor, &p.head, &held); err != nil {
		return sql.Row{}, err
	}
	p.next, p.failed = 0, nil
	s.f.metrics.lag.Set(float64(max(p.head-p.cursor, 0)))
	if !held {
		return sql.Row{}, stdsql.ErrNoRows
	}
	return sql.Row{Offset: int64(p.head), Msg: message.NewMessage(strconv.FormatInt(int64(p.head), 10), nil)}, nil
}

// InsertQuery implements sql.SchemaAdapter; it refuses.
func (s *followerSchema) InsertQuery(sql.InsertQueryParams) (sql.Query, error) {
	return sql.Query{}, errors.New("entries are appended through the log")
}

// SchemaInitializingQueries implements sql.SchemaAdapter: the migrations make the tables.
func (s *followerSchema) SchemaInitializingQueries(sql.SchemaInitializingQueriesParams) ([]sql.Query, error) {
	return nil, nil
}

// SubscribeIsolationLevel implements sql.SchemaAdapter: the handler must see what was committed before it got the lock.
func (s *followerSchema) SubscribeIsolationLevel() stdsql.IsolationLevel {
	return stdsql.LevelReadCommitted
}

// followerOffsets is watermill-sql's OffsetsAdapter: the acknowledgement moves the cursor.
type followerOffsets struct{ f *Follower }

const moveCursorSQL = `
	WITH gone AS (DELETE FROM cursors WHERE follower = $1 AND tenant = '')
	INSERT INTO cursors (follower, tenant, position, sequence) VALUES ($1, '', $2, -1)`

// AckMessageQuery implements sql.OffsetsAdapter. Its error rolls the page back.
func (o *followerOffsets) AckMessageQuery(sql.AckMessageQueryParams) (sql.Query, error) {
	p := &o.f.page
	switch {
	case p.failed != nil:
		return sql.Query{}, p.failed
	case p.next == 0:
		return sql.Query{Query: `SELECT`}, nil
	}
	return sql.Query{Query: moveCursorSQL, Args: []any{viewsFollower, int64(p.next)}}, nil
}

// ConsumedMessageQuery implements sql.OffsetsAdapter.
func (o *followerOffsets) ConsumedMessageQuery(sql.ConsumedMessageQueryParams) (sql.Query, error) {
	return sql.Query{}, nil
}

// NextOffsetQuery implements sql.OffsetsAdapter; followerSchema reads the cursor itself.
func (o *followerOffsets) NextOffsetQuery(sql.NextOffsetQueryParams) (sql.Query, error) {
	return sql.Query{}, nil
}

// SchemaInitializingQueries implements sql.OffsetsAdapter.
func (o *followerOffsets) SchemaInitializingQueries(sql.OffsetsSchemaInitializingQueriesParams) ([]sql.Query, error) {
	return nil, nil
}

// BeforeSubscribingQueries implements sql.OffsetsAdapter.
func (o *followerOffsets) BeforeSubscribingQueries(sql.BeforeSubscribingQueriesParams) ([]sql.Query, error) {
	return nil, nil
}

// followerBackoff is watermill-sql's BackoffManager. The Subscriber calls it between transactions, so this is where the
// follower waits: with none open.
type followerBackoff struct {
	f   *Follower
	ctx context.Context // of Run: the interface passes none
}

// HandleError implements sql.BackoffManager.
func (b *followerBackoff) HandleError(_ watermill.LoggerAdapter, noMsg bool, err error) time.Duration {
	f := b.f
	f.notify()
	var stop *domain.FollowerStop
	if errors.As(err, &stop) || b.ctx.Err() != nil {
		return 0
	}
	if err != nil {
		return f.retryIn(b.ctx, err)
	}
	p := &f.page
	if p.failures > 0 {
		p.failures = 0
		f.config.Logger.LogAttrs(b.ctx, slog.LevelInfo, "a follower goes on", slog.String("follower", viewsFollower))
	}
	if noMsg {
		f.config.Log.Await(b.ctx, p.head)
	} else {
		p.committed, p.folded = time.Now(), int(p.next-p.cursor)
		if p.cursor = max(p.cursor, p.next); p.cursor < p.head {
			return 0 // the page ended before the log did
		}
	}
	f.gather(b.ctx)
	return 0
}

// retryIn says how long to wait after trouble with the database: longer each time, 5 s at most.
func (f *Follower) retryIn(ctx context.Context, err error) time.Duration {
	p := &f.page
	if p.failures++; p.failures == 1 {
		f.config.Logger.LogAttrs(ctx, slog.LevelWarn, "a follower can't write the views and tries again",
			slog.String("follower", viewsFollower), slog.String("error", err.Error()))
	}
	wait := min(100*time.Millisecond<<min(p.failures-1, 10), 5*time.Second)
	pause(ctx, wait)
	return 0
}

// gather lets entries come together after a page, the longer the more there were in it, unless a page's worth is there
// already or a reader waits.
func (f *Follower) gather(ctx context.Context) {
	p := &f.page
	apart := min(max(time.Duration(p.folded)*gatherEach, gatherApart), gatherFor)
	left := max(time.Until(p.committed.Add(apart)), gatherLeast)
	if p.head-p.cursor >= maxFolded || f.wanted.Load() > 0 {
		return
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	for f.wanted.Load() == 0 {
		select {
		case <-f.poke: // perhaps by a reader that has gone
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}
