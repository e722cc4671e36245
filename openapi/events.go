package openapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// eventOut is an event as the API shows it. Its data is spliced in as it was sent.
type eventOut struct {
	ID            string            `json:"id" doc:"The producer's id or, without one, the event's own." example:"order-4711"`
	UUID          domain.UUID       `json:"uuid" format:"uuid" doc:"The event's internal id: its stream in the log." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e"`
	Source        string            `json:"source" doc:"With the id unique in the tenant." example:"/tenants/acme"`
	Type          string            `json:"type" doc:"As sent." example:"offer.issued"`
	Subject       string            `json:"subject,omitempty" doc:"Whom the event is about." example:"customer-17"`
	OccurredAt    stamp             `json:"occurred_at" doc:"When it happened, as the producer says; by default as recorded." example:"2026-07-01T12:00:00Z"`
	SchemaVersion string            `json:"schema_version" doc:"The version of the type's schema." example:"v1"`
	DataSchema    string            `json:"dataschema,omitempty" doc:"Where the producer says the schema is." example:"https://schemas.example/offer/1"`
	Extensions    map[string]string `json:"extensions,omitempty" doc:"CloudEvents extension attributes." example:"{\"traceparent\":\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\"}"`
	Sequence      int64             `json:"sequence" doc:"The event's place in the tenant's log." example:"41"`
	RecordedAt    stamp             `json:"recorded_at" doc:"When it was recorded." example:"2026-07-01T12:00:00.123456Z"`
	LeafHash      string            `json:"leaf_hash" doc:"The leaf's RFC 6962 hash, in standard base64." example:"cTOUDeMlPgClsHbaWuiOa3M0PbcTF6PvLiuZtmTwTVg="`
	SchemaProblem string            `json:"schema_problem,omitempty" doc:"How the event breaks the schema of its type, a line for each place, where the tenant had it accepted all the same." example:"data/amount: must be a number"`
	Test          bool              `json:"test,omitempty" doc:"A sample made for one endpoint." example:"true"`
	Erased        bool              `json:"erased,omitempty" doc:"The content was destroyed; what is left proves that there was an event." example:"true"`
	Data          json.RawMessage   `json:"data,omitempty" doc:"Any JSON value, exactly as it was sent." example:"{\"amount\":12.50}"`
}

// exactOut is an answer written by hand, so that data comes out byte for byte.
type exactOut struct {
	ContentType string `header:"Content-Type"`
	Sequence    string `header:"Hooktrail-Sequence" doc:"The sequence of the tenant's log that the answer reflects." example:"41"`
	Link        string `header:"Link" doc:"The next page (RFC 8288)." example:"</v1/tenants/acme/events?cursor=AAAAAAAAACkAAAAAAAAAGPt1z3mJ0mQk>; rel=\"next\""`
	Body        []byte
}

// showEvent writes an event.appended entry.
func showEvent(b []byte, e *domain.Entry) ([]byte, error) {
	hash := leafHash(e.Leaf)
	out := eventOut{
		UUID: e.Stream.ID, Sequence: int64(e.Sequence), RecordedAt: stamp(e.RecordedAt), LeafHash: base64Of(hash[:]), Erased: e.Erased,
	}
	fact, ok := e.Fact.(*domain.EventAppended)
	switch {
	case e.Erased:
		attrs := domain.EventAttributes{EventIdentity: domain.EventIdentity{ID: e.Stream.ID.String()}}
		if ok {
			attrs.EventClass = fact.Event.EventClass
		}
		out.describe(attrs, e.RecordedAt)
		return splice(b, out)
	case ok:
		out.describe(fact.Event, e.RecordedAt)
		return splice(b, out, domain.Member{Name: "data", Raw: fact.Data})
	}
	return nil, unreadable(*e)
}

func (out *eventOut) describe(a domain.EventAttributes, recorded time.Time) {
	out.ID, out.Source, out.Type, out.Subject = a.ID, a.Source, string(a.Type), a.Subject
	out.SchemaVersion, out.DataSchema, out.Extensions, out.Test = a.SchemaVersion, a.DataSchema, a.Extensions, a.Test != nil
	out.SchemaProblem = a.SchemaProblem
	out.OccurredAt = stamp(a.OccurredAt)
	if a.OccurredAt.IsZero() {
		out.OccurredAt = stamp(recorded)
	}
}

// splice writes an object, which isn't empty, with more members, whose values are taken as they are.
func splice(b []byte, object any, more ...domain.Member) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(object); err != nil {
		return nil, fmt.Errorf("write %T: %w", object, err)
	}
	text := bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))
	b = append(b, text[:len(text)-1]...)
	for _, m := range more {
		b = appendText(append(b, ','), m.Name)
		b = append(append(b, ':'), m.Raw...)
	}
	return append(b, '}'), nil
}

// EventPath names an event.
type EventPath struct {
	TenantPath
	ID     string `path:"id" maxLength:"256" doc:"The producer's id or, if no producer called an event so, the internal one. An id that can't stand in a path goes through ?id= of the list." example:"order-4711"`
	Source string `query:"source" maxLength:"1024" doc:"The source that the id is unique in. Without it: /tenants/{tenant}, then the internal ids." example:"/billing"`
}

