package openapi

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/ingest"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// The outcomes of putting a definition. More may be added.
const (
	outcomeCreated   = "created"
	outcomeChanged   = "changed"
	outcomeUnchanged = "unchanged"
	outcomeRefused   = "refused" // of a dry run only
)

// eventTypeIn documents a definition as it comes in.
type eventTypeIn struct {
	Description string            `json:"description,omitempty" maxLength:"4096" doc:"For people." example:"An offer went out to a customer."`
	Version     string            `json:"version,omitempty" maxLength:"64" doc:"What the schema is called; by default as it was, v1 at first. A schema that breaks receivers needs a new one; earlier ones go on holding for events that name them." example:"v1"`
	Schema      json.RawMessage   `json:"schema,omitempty" doc:"JSON Schema 2020-12, kept byte for byte, at most 64 KiB; absent: any data. A $ref stays within the document." example:"{\"type\":\"object\",\"required\":[\"amount\"]}"`
	Examples    []json.RawMessage `json:"examples,omitempty" maxItems:"20" doc:"Data that conforms to the schema, kept byte for byte; at most 64 KiB together." example:"[{\"amount\":12.50}]"`
	Deprecated  string            `json:"deprecated,omitempty" maxLength:"4096" doc:"Why the type shouldn't be used any more, and what should; absent: it isn't deprecated." example:"Use offer.sent."`
	rest.ReasonBody
}

// putEventTypeOut documents the answer to a definition.
type putEventTypeOut struct {
	EventTypeOut
	Outcome string      `json:"outcome" doc:"created, changed or unchanged; of a dry run also refused. More may be added." example:"changed"`
	Changes []changeOut `json:"changes" doc:"What breaks for those who read events by the schema before: that of the same version or, for a new version, that of the newest."`
}

// changeOut is one rule of a schema that a newer one doesn't keep.
type changeOut struct {
	Pointer string `json:"pointer" doc:"The rule's place in the earlier schema (RFC 6901)." example:"/properties/amount/type"`
	Message string `json:"message" doc:"What breaks." example:"is widened: the new schema also allows string"`
}

// documentEventType documents a definition as it comes in.
func documentEventType(op *huma.Operation) {
	rest.ByHand(op)
	example := json.RawMessage(`{"description":"An offer went out to a customer.","version":"v1",` +
		`"schema":{"type":"object","properties":{"amount":{"type":"number"}},"required":["amount"]},` +
		`"examples":[{"amount":12.50}]}`)
	rest.Handwritten{
		Bodies:  map[string]rest.Media{rest.JSON: {Schema: rest.SchemaOf[eventTypeIn], Example: example}},
		Answers: map[string]rest.Media{rest.JSON: {Schema: rest.SchemaOf[putEventTypeOut]}},
		Status:  []string{"200", "201"},
	}.SetOn(op)
}

type putEventTypeIn struct {
	EventTypePath
	rest.MatchHeader
	rest.NoneMatchHeader
	DryRun bool `query:"dry_run" doc:"true: tell what the outcome would be, and append nothing." example:"true"`
}

// typeRequest is a definition as it was sent.
type typeRequest struct {
	config domain.EventTypeConfig // without its name; no version: as it is
	reason string
}

// parseType reads a definition's members. Errors are relative to it.
func parseType(members []domain.Member) (in typeRequest, err error) {
	for _, m := range members {
		if string(m.Raw) == "null" {
			continue // as if it were absent
		}
		switch m.Name {
		case "description":
			in.config.Description, err = ingest.Text(m)
		case "version":
			in.config.SchemaVersion, err = ingest.Text(m)
		case "schema":
			in.config.Schema = string(m.Raw)
		case "examples":
			in.config.Examples, err = rawList(m)
		case "deprecated":
			in.config.Deprecated, err = ingest.Text(m)
		case "reason":
			in.reason, err = ingest.Text(m)
		default:
			err = domain.Invalid(rest.Clip(m.Name), "isn't a member of an event type")
		}
		if err != nil {
			return in, err
		}
	}
	return in, nil
}

