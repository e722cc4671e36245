package schema

import (
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
)

// EventType is one event type in one version, as a catalogue describes it.
type EventType struct {
	Name        domain.EventType
	Version     string // "v1"
	Description string
	Schema      []byte   // JSON Schema of the events' data, as it stands in the document
	Examples    [][]byte // data that conforms, as it stands in the document
	Deprecated  string   // why producers should no longer send it; empty: they may
	Compiled    *Schema
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

// ParseCatalogue reads a catalogue, compiles its schemas and validates its examples. A bad one is refused with a
// *DocumentError that names every place that is wrong.
func ParseCatalogue(document []byte) ([]EventType, error) {
	if len(document) > MaxCatalogueBytes {
		return nil, &DocumentError{[]Fault{{Pointer: "", Text: fmt.Sprintf("has more than %d bytes", MaxCatalogueBytes)}}}
	}
	var p catalogueParser
	types := p.document(document)
	if err := documentError(p.faults); err != nil {
		return nil, err
	}
	return types, nil
}

// catalogueParser collects what is wrong on the way.
type catalogueParser struct{ faults []Fault }

func (p *catalogueParser) fault(pointer, format string, args ...any) {
	p.faults = append(p.faults, Fault{Pointer: clip(pointer, maxPointerBytes), Text: fmt.Sprintf(format, args...)})
}

func (p *catalogueParser) document(document []byte) []EventType {
	items := p.array("/event_types", p.object("", document, []string{"event_types"})["event_types"])
	if len(items) > MaxEventTypes {
		p.fault("/event_types", "has more than %d event types", MaxEventTypes)
		return nil
	}
	var types []EventType
	for i, item := range items {
		pointer := "/event_types/" + strconv.Itoa(i)
		t := p.eventType(pointer, item)
		if slices.ContainsFunc(types, func(have EventType) bool { return have.Name == t.Name && have.Version == t.Version && t.Name != "" }) {
			p.fault(pointer, "has the name and version of an earlier one")
		}
		types = append(types, t)
	}
	return types
}

func (p *catalogueParser) eventType(pointer string, document []byte) EventType {
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
	if t.Schema != nil {
		t.Compiled = p.schema(pointer+"/schema", t.Schema)
	}
	if len(t.Examples) > MaxExamples {
		p.fault(pointer+"/examples", "has more than %d examples", MaxExamples)
		t.Examples = nil
	}
	for i, example := range t.Examples {
		p.example(pointer+"/examples/"+strconv.Itoa(i), t.Compiled, example)
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
	var bad *DocumentError
	switch {
	case errors.As(err, &bad):
		for _, f := range bad.Faults {
			p.fault(pointer+f.Pointer, "%s", f.Text)
		}
	case err != nil:
		p.fault(pointer, "can't be compiled")
	}
	return s
}

func (p *catalogueParser) example(pointer string, s *Schema, data []byte) {
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
	for _, v := range s.Validate(data) {
		p.fault(pointer+v.Pointer, "%s", v.Text)
	}
}

// object splits an object and checks its members' names.
func (p *catalogueParser) object(pointer string, document []byte, required []string, optional ...string) map[string][]byte {
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
