package openapi

import (
	"context"
	"errors"
	"maps"
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
	for _, name := range slices.Sorted(maps.Keys(deprecated)) {
		out.deprecate(c.Tenant, name, deprecated[name])
	}
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
	for n, taken := range found {
		if taken == nil || taken.Same && !taken.Erased {
			continue
		}
		entries, err := repeated(ctx, c, &b.Events[events[n]], taken, b.Path(events[n])+".id")
		if err != nil {
			return err
		}
		b.SetEntry(events[n], &entries[0]) // the same but for defaults
		found[n] = nil
	}
	for n := 0; n < len(found); {
		if found[n] == nil {
			n++
			continue
		}
		// Those that are adjacent in the log, as a repeated batch's are, are read together.
		end := n + 1
		for end < len(found) && found[end] != nil && found[end].Sequence == found[end-1].Sequence+1 {
			end++
		}
		to := found[end-1].Sequence + 1
		entries, err := domain.Select(ctx, c.Log, domain.Query{
			Tenant: c.Tenant, From: &found[n].Sequence, To: &to, Limit: end - n,
		})
		if err != nil {
			return err
		}
		for k := range end - n {
			if _, err := appendedEvent(entries, k); err != nil {
				return err
			}
			if !owns(c, &entries[k]) { // as repeated has it
				return idConflict(b.Path(events[n+k]) + ".id")
			}
			b.SetEntry(events[n+k], &entries[k])
		}
		n = end
	}
	return nil
}