// rawList reads an array whose elements are kept as they were sent.
func rawList(m domain.Member) ([]string, error) {
	if m.Raw[0] != '[' {
		return nil, domain.Invalid(m.Name, "must be an array")
	}
	elements, err := domain.SplitArray(m.Raw)
	if err != nil {
		return nil, err
	}
	var list []string // nil for none, as the log gives it back
	for _, e := range elements {
		list = append(list, string(e))
	}
	return list, nil
}

// typeDecision is the outcome of a definition, and what it would break.
type typeDecision struct {
	outcome string
	row     projections.EventType // as it is; of a new one, only the id
	config  domain.EventTypeConfig
	changes []domain.Fault
	fact    domain.Fact // nil where nothing is to be appended
}

// putEventType registers a type, or changes what is said of it.
func putEventType(ctx context.Context, c *call, in *putEventTypeIn) (*eventTypeAnswer, error) {
	name := domain.EventType(in.Name)
	if err := name.Validate("name"); err != nil {
		return nil, rest.Within("path", err)
	}
	members, err := domain.SplitObject(c.Body)
	if err != nil {
		return nil, rest.Ambiguous("body", err)
	}
	wanted, err := parseType(members)
	if err != nil {
		return nil, rest.Within("body", err)
	}
	if err := rest.CheckReason("body.reason", wanted.reason); err != nil {
		return nil, err
	}
	wanted.config.Name = name
	var out *eventTypeAnswer
	err = rest.Decide(ctx, c.Request, func(ctx context.Context) (thing domain.UUID, again bool, err error) {
		if err := c.CatchUp(ctx); err != nil {
			return thing, false, err
		}
		row, _ := c.Directory.EventType(c.Tenant, name)
		d, err := decideType(c, row, wanted.config, "body.")
		if err != nil {
			return thing, false, err
		}
		if err := in.Check(d.row.Version); err != nil {
			return thing, false, err
		}
		if err := in.CheckNone(d.row.Version); err != nil {
			return thing, false, err
		}
		switch {
		case in.DryRun, d.outcome == outcomeUnchanged:
			out, err = typeUnchanged(ctx, c, d)
			return thing, false, err
		case d.outcome == outcomeRefused:
			return thing, false, incompatible(rest.FaultsAt("body.schema", d.changes))
		}
		var group domain.Group
		d.add(c, &group, wanted.reason)
		if err := withinLimits(ctx, c, group); err != nil {
			return thing, false, err
		}
		entries, err := rest.Append(ctx, c.Request, group)
		if err != nil {
			return d.row.ID, rest.Conflicted(err), err
		}
		out, err = typeChanged(ctx, c, d, entries[0])
		return thing, false, err
	})
	return out, err
}

// incompatible refuses a schema that breaks receivers without a new version.
func incompatible(faults []rest.Fault) *rest.Problem {
	return rest.Refuse(http.StatusConflict, "schema_incompatible",
		"The schema breaks those who read events by the one of the same version. Nothing was appended: give it a new "+
			"version.",
		faults[:min(len(faults), rest.MaxFaults)]...)
}

// decideType compares a definition with the newest one; a row without an id means that there is none. path is where the
// definition's members are in the request.
func decideType(
	c *call, row projections.EventType, config domain.EventTypeConfig, path string,
) (d typeDecision, err error) {
	d = typeDecision{outcome: outcomeChanged, row: row, config: config}
	if d.config.SchemaVersion == "" {
		d.config.SchemaVersion = cmp.Or(row.SchemaVersion, ingest.FirstSchemaVersion)
	}
	switch {
	case row.ID.IsZero():
		d.outcome, d.row.ID = outcomeCreated, domain.NewUUID()
		d.fact, err = domain.RegisterEventType(d.config)
	case reflect.DeepEqual(row.EventTypeConfig, d.config):
		d.outcome = outcomeUnchanged
		return d, nil
	default:
		d.fact, err = row.Update(d.config)
	}
	if err != nil {
		return d, rest.Within(path[:len(path)-1], err)
	}
	if err := checkType(c, d.config, path); err != nil || d.outcome == outcomeCreated {
		return d, err
	}
	before, same := c.Directory.Schema(c.Tenant, config.Name, d.config.SchemaVersion)
	if !same {
		before = row.Schema
	}
	if d.changes, err = breaksOf(c, before, d.config.Schema); len(d.changes) > 0 && same {
		d.outcome = outcomeRefused
	}
	return d, err
}

