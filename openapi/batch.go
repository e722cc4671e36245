package openapi

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/ingest"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
)

// eventsIn documents a batch in the product's own form.
type eventsIn struct {
	Events []eventIn `json:"events" minItems:"1" maxItems:"1000" doc:"All are appended, in this order, or none."`
}

// receiptsOut is the answer to a batch of events.
type receiptsOut struct {
	Items []receiptOut `json:"items" doc:"A receipt an event, in the batch's order."`
}

// documentBatch documents the forms of a batch; no other content types are accepted.
func documentBatch(op *huma.Operation) {
	rest.ByHand(op)
	rest.Handwritten{
		Bodies: map[string]rest.Media{
			ingest.JSON:        {Schema: rest.SchemaOf[eventsIn]},
			ingest.NDJSON:      {Schema: eventLines},
			ingest.NDJSONPlain: {Schema: eventLines},
			ingest.JSONLines:   {Schema: eventLines},
			ingest.CloudBatch: {Schema: func(doc *huma.OpenAPI) *huma.Schema {
				return &huma.Schema{Type: huma.TypeArray, Items: rest.SchemaOf[cloudEventIn](doc)}
			}},
		},
		Answers: map[string]rest.Media{rest.JSON: {Schema: rest.SchemaOf[receiptsOut]}},
		Status:  []string{"200", "201"},
	}.SetOn(op)
}

func eventLines(*huma.OpenAPI) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Description: "An event a line, each as in append-event."}
}

type appendEventsIn struct {
	rest.TenantPath
	rest.PostHeader
	HopsHeader
}

// maxDeprecated bounds how many types an answer calls deprecated: they are named in a header.
const maxDeprecated = 20

// appendEvents appends all events of a batch or none. Those that were appended before keep their entries.
func appendEvents(ctx context.Context, c *call, _ *appendEventsIn) (*receiptAnswer, error) {
	hops, err := hopsOf(c.HTTP.Header)
	if err != nil {
		return nil, err
	}
	if !c.Hold.Grow(len(c.Body)) { // its events' data is copied
		return nil, rest.Full()
	}
	b, err := ingest.ReadBatch(c.Tenant, c.ContentType, c.Body, c.Limits.BatchEvents)
	if err != nil {
		return nil, refused(err)
	}
	var broken []brokenEvent
	deprecated := make(map[domain.EventType]time.Time)
	for i := range b.Events {
		e := &b.Events[i]
		e.Attrs.Hops = hops
		rules := c.Directory.Rules(c.Tenant, e.Attrs.Type, e.Attrs.SchemaVersion)
		err := b.Complete(i,
			ingest.Defaults{Tenant: c.Tenant, SchemaVersion: rules.Version, MaxData: c.Limits.DataBytes})
		if err != nil {
			return nil, refused(err)
		}
		if !rules.Registered {
			continue
		}
		if !rules.Deprecated.IsZero() && len(deprecated) < maxDeprecated {
			deprecated[e.Attrs.Type] = rules.Deprecated
		}
		faults, err := conform(c, e, &rules, b.Path(i))
		if err != nil {
			return nil, err
		}
		if len(faults) > 0 {
			broken = append(broken, brokenEvent{e, faults})
		}
	}
	if err := refuseBroken(ctx, c, broken); err != nil {
		return nil, err
	}

	out := &receiptAnswer{Status: http.StatusOK, ContentType: rest.JSON}
	if err := appendBatch(ctx, c, b, out); err != nil {
		return nil, err
	}
	body, newest := b.Receipts()
	out.Body = body
	if len(b.Events) > 0 {
		out.Sequence = rest.SequenceText(newest)
	}
	out.deprecate(c.Tenant, deprecated)
	return out, nil
}

