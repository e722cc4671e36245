package openapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/ingest"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// eventOut is an event as the API shows it. Its data is spliced in as it was sent.
type eventOut struct {
	ID              string               `json:"id" doc:"The producer's id or, without one, the event's own." example:"order-4711"`
	UUID            domain.UUID          `json:"uuid" format:"uuid" doc:"The event's internal id: its stream in the log." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e"`
	Source          string               `json:"source" doc:"With the id unique in the tenant." example:"/tenants/acme"`
	Type            string               `json:"type" doc:"As sent." example:"offer.issued"`
	Subject         string               `json:"subject,omitempty" doc:"Whom the event is about." example:"customer-17"`
	OccurredAt      rest.Stamp           `json:"occurred_at" doc:"When it happened, as the producer says; by default as recorded." example:"2026-07-01T12:00:00Z"`
	SchemaVersion   string               `json:"schema_version" doc:"The version of the type's schema." example:"v1"`
	DataSchema      string               `json:"dataschema,omitempty" doc:"Where the producer says the schema is." example:"https://schemas.example/offer/1"`
	DataContentType string               `json:"datacontenttype,omitempty" doc:"The data's media type, where a CloudEvents producer named one." example:"application/json"`
	Extensions      map[string]extension `json:"extensions,omitempty" doc:"CloudEvents extension attributes." example:"{\"traceparent\":\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\"}"`
	Sequence        int64                `json:"sequence" doc:"The event's place in the tenant's log." example:"41"`
	RecordedAt      rest.Stamp           `json:"recorded_at" doc:"When it was recorded." example:"2026-07-01T12:00:00.123456Z"`
	LeafHash        string               `json:"leaf_hash" doc:"The leaf's RFC 6962 hash, in standard base64." example:"cTOUDeMlPgClsHbaWuiOa3M0PbcTF6PvLiuZtmTwTVg="`
	SchemaProblem   string               `json:"schema_problem,omitempty" doc:"How the event breaks the schema of its type, a line for each place, where the tenant had it accepted nevertheless." example:"data/amount: must be a number"`
	Test            bool                 `json:"test,omitempty" doc:"A sample made for one endpoint." example:"true"`
	Erased          bool                 `json:"erased,omitempty" doc:"The content was destroyed; what is left proves that there was an event." example:"true"`
	Data            json.RawMessage      `json:"data,omitempty" doc:"Any JSON value, exactly as it was sent." example:"{\"amount\":12.50}"`
}

// showEvent writes an event.appended entry.
func showEvent(b []byte, e *domain.Entry) ([]byte, error) {
	hash := ingest.LeafHash(e.Leaf)
	out := eventOut{
		UUID: e.Stream.ID, Sequence: int64(e.Sequence), RecordedAt: rest.Stamp(e.RecordedAt),
		LeafHash: base64Of(hash[:]), Erased: e.Erased,
	}
	fact, ok := e.Fact.(*domain.EventAppended)
	switch {
	case e.Erased:
		attrs := domain.EventAttributes{EventIdentity: domain.EventIdentity{ID: e.Stream.ID.String()}}
		if ok {
			attrs.EventClass = fact.Event.EventClass
		}
		out.describe(attrs, e.RecordedAt)
		return rest.Splice(b, out)
	case ok:
		out.describe(fact.Event, e.RecordedAt)
		if len(fact.Data) == 0 {
			return rest.Splice(b, out) // a CloudEvent may have none
		}
		return rest.Splice(b, out, domain.Member{Name: "data", Raw: fact.Data})
	}
	return nil, rest.Unreadable(*e)
}

func (out *eventOut) describe(a domain.EventAttributes, recorded time.Time) {
	out.ID, out.Source, out.Type, out.Subject = a.ID, a.Source, string(a.Type), a.Subject
	out.SchemaVersion, out.DataSchema, out.DataContentType = a.SchemaVersion, a.DataSchema, a.DataContentType
	out.Extensions = make(map[string]extension, len(a.Extensions))
	for name, value := range a.Extensions {
		out.Extensions[name] = extension{value}
	}
	out.Test = a.Test != nil
	out.SchemaProblem = a.SchemaProblem
	out.OccurredAt = rest.Stamp(a.OccurredAt)
	if a.OccurredAt.IsZero() {
		out.OccurredAt = rest.Stamp(recorded)
	}
}

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// EventPath names an event.
type EventPath struct {
	rest.TenantPath
	ID     string `path:"id" maxLength:"256" doc:"The producer's id or, if no producer's event has it, the internal one. An id that can't be part of a path is found with ?id= of the list." example:"order-4711"`
	Source string `query:"source" maxLength:"1024" doc:"The source that the id is unique in. Without it: /tenants/{tenant}, then the internal ids." example:"/billing"`
}