// breaksOf returns what breaks from one schema to the next; no schema allows any data.
func breaksOf(c *call, older, newer string) ([]domain.Fault, error) {
	if older == newer || older == "" {
		return nil, nil
	}
	if newer == "" {
		newer = "true"
	}
	return c.Schemas.Breaks(c.HTTP.Context(), c.Tenant, older, newer)
}

// checkType refuses what isn't a schema, and examples that don't conform to theirs.
func checkType(c *call, config domain.EventTypeConfig, path string) error {
	if config.Schema == "" {
		return nil
	}
	found, err := c.Schemas.Check(c.HTTP.Context(), c.Tenant, config.Schema)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return rest.Refuse(http.StatusUnprocessableEntity, "invalid_schema",
			"The schema isn't a JSON Schema that this server accepts.",
			rest.FaultsAt(path+"schema", found)...)
	}
	var faults []rest.Fault
	for i, example := range config.Examples {
		found, err := validateData(c, config.Schema, []byte(example))
		if err != nil {
			return err
		}
		faults = append(faults, rest.FaultsAt(path+"examples["+strconv.Itoa(i)+"]", found)...)
	}
	if len(faults) > 0 {
		return rest.Refuse(http.StatusUnprocessableEntity, "invalid_example",
			"An example doesn't conform to the schema.",
			faults[:min(len(faults), rest.MaxFaults)]...)
	}
	return nil
}

// add puts what was decided into a group. A new type's name is claimed: two that are registered at once would be two
// streams.
func (d typeDecision) add(c *call, group *domain.Group, reason string) {
	if d.outcome == outcomeCreated {
		group.Claims = append(group.Claims, domain.Claim{
			Tenant: c.Tenant, Scope: "event-type", Key: string(d.config.Name), First: len(group.Drafts), Count: 1,
		})
	}
	group.Drafts = append(group.Drafts, domain.Draft{
		Tenant: c.Tenant, Stream: domain.Stream{Kind: domain.StreamEventType, ID: d.row.ID}, Expected: d.row.Version,
		By: c.By(), Fact: d.fact, Reason: reason,
	})
}

// typeChanged answers once this process checks events by the definition.
func typeChanged(ctx context.Context, c *call, d typeDecision, e domain.Entry) (*eventTypeAnswer, error) {
	if err := c.Await(ctx, e.Position); err != nil {
		return nil, err
	}
	origin := projections.OriginOf(e)
	d.row.EventTypeConfig, d.row.Version, d.row.Updated = d.config, e.StreamVersion, origin
	if d.outcome == outcomeCreated {
		d.row.Created = origin
	}
	status := map[bool]int{true: http.StatusCreated, false: http.StatusOK}[d.outcome == outcomeCreated]
	return d.answer(status, e.Sequence)
}

// typeUnchanged answers what is there already, or would be.
func typeUnchanged(ctx context.Context, c *call, d typeDecision) (*eventTypeAnswer, error) {
	n, err := rest.Head(ctx, c.Request, c.Tenant)
	if err != nil {
		return nil, err
	}
	return d.answer(http.StatusOK, n)
}

func (d typeDecision) answer(status int, n domain.Sequence) (*eventTypeAnswer, error) {
	body := putEventTypeOut{
		EventTypeOut: describeType(d.config), Outcome: d.outcome,
		Changes: make([]changeOut, 0, len(d.changes)),
	}
	for _, change := range d.changes {
		body.Changes = append(body.Changes, changeOut{change.Pointer, change.Text})
	}
	out := &eventTypeAnswer{Status: status, ContentType: rest.JSON, Sequence: rest.SequenceText(n)}
	if d.row.Version > 0 {
		body.stamp(&d.row)
		out.ETag = rest.ETag(d.row.Version)
	}
	var err error
	out.Body, err = rest.Splice(nil, body, exactMembers(d.config)...)
	return out, err
}
