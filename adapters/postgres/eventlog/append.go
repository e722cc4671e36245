package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres"
	"github.com/hooktrail/hooktrail/domain"
)

// Append implements domain.Log. It encodes and seals in the caller's goroutine and hands the groups to the appender
// (Run). The drafts' facts, with all that they point to, are the log's from then on: readers in this process share
// them.
//
// Errors: those of package domain; ErrBusy when the queue is full, ErrUnavailable when the appender doesn't run or the
// database doesn't commit, within a few seconds.
func (l *Log) Append(ctx context.Context, groups ...domain.Group) []domain.Outcome {
	if len(groups) == 0 {
		return nil
	}
	outcomes := l.appendOnce(ctx, groups)
	var again []int
	for i := range outcomes {
		if errors.Is(outcomes[i].Err, domain.ErrKeyDestroyed) {
			again = append(again, i)
		}
	}
	if len(again) > 0 {
		destroyed := make([]domain.Group, len(again)) // their keys; they are sealed under new ones, or without
		for n, i := range again {
			destroyed[n] = groups[i]
		}
		for n, outcome := range l.appendOnce(ctx, destroyed) {
			outcomes[again[n]] = outcome
		}
	}
	for i := range outcomes {
		if taken := (*takenError)(nil); errors.As(outcomes[i].Err, &taken) {
			answers, err := l.compare(ctx, taken.request.Tenant, []*takenError{taken})
			if err == nil {
				err = answers[0]
			}
			outcomes[i].Err = err
		}
	}
	return outcomes
}

func (l *Log) appendOnce(ctx context.Context, groups []domain.Group) []domain.Outcome {
	c := &call{done: make(chan struct{}), outcomes: make([]domain.Outcome, len(groups)), unanswered: len(groups)}
	requests := l.prepare(ctx, c, groups)
	if len(requests) > 0 {
		if err := l.queue.put(requests); err != nil {
			for _, r := range requests {
				r.fail(err)
			}
		}
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		c.abandon(fmt.Errorf("append: %w", context.Cause(ctx)))
	}
	return c.outcomes
}

// Settle returns when every append of any process that held the lock has ended: what is recorded from then on carries a
// later time than the database's clock showed when Settle was called.
func (l *Log) Settle(ctx context.Context) error {
	_, err := l.pool.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('hooktrail/log', 0))`)
	return postgres.DomainError("wait for appends under way", err)
}

// prepare makes requests of the groups. A group that can't be appended whatever the log holds is answered at once.
func (l *Log) prepare(ctx context.Context, c *call, groups []domain.Group) []*request {
	l.queue.awaitBegin(ctx)
	requests := make([]*request, 0, len(groups))
	now := time.Now()
	for i, group := range groups {
		err := validate(group)
		if err == nil {
			err = l.format.check(ctx, l, &group)
		}
		if err != nil {
			c.answer(i, domain.Outcome{Err: err})
			continue
		}
		requests = append(requests, &request{group: group, drafts: newDrafts(group.Drafts), began: now, call: c, index: i})
	}
	if err := l.drafter.findOrigins(ctx, l.vital, requests); err != nil {
		return failAll(requests, err)
	}
	known := requests[:0] // no data keys are made for tenants that don't exist
	for _, r := range requests {
		if err := r.unknownTenant(); err != nil {
			r.fail(err)
			continue
		}
		known = append(known, r)
	}
	requests = known
	if err := l.drafter.findKeys(ctx, l.vital, requests, now); err != nil {
		return failAll(requests, err)
	}
	ready := requests[:0]
	for _, r := range requests {
		if err := l.drafter.prepareGroup(r); err != nil {
			r.fail(err)
			continue
		}
		ready = append(ready, r)
	}
	return ready
}

func failAll(requests []*request, err error) []*request {
	for _, r := range requests {
		r.fail(err)
	}
	return nil
}
