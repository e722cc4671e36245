package ingest

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/hooktrail/hooktrail/domain"
)

// Batch is several events that are appended together, and the entries that they have or get. It belongs to one
// goroutine.
type Batch struct {
	Tenant domain.TenantID
	Events []Event

	contentType string
	ids         []domain.UUID
	first       []int             // by event: the earlier event of the batch that it repeats, or itself
	entries     []*domain.Entry   // by event; nil: not in the log yet
	named       map[[2]string]int // the first event of a source and id
}

// ReadBatch reads the events of a request, in any of its forms: at most most, and at least one but in CloudEvents' form.
func ReadBatch(tenant domain.TenantID, contentType string, body []byte, most int) (*Batch, error) {
	// a usual batch grows no further
	if contentType == NDJSONPlain || contentType == JSONLines {
		contentType = NDJSON
	}
	b := &Batch{Tenant: tenant, contentType: contentType, Events: make([]Event, 0, 128)}
	parse := parseEvent
	if contentType == CloudBatch {
		parse = parseCloudEvent
	}
	add := func(members []domain.Member, object bool) error {
		i := len(b.Events)
		switch {
		case i == most:
			return &Error{TooMany, "body.events", fmt.Sprintf("has at most %d events", most)}
		case !object:
			return &Error{Invalid, b.Path(i), "must be an object"}
		}
		e, err := parse(members)
		if err != nil {
			return within(b.Path(i), err)
		}
		b.Events = append(b.Events, e)
		return nil
	}
	if err := b.each(body, add); err != nil {
		return nil, err
	}
	if len(b.Events) == 0 && b.contentType != CloudBatch { // CloudEvents' batches may be empty (JSON format §4)
		return nil, &Error{Invalid, "body.events", "has at least one event"}
	}
	b.ids = make([]domain.UUID, len(b.Events))
	b.first = make([]int, len(b.Events))
	b.entries = make([]*domain.Entry, len(b.Events))
	b.named = make(map[[2]string]int)
	for i := range b.Events {
		b.ids[i], b.first[i] = domain.NewUUID(), i
		b.Events[i].Data = bytes.Clone(b.Events[i].Data) // what keeps one event mustn't keep the whole request
	}
	return b, nil
}

// each calls add with the members of every event in the body; object is false for an element that isn't an object.
func (b *Batch) each(body []byte, add func(members []domain.Member, object bool) error) error {
	switch b.contentType {
	case NDJSON:
		for line := range bytes.SplitSeq(body, []byte("\n")) {
			if line = bytes.TrimSpace(line); len(line) == 0 {
				continue
			}
			members, err := domain.SplitObject(line)
			if err != nil {
				return unreadable(b.Path(len(b.Events)), err)
			}
			if err := add(members, true); err != nil {
				return err
			}
		}
		return nil
	case CloudBatch:
		if _, err := domain.SplitArray(body); err != nil {
			return unreadable("body", err)
		}
		return eachChecked(bytes.TrimSpace(body), add)
	}
	members, err := domain.SplitObject(body)
	if err != nil {
		return unreadable("body", err)
	}
	if i := slices.IndexFunc(members, func(m domain.Member) bool { return m.Name != "events" }); i >= 0 {
		return &Error{Invalid, "body." + clip(members[i].Name), "isn't a member of a batch"}
	}
	switch {
	case len(members) == 0:
		return &Error{Invalid, "body.events", "is missing"}
	case members[0].Raw[0] != '[':
		return &Error{Invalid, "body.events", "must be an array"}
	}
	return eachChecked(members[0].Raw, add)
}

// Path is where an event is in the request.
func (b *Batch) Path(i int) string {
	if b.contentType == JSON {
		return "body.events[" + strconv.Itoa(i) + "]"
	}
	return "body[" + strconv.Itoa(i) + "]"
}

// Complete fills in what the producer left out of an event; d needs no ID. An event that repeats an earlier one of the
// batch becomes no draft of its own; one with the name of an earlier one and other members is refused. Events are
// completed in their order.
func (b *Batch) Complete(i int, d Defaults) error {
	e := &b.Events[i]
	d.ID = b.ids[i]
	if err := e.Complete(d); err != nil {
		return within(b.Path(i), err)
	}
	if !e.Named {
		return nil
	}
	name := [2]string{e.Attrs.Source, e.Attrs.ID}
	first, repeated := b.named[name]
	switch {
	case !repeated:
		b.named[name] = i
	case !b.Events[first].sameAs(e):
		return &Error{Reused, b.Path(i) + ".id", "is unique with its source"}
	default:
		b.first[i] = first
	}
	return nil
}

// sameAs reports whether two complete events of one request have the same members.
func (e *Event) sameAs(other *Event) bool {
	_, mine := e.spelledOut()
	_, others := other.spelledOut()
	return e.digest(e.Attrs.SchemaVersion, mine) == other.digest(other.Attrs.SchemaVersion, others)
}

// Missing lists the events that have no entry yet and repeat no other.
func (b *Batch) Missing() []int {
	missing := make([]int, 0, len(b.Events))
	for i := range b.Events {
		if b.entries[i] == nil && b.first[i] == i {
			missing = append(missing, i)
		}
	}
	return missing
}

// Drafts are the drafts of some events, with the claims of their names. The claims' drafts count from 0.
func (b *Batch) Drafts(events []int, by domain.Actor) (drafts []domain.Draft, claims []domain.Claim) {
	drafts = make([]domain.Draft, 0, len(events))
	for n, i := range events {
		drafts = append(drafts, b.Events[i].Draft(b.Tenant, b.ids[i], by))
		if b.Events[i].Named {
			claims = append(claims, b.Events[i].Claim(b.Tenant, n))
		}
	}
	return drafts, claims
}

// SetEntry says which entry an event has.
func (b *Batch) SetEntry(i int, e *domain.Entry) { b.entries[i] = e }

// HasEntry reports whether an event of the batch has the entry of a sequence.
func (b *Batch) HasEntry(n domain.Sequence) bool {
	return slices.ContainsFunc(b.entries, func(e *domain.Entry) bool { return e != nil && e.Sequence == n })
}

// Receipts writes the receipts of all events, once each has its entry, and returns the newest sequence among them.
func (b *Batch) Receipts() (body []byte, newest domain.Sequence) {
	body = append(make([]byte, 0, 32+200*len(b.Events)), `{"items":[`...)
	for i := range b.Events {
		e := b.entries[b.first[i]]
		if i > 0 {
			body = append(body, ',')
		}
		attrs := &b.Events[b.first[i]].Attrs
		if fact, ok := e.Fact.(*domain.EventAppended); ok {
			attrs = &fact.Event // an earlier request's event may have got its id there
		}
		body = AppendReceipt(body, e, attrs)
		newest = max(newest, e.Sequence)
	}
	return append(body, `]}`...), newest
}
