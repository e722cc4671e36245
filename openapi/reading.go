package openapi

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// How long a read waits for the view.
const (
	defaultWait = 5 * time.Second
	maxWait     = 30 * time.Second
)

// openAppend is longer than any append lives, by as much as clocks may differ: an entry that isn't committed yet is
// recorded later than that long ago.
const openAppend = 30 * time.Second

// AsOfQuery fixes the moment that a read shows. Operations embed it.
type AsOfQuery struct {
	AsOf         opt[time.Time] `query:"as_of" doc:"Show the state as of this time: after every entry recorded at or before it. In the future: 422." example:"2026-07-01T12:00:00Z"`
	AsOfSequence opt[int64]     `query:"as_of_sequence" minimum:"0" doc:"Show the state as it was after this entry of the tenant's log. Beyond its end: 422." example:"41"`
	WaitQuery
}

// WaitQuery demands a sequence of the view.
type WaitQuery struct {
	MinSequence opt[int64] `query:"min_sequence" minimum:"0" doc:"Wait until the view reflects this sequence; 503 view_behind when it doesn't in time." example:"41"`
	Prefer      string     `header:"Prefer" doc:"wait=<seconds>: how long to wait for min_sequence, 5 by default, at most 30. What is malformed or unknown is ignored (RFC 7240)." example:"wait=10"`
}

// moment is a resolved AsOfQuery.
type moment struct {
	as      projections.AsOf
	at      time.Time // to be resolved in the view, when it isn't zero
	atLeast domain.Sequence
	wait    time.Duration
}

// freshness says what a read must reflect where nothing is asked for.
type freshness bool

const (
	// fresh reads reflect every write that was answered before the request arrived.
	fresh freshness = true
	// settled reads reflect what the view has.
	settled freshness = false
)

// moment finds out what a read must reflect. pinned is the sequence of a cursor; nil for none.
func (c *call) moment(ctx context.Context, in AsOfQuery, f freshness, pinned *domain.Sequence) (moment, error) {
	m := moment{wait: waitOf(in.Prefer), atLeast: domain.Sequence(in.MinSequence.Value)}
	switch {
	case in.AsOf.Set && in.AsOfSequence.Set:
		return m, invalid("query.as_of", "is given alone, or as_of_sequence is")
	case pinned != nil:
		m.as = projections.AsOf{Sequence: *pinned, Set: true}
		m.atLeast = max(m.atLeast, *pinned)
		return m, nil
	case in.AsOf.Set:
		return c.momentAt(ctx, m, in.AsOf.Value)
	case in.AsOfSequence.Set:
		m.as = projections.AsOf{Sequence: domain.Sequence(in.AsOfSequence.Value), Set: true}
	}
	if f == settled && !m.as.Set {
		return m, nil
	}
	head, err := c.head(ctx)
	if err != nil {
		return m, err
	}
	if m.as.Set && m.as.Sequence > head {
		return m, refuse(http.StatusUnprocessableEntity, "as_of_in_future", "as_of_sequence lies beyond the end of the log.",
			fault{"query.as_of_sequence", "lies beyond the end of the log"})
	}
	if m.as.Set {
		head = m.as.Sequence
	}
	m.atLeast = max(m.atLeast, head)
	return m, nil
}

// momentAt reads the log's end. A time so recent that an append under way may still carry an earlier one waits for those to
// end, which takes the lock that every append needs: older times must not.
func (c *call) momentAt(ctx context.Context, m moment, at time.Time) (moment, error) {
	if at.After(c.Clock()) {
		return m, refuse(http.StatusUnprocessableEntity, "as_of_in_future", "as_of lies in the future.", fault{"query.as_of", "lies in the future"})
	}
	if at.Year() < 1970 {
		return m, domain.ErrNotFound // no tenant was made yet; and the zero time is none further on
	}
	head, recorded, err := c.end(ctx, c.tenant)
	if err != nil {
		return m, err
	}
	// Times grow with the sequence, so behind an entry of a later time nothing earlier can come.
	if !at.Before(recorded) && c.Settle != nil && c.Clock().Sub(at) < openAppend {
		if err := c.Settle(ctx); err != nil {
			return m, err
		}
		if head, err = c.head(ctx); err != nil {
			return m, err
		}
	}
	m.at, m.atLeast = at.UTC(), max(m.atLeast, head)
	return m, nil
}

// head is the last sequence of the call's tenant.
func (c *call) head(ctx context.Context) (domain.Sequence, error) { return c.headOf(ctx, c.tenant) }

