package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// maxWait is the longest that a request may ask to wait for the views.
const maxWait = 30 * time.Second

// openAppend is longer than any append lives, by as much as clocks may differ: an entry that isn't committed yet will
// be recorded with a time after that long ago.
const openAppend = 30 * time.Second

// readBound bounds what a read does once the view is where it must be.
const readBound = 30 * time.Second

// AsOfQuery fixes the moment that a read shows. Operations embed it.
type AsOfQuery struct {
	AsOf         Opt[Time]  `query:"as_of" doc:"Show the state as of this time: after every entry recorded at or before it. In the future: 422." example:"2026-07-01T12:00:00Z"`
	AsOfSequence Opt[int64] `query:"as_of_sequence" minimum:"0" doc:"Show the state as it was after this entry of the tenant's log. Beyond its end: 422." example:"41"`
	WaitQuery
}

// WaitQuery demands a sequence of the view.
type WaitQuery struct {
	MinSequence Opt[int64] `query:"min_sequence" minimum:"0" doc:"Wait until the view reflects this sequence; 503 view_behind when it doesn't in time." example:"41"`
	Prefer      string     `header:"Prefer" doc:"wait=<seconds>: how long to wait for min_sequence, 5 by default, at most 30. What is malformed or unknown is ignored (RFC 7240)." example:"wait=10"`
}

// Wait is how long the request waits, from Prefer: wait (RFC 7240 §4.3).
func (in WaitQuery) Wait() time.Duration {
	for preference := range strings.SplitSeq(in.Prefer, ",") {
		seconds, ok := strings.CutPrefix(strings.TrimSpace(preference), "wait=")
		if n, err := strconv.Atoi(seconds); ok && err == nil && n >= 0 {
			return min(max(time.Duration(n)*time.Second, time.Millisecond), maxWait)
		}
	}
	return DefaultWait
}

// Moment is what a read shows.
type Moment struct {
	AsOfQuery
	// Fresh reads reflect every write that was answered before the request arrived; others reflect what the view has.
	Fresh bool
	// Pinned is the sequence of a cursor, which overrides AsOfQuery; nil for none.
	Pinned *domain.Sequence
}

// View calls f with the views of the request's tenant at a moment, and returns the sequence that the answer reflects.
// The reader has the newest rows too: f passes as on to what it calls.
func View(
	ctx context.Context, r *Request, m Moment, f func(v projections.Reader, as projections.AsOf) error,
) (domain.Sequence, error) {
	as, atLeast, err := resolve(ctx, r, m)
	if err != nil {
		return 0, err
	}
	var reflected domain.Sequence
	read := func(v projections.Reader) error {
		if v.Sequence() < atLeast {
			return projections.ErrBehind
		}
		as := as
		if m.AsOf.Set && m.Pinned == nil {
			n, err := v.SequenceAt(ctx, m.AsOf.Value.Std())
			if err != nil {
				return err
			}
			if n < 0 {
				return domain.ErrNotFound // the tenant wasn't made yet
			}
			as = projections.AsOf{Sequence: n, Set: true}
		}
		reflected = v.Sequence()
		if as.Set {
			reflected = as.Sequence
		}
		return f(v, as)
	}
	ctx, cancel := context.WithTimeout(ctx, readBound)
	defer cancel()
	err = r.Views.Read(ctx, r.Tenant, -1, read)
	if !errors.Is(err, projections.ErrBehind) {
		return reflected, err
	}
	if m.Pinned != nil { // what the log doesn't have isn't waited for
		switch head, err := Head(ctx, r, r.Tenant); {
		case err != nil:
			return 0, err
		case *m.Pinned > head:
			return 0, invalidCursor()
		}
	}
	// The view is waited for apart from the read, so that the wait bounds nothing but itself.
	err = Waiting(ctx, r, m.Wait(), func(ctx context.Context) error {
		if r.Views.Read(ctx, r.Tenant, atLeast, func(projections.Reader) error { return nil }) != nil {
			return projections.ErrBehind
		}
		return nil
	})
	if err != nil {
		return reflected, err
	}
	err = r.Views.Read(ctx, r.Tenant, atLeast, read)
	return reflected, err
}

// resolve finds out which sequence the view must have reached, and which one is shown where a sequence or cursor says
// it: a time is resolved in the view.
func resolve(ctx context.Context, r *Request, m Moment) (as projections.AsOf, atLeast domain.Sequence, err error) {
	atLeast = domain.Sequence(m.MinSequence.Value)
	switch {
	case m.AsOf.Set && m.AsOfSequence.Set:
		return as, 0, Invalid("query.as_of", "is given alone, or as_of_sequence is")
	case m.Pinned != nil:
		return projections.AsOf{Sequence: *m.Pinned, Set: true}, max(atLeast, *m.Pinned), nil
	case m.AsOf.Set:
		head, err := endBefore(ctx, r, m.AsOf.Value.Std())
		return as, max(atLeast, head), err
	case m.AsOfSequence.Set:
		as = projections.AsOf{Sequence: domain.Sequence(m.AsOfSequence.Value), Set: true}
	case !m.Fresh:
		return as, atLeast, nil
	}
	head, err := Head(ctx, r, r.Tenant)
	if err != nil {
		return as, 0, err
	}
	if !as.Set {
		return as, max(atLeast, head), nil
	}
	if as.Sequence > head {
		return as, 0, Refuse(http.StatusUnprocessableEntity, "as_of_in_future",
			"as_of_sequence lies beyond the end of the log.",
			Fault{"query.as_of_sequence", "lies beyond the end of the log"})
	}
	return as, max(atLeast, as.Sequence), nil
}

