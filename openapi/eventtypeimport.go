package openapi

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// catalogueIn documents a catalogue of event types.
type catalogueIn struct {
	EventTypes []catalogueTypeIn `json:"event_types" maxItems:"1000" doc:"A type may be listed in several versions, the older ones first."`
}

type catalogueTypeIn struct {
	Name        string `json:"name" minLength:"1" maxLength:"255" doc:"As events name it." example:"offer.issued"`
	Version     string `json:"version" minLength:"1" maxLength:"64" doc:"What the schema is called." example:"v1"`
	Schema      any    `json:"schema" doc:"JSON Schema 2020-12 of the events' data, kept byte for byte." example:"{\"type\":\"object\"}"`
	Description string `json:"description,omitempty" maxLength:"4096" doc:"For people." example:"An offer went out to a customer."`
	Examples    []any  `json:"examples,omitempty" maxItems:"20" doc:"Data that conforms to the schema, kept byte for byte." example:"[{\"amount\":12.50}]"`
	Deprecated  string `json:"deprecated,omitempty" maxLength:"4096" doc:"Why the type shouldn't be used any more, and what should." example:"Use offer.sent."`
}

// importOut says what became of a catalogue's types, by name and in its order.
type importOut struct {
	Created   []string `json:"created" doc:"Types that are new." example:"[\"offer.issued\"]"`
	Changed   []string `json:"changed" doc:"Types whose definition is another now." example:"[\"offer.sent\"]"`
	Unchanged []string `json:"unchanged" doc:"Types that were so already." example:"[\"offer.withdrawn\"]"`
}

type importAnswer struct {
	Sequence string `header:"Hooktrail-Sequence" doc:"The sequence of the last entry that was appended, or of the log's end." example:"41"`
	Replayed string `header:"Idempotency-Replayed" doc:"true: this is the answer of an earlier request with the same Idempotency-Key." example:"true"`
	Body     importOut
}

type importTypesIn struct {
	rest.TenantPath
	rest.PostHeader
	rest.ReasonQuery
}

func documentCatalogue(op *huma.Operation) {
	rest.ByHand(op)
	rest.Handwritten{Bodies: map[string]rest.Media{rest.JSON: {Schema: rest.SchemaOf[catalogueIn]}}}.SetOn(op)
}

// importTypes registers all types of a catalogue, or none. Types that are defined like that already stay as they are.
func importTypes(ctx context.Context, c *call, in *importTypesIn) (*importAnswer, error) {
	if err := rest.CheckReason("query.reason", in.Reason); err != nil {
		return nil, err
	}
	if _, err := domain.SplitObject(c.Body); err != nil {
		return nil, rest.Ambiguous("body", err)
	}
	types, found, err := c.Schemas.Catalogue(ctx, c.Tenant, c.Body)
	if err != nil {
		return nil, err
	}
	if len(found) > 0 {
		return nil, rest.Refuse(http.StatusUnprocessableEntity, "invalid_catalogue",
			"The document isn't a catalogue of event types. Nothing was appended.",
			rest.FaultsAt("body", found)...)
	}
	return rest.Once(ctx, c.Request, rest.Post[importAnswer]{
		Decide: func(ctx context.Context) (domain.Group, error) { return decideImport(ctx, c, types, in.Reason) },
		Idle: func(ctx context.Context) (*importAnswer, error) {
			n, err := rest.Head(ctx, c.Request, c.Tenant)
			return &importAnswer{Sequence: rest.SequenceText(n), Body: imported(types, nil)}, err
		},
		Answer: func(ctx context.Context, entries []domain.Entry, replayed bool) (*importAnswer, error) {
			last := entries[len(entries)-1]
			out := &importAnswer{Sequence: rest.SequenceText(last.Sequence), Body: imported(types, entries)}
			if replayed {
				out.Replayed = "true"
			}
			return out, c.Await(ctx, last.Position)
		},
	})
}

// decideImport decides on a catalogue's types one after the other, each on what those before it make of it.
func decideImport(
	ctx context.Context, c *call, types []domain.EventTypeConfig, reason string,
) (group domain.Group, err error) {
	if err := c.CatchUp(ctx); err != nil {
		return group, err
	}
	made := make(map[domain.EventType]projections.EventType)
	var broken []rest.Fault
	for i, config := range types {
		if isSuperseded(c, config, types[i+1:]) {
			continue
		}
		row, ok := made[config.Name]
		if !ok {
			row, _ = c.Directory.EventType(c.Tenant, config.Name)
		}
		path := "body/event_types/" + strconv.Itoa(i) + "/"
		d, err := decideType(c, row, config, path)
		switch {
		case err != nil:
			return group, err
		case d.outcome == outcomeUnchanged:
			continue
		case d.outcome == outcomeRefused:
			broken = append(broken, rest.FaultsAt(path+"schema", d.changes)...)
			continue
		}
		d.add(c, &group, reason)
		d.row.EventTypeConfig, d.row.Version = config, d.row.Version+1
		made[config.Name] = d.row
	}
	if len(broken) > 0 {
		return group, incompatible(broken)
	}
	return group, withinLimits(ctx, c, group)
}

// isSuperseded reports whether a version is registered already and the catalogue has a later one of the same type.
func isSuperseded(c *call, config domain.EventTypeConfig, later []domain.EventTypeConfig) bool {
	schema, known := c.Directory.Schema(c.Tenant, config.Name, config.SchemaVersion)
	return known && schema == config.Schema &&
		slices.ContainsFunc(later, func(l domain.EventTypeConfig) bool { return l.Name == config.Name })
}

// imported sorts a catalogue's types by what the entries made of them.
func imported(types []domain.EventTypeConfig, entries []domain.Entry) importOut {
	became := make(map[domain.EventType]domain.Kind)
	for _, e := range entries {
		switch fact := e.Fact.(type) {
		case *domain.EventTypeRegistered:
			became[fact.EventType.Name] = e.Kind
		case *domain.EventTypeUpdated:
			if became[fact.EventType.Name] == "" {
				became[fact.EventType.Name] = e.Kind
			}
		}
	}
	out := importOut{Created: []string{}, Changed: []string{}, Unchanged: []string{}}
	seen := make(map[domain.EventType]bool)
	for _, t := range types {
		list := &out.Unchanged
		switch became[t.Name] {
		case domain.KindEventTypeRegistered:
			list = &out.Created
		case domain.KindEventTypeUpdated:
			list = &out.Changed
		}
		if !seen[t.Name] {
			*list = append(*list, string(t.Name))
		}
		seen[t.Name] = true
	}
	return out
}