// appendBatch gives every event of a batch its entry. Events that turn out to have been appended before, by this
// request's Idempotency-Key or by their names, keep those entries; the rest is appended, in one group. The answer's
// status is 201 if this request, or the one that it repeats, appended any.
func appendBatch(ctx context.Context, c *call, b *ingest.Batch, out *receiptAnswer) error {
	for before := len(b.Events) + 1; ; {
		missing := b.Missing()
		switch {
		case len(missing) == 0:
			return nil
		case len(missing) == before: // a name is taken, and nothing has it
			return domain.ErrConflict
		}
		before = len(missing)
		drafts, names := b.Drafts(missing, c.By())
		group := domain.Group{Drafts: drafts, Claims: names}
		if c.Repeatable() { // before all other claims, so that a repetition is known as one
			group.Claims = slices.Insert(group.Claims, 0, c.Claim(c.Tenant, 0, len(missing)))
		}
		entries, err := domain.AppendOne(ctx, c.Log, group)
		if err == nil {
			out.Status = http.StatusCreated
			for n, i := range missing {
				b.SetEntry(i, &entries[n])
			}
			return nil
		}
		var taken *domain.ClaimedError
		if !errors.As(err, &taken) {
			return err
		}
		var earlier []domain.Entry
		replayed := c.Repeatable() && taken.Claim == 0
		if replayed {
			if earlier, err = rest.Earlier(ctx, c.Request, c.Tenant, taken); err != nil {
				return err
			}
		}
		if err := findAppended(ctx, c, b); err != nil {
			return err
		}
		if !replayed {
			continue
		}
		// What the first request appended, in its order, are the events that weren't there before it.
		out.Status, out.Replayed = http.StatusCreated, rest.Replayed(true)
		next := 0
		for _, i := range b.Missing() {
			for next < len(earlier) && b.HasEntry(earlier[next].Sequence) {
				next++
			}
			if _, err := appendedEvent(earlier, next); err != nil {
				return err
			}
			b.SetEntry(i, &earlier[next])
			next++
		}
		return nil
	}
}

// findAppended looks up which named events were appended before, and refuses the batch if one had other members then.
func findAppended(ctx context.Context, c *call, b *ingest.Batch) error {
	var claims []domain.Claim
	var events []int
	for _, i := range b.Missing() {
		if b.Events[i].Named {
			claims, events = append(claims, b.Events[i].Claim(c.Tenant, 0)), append(events, i)
		}
	}
	found, err := c.Claims.Claimed(ctx, claims)
	if err != nil {
		return err
	}
	var named []namedBefore
	for n, taken := range found {
		if taken != nil {
			named = append(named, namedBefore{events[n], taken})
		}
	}
	for some := range slices.Chunk(named, maxNamedRead) {
		if err := takeAppended(ctx, c, b, some); err != nil {
			return err
		}
	}
	return nil
}

// maxNamedRead bounds how many events are read and compared together: their entries are opened.
const maxNamedRead = 100

// namedBefore is an event of a batch whose name another entry has: its own, if it is the same event.
type namedBefore struct {
	event int
	by    *domain.ClaimedError
}

// takeAppended gives events whose names are taken the entries that have them, or refuses the batch, as repeated does
// for one event. However many events there are, their claims are looked up at once.
func takeAppended(ctx context.Context, c *call, b *ingest.Batch, named []namedBefore) error {
	entries, err := readNamed(ctx, c, named)
	if err != nil {
		return err
	}
	var repeats []domain.Claim // that the first of two events made if the other repeats it but for defaults
	var of []int               // by repeat: its event's place in named
	for n := range named {
		e := &entries[n]
		switch by := named[n].by; {
		case !owns(c, e):
			return idConflict(b.Path(named[n].event) + ".id")
		case by.Erased:
			return rest.Erased()
		case by.Same:
			if _, err := appendedEvent(entries, n); err != nil {
				return err
			}
		default:
			for _, claim := range b.Events[named[n].event].Repeats(c.Tenant, e) {
				repeats, of = append(repeats, claim), append(of, n)
			}
		}
	}
	same := make([]bool, len(named))
	if len(repeats) > 0 {
		found, err := c.Claims.Claimed(ctx, repeats)
		if err != nil {
			return err
		}
		for i, f := range found {
			same[of[i]] = same[of[i]] || f != nil && f.Same
		}
	}
	for n := range named {
		if !named[n].by.Same && !same[n] {
			return idConflict(b.Path(named[n].event) + ".id")
		}
		b.SetEntry(named[n].event, &entries[n])
	}
	return nil
}

// readNamed reads the entries that have the names. Those that are adjacent in the log, as a repeated batch's are, are
// read together.
func readNamed(ctx context.Context, c *call, named []namedBefore) ([]domain.Entry, error) {
	entries := make([]domain.Entry, 0, len(named))
	for len(named) > 0 {
		end := 1
		for end < len(named) && named[end].by.Sequence == named[end-1].by.Sequence+1 {
			end++
		}
		from, to := named[0].by.Sequence, named[end-1].by.Sequence+1
		some, err := domain.Select(ctx, c.Log, domain.Query{Tenant: c.Tenant, From: &from, To: &to, Limit: end})
		if err != nil {
			return nil, err
		}
		if len(some) != end {
			return nil, errors.New("a claim names entries that the log doesn't have")
		}
		entries, named = append(entries, some...), named[end:]
	}
	return entries, nil
}