// endBefore returns the log's end at a moment when nothing can be recorded at or before a time any more. A time so
// recent that an append under way may still carry an earlier one waits for those appends to end, which takes the lock
// that every append needs: older times must not.
func endBefore(ctx context.Context, r *Request, at time.Time) (domain.Sequence, error) {
	now := r.Clock()
	if at.After(now) {
		return 0, Refuse(http.StatusUnprocessableEntity, "as_of_in_future", "as_of lies in the future.",
			Fault{"query.as_of", "lies in the future"})
	}
	if at.Year() < 1970 {
		return 0, domain.ErrNotFound // no tenant existed yet; and below here the zero time would mean none
	}
	head, recorded, err := end(ctx, r, r.Tenant)
	// Times grow with the sequence, so nothing earlier can follow an entry of a later time.
	if err != nil || at.Before(recorded) || r.Settler == nil || r.Clock().Sub(at) >= openAppend {
		return head, err
	}
	if err := r.Settler.Settle(ctx); err != nil {
		return 0, err
	}
	return Head(ctx, r, r.Tenant)
}

// Head is the last sequence of a tenant's log; -1 for an empty one.
func Head(ctx context.Context, r *Request, tenant domain.TenantID) (domain.Sequence, error) {
	head, _, err := end(ctx, r, tenant)
	return head, err
}

// end is the last sequence of a tenant's log, and when that entry was recorded; -1 for none.
func end(ctx context.Context, r *Request, tenant domain.TenantID) (domain.Sequence, time.Time, error) {
	last, err := domain.Select(ctx, r.Log, domain.Query{Tenant: tenant, Descending: true, Limit: 1, HeadersOnly: true})
	if err != nil {
		return 0, time.Time{}, err
	}
	if len(last) == 0 {
		return -1, time.Time{}, nil
	}
	return last[0].Sequence, last[0].RecordedAt, nil
}

// Now reads the newest state, for a decision or a look.
func Now(ctx context.Context, r *Request, f func(v projections.Reader) error) (domain.Sequence, error) {
	return View(ctx, r, Moment{Fresh: true}, func(v projections.Reader, _ projections.AsOf) error { return f(v) })
}

// Lookup reads a single thing that events bring about: what the view has is enough, unless the thing isn't there yet.
func Lookup(
	ctx context.Context, r *Request, in AsOfQuery, f func(v projections.Reader, as projections.AsOf) error,
) (domain.Sequence, error) {
	reflected, err := View(ctx, r, Moment{AsOfQuery: in}, f)
	if errors.Is(err, domain.ErrNotFound) {
		return View(ctx, r, Moment{AsOfQuery: in, Fresh: true}, f)
	}
	return reflected, err
}

// Reached returns when the log of the request's tenant has the sequence that a read of the log itself demands.
func Reached(ctx context.Context, r *Request, in WaitQuery) error {
	if !in.MinSequence.Set {
		return nil
	}
	return Waiting(ctx, r, in.Wait(), func(waiting context.Context) error {
		for {
			before, err := r.Log.Head(ctx)
			if err != nil {
				return err
			}
			head, err := Head(ctx, r, r.Tenant)
			if err != nil || head >= domain.Sequence(in.MinSequence.Value) {
				return err
			}
			if waiting.Err() != nil {
				return projections.ErrBehind
			}
			r.Log.Await(waiting, before)
			Pause(waiting)
		}
	})
}

// Pause waits a moment between two looks at a log that grows all the time, or until ctx ends.
func Pause(ctx context.Context) {
	timer := time.NewTimer(50 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Entry reads one entry of the request's tenant.
func Entry(ctx context.Context, r *Request, at domain.Sequence) (*domain.Entry, error) {
	to := at + 1
	entries, err := domain.Select(ctx, r.Log, domain.Query{Tenant: r.Tenant, From: &at, To: &to, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, domain.ErrNotFound
	}
	return &entries[0], nil
}

// HeldEntry is Entry for an answer with one entry, whose size counts while the request is under way.
func HeldEntry(ctx context.Context, r *Request, at domain.Sequence) (*domain.Entry, error) {
	if !r.Hold.Grow(PageStart) {
		return nil, Full()
	}
	e, err := Entry(ctx, r, at)
	// What is opened is written once more.
	if fact, ok := factOf(e).(*domain.EventAppended); ok && 2*len(fact.Data) > PageStart && !r.Hold.Grow(2*len(fact.Data)-PageStart) {
		return nil, Full()
	}
	return e, err
}

func factOf(e *domain.Entry) domain.Fact {
	if e == nil {
		return nil
	}
	return e.Fact
}

// eachPage is how many rows EachRow reads at once.
const eachPage = 1000

// EachRow walks a list of a view to its end. put returns its row's place in the list.
func EachRow[R any](read func(projections.Page) ([]R, error), put func(R) (domain.Sequence, error)) error {
	page := projections.Page{Limit: eachPage}
	for {
		rows, err := read(page)
		if err != nil {
			return err
		}
		var last domain.Sequence
		for _, row := range rows {
			if last, err = put(row); err != nil {
				return err
			}
		}
		if len(rows) < eachPage {
			return nil
		}
		page.After = &last
	}
}

// Created returns where a thing's stream begins.
func Created(ctx context.Context, r *Request, stream domain.Stream) (projections.Origin, error) {
	first, err := domain.Select(ctx, r.Log, domain.Query{Tenant: r.Tenant, Stream: stream, Limit: 1, HeadersOnly: true})
	if err != nil {
		return projections.Origin{}, err
	}
	if len(first) == 0 {
		return projections.Origin{}, fmt.Errorf("the log has no entry of %s", stream)
	}
	return projections.OriginOf(first[0]), nil
}
