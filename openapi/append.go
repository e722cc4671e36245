package openapi

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/ingest"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
)

// receiptAnswer is a receipt or a list of them, written out.
type receiptAnswer struct {
	Status      int
	ContentType string `header:"Content-Type"`
	Sequence    string `header:"Hooktrail-Sequence" doc:"The sequence of the newest event in the answer." example:"41"`
	Location    string `header:"Location" doc:"Where the event is." example:"/v1/tenants/acme/events/by-sequence/41"`
	Deprecation string `header:"Deprecation" doc:"Since when a type among the events is deprecated (RFC 9745); Link names the types. It isn't part of the receipt, which stays as it was." example:"@1767225600"`
	Link        string `header:"Link" doc:"Where the deprecated types are described." example:"</v1/tenants/acme/event-types/offer.issued>; rel=\"deprecation\""`
	Replayed    string `header:"Idempotency-Replayed" doc:"true: this is the answer of an earlier request with the same Idempotency-Key." example:"true"`
	Body        []byte
}

// receiptOut is the answer to an event. Only the document uses the type: receipts are written by hand.
type receiptOut struct {
	ID         string     `json:"id" doc:"The producer's id or, without one, the event's own." example:"order-4711"`
	Type       string     `json:"type" doc:"As sent." example:"offer.issued"`
	Sequence   int64      `json:"sequence" doc:"The event's place in the tenant's log, and its leaf's index in the tenant's Merkle tree." example:"41"`
	RecordedAt rest.Stamp `json:"recorded_at" doc:"When it was recorded: the database's clock." example:"2026-07-01T12:00:00.123456Z"`
	Warnings   []string   `json:"warnings,omitempty" doc:"How the event breaks the schema of its type, where the tenant has it accepted nevertheless: places and rules. The event's entry has it too." example:"data/amount: must be a number"`
	LeafHash   string     `json:"leaf_hash" doc:"The leaf's RFC 6962 hash, in standard base64 as in C2SP checkpoints." example:"cTOUDeMlPgClsHbaWuiOa3M0PbcTF6PvLiuZtmTwTVg="`
}

// eventIn documents an event in the product's own form.
type eventIn struct {
	ID            string               `json:"id,omitempty" minLength:"1" maxLength:"256" pattern:"^[!-~]+$" doc:"The producer's own, unique with the source; made by the server by default." example:"order-4711"`
	Source        string               `json:"source,omitempty" maxLength:"1024" doc:"/tenants/{tenant} by default." example:"/billing"`
	Type          string               `json:"type" minLength:"1" maxLength:"255" doc:"Segments of letters, digits, _ and -, with dots between." example:"offer.issued"`
	Subject       string               `json:"subject,omitempty" maxLength:"1024" doc:"The person that the event is about, who can be erased with all their data." example:"customer-17"`
	OccurredAt    rest.Stamp           `json:"occurred_at,omitzero" doc:"When it happened; when it is recorded by default." example:"2026-07-01T12:00:00Z"`
	SchemaVersion string               `json:"schema_version,omitempty" maxLength:"1024" doc:"The version of the type's schema; v1 by default." example:"v1"`
	DataSchema    string               `json:"dataschema,omitempty" maxLength:"1024" doc:"Where the schema is." example:"https://schemas.example/offer/1"`
	Extensions    map[string]extension `json:"extensions,omitempty" doc:"CloudEvents extension attributes: texts, Booleans and integers." example:"{\"partner\":\"north\"}"`
	Data          json.RawMessage      `json:"data" doc:"Any JSON value, kept byte for byte: at most 256 KiB unless the server is configured otherwise, no duplicate member names." example:"{\"amount\":12.50}"`
}

// extension is the value of a CloudEvents extension attribute.
type extension struct{ domain.Extension }

// Schema implements huma.SchemaProvider.
func (extension) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{
		{Type: huma.TypeString}, {Type: huma.TypeBoolean}, {Type: huma.TypeInteger, Format: "int32"},
	}}
}