type getEventIn struct {
	EventPath
	rest.WaitQuery
}

// getEvent finds an event by its name.
func getEvent(ctx context.Context, c *call, in *getEventIn) (*rest.Exact, error) {
	row, n, err := findEvent(ctx, c, in.ID, in.Source, rest.AsOfQuery{WaitQuery: in.WaitQuery})
	if err != nil {
		return nil, err
	}
	return exactEvent(ctx, c, row.Created.Sequence, n)
}

type getEventBySequenceIn struct {
	rest.TenantPath
	Sequence int64 `path:"sequence" minimum:"0" doc:"The event's place in the tenant's log." example:"41"`
	rest.WaitQuery
}

// getEventBySequence finds an event by its place, whatever it is called.
func getEventBySequence(ctx context.Context, c *call, in *getEventBySequenceIn) (*rest.Exact, error) {
	_, n, err := eventAt(ctx, c, domain.Sequence(in.Sequence), rest.AsOfQuery{WaitQuery: in.WaitQuery})
	if err != nil {
		return nil, err
	}
	return exactEvent(ctx, c, domain.Sequence(in.Sequence), n)
}

// exactEvent reads an event that the views have found from the log, which alone has its data.
func exactEvent(ctx context.Context, c *call, at, reflected domain.Sequence) (*rest.Exact, error) {
	e, err := rest.HeldEntry(ctx, c.Request, at)
	if err != nil {
		return nil, err
	}
	if !owns(c, e) {
		return nil, rest.NotFound()
	}
	body, err := showEvent(nil, e)
	if err != nil {
		return nil, err
	}
	return &rest.Exact{ContentType: rest.JSON, Sequence: rest.SequenceText(max(reflected, at)), Body: body}, nil
}

// owns reports whether a producer may see an event: its own principal appended it. Other roles are checked elsewhere.
func owns(c *call, e *domain.Entry) bool {
	return c.Key.Role != domain.RoleProducer || e.By.Principal == c.Key.PrincipalID
}

// mayRead refuses a receiver an event that wasn't sent to it.
func mayRead(ctx context.Context, c *call, r projections.Reader, event domain.UUID) error {
	endpoint := c.Receiver()
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
func findEvent(
	ctx context.Context, c *call, id, source string, in rest.AsOfQuery,
) (projections.Event, domain.Sequence, error) {
	return lookUpEvent(ctx, c, in,
		func(r projections.Reader) (projections.Event, error) { return eventNamed(ctx, c, r, id, source) })
}

// eventAt finds an event by its place.
func eventAt(
	ctx context.Context, c *call, at domain.Sequence, in rest.AsOfQuery,
) (projections.Event, domain.Sequence, error) {
	return lookUpEvent(ctx, c, in,
		func(r projections.Reader) (projections.Event, error) { return r.EventBySequence(ctx, at) })
}

// lookUpEvent finds an event that was there at a moment and that the caller may read.
func lookUpEvent(
	ctx context.Context, c *call, in rest.AsOfQuery, find func(projections.Reader) (projections.Event, error),
) (row projections.Event, n domain.Sequence, err error) {
	n, err = rest.Lookup(ctx, c.Request, in, func(r projections.Reader, as projections.AsOf) error {
		if row, err = find(r); err != nil {
			return err
		}
		if as.Set && row.Created.Sequence > as.Sequence {
			return domain.ErrNotFound
		}
		return mayRead(ctx, c, r, row.ID)
	})
	return row, n, err
}

// eventNamed finds an event by the producer's id or, where no source is given and no producer's event has it, by its
// internal one. A producer that calls an event by another's internal id hides that one from this look-up, and from no
// other: by-sequence, the list and the log show both.
func eventNamed(ctx context.Context, c *call, r projections.Reader, id, source string) (projections.Event, error) {
	given := source != ""
	if !given {
		source = ingest.DefaultSource(c.Tenant)
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
func eventName(c *call, id domain.UUID, a domain.EventAttributes) string {
	if a.ID == "" || a.Source != ingest.DefaultSource(c.Tenant) {
		return id.String()
	}
	return a.ID
}
