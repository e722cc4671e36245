package views

import (
	"context"
	stdsql "database/sql"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/hooktrail/hooktrail/domain"
)

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
