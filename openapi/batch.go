package openapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

type appendEventsIn struct {
	TenantPath
	PostHeader
}

// batch is a request of several events and what became of each.
type batch struct {
	c      *call
	events []submission
	ids    []domain.UUID
	same   []int           // the earlier event of the batch that this one repeats, or itself
	done   []*domain.Entry // by event; nil: not yet in the log
	fresh  bool            // whether this request appended any
	broken []brokenEvent   // that their types' schemas don't allow

	deprecated map[domain.EventType]time.Time // types among the events, and since when they are
}

// appendEvents appends all events of a batch or none. Those that were appended before count as they are.
func appendEvents(ctx context.Context, c *call, _ *appendEventsIn) (*receiptAnswer, error) {
	b, err := c.readBatch()
	if err != nil {
		return nil, err
	}
	if err := c.refuseBroken(ctx, b.broken); err != nil {
		return nil, err
	}
	for range maxDecisions {
		group, events := b.group()
		if len(group.Drafts) == 0 {
			return b.answer(false)
		}
		entries, err := domain.AppendOne(ctx, c.Log, group)
		var taken *domain.ClaimedError
		switch {
		case err == nil:
			b.fresh = true
			for i := range entries {
				b.done[events[i]] = &entries[i]
			}
			return b.answer(false)
		case !errors.As(err, &taken):
			return nil, err
		case c.idempotency != "" && taken.Claim == 0:
			return b.replay(ctx, taken)
		}
		if err := b.find(ctx); err != nil {
			return nil, err
		}
	}
	return nil, domain.ErrConflict
}

// readBatch reads the events of a request, in any of its forms.
func (c *call) readBatch() (*batch, error) {
	events, err := c.readEvents()
	if err != nil {
		return nil, err
	}
	b := &batch{c: c, events: events, ids: make([]domain.UUID, len(events)), same: make([]int, len(events)), done: make([]*domain.Entry, len(events))}
	seen := make(map[[2]string]int)
	for i := range events {
		b.ids[i], b.same[i] = domain.NewUUID(), i
		s := &events[i]
		if err := b.complete(i); err != nil {
			return nil, err
		}
		s.data = bytes.Clone(s.data) // what keeps one event mustn't keep the whole request
		if !s.named {
			continue
		}
		name := [2]string{s.attrs.Source, s.attrs.ID}
		if first, ok := seen[name]; ok {
			if events[first].digest() != s.digest() {
				return nil, idConflict(c.eventPath(i) + ".id")
			}
			b.same[i] = first
			continue
		}
		seen[name] = i
	}
	return b, nil
}

// maxDeprecated bounds how many types an answer calls deprecated: they stand in a header.
const maxDeprecated = 20

// complete fills in an event's defaults and holds it to the schema of its type.
func (b *batch) complete(i int) error {
	c, s := b.c, &b.events[i]
	rules, err := s.complete(c, b.ids[i])
	if err != nil {
		return within(c.eventPath(i), err)
	}
	if !rules.Registered {
		return nil
	}
	if !rules.Deprecated.IsZero() && len(b.deprecated) < maxDeprecated {
		if b.deprecated == nil {
			b.deprecated = make(map[domain.EventType]time.Time)
		}
		b.deprecated[s.attrs.Type] = rules.Deprecated
	}
	faults, err := c.conform(s, &rules, c.eventPath(i))
	if len(faults) > 0 {
		b.broken = append(b.broken, brokenEvent{s, faults})
	}
	return err
}

// eventPath is where an event stands in the request.
func (c *call) eventPath(i int) string {
	if c.contentType == typeJSON {
		return "body.events[" + strconv.Itoa(i) + "]"
	}
	return "body[" + strconv.Itoa(i) + "]"
}

func (c *call) readEvents() ([]submission, error) {
	parse := parseEvent
	if c.contentType == typeCloudBatch {
		parse = parseCloudEvent
	}
	events := make([]submission, 0, 128) // a usual batch grows no further
	add := func(members []domain.Member, object bool) error {
		i := len(events)
		switch {
		case i == c.Limits.BatchEvents:
			text := fmt.Sprintf("has at most %d events", c.Limits.BatchEvents)
			return refuse(http.StatusRequestEntityTooLarge, "batch_too_large", "body.events: "+text, fault{"body.events", text})
		case !object:
			return invalid(c.eventPath(i), "must be an object")
		}
		s, err := parse(members)
		if err != nil {
			return within(c.eventPath(i), err)
		}
		events = append(events, s)
		return nil
	}
	err := c.eachEvent(func() string { return c.eventPath(len(events)) }, add)
	if err == nil && len(events) == 0 {
		err = invalid("body.events", "has at least one event")
	}
	return events, err
}

