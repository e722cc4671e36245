package eventlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
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

// appender is the one writer of a process. All of it belongs to its goroutine.
type appender struct {
	log     *Log
	session session
	failing outage
}

// outage is a time during which nothing could be appended. It is logged when it begins and when it ends, not for each
// append that it costs.
type outage struct {
	since     time.Time // zero: there is none
	groups    int       // that were refused
	connected bool      // whether one of them failed on a connection: only a commit shows that this has passed
}

// run appends what is queued until the queue is closed and empty.
func (a *appender) run(ctx context.Context) {
	defer a.session.disconnect()
	for a.reconnect(ctx) {
		requests := a.log.queue.take(maxBatchEntries, maxBatchBytes)
		if len(requests) == 0 {
			return
		}
		entries, _ := a.log.queue.depth()
		a.log.metrics.queued.Set(float64(entries))
		if requests = waiting(requests); len(requests) > 0 {
			a.commitAndAnswer(ctx, requests)
		}
	}
}

// waiting leaves out the requests that nobody waits for any more.
func waiting(requests []*request) []*request {
	kept := requests[:0]
	for _, r := range requests {
		if !r.call.isAbandoned() {
			kept = append(kept, r)
		}
	}
	return kept
}

// commitAndAnswer commits the requests and answers each. A batch that the database refuses is split until the one at fault is
// alone; one whose connection is lost is tried again for a while.
func (a *appender) commitAndAnswer(ctx context.Context, requests []*request) {
	deadline := time.Now().Add(retryTimeout)
	backoff := minBackoff
	for {
		b, err := a.tryCommit(ctx, requests)
		switch {
		case err == nil:
			a.works()
			a.answer(b)
			return
		case postgres.Refused(err) && len(requests) > 1:
			a.log.metrics.bisected.Inc()
			a.commitAndAnswer(ctx, requests[:len(requests)/2])
			a.commitAndAnswer(ctx, requests[len(requests)/2:])
			return
		case !errors.Is(err, errAgain) || time.Now().After(deadline):
			a.fail(requests, err)
			return
		}
		a.fails(err, 0)
		if !pause(ctx, backoff) {
			a.fail(requests, err)
			return
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// errAgain: nothing was appended, for a reason that may pass. The batch may be tried again.
var errAgain = errors.New("nothing was appended")

// tryCommit connects if need be and commits once. After a commit of unknown outcome it looks for the batch in the log,
// so that an error means that nothing was appended, unless it is errUnknownOutcome because the database stays away.
func (a *appender) tryCommit(ctx context.Context, requests []*request) (*batch, error) {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	if err := a.session.connect(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", errAgain, err)
	}
	b, err := a.session.commit(ctx, requests)
	switch {
	case err == nil:
		return b, nil
	case !errors.Is(err, errUnknownOutcome) && a.session.conn == nil:
		return nil, fmt.Errorf("%w: %w", errAgain, err)
	case postgres.SQLState(err) == postgres.LockNotAvailable:
		return nil, fmt.Errorf("%w: %w", errAgain, errors.Join(err, a.session.evict(ctx)))
	case !errors.Is(err, errUnknownOutcome):
		return nil, err
	}
	a.log.metrics.unknown.Inc()
	found, lookErr := a.session.find(ctx, b)
	switch {
	case lookErr != nil:
		return nil, fmt.Errorf("%w; look for it: %w", err, lookErr)
	case found:
		return b, nil
	}
	return nil, fmt.Errorf("%w: %w", errAgain, err)
}

// reconnect tries to connect until it succeeds; what is queued meanwhile fails. False: the queue was closed.
func (a *appender) reconnect(ctx context.Context) bool {
	for backoff := minBackoff; ; backoff = min(2*backoff, maxBackoff) {
		err := a.session.connect(ctx)
		if err == nil {
			if !a.failing.connected {
				a.works()
			}
			return true
		}
		a.fails(err, 0)
		a.fail(a.log.queue.drain(), err)
		if !a.log.queue.isOpen() || !pause(ctx, backoff) {
			return false
		}
	}
}

// answer tells the callers of a committed batch, wakes the followers and keeps the entries for them.
func (a *appender) answer(b *batch) {
	for _, r := range b.rejected {
		a.reject(r)
	}
	if b.entries == 0 {
		return
	}
	all := make([]domain.Entry, 0, b.entries)
	for _, r := range b.admitted {
		begin := len(all)
		for i := range r.drafts {
			all = append(all, r.drafts[i].entry())
		}
		a.log.metrics.duration.Observe(time.Since(r.began).Seconds())
		r.answer(domain.Outcome{Entries: all[begin:len(all):len(all)]})
	}
	for _, r := range b.repeated {
		r.fail(r.same.asError(r))
	}
	a.log.metrics.batch.Observe(float64(b.entries))
	a.log.metrics.entries.Add(float64(b.entries))
	last := &all[len(all)-1]
	a.log.known.see(last.Position, last.Leaf)
	a.log.recent.add(all)
	a.log.growth.grow(b.position)
	a.log.partitions.grown(b.position)
}

func (a *appender) reject(r *request) {
	if errors.Is(r.rejected, domain.ErrKeyDestroyed) {
		for i := range r.drafts {
			a.log.keys.Forget(r.drafts[i].keys)
		}
	}
	a.log.metrics.rejected.Inc()
	r.fail(r.rejected)
}

// asError is what the repeating group is answered after the earlier one was committed.
func (d *duplicate) asError(repeating *request) *domain.ClaimedError {
	claim := d.earlier.group.Claims[d.earlierClaim]
	first := &d.earlier.drafts[claim.First]
	return &domain.ClaimedError{
		Claim: d.repeatingClaim, Same: d.earlier.digests[d.earlierClaim] == repeating.digests[d.repeatingClaim],
		Sequence: first.sequence, Count: claim.Count, At: first.recordedAt,
	}
}

func (a *appender) fail(requests []*request, err error) {
	answer := postgres.DomainError("append", err)
	if a.session.conn == nil {
		requests = append(requests, a.log.queue.drain()...) // bounded time for those behind, too
	}
	if !postgres.Refused(err) && len(requests) > 0 {
		a.fails(err, len(requests))
	}
	for _, r := range requests {
		r.fail(answer)
	}
}

// fails notes that appends fail, and says so if they didn't before.
func (a *appender) fails(err error, groups int) {
	a.failing.groups += groups
	a.failing.connected = a.failing.connected || a.session.conn != nil
	if a.failing.since.IsZero() {
		a.failing.since = time.Now()
		a.log.logger.Error("appends_fail", slog.Any("error", err))
	}
}

// works says that appends work again, if they had failed.
func (a *appender) works() {
	if a.failing.since.IsZero() {
		return
	}
	a.log.logger.Info("appends_work_again", slog.Int("refused_groups", a.failing.groups),
		slog.Duration("after", time.Since(a.failing.since).Round(time.Millisecond)))
	a.failing = outage{}
}

func (p *prepared) entry() domain.Entry {
	return domain.Entry{
		Position: p.position, Tenant: p.Tenant, Sequence: p.sequence, Stream: p.Stream, StreamVersion: p.streamVersion,
		Kind: p.kind, KindVersion: p.kindVersion, By: p.By, Cause: p.Cause, RecordedAt: p.recordedAt,
		Leaf: p.leaf, Fact: p.fact, Reason: p.Reason, Context: p.Context, SubjectKey: p.keys.SubjectID,
		Critical: p.kind.Critical(), Erased: p.packed != nil && p.packed.Erased,
	}
}

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