// cloudEventIn documents CloudEvents' JSON format. Extension attributes are members like the others.
type cloudEventIn struct {
	_               struct{}        `additionalProperties:"true"`
	SpecVersion     string          `json:"specversion" enum:"1.0" doc:"1.0" example:"1.0"`
	ID              string          `json:"id" minLength:"1" maxLength:"256" doc:"Unique with the source." example:"order-4711"`
	Source          string          `json:"source" minLength:"1" maxLength:"1024" doc:"Where it comes from." example:"/billing"`
	Type            string          `json:"type" minLength:"1" maxLength:"255" doc:"What happened." example:"offer.issued"`
	Subject         string          `json:"subject,omitempty" maxLength:"1024" doc:"Whom the event is about." example:"customer-17"`
	Time            rest.Stamp      `json:"time,omitzero" doc:"When it happened." example:"2026-07-01T12:00:00Z"`
	DataSchema      string          `json:"dataschema,omitempty" maxLength:"1024" doc:"Where the schema is." example:"https://schemas.example/offer/1"`
	DataContentType string          `json:"datacontenttype,omitempty" doc:"application/json, or another media type of JSON; kept." example:"application/json"`
	Data            json.RawMessage `json:"data,omitempty" doc:"Any JSON value, kept byte for byte. An event without data isn't one whose data is null." example:"{\"amount\":12.50}"`
}

// documentEvent documents the forms of an event; no other content types are accepted.
func documentEvent(op *huma.Operation) {
	rest.ByHand(op)
	rest.Accepting(op, ingest.Binary)
	example := json.RawMessage(`{"id":"order-4711","type":"offer.issued","subject":"customer-17",` +
		`"data":{"amount":12.50}}`)
	rest.Handwritten{
		Bodies: map[string]rest.Media{
			ingest.JSON:       {Schema: rest.SchemaOf[eventIn], Example: example},
			ingest.CloudEvent: {Schema: rest.SchemaOf[cloudEventIn]},
		},
		Answers: map[string]rest.Media{rest.JSON: {Schema: rest.SchemaOf[receiptOut]}},
		Status:  []string{"200", "201"},
	}.SetOn(op)
}

type appendEventIn struct {
	rest.TenantPath
	rest.PostHeader
	HopsHeader
}

// appendEvent is the hot path: one event in, one receipt out.
func appendEvent(ctx context.Context, c *call, _ *appendEventIn) (*receiptAnswer, error) {
	hops, err := hopsOf(c.HTTP.Header)
	if err != nil {
		return nil, err
	}
	e, err := ingest.ReadEvent(c.ContentType, c.HTTP.Header, c.Body)
	if err != nil {
		return nil, refused(err)
	}
	e.Attrs.Hops = hops
	rules := c.Directory.Rules(c.Tenant, e.Attrs.Type, e.Attrs.SchemaVersion)
	id := domain.NewUUID()
	err = e.Complete(ingest.Defaults{
		Tenant: c.Tenant, ID: id, SchemaVersion: rules.Version,
		MaxData: c.Limits.DataBytes,
	})
	if err != nil {
		return nil, rest.Within("body", refused(err))
	}
	faults, err := conform(c, &e, &rules, "body")
	if err != nil {
		return nil, err
	}
	if len(faults) > 0 {
		if err := refuseBroken(ctx, c, []brokenEvent{{&e, faults}}); err != nil {
			return nil, err
		}
	}

	group := domain.Group{Drafts: []domain.Draft{e.Draft(c.Tenant, id, c.By())}}
	if c.Repeatable() { // before the other claim, so that a repetition is known as one
		group.Claims = append(group.Claims, c.Claim(c.Tenant, 0, 1))
	}
	if e.Named {
		group.Claims = append(group.Claims, e.Claim(c.Tenant, 0))
	}
	status, replayed := http.StatusCreated, false
	entries, err := domain.AppendOne(ctx, c.Log, group)
	attrs := &e.Attrs
	if taken := new(domain.ClaimedError); errors.As(err, &taken) {
		// The event was appended before: under this Idempotency-Key, or under the producer's id. The receipt is the
		// first one.
		switch {
		case c.Repeatable() && taken.Claim == 0:
			replayed = true
			entries, err = rest.Earlier(ctx, c.Request, c.Tenant, taken)
		default:
			status = http.StatusOK
			entries, err = repeated(ctx, c, &e, taken, "body.id")
		}
		if err == nil {
			attrs, err = appendedEvent(entries, 0)
		}
	}
	if err != nil {
		return nil, err
	}

	n := rest.SequenceText(entries[0].Sequence)
	out := &receiptAnswer{
		Status: status, ContentType: rest.JSON, Sequence: n, Location: c.Path("events", "by-sequence", n),
		Replayed: rest.Replayed(replayed), Body: ingest.AppendReceipt(make([]byte, 0, 256), &entries[0], attrs),
	}
	if !rules.Deprecated.IsZero() {
		out.deprecate(c.Tenant, map[domain.EventType]time.Time{e.Attrs.Type: rules.Deprecated})
	}
	return out, nil
}

