package eventlog

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5"
)

const (
	// notifyChannel carries the position of the last entry of each commit.
	notifyChannel = "hooktrail_log"
	// maxAwait is how long a reader waits at most: a lost notification costs no more.
	maxAwait = time.Second
)

// growth knows the greatest position that this process heard of, and wakes those who wait for more. Safe for concurrent
// use.
type growth struct {
	mu    sync.Mutex // guards all below
	head  domain.Position
	grown chan struct{} // closed by the next growth
}

func newGrowth() *growth { return &growth{grown: make(chan struct{})} }

func (g *growth) grow(head domain.Position) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if head <= g.head {
		return
	}
	g.head = head
	g.wake()
}

// wake has everybody look for themselves. The lock is held.
func (g *growth) wake() {
	close(g.grown)
	g.grown = make(chan struct{})
}

func (g *growth) wakeAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.wake()
}

func (g *growth) look() (domain.Position, <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.head, g.grown
}

// listener hears what other processes append. While it isn't connected, readers look once a second.
type listener struct {
	config *pgx.ConnConfig
	growth *growth
	own    *atomic.Uint32                                  // process id of the session that this process appends by
	check  func(ctx context.Context, conn *pgx.Conn) error // refuses a connection to another state of the database
	logger *slog.Logger
}

// run listens until ctx ends.
func (l *listener) run(ctx context.Context) {
	for backoff := minBackoff; ; backoff = min(2*backoff, maxBackoff) {
		began := time.Now()
		err := l.listen(ctx)
		if ctx.Err() != nil {
			return
		}
		l.logger.WarnContext(ctx, "listen_connection_lost", slog.Any("error", err))
		if time.Since(began) > maxBackoff {
			backoff = minBackoff
		}
		if !pause(ctx, backoff) {
			return
		}
	}
}

// listen passes on what it hears until the connection ends.
func (l *listener) listen(ctx context.Context) error {
	connecting, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(connecting, l.config)
	if err != nil {
		return fmt.Errorf("connect to listen: %w", err)
	}
	defer closeConn(ctx, conn)
	if err := l.check(connecting, conn); err != nil {
		return err
	}
	if _, err := conn.Exec(connecting, `LISTEN `+notifyChannel); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	l.growth.wakeAll() // what was appended before LISTEN was never notified
	for {
		notification, err := conn.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("wait for a notification: %w", err)
		}
		if notification.PID == l.own.Load() {
			continue // the appender wakes by itself, once the entries are in memory: earlier, they would be read from the table
		}
		position, err := strconv.ParseInt(notification.Payload, 10, 64)
		if err != nil {
			l.growth.wakeAll()
			continue
		}
		l.growth.grow(domain.Position(position))
	}
}

func closeConn(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectTimeout)
	defer cancel()
	_ = conn.Close(ctx) // nothing depends on it: the server notices by itself
}
