package openapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// EventTypeOut is an event type as the API shows it, embedded in the answer to a change. Schema and examples are spliced in as they were sent.
type EventTypeOut struct {
	Name            string            `json:"name" doc:"As events name it." example:"offer.issued"`
	Description     string            `json:"description,omitempty" doc:"For people." example:"An offer went out to a customer."`
	Version         string            `json:"version" doc:"What the schema is called: the schema_version of events that name none." example:"v1"`
	Deprecated      string            `json:"deprecated,omitempty" doc:"Why the type shouldn't be used any more, and what should." example:"Use offer.sent."`
	Revision        int               `json:"revision,omitempty" doc:"Counts the definition's changes, from 1; its ETag." example:"1"`
	CreatedAt       stamp             `json:"created_at,omitzero" doc:"When the type was registered." example:"2026-07-01T12:00:00.123456Z"`
	CreatedSequence int64             `json:"created_sequence,omitempty" doc:"The entry that registered it." example:"12"`
	UpdatedAt       stamp             `json:"updated_at,omitzero" doc:"When it was changed last." example:"2026-07-01T12:00:00.123456Z"`
	UpdatedSequence int64             `json:"updated_sequence,omitempty" doc:"The entry that changed it last." example:"12"`
	Schema          json.RawMessage   `json:"schema,omitempty" doc:"JSON Schema 2020-12 of the events' data, byte for byte as it was sent; absent: any data." example:"{\"type\":\"object\",\"required\":[\"amount\"]}"`
	Examples        []json.RawMessage `json:"examples,omitempty" doc:"Data that conforms to the schema, byte for byte as it was sent." example:"[{\"amount\":12.50}]"`
}

func describeType(c domain.EventTypeConfig) EventTypeOut {
	return EventTypeOut{Name: string(c.Name), Description: c.Description, Version: c.SchemaVersion, Deprecated: c.Deprecated}
}

func showType(b []byte, t *projections.EventType) ([]byte, error) {
	out := describeType(t.EventTypeConfig)
	out.stamp(t)
	return splice(b, out, exactMembers(t.EventTypeConfig)...)
}

func (out *EventTypeOut) stamp(t *projections.EventType) {
	out.Revision = t.Version
	out.CreatedAt, out.CreatedSequence = stamp(t.Created.RecordedAt), int64(t.Created.Sequence)
	out.UpdatedAt, out.UpdatedSequence = stamp(t.Updated.RecordedAt), int64(t.Updated.Sequence)
}

// exactMembers are the members of a definition that come out as they went in.
func exactMembers(c domain.EventTypeConfig) []domain.Member {
	var members []domain.Member
	if c.Schema != "" {
		members = append(members, domain.Member{Name: "schema", Raw: []byte(c.Schema)})
	}
	if len(c.Examples) == 0 {
		return members
	}
	var list bytes.Buffer
	for i, example := range c.Examples {
		list.WriteByte("[,"[min(i, 1)])
		list.WriteString(example)
	}
	list.WriteByte(']')
	return append(members, domain.Member{Name: "examples", Raw: list.Bytes()})
}

// EventTypePath names an event type.
type EventTypePath struct {
	TenantPath
	Name string `path:"name" maxLength:"255" pattern:"^[A-Za-z0-9_.-]+$" doc:"The type as events name it." example:"offer.issued"`
}

// typePath is where an event type is.
func typePath(tenant domain.TenantID, name domain.EventType) string {
	return "/v1/tenants/" + string(tenant) + "/event-types/" + string(name)
}

type getEventTypeIn struct {
	EventTypePath
	AsOfQuery
}

// eventTypeAnswer is a definition, written by hand.
type eventTypeAnswer struct {
	Status      int
	ContentType string `header:"Content-Type"`
	Sequence    string `header:"Hooktrail-Sequence" doc:"The sequence of the tenant's log that the answer reflects." example:"41"`
	ETag        string `header:"ETag" doc:"The definition's revision, for If-Match." example:"\"3\""`
	Body        []byte
}

