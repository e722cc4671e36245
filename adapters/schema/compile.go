package schema

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// MaxSchemaBytes bounds a schema's document.
const MaxSchemaBytes = 64 << 10

// location is what the library calls a document; nothing is ever loaded from there.
const location = "https://schema.invalid/"

// Schema is a compiled schema. It is immutable and safe for concurrent use.
type Schema struct {
	root  *node
	bytes int // what it takes in memory, by estimate
	steps int // what compiling it took
}

// Compile checks and compiles a document of JSON Schema in the dialect that its $schema names, 2020-12 by default. A
// bad one is refused with a *DocumentError that names every place that is wrong.
func Compile(document []byte) (*Schema, error) {
	doc, err := parse(document)
	if err != nil {
		return nil, err
	}
	r := reader{
		nodes:     map[string]*node{},
		resources: map[string]*node{},
		anchors:   map[string]*node{},
		patterns:  map[string]*pattern{},
	}
	if r.dialect, err = dialectOf(doc); err != nil {
		return nil, err
	}
	if err := r.metaschema(doc); err != nil {
		return nil, err
	}
	base, err := url.Parse(location)
	if err != nil {
		return nil, fmt.Errorf("parse the schema's own location: %w", err)
	}
	root := r.read("", doc, base)
	r.link()
	if r.circles(root); len(r.faults) == 0 {
		r.plans()
	}
	if err := documentError(r.faults); err != nil {
		return nil, err
	}
	if err := r.build(doc); err != nil {
		return nil, err
	}
	return &Schema{
		root:  root,
		bytes: nodeBytes*len(r.nodes) + documentBytes*len(document) + programBytes*r.programs,
		steps: len(document)/bytesPerStep + stepsPerNode*len(r.nodes) + r.programs,
	}, nil
}

// parse decodes a document that every parser reads alike.
func parse(document []byte) (any, error) {
	if len(document) > MaxSchemaBytes {
		return nil, &DocumentError{[]Fault{{Pointer: "", Text: fmt.Sprintf("has more than %d bytes", MaxSchemaBytes)}}}
	}
	if err := checkJSON(document); err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return nil, &DocumentError{[]Fault{{Pointer: "", Text: "is not JSON"}}}
	}
	var faults []Fault
	incomputable("", doc, func(pointer string) {
		faults = append(faults, Fault{Pointer: clip(pointer, maxPointerBytes), Text: numberTooLarge})
	})
	return doc, documentError(faults)
}

func checkJSON(document []byte) error {
	err := domain.CheckJSON("", document)
	var bad *domain.JSONError
	if errors.As(err, &bad) {
		return &DocumentError{
			[]Fault{
				{
					Pointer: "",
					Text:    fmt.Sprintf("is not JSON that every parser reads alike: %s at byte %d", bad.Problem, bad.Offset),
				},
			},
		}
	}
	return err
}

// metaschemas are the compiled descriptions of schemas, by dialect.
var metaschemas = sync.OnceValues(func() (map[dialect]*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.UseLoader(refuseAll{})
	all := map[dialect]*jsonschema.Schema{}
	for _, d := range dialects() {
		meta, err := c.Compile(string(d))
		if err != nil {
			return nil, fmt.Errorf("compile the metaschema %s: %w", d, err)
		}
		// The library's format regex is RE2's, but patterns are those of ECMA 262; rules.go checks them.
		all[d] = meta
	}
	return all, nil
})

// metaschema collects what is wrong by the standard's own description of schemas.
func (r *reader) metaschema(doc any) error {
	all, err := metaschemas()
	if err != nil {
		return err
	}
	for _, v := range violations(all[r.dialect].Validate(doc)) {
		if v.Text == "must have the format regex" {
			continue // by RE2's syntax; rule checks it by ECMA 262's
		}
		r.faults = append(r.faults, Fault(v))
	}
	return nil
}

// build compiles with the library.
func (r *reader) build(doc any) error {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	registerFormats(c)
	c.UseRegexpEngine(func(text string) (jsonschema.Regexp, error) {
		if p := r.patterns[text]; p != nil {
			return p.re, nil
		}
		return compileRegexp(text)
	})
	c.UseLoader(refuseAll{})
	if err := c.AddResource(location, doc); err != nil {
		return fmt.Errorf("hand the schema to the library: %w", err)
	}
	compiled, err := c.Compile(location)
	if err != nil {
		// Everything known to fail was looked for; the library's text may repeat parts of the document.
		return &DocumentError{[]Fault{{Pointer: "", Text: "is refused by the JSON Schema library"}}}
	}
	return attach(compiled, r.nodes)
}

// attach gives each node its compiled form.
func attach(root *jsonschema.Schema, nodes map[string]*node) error {
	seen := map[*jsonschema.Schema]bool{root: true}
	for queue := []*jsonschema.Schema{root}; len(queue) > 0; queue = queue[1:] {
		s := queue[0]
		_, fragment, _ := strings.Cut(s.Location, "#")
		pointer, err := url.PathUnescape(fragment)
		if err != nil || nodes[pointer] == nil {
			return fmt.Errorf("the library found a schema where none was read: %w", err)
		}
		nodes[pointer].checks = s
		for _, sub := range subschemas(s) {
			if sub != nil && !seen[sub] {
				seen[sub] = true
				queue = append(queue, sub)
			}
		}
		checkNames(s)
		if s.Format != nil && s.Format.Name == "regex" { // which the compiler doesn't let replace
			s.Format = &jsonschema.Format{Name: "regex", Validate: func(v any) error {
				if text, ok := v.(string); ok && !isRegexp(text) {
					return errFormat
				}
				return nil
			}}
		}
	}
	return nil
}

// refuseAll loads nothing: the library's own loader reads files.
type refuseAll struct{}

// Load implements jsonschema.URLLoader.
func (refuseAll) Load(string) (any, error) {
	return nil, errors.New("a schema is one document: nothing is loaded")
}