// repeated returns the entry of an event that was appended before under the same name, if it is the same event. A producer
// to whose principal the first one doesn't belong is told the same whatever its own holds: it mustn't learn by guessing
// what another's does.
func repeated(
	ctx context.Context, c *call, e *ingest.Event, taken *domain.ClaimedError, location string,
) ([]domain.Entry, error) {
	to := taken.Sequence + 1
	entries, err := domain.Select(ctx, c.Log, domain.Query{Tenant: c.Tenant, From: &taken.Sequence, To: &to, Limit: 1})
	switch {
	case err != nil:
		return nil, err
	case len(entries) == 0:
		return nil, errors.New("a claim names entries that the log doesn't have")
	case !owns(c, &entries[0]):
		return nil, idConflict(location)
	case taken.Erased:
		return nil, rest.Erased()
	case taken.Same:
		return entries, nil
	}
	found, err := c.Claims.Claimed(ctx, e.Repeats(c.Tenant, &entries[0]))
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(found, func(f *domain.ClaimedError) bool { return f != nil && f.Same }) {
		return nil, idConflict(location)
	}
	return entries, nil
}

// deprecate tells which types of the answer's events are deprecated, since when the first of them is, and where to read
// more.
func (a *receiptAnswer) deprecate(tenant domain.TenantID, since map[domain.EventType]time.Time) {
	var first time.Time
	var links []string
	for _, name := range slices.Sorted(maps.Keys(since)) {
		if t := since[name]; first.IsZero() || t.Before(first) {
			first = t
		}
		links = append(links, "<"+typePath(tenant, name)+`>; rel="deprecation"`)
	}
	if len(links) > 0 {
		a.Deprecation, a.Link = "@"+strconv.FormatInt(first.Unix(), 10), strings.Join(links, ", ")
	}
}

// idConflict refuses an event whose name another event has.
func idConflict(location string) *rest.Problem {
	return rest.Refuse(http.StatusConflict, "event_id_conflict",
		"An event with this id and source and with other members, or by another producer, was appended before. Nothing "+
			"was appended.",
		rest.NewFault(location, "is unique with its source"))
}

// appendedEvent returns the attributes of the n-th entry, which a claim says is an event.
func appendedEvent(entries []domain.Entry, n int) (*domain.EventAttributes, error) {
	if n >= len(entries) {
		return nil, errors.New("a claim names entries that the log doesn't have")
	}
	fact, ok := entries[n].Fact.(*domain.EventAppended)
	if !ok || entries[n].Erased {
		return nil, rest.Unreadable(entries[n])
	}
	return &fact.Event, nil
}

// refused turns what ingest refuses into a problem; other errors come back as they are.
func refused(err error) error {
	var wrong *ingest.Error
	if !errors.As(err, &wrong) {
		return err
	}
	fault := rest.NewFault(wrong.Location, wrong.Text)
	text := wrong.Error()
	switch wrong.Code {
	case ingest.Malformed:
		return rest.Refuse(http.StatusBadRequest, "malformed_body", text, fault)
	case ingest.Ambiguous:
		return rest.Refuse(http.StatusUnprocessableEntity, "ambiguous_json", text, fault)
	case ingest.NotJSON:
		return rest.Refuse(http.StatusUnsupportedMediaType, "unsupported_media_type", "An event's data is JSON.", fault)
	case ingest.TooLarge:
		return rest.Refuse(http.StatusRequestEntityTooLarge, "event_data_too_large",
			"An event's data is larger than the server accepts.", fault)
	case ingest.TooMany:
		return rest.Refuse(http.StatusRequestEntityTooLarge, "batch_too_large", text, fault)
	case ingest.Reused:
		return idConflict(wrong.Location)
	}
	return rest.Invalid(wrong.Location, wrong.Text)
}