type getEventIn struct {
	EventPath
	WaitQuery
}

func getEvent(ctx context.Context, c *call, in *getEventIn) (*exactOut, error) {
	row, n, err := c.findEvent(ctx, in.ID, in.Source, AsOfQuery{WaitQuery: in.WaitQuery})
	if err != nil {
		return nil, err
	}
	return c.exactEvent(ctx, row.Created.Sequence, n)
}

type getEventBySequenceIn struct {
	TenantPath
	Sequence int64 `path:"sequence" minimum:"0" doc:"The event's place in the tenant's log." example:"41"`
	WaitQuery
}

func getEventBySequence(ctx context.Context, c *call, in *getEventBySequenceIn) (*exactOut, error) {
	_, n, err := c.eventAt(ctx, domain.Sequence(in.Sequence), AsOfQuery{WaitQuery: in.WaitQuery})
	if err != nil {
		return nil, err
	}
	return c.exactEvent(ctx, domain.Sequence(in.Sequence), n)
}

// exactEvent reads an event that the views have found from the log, which alone has its data.
func (c *call) exactEvent(ctx context.Context, at, reflected domain.Sequence) (*exactOut, error) {
	e, err := c.entry(ctx, at)
	if err != nil {
		return nil, err
	}
	if !c.owns(e) {
		return nil, notFound()
	}
	body, err := showEvent(nil, e)
	if err != nil {
		return nil, err
	}
	return &exactOut{ContentType: typeJSON, Sequence: sequenceText(max(reflected, at)), Body: body}, nil
}

// entry reads one entry of the call's tenant.
func (c *call) entry(ctx context.Context, at domain.Sequence) (*domain.Entry, error) {
	to := at + 1
	entries, err := c.Log.Select(ctx, domain.Query{Tenant: c.tenant, From: &at, To: &to, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, domain.ErrNotFound
	}
	return &entries[0], nil
}

// owns says whether a producer may see an event: its own principal appended it. Other roles are judged elsewhere.
func (c *call) owns(e *domain.Entry) bool {
	return c.key.Role != domain.RoleProducer || e.By.Principal == c.key.PrincipalID
}

// mayRead refuses a receiver an event that wasn't sent to it.
func (c *call) mayRead(ctx context.Context, r projections.Reader, event domain.UUID) error {
	endpoint := c.receiver()
	if endpoint.IsZero() {
		return nil
	}
	filter := projections.DeliveryFilter{Event: event, Endpoint: endpoint}
	sent, err := r.Deliveries(ctx, filter, projections.Page{Limit: 1}, projections.AsOf{})
	if err == nil && len(sent) == 0 {
		err = domain.ErrNotFound
	}
	return err
}

// findEvent finds an event by its name, eventAt by its place.
func (c *call) findEvent(ctx context.Context, id, source string, in AsOfQuery) (projections.Event, domain.Sequence, error) {
	return c.lookUp(ctx, in, func(r projections.Reader) (projections.Event, error) { return c.eventNamed(ctx, r, id, source) })
}

func (c *call) eventAt(ctx context.Context, at domain.Sequence, in AsOfQuery) (projections.Event, domain.Sequence, error) {
	return c.lookUp(ctx, in, func(r projections.Reader) (projections.Event, error) { return r.EventBySequence(ctx, at) })
}

// lookUp finds an event that was there at a moment and that the caller may read.
func (c *call) lookUp(ctx context.Context, in AsOfQuery, find func(projections.Reader) (projections.Event, error)) (row projections.Event, n domain.Sequence, err error) {
	n, err = c.one(ctx, in, func(r projections.Reader, as projections.AsOf) error {
		if row, err = find(r); err != nil {
			return err
		}
		if as.Set && row.Created.Sequence > as.Sequence {
			return domain.ErrNotFound
		}
		return c.mayRead(ctx, r, row.ID)
	})
	return row, n, err
}

// eventNamed finds an event by the producer's id or, where no source is given and no producer's event has it, by its
// internal one. A producer that calls an event by another's internal id hides that one from this look-up, and from no
// other: by-sequence, the list and the log show both.
func (c *call) eventNamed(ctx context.Context, r projections.Reader, id, source string) (projections.Event, error) {
	given := source != ""
	if !given {
		source = defaultSource(c.tenant)
	}
	row, err := r.EventByProducerID(ctx, source, id)
	if err == nil || given || !isNotFound(err) {
		return row, err
	}
	internal, malformed := domain.ParseUUID(id)
	if malformed != nil {
		return row, err
	}
	return r.Event(ctx, internal)
}

// eventName is what other things call an event: the producer's id where that is unique without its source.
func (c *call) eventName(id domain.UUID, a domain.EventAttributes) string {
	if a.ID == "" || a.Source != defaultSource(c.tenant) {
		return id.String()
	}
	return a.ID
}
