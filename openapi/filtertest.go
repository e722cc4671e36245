package openapi

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/ingest"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// sentEvent is an event within a body, kept as it was sent and read as append-event reads it.
type sentEvent json.RawMessage

// Schema implements huma.SchemaProvider.
func (sentEvent) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[eventIn](), true, "")
}

// UnmarshalJSON implements json.Unmarshaler.
func (e *sentEvent) UnmarshalJSON(b []byte) error {
	*e = slices.Clone(b)
	return nil
}

// MarshalJSON implements json.Marshaler.
func (e sentEvent) MarshalJSON() ([]byte, error) { return e, nil }

// readSentEvent reads an event that won't be appended, as if it would be. The gate has checked the body's JSON.
func readSentEvent(c *call, sent sentEvent) (ingest.Event, error) {
	if len(sent) == 0 || sent[0] != '{' { // Huma lets null pass
		return ingest.Event{}, rest.Invalid("body.event", "must be an object")
	}
	e, err := ingest.ReadObject(sent)
	if err != nil {
		return e, rest.Within("body.event", refused(err))
	}
	rules := c.Directory.Rules(c.Tenant, e.Attrs.Type, e.Attrs.SchemaVersion)
	err = e.Complete(ingest.Defaults{
		Tenant: c.Tenant, ID: domain.NewUUID(), SchemaVersion: rules.Version, MaxData: c.Limits.DataBytes,
	})
	return e, rest.Within("body.event", refused(err))
}

type testFilterIn struct {
	rest.TenantPath
	Body filterTestIn
}

type filterTestIn struct {
	Filter     string           `json:"filter,omitempty" maxLength:"4096" doc:"The condition, as a subscription has it; every event of the types by default." example:"data.amount > 100"`
	EventTypes []domain.Pattern `json:"event_types,omitempty" minItems:"1" maxItems:"100" doc:"The types, as a subscription has them; all by default." example:"[\"offer.*\"]"`
	Event      sentEvent        `json:"event,omitempty" doc:"The event to try it on, as append-event accepts it. Without one: the tenant's most recent events of the types."`
	Limit      int              `json:"limit,omitempty" minimum:"1" maximum:"1000" doc:"On how many recent events to try it; 50 by default." example:"50"`
	From       rest.Time        `json:"from,omitzero" doc:"Only on events that were recorded at this time or later." example:"2026-07-01T00:00:00Z"`
	To         rest.Time        `json:"to,omitzero" doc:"Only on events that were recorded before this time." example:"2026-08-01T00:00:00Z"`
}

// filterTestOut is what a filter would have done. It holds nothing of an event but its names.
type filterTestOut struct {
	Matched    int        `json:"matched" doc:"How many events the filter chooses." example:"12"`
	NotMatched int        `json:"not_matched" doc:"How many it leaves out." example:"37"`
	Failed     int        `json:"failed" doc:"On how many it fails: a subscription would skip them, and routing would say so." example:"1"`
	Items      []triedOut `json:"items" doc:"The events, the most recent one first."`
}

type triedOut struct {
	EventID  string `json:"event_id,omitempty" doc:"The event; nothing for one that is given without an id." example:"order-4711"`
	Sequence int64  `json:"sequence,omitempty" doc:"Its place in the tenant's log; nothing for one that is given." example:"41"`
	Type     string `json:"type" doc:"Its type." example:"offer.issued"`
	Outcome  string `json:"outcome" enum:"matched,did_not_match,failed,other_type" doc:"What the filter says of it. other_type: the event that was given isn't of the types, so the filter isn't asked; it counts as not matched." example:"matched"`
	Error    string `json:"error,omitempty" doc:"Why the filter failed: the place in it and the kind of error." example:"line 1, column 5: no such key"`
}

// Bounds of one test of a filter.
const (
	triedCost    = 5_000_000 // of all events together, in the filter's units: some tenths of a second
	defaultTried = 50
	triedScan    = 10_000 // events whose types are looked at
	triedPage    = 1000
	triedFor     = 10 * time.Second
)

// testFilter tries a filter without a subscription.
func testFilter(ctx context.Context, c *call, in *testFilterIn) (*rest.One[filterTestOut], error) {
	leave, err := rest.Scan(c.Request)
	if err != nil {
		return nil, err
	}
	defer leave()
	if !c.Hold.Grow(rest.PageStart) { // its events are read one after the other
		return nil, rest.Full()
	}
	t, err := newFilterTest(c, in.Body)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, triedFor)
	defer cancel()
	if len(in.Body.Event) > 0 {
		e, err := readSentEvent(c, in.Body.Event)
		if err != nil {
			return nil, err
		}
		head, err := rest.Head(ctx, c.Request, c.Tenant)
		if err != nil {
			return nil, err
		}
		if err := t.given(ctx, &e); err != nil {
			return nil, err
		}
		return &rest.One[filterTestOut]{Sequence: rest.SequenceText(head), Body: t.out}, nil
	}
	rows, reflected, err := t.recent(ctx)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if err := t.appended(ctx, &rows[i]); err != nil {
			return nil, err
		}
	}
	return &rest.One[filterTestOut]{Sequence: rest.SequenceText(reflected), Body: t.out}, nil
}

