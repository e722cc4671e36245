package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
)

// readyTimeout bounds Ready. A session that was stopped while it held the append lock has lost it by then.
const readyTimeout = 3 * time.Second

var (
	errReadOnly = fmt.Errorf("the database only reads, as a standby does (hint: HOOKTRAIL_DATABASE_URL names the primary): %w", domain.ErrUnavailable)
	errLookUps  = fmt.Errorf("all connections for look-ups are taken: this node has more to do than it can: %w", domain.ErrUnavailable)
	errLockHeld = fmt.Errorf("the append lock isn't free (hint: pg_locks says who holds the advisory lock): %w", domain.ErrUnavailable)
)

// Ready returns why this process can't append now; nil if nothing is known to stand in the way. It answers within three
// seconds and writes nothing: it takes the append lock, which it shares for the moment of one statement, and reads the
// log's end.
func (l *Log) Ready(ctx context.Context) error {
	if err := l.queue.refusal(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if _, err := l.Head(ctx); err != nil { // first: a lock is waited for only in a database that answers
		if l.lookUpsTaken(err) {
			return errLookUps
		}
		return err
	}
	conn, err := l.vital.Acquire(ctx) // apart from the statement: what waits below waits for the lock
	switch {
	case l.lookUpsTaken(err):
		return errLookUps
	case err != nil:
		return postgres.DomainError("connect to try the append lock", err)
	}
	defer conn.Release()
	const sql = `
		SELECT pg_advisory_xact_lock_shared(hashtextextended('hooktrail/log', 0)),
		       current_setting('transaction_read_only')::boolean, clock_timestamp()`
	var readOnly bool
	var clock time.Time
	err = conn.QueryRow(ctx, sql).Scan(nil, &readOnly, &clock)
	switch {
	case err == nil && readOnly:
		return errReadOnly
	case errors.Is(err, context.DeadlineExceeded):
		return errLockHeld
	case err == nil:
		return checkClock(clock, l.clockAhead)
	}
	return postgres.DomainError("try the append lock", err)
}

// lookUpsTaken reports whether what failed has waited for a connection until its time was up.
func (l *Log) lookUpsTaken(err error) bool {
	pool := l.vital.Stat()
	return errors.Is(err, context.DeadlineExceeded) && pool.AcquiredConns() == pool.MaxConns()
}

// refusal is what put would answer for whatever it was given; nil if it would take it.
func (q *queue) refusal() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.down == nil && !q.open {
		return errNotRunning
	}
	return q.down
}
