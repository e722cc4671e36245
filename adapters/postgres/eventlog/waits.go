package eventlog

import (
	"context"
	"time"
)

const (
	// maxBatchEntries and maxBatchBytes bound a group commit; a larger group is committed by itself.
	maxBatchEntries = 1_000
	maxBatchBytes   = 8 << 20
	// beginTimeout is how long an Append waits for Run to begin.
	beginTimeout = 2 * time.Second
	// connectTimeout bounds one try to connect, commitTimeout one transaction with the wait for the lock.
	connectTimeout = 2 * time.Second
	commitTimeout  = 12 * time.Second
	// retryTimeout is how long a batch is tried again, after a lost connection or lock, before its callers hear of it.
	retryTimeout = 6 * time.Second
	// minBackoff and maxBackoff bound the pause between tries to connect.
	minBackoff = 20 * time.Millisecond
	maxBackoff = time.Second
	// drainTimeout bounds what is finished after Run's context ends.
	drainTimeout = 5 * time.Second
)

// pause waits; false: the context ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