// eachEvent calls add with the members of every event in the body; at says where the next one stands.
func (c *call) eachEvent(at func() string, add func(members []domain.Member, object bool) error) error {
	switch c.contentType {
	case typeNDJSON:
		return c.eachLine(at, add)
	case typeCloudBatch:
		if _, err := domain.SplitArray(c.body); err != nil {
			return ambiguous("body", err)
		}
		return eachChecked(bytes.TrimSpace(c.body), add)
	}
	members, err := domain.SplitObject(c.body)
	if err != nil {
		return ambiguous("body", err)
	}
	if i := slices.IndexFunc(members, func(m domain.Member) bool { return m.Name != "events" }); i >= 0 {
		return invalid("body."+clip(members[i].Name), "is no member of a batch")
	}
	switch {
	case len(members) == 0:
		return invalid("body.events", "is missing")
	case members[0].Raw[0] != '[':
		return invalid("body.events", "must be an array")
	}
	return eachChecked(members[0].Raw, add)
}

func (c *call) eachLine(at func() string, add func(members []domain.Member, object bool) error) error {
	for line := range bytes.SplitSeq(c.body, []byte("\n")) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		members, err := domain.SplitObject(line)
		if err != nil {
			return ambiguous(at(), err)
		}
		if err := add(members, true); err != nil {
			return err
		}
	}
	return nil
}

// group is what is still to be appended, and which event each draft is.
func (b *batch) group() (group domain.Group, events []int) {
	group.Drafts, events = make([]domain.Draft, 0, len(b.events)), make([]int, 0, len(b.events))
	for i := range b.events {
		if b.done[i] == nil && b.same[i] == i {
			group.Drafts = append(group.Drafts, b.events[i].draft(b.c, b.ids[i]))
			events = append(events, i)
		}
	}
	if b.c.idempotency != "" && len(events) > 0 {
		group.Claims = append(group.Claims, b.c.claim(b.c.tenant, 0, len(events)))
	}
	for draft, i := range events {
		if b.events[i].named {
			group.Claims = append(group.Claims, b.events[i].claim(b.c.tenant, draft))
		}
	}
	return group, events
}

// find looks up which events were appended before, and refuses the batch if one had other members then.
func (b *batch) find(ctx context.Context) error {
	var claims []domain.Claim
	var events []int
	for i := range b.events {
		if b.events[i].named && b.done[i] == nil && b.same[i] == i {
			claims, events = append(claims, b.events[i].claim(b.c.tenant, 0)), append(events, i)
		}
	}
	found, err := b.c.Claimed(ctx, claims)
	if err != nil {
		return err
	}
	for n, taken := range found {
		switch {
		case taken == nil:
		case taken.Erased:
			return erased()
		case !taken.Same:
			return idConflict(b.c.eventPath(events[n]) + ".id")
		}
	}
	for n := 0; n < len(found); {
		if found[n] == nil {
			n++
			continue
		}
		// Those that lie side by side, as a repeated batch's do, are read together.
		end := n + 1
		for end < len(found) && found[end] != nil && found[end].Sequence == found[end-1].Sequence+1 {
			end++
		}
		to := found[end-1].Sequence + 1
		entries, err := b.c.Log.Select(ctx, domain.Query{Tenant: b.c.tenant, From: &found[n].Sequence, To: &to, Limit: end - n})
		if err != nil {
			return err
		}
		for k := range end - n {
			if _, err := appended(entries, k); err != nil {
				return err
			}
			b.done[events[n+k]] = &entries[k]
		}
		n = end
	}
	return nil
}

// replay answers a repetition: from the entries that the first request appended, and for the rest, from those that were
// there before it.
func (b *batch) replay(ctx context.Context, taken *domain.ClaimedError) (*receiptAnswer, error) {
	entries, err := b.c.earlier(ctx, b.c.tenant, taken)
	if err != nil {
		return nil, err
	}
	if err := b.find(ctx); err != nil {
		return nil, err
	}
	next := 0
	for i := range b.events {
		if b.done[i] != nil || b.same[i] != i {
			continue
		}
		for next < len(entries) && b.has(entries[next].Sequence) {
			next++
		}
		if _, err := appended(entries, next); err != nil {
			return nil, err
		}
		b.done[i] = &entries[next]
		next++
	}
	b.fresh = true
	return b.answer(true)
}

func (b *batch) has(n domain.Sequence) bool {
	for _, e := range b.done {
		if e != nil && e.Sequence == n {
			return true
		}
	}
	return false
}

// answer writes the receipts: 201 if any event is new by this request, else 200.
func (b *batch) answer(replayed bool) (*receiptAnswer, error) {
	out := &receiptAnswer{Status: http.StatusOK, ContentType: typeJSON, Body: append(make([]byte, 0, 32+200*len(b.events)), `{"items":[`...)}
	if b.fresh {
		out.Status = http.StatusCreated
	}
	if replayed {
		out.Replayed = "true"
	}
	var last domain.Sequence
	for i := range b.events {
		e := b.done[b.same[i]]
		if i > 0 {
			out.Body = append(out.Body, ',')
		}
		attrs := &b.events[b.same[i]].attrs
		if fact, ok := e.Fact.(*domain.EventAppended); ok {
			attrs = &fact.Event // an earlier request's event may have got its id there
		}
		out.Body = appendReceipt(out.Body, e, attrs)
		last = max(last, e.Sequence)
	}
	out.Body = append(out.Body, `]}`...)
	out.Sequence = sequenceText(last)
	for _, name := range slices.Sorted(maps.Keys(b.deprecated)) {
		out.deprecate(b.c.tenant, name, b.deprecated[name])
	}
	return out, nil
}
