package schema

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
)

//go:embed catalogues/*.json
var embedded embed.FS

// Bounds of a catalogue.
const (
	MaxCatalogueBytes = 4 << 20
	MaxEventTypes     = 1000
	MaxExamples       = 20
	maxProse          = 4096
	// CatalogueSteps is a budget for ParseCatalogue in which the largest catalogue of ordinary schemas fits: those of 80
	// members, three times what a request may take for events. All of it takes some seconds.
	CatalogueSteps = 3 * RequestSteps
)

// EventType is one event type in one version, as a catalogue describes it.
type EventType struct {
	Name        domain.EventType
	Version     string // "v1"
	Description string
	Schema      []byte   // JSON Schema of the events' data, sliced out of the document
	Examples    [][]byte // data that conforms, sliced out of the document
	Deprecated  string   // why producers should no longer send it; empty: they may
}

// Catalogues returns the names of the catalogues that the program brings along, in alphabetical order.
func Catalogues() ([]string, error) {
	entries, err := embedded.ReadDir("catalogues")
	if err != nil {
		return nil, fmt.Errorf("list the embedded catalogues: %w", err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".json")
	}
	return names, nil
}

// Catalogue returns the document of an embedded catalogue, or domain.ErrNotFound. ParseCatalogue reads it.
func Catalogue(name string) ([]byte, error) {
	names, err := Catalogues()
	if err != nil {
		return nil, err
	}
	if !slices.Contains(names, name) {
		return nil, fmt.Errorf("catalogue %s: %w", quoted(name), domain.ErrNotFound)
	}
	document, err := embedded.ReadFile("catalogues/" + name + ".json")
	if err != nil {
		return nil, fmt.Errorf("read embedded catalogue %s: %w", name, err)
	}
	return document, nil
}

// ParseCatalogue reads a catalogue, compiles its schemas and validates its examples, one after the other, so that no
// more than one compiled schema is in memory. A bad one is refused with a *DocumentError that names the places that are
// wrong, and so is one that takes more steps than the budget has, such as CatalogueSteps. Any other error is ctx's.
func ParseCatalogue(ctx context.Context, document []byte, budget *Budget) ([]EventType, error) {
	if len(document) > MaxCatalogueBytes {
		return nil, &DocumentError{[]Fault{{Pointer: "", Text: fmt.Sprintf("has more than %d bytes", MaxCatalogueBytes)}}}
	}
	p := catalogueParser{budget: budget}
	types := p.document(ctx, document)
	if p.ended != nil {
		return nil, p.ended
	}
	if err := documentError(p.faults); err != nil {
		return nil, err
	}
	return types, nil
}

// catalogueParser collects what is wrong on the way.
type catalogueParser struct {
	budget *Budget
	faults []Fault
	ended  error // ctx's
}

// fault keeps as many faults as are told, and some more, of which those that are told are the first by place.
func (p *catalogueParser) fault(pointer, format string, args ...any) {
	if len(p.faults) < 4*maxFaults {
		p.faults = append(p.faults, Fault{Pointer: clip(pointer, maxPointerBytes), Text: fmt.Sprintf(format, args...)})
	}
}

// done reports whether going on makes no difference: the caller has gone, the budget is spent, or the faults suffice.
func (p *catalogueParser) done(ctx context.Context) bool {
	p.ended = ctx.Err()
	return p.ended != nil || p.budget.left < 0 || len(p.faults) >= maxFaults
}

func (p *catalogueParser) document(ctx context.Context, document []byte) []EventType {
	items := p.array("/event_types", p.object("", document, []string{"event_types"})["event_types"])
	if len(items) > MaxEventTypes {
		p.fault("/event_types", "has more than %d event types", MaxEventTypes)
		return nil
	}
	var types []EventType
	for i, item := range items {
		if p.done(ctx) {
			break
		}
		pointer := "/event_types/" + strconv.Itoa(i)
		t := p.eventType(ctx, pointer, item)
		if slices.ContainsFunc(
			types,
			func(have EventType) bool { return have.Name == t.Name && have.Version == t.Version && t.Name != "" },
		) {
			p.fault(pointer, "has the name and version of an earlier one")
		}
		types = append(types, t)
	}
	return types
}

