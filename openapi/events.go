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
	case ok:
		out.describe(fact.Event, e.RecordedAt)
		return splice(b, out, "data", fact.Data)
	case e.Erased:
		out.describe(domain.EventAttributes{ID: e.Stream.ID.String()}, e.RecordedAt)
		return splice(b, out, "", nil)
	}
	return nil, unreadable(*e)
}

func (out *eventOut) describe(a domain.EventAttributes, recorded time.Time) {
	out.ID, out.Source, out.Type, out.Subject = a.ID, a.Source, string(a.Type), a.Subject
	out.SchemaVersion, out.DataSchema, out.Extensions, out.Test = a.SchemaVersion, a.DataSchema, a.Extensions, a.Test != nil
	out.OccurredAt = stamp(a.OccurredAt)
	if a.OccurredAt.IsZero() {
		out.OccurredAt = stamp(recorded)
	}
}

// splice writes an object with one more member, whose value is taken as it is. No name: no member.
func splice(b []byte, object any, name string, raw []byte) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(object); err != nil {
		return nil, fmt.Errorf("write %T: %w", object, err)
	}
	text := bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))
	if name == "" {
		return append(b, text...), nil
	}
	b = append(b, text[:len(text)-1]...)
	b = appendText(append(b, ','), name)
	return append(append(append(b, ':'), raw...), '}'), nil
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

type getRoutingIn struct {
	EventPath
	AsOfQuery
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
	n, err := c.one(ctx, AsOfQuery{WaitQuery: in.WaitQuery}, func(r projections.Reader, _ projections.AsOf) error {
		row, err := r.EventBySequence(ctx, domain.Sequence(in.Sequence))
		if err != nil {
			return err
		}
		return c.mayRead(ctx, r, row.ID)
	})
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

// findEvent finds an event that was there at a moment.
func (c *call) findEvent(ctx context.Context, id, source string, in AsOfQuery) (row projections.Event, n domain.Sequence, err error) {
	n, err = c.one(ctx, in, func(r projections.Reader, as projections.AsOf) error {
		if row, err = c.eventNamed(ctx, r, id, source); err != nil {
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

// routingOut is what became of an event.
type routingOut struct {
	EventID       string       `json:"event_id" doc:"The event." example:"order-4711"`
	EventSequence int64        `json:"event_sequence" doc:"Its place in the tenant's log." example:"41"`
	Complete      bool         `json:"complete" doc:"false: the event isn't routed yet." example:"true"`
	Sequence      int64        `json:"sequence,omitempty" doc:"The routing's last entry." example:"42"`
	RoutedAt      stamp        `json:"routed_at,omitzero" doc:"When it was recorded." example:"2026-07-01T12:00:00.125456Z"`
	Deliveries    []routedOut  `json:"deliveries" doc:"Where the event goes."`
	Skipped       []skippedOut `json:"skipped" doc:"Subscriptions whose types matched and that made no delivery all the same."`
}

type routedOut struct {
	ID              domain.UUID `json:"id" format:"uuid" doc:"The delivery." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d6e"`
	EndpointID      domain.UUID `json:"endpoint_id" format:"uuid" doc:"The endpoint." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	EndpointVersion int         `json:"endpoint_version" doc:"The endpoint's version then." example:"3"`
	Subscriptions   []matchOut  `json:"subscriptions" doc:"The subscriptions that matched."`
}

type matchOut struct {
	ID      domain.UUID `json:"id" format:"uuid" doc:"The subscription." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d71"`
	Version int         `json:"version" doc:"Its version then." example:"1"`
}

type skippedOut struct {
	SubscriptionID domain.UUID       `json:"subscription_id" format:"uuid" doc:"The subscription." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d71"`
	Version        int               `json:"version" doc:"Its version then." example:"1"`
	EndpointID     domain.UUID       `json:"endpoint_id" format:"uuid" doc:"Its endpoint." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	Reason         domain.SkipReason `json:"reason" doc:"Why it made no delivery; more reasons may come." example:"subscription_paused"`
}

// getRouting reads the routing's entries: they say it all, and say it as of when it was decided.
func getRouting(ctx context.Context, c *call, in *getRoutingIn) (*oneOut[routingOut], error) {
	row, reflected, err := c.findEvent(ctx, in.ID, in.Source, in.AsOfQuery)
	if err != nil {
		return nil, err
	}
	if c.key.Role == domain.RoleProducer {
		if _, err := c.exactEvent(ctx, row.Created.Sequence, 0); err != nil {
			return nil, err
		}
	}
	out := routingOut{
		EventID: c.eventName(row.ID, row.Attrs), EventSequence: int64(row.Created.Sequence), Deliveries: []routedOut{}, Skipped: []skippedOut{},
	}
	from := row.Created.Sequence
	query := domain.Query{
		Tenant: c.tenant, From: &from, Stream: domain.Stream{Kind: domain.StreamEvent, ID: row.ID}, Kind: domain.KindEventRouted, Limit: 100,
	}
	if in.AsOf.Set || in.AsOfSequence.Set {
		to := reflected + 1
		query.To = &to
	}
	for {
		entries, err := c.Log.Select(ctx, query)
		if err != nil {
			return nil, err
		}
		for i := range entries {
			if err := out.add(&entries[i]); err != nil {
				return nil, err
			}
			from = entries[i].Sequence + 1
		}
		if len(entries) < 100 {
			return &oneOut[routingOut]{Sequence: sequenceText(max(from-1, reflected)), Body: out}, nil
		}
	}
}

func (out *routingOut) add(e *domain.Entry) error {
	fact, ok := e.Fact.(*domain.EventRouted)
	if !ok {
		return unreadable(*e)
	}
	for _, d := range fact.Deliveries {
		routed := routedOut{ID: d.ID, EndpointID: d.Endpoint, EndpointVersion: d.EndpointVersion, Subscriptions: []matchOut{}}
		for _, s := range d.Subscriptions {
			routed.Subscriptions = append(routed.Subscriptions, matchOut{s.ID, s.Version})
		}
		out.Deliveries = append(out.Deliveries, routed)
	}
	for _, s := range fact.Skipped {
		out.Skipped = append(out.Skipped, skippedOut{s.Subscription, s.Version, s.Endpoint, s.Reason})
	}
	out.Complete, out.Sequence, out.RoutedAt = fact.Complete, int64(e.Sequence), stamp(e.RecordedAt)
	return nil
}

// eventName is what other things call an event: the producer's id where that is unique without its source.
func (c *call) eventName(id domain.UUID, a domain.EventAttributes) string {
	if a.ID == "" || a.Source != defaultSource(c.tenant) {
		return id.String()
	}
	return a.ID
}
