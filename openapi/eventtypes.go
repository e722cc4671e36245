package openapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// EventTypeOut is an event type as the API shows it, embedded in the answer to a change. Schema and examples are
// spliced in as they were sent.
type EventTypeOut struct {
	Name            string            `json:"name" doc:"As events name it." example:"offer.issued"`
	Description     string            `json:"description,omitempty" doc:"For people." example:"An offer went out to a customer."`
	Version         string            `json:"version" doc:"What the schema is called: the schema_version of events that name none." example:"v1"`
	Deprecated      string            `json:"deprecated,omitempty" doc:"Why the type shouldn't be used any more, and what should." example:"Use offer.sent."`
	Revision        int               `json:"revision,omitempty" doc:"Counts the definition's changes, from 1; its ETag." example:"1"`
	CreatedAt       rest.Stamp        `json:"created_at,omitzero" doc:"When the type was registered." example:"2026-07-01T12:00:00.123456Z"`
	CreatedSequence int64             `json:"created_sequence,omitempty" doc:"The entry that registered it." example:"12"`
	UpdatedAt       rest.Stamp        `json:"updated_at,omitzero" doc:"When it was changed last." example:"2026-07-01T12:00:00.123456Z"`
	UpdatedSequence int64             `json:"updated_sequence,omitempty" doc:"The entry that changed it last." example:"12"`
	Schema          json.RawMessage   `json:"schema,omitempty" doc:"JSON Schema 2020-12 of the events' data, byte for byte as it was sent; absent: any data." example:"{\"type\":\"object\",\"required\":[\"amount\"]}"`
	Examples        []json.RawMessage `json:"examples,omitempty" doc:"Data that conforms to the schema, byte for byte as it was sent." example:"[{\"amount\":12.50}]"`
}

func describeType(c domain.EventTypeConfig) EventTypeOut {
	return EventTypeOut{
		Name: string(c.Name), Description: c.Description, Version: c.SchemaVersion,
		Deprecated: c.Deprecated,
	}
}

// showType appends a definition.
func showType(b []byte, t *projections.EventType) ([]byte, error) {
	out := describeType(t.EventTypeConfig)
	out.stamp(t)
	return rest.Splice(b, out, exactMembers(t.EventTypeConfig)...)
}

func (out *EventTypeOut) stamp(t *projections.EventType) {
	out.Revision = t.Version
	out.CreatedAt, out.CreatedSequence = rest.Stamp(t.Created.RecordedAt), int64(t.Created.Sequence)
	out.UpdatedAt, out.UpdatedSequence = rest.Stamp(t.Updated.RecordedAt), int64(t.Updated.Sequence)
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
	rest.TenantPath
	Name string `path:"name" maxLength:"255" pattern:"^[A-Za-z0-9_.-]+$" doc:"The type as events name it." example:"offer.issued"`
}

// typePath is where an event type is.
func typePath(tenant domain.TenantID, name domain.EventType) string {
	return "/v1/tenants/" + string(tenant) + "/event-types/" + string(name)
}

type getEventTypeIn struct {
	EventTypePath
	rest.AsOfQuery
}

// eventTypeAnswer is a definition, written by hand.
type eventTypeAnswer struct {
	Status      int
	ContentType string `header:"Content-Type"`
	Sequence    string `header:"Hooktrail-Sequence" doc:"The sequence of the tenant's log that the answer reflects." example:"41"`
	ETag        string `header:"ETag" doc:"The definition's revision, for If-Match." example:"\"3\""`
	Body        []byte
}

// getEventType shows a definition as of a moment.
func getEventType(ctx context.Context, c *call, in *getEventTypeIn) (*eventTypeAnswer, error) {
	var row projections.EventType
	n, err := rest.View(ctx, c.Request, rest.Moment{AsOfQuery: in.AsOfQuery, Fresh: true},
		func(r projections.Reader, as projections.AsOf) (err error) {
			row, err = visibleType(ctx, c, r, domain.EventType(in.Name), as)
			return err
		})
	if err != nil {
		return nil, err
	}
	out := &eventTypeAnswer{
		Status: http.StatusOK, ContentType: rest.JSON, Sequence: rest.SequenceText(n),
		ETag: rest.ETag(row.Version),
	}
	out.Body, err = showType(nil, &row)
	return out, err
}

type listEventTypesIn struct {
	rest.TenantPath
	rest.ListQuery
	rest.AsOfQuery
}

// listEventTypes lists definitions in the order of their registration. Pages are bounded by bytes too: schemas are
// large.
func listEventTypes(ctx context.Context, c *call, in *listEventTypesIn) (*rest.Exact, error) {
	l, err := rest.NewWalk(c.Request, in.ListQuery, in.AsOf.Value, in.AsOfSequence)
	if err != nil {
		return nil, err
	}
	var rows []projections.EventType
	n, err := rest.View(ctx, c.Request, rest.Moment{AsOfQuery: in.AsOfQuery, Fresh: true, Pinned: l.Pinned()},
		func(r projections.Reader, as projections.AsOf) (err error) {
			rows, err = visibleTypes(ctx, c, r, l.Rows(), as)
			return err
		})
	if err != nil {
		return nil, err
	}
	return rest.RowsPage(l, n, rows,
		func(t *projections.EventType) []byte { return rest.PlaceAt(t.Created.Sequence) }, showType)
}

// visibleType finds an event type that the key may see.
func visibleType(
	ctx context.Context, c *call, r projections.Reader, name domain.EventType, as projections.AsOf,
) (projections.EventType, error) {
	row, err := r.EventType(ctx, name, as)
	if err != nil || !isOutsider(c) {
		return row, err
	}
	types, err := concernedTypes(ctx, c, r)
	if err == nil && !types.Matches(row.Name) {
		return projections.EventType{}, domain.ErrNotFound
	}
	return row, err
}

// visibleTypes goes through the event types until it has a page of those that the key may see.
func visibleTypes(
	ctx context.Context, c *call, r projections.Reader, page projections.Page, as projections.AsOf,
) ([]projections.EventType, error) {
	if !isOutsider(c) {
		return r.EventTypes(ctx, page, as)
	}
	types, err := concernedTypes(ctx, c, r)
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

// isOutsider reports whether the key's holder isn't part of the tenant, so that it must not see every schema and
// example.
func isOutsider(c *call) bool {
	return c.Key.Role == domain.RoleReceiver || c.Key.Role == domain.RoleRegistrant
}

// concernedTypes are the types that concern a receiver or registrant: those of the registration, and those that the
// endpoint's subscriptions choose.
func concernedTypes(ctx context.Context, c *call, r projections.Reader) (types domain.SubscriptionConfig, err error) {
	if b := c.Key.Registration; b != nil {
		types.EventTypes = append(types.EventTypes, b.EventTypes...)
	}
	if c.Key.Role == domain.RoleRegistrant {
		return types, nil
	}
	page := projections.Page{Limit: 1000}
	for {
		rows, err := r.Subscriptions(ctx, c.Receiver(), page, projections.AsOf{})
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