func (c *call) headOf(ctx context.Context, tenant domain.TenantID) (domain.Sequence, error) {
	head, _, err := c.end(ctx, tenant)
	return head, err
}

// end is the last sequence of a tenant's log, and when that entry was recorded; -1 for none.
func (c *call) end(ctx context.Context, tenant domain.TenantID) (domain.Sequence, time.Time, error) {
	last, err := c.Log.Select(ctx, domain.Query{Tenant: tenant, Descending: true, Limit: 1, HeadersOnly: true})
	if err != nil {
		return 0, time.Time{}, err
	}
	if len(last) == 0 {
		return -1, time.Time{}, nil
	}
	return last[0].Sequence, last[0].RecordedAt, nil
}

// reached returns when the log of the call's tenant has the sequence that a read of the log itself demands.
func (c *call) reached(ctx context.Context, in WaitQuery) error {
	if !in.MinSequence.Set {
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, waitOf(in.Prefer))
	defer cancel()
	for {
		before, err := c.Log.Head(ctx)
		if err != nil {
			return err
		}
		head, err := c.head(ctx)
		if err != nil || head >= domain.Sequence(in.MinSequence.Value) {
			return err
		}
		if waiting.Err() != nil {
			return projections.ErrBehind
		}
		c.Log.Await(waiting, before)
		pause(waiting, tailPause)
	}
}

// readBound bounds what a read does once the view is where it must be.
const readBound = 30 * time.Second

// read calls f with a Reader that reflects at least the moment's sequence, and waits for that as long as was asked for: the
// wait bounds nothing but itself.
func (c *call) read(ctx context.Context, m moment, f func(projections.Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, readBound)
	defer cancel()
	err := c.Views.Read(ctx, c.tenant, -1, func(r projections.Reader) error {
		if r.Sequence() < m.atLeast {
			return projections.ErrBehind
		}
		return f(r)
	})
	if !errors.Is(err, projections.ErrBehind) || m.wait <= 0 {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, m.wait)
	defer cancel()
	if err := c.Views.Read(waiting, c.tenant, m.atLeast, func(projections.Reader) error { return nil }); err != nil {
		return projections.ErrBehind
	}
	return c.Views.Read(ctx, c.tenant, m.atLeast, f)
}

// view reads the views of the call's tenant at a moment and returns the sequence that the answer reflects.
func (c *call) view(ctx context.Context, m moment, f func(r projections.Reader, as projections.AsOf) error) (domain.Sequence, error) {
	var reflected domain.Sequence
	err := c.read(ctx, m, func(r projections.Reader) error {
		as := m.as
		if !m.at.IsZero() {
			n, err := r.SequenceAt(ctx, m.at)
			if err != nil {
				return err
			}
			if n < 0 {
				return domain.ErrNotFound // the tenant wasn't made yet
			}
			as = projections.AsOf{Sequence: n, Set: true}
		}
		reflected = r.Sequence()
		if as.Set {
			reflected = as.Sequence
		}
		return f(r, as)
	})
	return reflected, err
}

// now reads the newest state for a decision or a look.
func (c *call) now(ctx context.Context, f func(r projections.Reader) error) (domain.Sequence, error) {
	m, err := c.moment(ctx, AsOfQuery{}, fresh, nil)
	if err != nil {
		return 0, err
	}
	return c.view(ctx, m, func(r projections.Reader, _ projections.AsOf) error { return f(r) })
}

// one reads a single thing that events bring about: what the view has is enough, unless it isn't there yet.
func (c *call) one(ctx context.Context, in AsOfQuery, f func(r projections.Reader, as projections.AsOf) error) (domain.Sequence, error) {
	for _, freshness := range []freshness{settled, fresh} {
		m, err := c.moment(ctx, in, freshness, nil)
		if err != nil {
			return 0, err
		}
		reflected, err := c.view(ctx, m, f)
		if freshness == settled && errors.Is(err, domain.ErrNotFound) {
			continue
		}
		return reflected, err
	}
	return 0, domain.ErrNotFound
}

// waitOf reads Prefer: wait (RFC 7240 §4.3).
func waitOf(prefer string) time.Duration {
	for preference := range strings.SplitSeq(prefer, ",") {
		seconds, ok := strings.CutPrefix(strings.TrimSpace(preference), "wait=")
		if n, err := strconv.Atoi(seconds); ok && err == nil && n >= 0 {
			return min(max(time.Duration(n)*time.Second, time.Millisecond), maxWait)
		}
	}
	return defaultWait
}
