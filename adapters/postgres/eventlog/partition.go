package eventlog

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// partitionsAhead is how many positions beyond the log's end have a partition. At 50,000 entries/s they last 100 s.
	partitionsAhead = 10_000_000
	// partitionsEvery is how much growth has the partitions looked after again.
	partitionsEvery = 1_000_000
	// partitionsPause lies between two tries when one failed.
	partitionsPause = 5 * time.Second
)

// partitions makes the partitions of the log ahead of need. Safe for concurrent use.
type partitions struct {
	pool   *pgxpool.Pool
	logger *slog.Logger
	due    chan struct{} // holds one when it is to be looked after

	mu   sync.Mutex // guards next
	next domain.Position
}

func newPartitions(pool *pgxpool.Pool, logger *slog.Logger) *partitions {
	return &partitions{pool: pool, logger: logger, due: make(chan struct{}, 1)}
}

// grown takes notice of the log's end.
func (p *partitions) grown(head domain.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if head < p.next {
		return
	}
	p.next = head + partitionsEvery
	select {
	case p.due <- struct{}{}:
	default:
	}
}

func (p *partitions) run(ctx context.Context) {
	for {
		select {
		case <-p.due:
		case <-ctx.Done():
			return
		}
		for p.make(ctx) != nil {
			if !pause(ctx, partitionsPause) {
				return
			}
		}
	}
}

func (p *partitions) make(ctx context.Context) error {
	var made int
	err := p.pool.QueryRow(ctx, `SELECT make_entries_partitions($1)`, int64(partitionsAhead)).Scan(&made)
	switch {
	case err != nil && ctx.Err() == nil:
		p.logger.ErrorContext(ctx, "log_partition_failed", slog.Any("error", err))
	case made > 0:
		p.logger.InfoContext(ctx, "log_partition_made", slog.Int("partitions", made))
	}
	return err
}