// filterTest is one test under way.
type filterTest struct {
	c      *call
	in     filterTestIn
	types  domain.SubscriptionConfig // only its types
	filter domain.Filter             // nil: every event is chosen
	spent  uint64                    // what the filter has cost so far
	out    filterTestOut
}

// newFilterTest checks a test and compiles its filter.
func newFilterTest(c *call, in filterTestIn) (*filterTest, error) {
	if len(in.Event) > 0 && (in.Limit != 0 || !in.From.IsZero() || !in.To.IsZero()) {
		return nil, rest.Invalid("body.event", "is given without limit, from and to")
	}
	if in.Limit == 0 {
		in.Limit = defaultTried
	}
	if len(in.EventTypes) == 0 {
		in.EventTypes = []domain.Pattern{"*"}
	}
	for i, p := range in.EventTypes {
		if err := p.Validate("event_types[" + strconv.Itoa(i) + "]"); err != nil {
			return nil, err
		}
	}
	t := &filterTest{
		c: c, in: in, types: domain.SubscriptionConfig{EventTypes: in.EventTypes},
		out: filterTestOut{Items: []triedOut{}},
	}
	if in.Filter == "" {
		return t, nil
	}
	if err := checkFilter(c, in.Filter); err != nil {
		return nil, err
	}
	var err error
	t.filter, err = c.Filters.Compile(in.Filter)
	return t, err
}

// given tries the filter on the event of the request, as if it were appended now.
func (t *filterTest) given(ctx context.Context, s *ingest.Event) error {
	item := triedOut{Type: string(s.Attrs.Type)}
	if s.Named {
		item.EventID = s.Attrs.ID
	}
	if !t.types.Matches(s.Attrs.Type) {
		item.Outcome = "other_type"
		t.out.NotMatched++
		t.out.Items = append(t.out.Items, item)
		return nil
	}
	return t.try(ctx, item, &domain.FilterRun{Event: s.Fact(), Now: t.c.Clock()})
}

// recent finds the tenant's last events of the types. Which they are the views say; their data only the log has.
func (t *filterTest) recent(ctx context.Context) (rows []projections.Event, reflected domain.Sequence, err error) {
	filter := projections.EventFilter{From: t.in.From.Std(), To: t.in.To.Std()}
	if only := t.in.EventTypes; len(only) == 1 && !strings.Contains(string(only[0]), "*") {
		filter.Type = domain.EventType(only[0])
	}
	reflected, err = rest.Now(ctx, t.c.Request, func(r projections.Reader) error {
		page := projections.Page{Limit: t.in.Limit, Descending: true}
		for scanned := 0; scanned < triedScan; {
			some, err := r.Events(ctx, filter, page)
			if err != nil {
				return err
			}
			scanned += len(some)
			for i := range some {
				if e := &some[i]; !e.Erased && e.Attrs.Test == nil && t.types.Matches(e.Attrs.Type) {
					rows = append(rows, *e)
				}
			}
			if len(some) < page.Limit || len(rows) >= t.in.Limit {
				return nil
			}
			page.After, page.Limit = &some[len(some)-1].Created.Sequence, min(triedPage, triedScan-scanned)
		}
		return nil
	})
	return rows[:min(len(rows), t.in.Limit)], reflected, err
}

// appended tries the filter on an event of the log.
func (t *filterTest) appended(ctx context.Context, row *projections.Event) error {
	entry, err := rest.Entry(ctx, t.c.Request, row.Created.Sequence)
	if ctx.Err() != nil {
		return tooSlow()
	}
	if err != nil {
		return err
	}
	e, ok := entry.Fact.(*domain.EventAppended)
	switch {
	case entry.Erased:
		return nil
	case ok:
		item := triedOut{
			EventID: eventName(t.c, row.ID, row.Attrs), Sequence: int64(entry.Sequence),
			Type: string(e.Event.Type),
		}
		return t.try(ctx, item, &domain.FilterRun{Event: e, Now: entry.RecordedAt})
	}
	return rest.Unreadable(*entry)
}

// tooSlow refuses a test that takes more time or steps than a test may.
func tooSlow() error {
	return rest.Refuse(http.StatusUnprocessableEntity, "filter_too_slow", "The filter takes too long on these events.",
		rest.NewFault("body.limit", "is smaller"))
}

// try notes what the filter says of an event.
func (t *filterTest) try(ctx context.Context, item triedOut, run *domain.FilterRun) error {
	matches, err := true, error(nil)
	if t.filter != nil {
		matches, err = t.filter(ctx, run)
	}
	if t.spent += run.Spent; ctx.Err() != nil || t.spent > triedCost {
		return tooSlow()
	}
	switch {
	case err != nil:
		item.Outcome, item.Error = "failed", err.Error()
		t.out.Failed++
	case matches:
		item.Outcome = "matched"
		t.out.Matched++
	default:
		item.Outcome = "did_not_match"
		t.out.NotMatched++
	}
	t.out.Items = append(t.out.Items, item)
	return nil
}