func getEventType(ctx context.Context, c *call, in *getEventTypeIn) (*eventTypeAnswer, error) {
	m, err := c.moment(ctx, in.AsOfQuery, fresh, nil)
	if err != nil {
		return nil, err
	}
	var row projections.EventType
	n, err := c.view(ctx, m, func(r projections.Reader, as projections.AsOf) (err error) {
		row, err = c.openType(ctx, r, domain.EventType(in.Name), as)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &eventTypeAnswer{Status: http.StatusOK, ContentType: typeJSON, Sequence: sequenceText(n), ETag: etag(row.Version)}
	out.Body, err = showType(nil, &row)
	return out, err
}

type listEventTypesIn struct {
	TenantPath
	ListQuery
	AsOfQuery
}

func listEventTypes(ctx context.Context, c *call, in *listEventTypesIn) (*exactOut, error) {
	l, err := c.list(in.ListQuery, in.AsOf.Value, in.AsOfSequence)
	if err != nil {
		return nil, err
	}
	m, err := c.moment(ctx, in.AsOfQuery, fresh, l.pinned())
	if err != nil {
		return nil, err
	}
	var rows []projections.EventType
	n, err := c.view(ctx, m, func(r projections.Reader, as projections.AsOf) (err error) {
		rows, err = c.openTypes(ctx, r, l.page(), as)
		return err
	})
	if err != nil {
		return nil, err
	}
	return exactPage(l, n, rows, func(t *projections.EventType) []byte { return bySequence(t.Created.Sequence) }, showType)
}

// openType finds an event type that the key may see.
func (c *call) openType(ctx context.Context, r projections.Reader, name domain.EventType, as projections.AsOf) (projections.EventType, error) {
	row, err := r.EventType(ctx, name, as)
	if err != nil || !c.outside() {
		return row, err
	}
	types, err := c.concerned(ctx, r)
	if err == nil && !types.Matches(row.Name) {
		return projections.EventType{}, domain.ErrNotFound
	}
	return row, err
}

// openTypes goes through the event types until it has a page of those that the key may see.
func (c *call) openTypes(ctx context.Context, r projections.Reader, page projections.Page, as projections.AsOf) ([]projections.EventType, error) {
	if !c.outside() {
		return r.EventTypes(ctx, page, as)
	}
	types, err := c.concerned(ctx, r)
	if err != nil {
		return nil, err
	}
	var found []projections.EventType
	for scan := page; ; {
		rows, err := r.EventTypes(ctx, scan, as)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if types.Matches(row.Name) && len(found) < page.Limit {
				found = append(found, row)
			}
		}
		if len(found) == page.Limit || len(rows) < scan.Limit {
			return found, nil
		}
		scan.After = &rows[len(rows)-1].Created.Sequence
	}
}

// outside says whether the key is of somebody whom not every schema and example of the tenant concerns.
func (c *call) outside() bool {
	return c.key.Role == domain.RoleReceiver || c.key.Role == domain.RoleRegistrant
}

// concerned are the types that a receiver or registrant has to do with: those of the registration, and those that the
// endpoint's subscriptions choose.
func (c *call) concerned(ctx context.Context, r projections.Reader) (types domain.SubscriptionConfig, err error) {
	if b := c.key.Registration; b != nil {
		types.EventTypes = append(types.EventTypes, b.EventTypes...)
	}
	if c.key.Role == domain.RoleRegistrant {
		return types, nil
	}
	page := projections.Page{Limit: 1000}
	for {
		rows, err := r.Subscriptions(ctx, c.receiver(), page, projections.AsOf{})
		if err != nil {
			return types, err
		}
		for _, s := range rows {
			types.EventTypes = append(types.EventTypes, s.EventTypes...)
		}
		if len(rows) < page.Limit {
			return types, nil
		}
		page.After = &rows[len(rows)-1].Created.Sequence
	}
}

// exactPage makes a page that is written by hand from at most limit+1 rows: fewer where they are large.
func exactPage[R any](
	l *list, reflected domain.Sequence, rows []R, place func(*R) []byte, show func([]byte, *R) ([]byte, error),
) (out *exactOut, err error) {
	out = &exactOut{ContentType: typeJSON, Sequence: sequenceText(reflected), Body: []byte(`{"items":[`)}
	next := []byte("null")
	for i := range rows {
		if i == l.Limit || len(out.Body) > maxPageBytes {
			cursor, link := l.next(reflected, place(&rows[i-1]))
			out.Link, next = link, appendText(nil, *cursor)
			break
		}
		if i > 0 {
			out.Body = append(out.Body, ',')
		}
		if out.Body, err = show(out.Body, &rows[i]); err != nil {
			return nil, err
		}
	}
	out.Body = append(append(append(out.Body, `],"next":`...), next...), '}')
	return out, nil
}

// documentEventType documents a definition as it comes in.
func documentEventType(op *huma.Operation) {
	byHand(op)
	example := json.RawMessage(`{"description":"An offer went out to a customer.","version":"v1","schema":{"type":"object","properties":{"amount":{"type":"number"}},"required":["amount"]},"examples":[{"amount":12.50}]}`)
	op.Metadata[documentedKey] = handwritten{
		bodies:  map[string]documented{typeJSON: {schema: schemaOf[eventTypeIn], example: example}},
		answers: map[string]documented{typeJSON: {schema: schemaOf[putEventTypeOut]}}, status: []string{"200", "201"},
	}
}