func (p *catalogueParser) eventType(ctx context.Context, pointer string, document []byte) EventType {
	m := p.object(pointer, document, []string{"name", "version", "schema"}, "description", "examples", "deprecated")
	t := EventType{
		Name:        domain.EventType(p.text(pointer+"/name", m["name"])),
		Version:     p.text(pointer+"/version", m["version"]),
		Description: p.text(pointer+"/description", m["description"]),
		Schema:      m["schema"],
		Examples:    p.array(pointer+"/examples", m["examples"]),
		Deprecated:  p.text(pointer+"/deprecated", m["deprecated"]),
	}
	p.invalid(pointer+"/name", m["name"], t.Name.Validate(""))
	p.invalid(pointer+"/version", m["version"], domain.ValidateText("", t.Version, 1, 64))
	p.invalid(pointer+"/description", m["description"], domain.ValidateProse("", t.Description, maxProse))
	p.invalid(pointer+"/deprecated", m["deprecated"], domain.ValidateProse("", t.Deprecated, maxProse))
	var compiled *Schema
	if t.Schema != nil {
		compiled = p.schema(pointer+"/schema", t.Schema)
	}
	if len(t.Examples) > MaxExamples {
		p.fault(pointer+"/examples", "has more than %d examples", MaxExamples)
		t.Examples = nil
	}
	for i, example := range t.Examples {
		if p.done(ctx) {
			break
		}
		p.example(ctx, pointer+"/examples/"+strconv.Itoa(i), compiled, example)
	}
	if p.budget.left < 0 {
		p.fault(pointer, "takes more than can be checked at once, with the event types before it: import fewer")
	}
	return t
}

// invalid passes on what the domain says of a member that is there.
func (p *catalogueParser) invalid(pointer string, raw []byte, err error) {
	var bad *domain.InvalidError
	if raw != nil && errors.As(err, &bad) {
		p.fault(pointer, "%s", bad.Text)
	}
}

func (p *catalogueParser) schema(pointer string, document []byte) *Schema {
	s, err := Compile(document)
	if err == nil {
		p.budget.left -= s.steps
		return s
	}
	p.budget.left -= len(document) / bytesPerStep
	var bad *DocumentError
	if !errors.As(err, &bad) {
		p.fault(pointer, "can't be compiled")
		return nil
	}
	for _, f := range bad.Faults {
		p.fault(pointer+f.Pointer, "%s", f.Text)
	}
	return nil
}

func (p *catalogueParser) example(ctx context.Context, pointer string, s *Schema, data []byte) {
	if len(data) > domain.MaxDataBytes {
		p.fault(pointer, "has more than %d bytes", domain.MaxDataBytes)
		return
	}
	var bad *domain.JSONError
	if err := domain.CheckJSON("", data); errors.As(err, &bad) {
		p.fault(pointer, "can't be an event's data: %s at byte %d", bad.Problem, bad.Offset)
		return
	}
	if s == nil {
		return
	}
	found, err := s.Validate(ctx, data, p.budget)
	if p.ended = err; p.budget.left < 0 {
		return // which its event type says
	}
	for _, v := range found {
		p.fault(pointer+v.Pointer, "%s", v.Text)
	}
}

// object splits an object and checks its members' names.
func (p *catalogueParser) object(
	pointer string,
	document []byte,
	required []string,
	optional ...string,
) map[string][]byte {
	members, err := domain.SplitObject(document)
	if err != nil {
		p.unreadable(pointer, err)
		return nil
	}
	known := append(slices.Clone(required), optional...)
	m := make(map[string][]byte, len(members))
	for _, member := range members {
		if !slices.Contains(known, member.Name) {
			p.fault(pointer+"/"+escaped(member.Name), "is an unknown member: known are %s", strings.Join(known, ", "))
		}
		m[member.Name] = member.Raw
	}
	for _, name := range required {
		if m[name] == nil {
			p.fault(pointer+"/"+name, "is missing")
		}
	}
	return m
}

func (p *catalogueParser) array(pointer string, raw []byte) [][]byte {
	if raw == nil {
		return nil
	}
	items, err := domain.SplitArray(raw)
	if err != nil {
		p.unreadable(pointer, err)
	}
	return items
}

func (p *catalogueParser) unreadable(pointer string, err error) {
	var bad *domain.JSONError
	if errors.As(err, &bad) && (bad.Malformed || bad.Offset > 0) {
		p.fault(pointer, "is not JSON that every parser reads alike: %s at byte %d", bad.Problem, bad.Offset)
		return
	}
	if errors.As(err, &bad) {
		p.fault(pointer, "%s", bad.Problem)
	}
}

func (p *catalogueParser) text(pointer string, raw []byte) string {
	var text string
	if raw != nil && (raw[0] != '"' || json.Unmarshal(raw, &text) != nil) {
		p.fault(pointer, "must be a string")
	}
	return text
}
