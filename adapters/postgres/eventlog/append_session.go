package eventlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/jackc/pgx/v5"
)

// session is the connection by which a process appends, and what is known of the log while it lasts. It belongs to the
// appender's goroutine.
type session struct {
	log   *Log
	conn  *pgx.Conn // nil: not connected
	state *state
}

func (s *session) connect(ctx context.Context) error {
	if s.conn != nil && !s.conn.IsClosed() {
		return nil
	}
	s.drop()
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, s.log.appendConfig)
	if err != nil {
		err = fmt.Errorf("connect to append: %w", err)
		s.log.queue.setDown(postgres.DomainError("append", err))
		return err
	}
	if err := s.log.CheckKnown(ctx, conn); err != nil {
		_ = conn.Close(ctx) // what was asked is answered
		s.log.queue.setDown(postgres.DomainError("append", err))
		return err
	}
	s.conn, s.state = conn, newState()
	s.log.appending.Store(conn.PgConn().PID())
	s.log.queue.setDown(nil)
	return nil
}

// drop gives the connection up, and with it all that is known.
func (s *session) drop() {
	if s.conn == nil {
		return
	}
	s.log.recent.clear() // another state of the database may be there next
	closed, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_ = s.conn.Close(closed) // broken: nothing can be said to the server
	s.conn = nil
}

func (s *session) disconnect() {
	if s.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	if err := s.conn.Close(ctx); err != nil {
		s.log.logger.Warn("append_connection_close_failed", slog.Any("error", err))
	}
	s.conn = nil
}

// evict ends the session of a process that was stopped while it held the append lock, in the middle of sending its
// statements: then the server waits for the rest of them, and idle_in_transaction_session_timeout doesn't count.
func (s *session) evict(ctx context.Context) error {
	const sql = `
		SELECT count(pg_terminate_backend(l.pid)) FROM pg_locks l JOIN pg_stat_activity AS a USING (pid)
		 WHERE l.locktype = 'advisory' AND l.granted AND l.mode = 'ExclusiveLock' AND l.objsubid = 1
		   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
		   AND l.classid::bigint << 32 | l.objid::bigint = hashtextextended('hooktrail/log', 0)
		   AND a.wait_event = 'ClientRead' AND a.query_start < clock_timestamp() - interval '2 seconds'`
	var evicted int
	if err := s.conn.QueryRow(ctx, sql).Scan(&evicted); err != nil {
		s.drop()
		return fmt.Errorf("end the session that holds the append lock: %w", err)
	}
	if evicted > 0 {
		s.log.logger.WarnContext(ctx, "append_lock_holder_evicted")
	}
	return nil
}

// find reports whether a batch is in the log. It takes the lock: a commit that is still under way holds it. The leaf is
// compared, because another process may have appended at the same position.
func (s *session) find(ctx context.Context, b *batch) (found bool, err error) {
	for backoff := minBackoff; ; backoff = min(2*backoff, maxBackoff) {
		if err = s.connect(ctx); err == nil {
			found, err = s.look(ctx, &b.admitted[0].drafts[0])
		}
		if err == nil {
			return found, nil
		}
		s.drop()
		if !pause(ctx, backoff) {
			return false, err
		}
	}
}

func (s *session) look(ctx context.Context, first *prepared) (found bool, err error) {
	err = pgx.BeginFunc(ctx, s.conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockSQL); err != nil {
			return err
		}
		leaf, err := leafAt(ctx, tx, first.position)
		found = leaf != nil && bytes.Equal(leaf, first.leaf)
		return err
	})
	return found, err
}

var errUnknownOutcome = errors.New("the connection was lost during the commit")

// commit appends what may be appended of the requests, in one transaction, and answers nobody. An error means that
// nothing was appended, except errUnknownOutcome: then the batch returned with it may or may not be in the log.
func (s *session) commit(ctx context.Context, requests []*request) (*batch, error) {
	s.state.prune()
	t := &transaction{log: s.log, state: s.state}
	if err := t.lockAndCheck(ctx, s.conn, requests); err != nil {
		return nil, s.rollback(ctx, t, err)
	}
	b, err := t.numberAndClaim(ctx, requests)
	if err != nil {
		return nil, s.rollback(ctx, t, err)
	}
	if b.entries == 0 {
		return b, s.rollback(ctx, t, nil)
	}
	if err := b.integrate(ctx, t.tx, s.state); err != nil {
		return nil, s.rollback(ctx, t, err)
	}
	if err := t.write(ctx, b); err != nil {
		if postgres.Answered(err) {
			return nil, s.rollback(ctx, t, err)
		}
		s.drop()
		return b, fmt.Errorf("%w: %w", errUnknownOutcome, err)
	}
	s.remember(b)
	return b, nil
}

// rollback ends the transaction; a connection on which that fails is dropped, and one to an older copy of the database:
// the next one is refused.
func (s *session) rollback(ctx context.Context, t *transaction, cause error) error {
	if t.tx == nil || s.conn.IsClosed() || errors.Is(cause, ErrReplaced) {
		s.drop()
		return cause
	}
	if err := t.tx.Rollback(ctx); err != nil {
		s.drop()
	}
	return cause
}

// remember takes a committed batch into the state.
func (s *session) remember(b *batch) {
	s.log.keys.MarkStored(b.made)
	s.state.position, s.state.recordedAt = b.position, b.stage.recordedAt
	for tenant, h := range b.heads {
		s.state.heads[tenant] = h
	}
	for name, row := range b.stage.leases {
		s.state.leases[name] = row
	}
	for key, version := range b.stage.versions {
		s.state.versions.put(key, version)
	}
}
