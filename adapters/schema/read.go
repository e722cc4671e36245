package schema

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
)

const (
	maxSubschemas = 2000
	maxNameBytes  = 256
)

// reader turns a decoded document into nodes and collects what is wrong on the way. What has the wrong JSON type is
// left to the metaschema, which is asked too.
type reader struct {
	dialect   dialect
	faults    []Fault
	nodes     map[string]*node // by pointer
	resources map[string]*node // by address
	anchors   map[string]*node // by address with fragment
	refs      []reference
	patterns  map[string]*pattern // by text
	programs  int                 // instructions of all patterns
}

// reference is a $ref that waits until all nodes are known.
type reference struct {
	from *node
	to   *url.URL // absolute
}

func (r *reader) fault(pointer, format string, args ...any) {
	r.faults = append(r.faults, Fault{Pointer: clip(pointer, maxPointerBytes), Text: fmt.Sprintf(format, args...)})
}

func (r *reader) read(pointer string, v any, base *url.URL) *node {
	n := &node{id: len(r.nodes), pointer: pointer, base: base}
	if len(r.nodes) == maxSubschemas {
		r.fault("", "has more than %d subschemas", maxSubschemas)
	}
	if r.nodes[pointer] = n; len(r.nodes) > maxSubschemas {
		return n
	}
	if pointer == "" {
		r.resources[base.String()] = n
	}
	switch v := v.(type) {
	case bool:
		n.verdict = &v
	case map[string]any:
		n.rules, n.one = map[string]any{}, map[string]*node{}
		n.many, n.named = map[string][]*node{}, map[string]map[string]*node{}
		_, refers := v["$ref"].(string)
		alone := refers && r.dialect == draft7 // what is beside $ref isn't in force there
		if id, ok := v["$id"].(string); ok && !alone {
			r.identify(n, id)
		}
		for _, keyword := range sortedKeys(v) {
			r.keyword(n, keyword, v)
		}
		if alone {
			n.rules, n.one, n.many, n.named = nil, nil, nil, nil
		}
		n.digest = sha256.Sum256([]byte(canonical(n.rules)))
	}
	return n
}

// identify begins a resource, or names an anchor as draft 7 does.
func (r *reader) identify(n *node, id string) {
	address, err := n.base.Parse(id)
	if err != nil {
		r.fault(n.pointer+"/$id", "is not a URI reference")
		return
	}
	fragment := address.Fragment
	address.Fragment, address.RawFragment = "", ""
	if id != "" && id[0] != '#' {
		if other := r.resources[address.String()]; other != nil && other != n {
			r.fault(n.pointer+"/$id", "is a duplicate")
		}
		n.base = address
		r.resources[address.String()] = n
	}
	if r.dialect == draft7 && fragment != "" {
		r.anchor(n, n.pointer+"/$id", fragment)
	}
}

func (r *reader) anchor(n *node, pointer, name string) {
	address := n.base.String() + "#" + name
	if r.anchors[address] != nil {
		r.fault(pointer, "is a duplicate")
	}
	r.anchors[address] = n
}

// keyword sorts one keyword of object into n, in the form that 2020-12 has; the pointers are those of the document.
func (r *reader) keyword(n *node, keyword string, object map[string]any) {
	v, pointer := object[keyword], n.pointer+"/"+escaped(keyword)
	switch r.dialect.kindOf(keyword) {
	case aSchema:
		s := r.read(pointer, v, n.base)
		if keyword != "additionalItems" {
			n.one[keyword] = s
		} else if _, tuple := object["items"].([]any); tuple {
			n.one["items"] = s
		}
	case schemas:
		n.many[keyword] = r.list(n, pointer, v)
	case items:
		if list, ok := v.([]any); ok && r.dialect != draft2020 {
			n.many["prefixItems"] = r.list(n, pointer, list)
		} else {
			n.one["items"] = r.read(pointer, v, n.base)
		}
	case namedSchemas:
		r.members(n, keyword, v)
	case dependencies:
		r.dependencies(n, v)
	case aRule:
		if keyword == "dependentRequired" {
			r.dependentRequired(n, v)
			return
		}
		n.rules[keyword] = v
		r.rule(n, keyword, v)
	case aReference:
		r.reference(n, keyword, v)
	case unavailable:
		r.fault(pointer, "isn't available: where it leads depends on who asks; write $ref")
	case aNote:
	}
}

func (r *reader) list(n *node, pointer string, v any) []*node {
	list, _ := v.([]any)
	nodes := make([]*node, len(list))
	for i, item := range list {
		nodes[i] = r.read(pointer+"/"+strconv.Itoa(i), item, n.base)
	}
	return nodes
}

func (r *reader) members(n *node, keyword string, v any) {
	object, _ := v.(map[string]any)
	if n.named[keyword] == nil {
		n.named[keyword] = map[string]*node{}
	}
	for _, name := range sortedKeys(object) {
		r.member(n, keyword, keyword, name, object[name])
	}
}

// member reads a named schema at the keyword that has it in the document, for the keyword of 2020-12.
func (r *reader) member(n *node, at, keyword, name string, v any) {
	pointer := n.pointer + "/" + at + "/" + escaped(name)
	if len(name) > maxNameBytes && keyword != "patternProperties" {
		r.fault(pointer, "has a name of more than %d bytes", maxNameBytes)
		return
	}
	if keyword == "patternProperties" {
		r.pattern(n, pointer, name)
	}
	if n.named[keyword][name] != nil {
		r.fault(pointer, "is a duplicate: dependencies has it too")
	}
	n.named[keyword][name] = r.read(pointer, v, n.base)
}

// dependencies splits the keyword that became dependentRequired and dependentSchemas in 2019-09.
func (r *reader) dependencies(n *node, v any) {
	object, _ := v.(map[string]any)
	required := map[string]any{}
	for _, name := range sortedKeys(object) {
		if list, ok := object[name].([]any); ok {
			required[name] = list
			continue
		}
		if n.named["dependentSchemas"] == nil {
			n.named["dependentSchemas"] = map[string]*node{}
		}
		r.member(n, "dependencies", "dependentSchemas", name, object[name])
	}
	r.dependentRequired(n, required)
}

func (r *reader) dependentRequired(n *node, v any) {
	object, _ := v.(map[string]any)
	all, _ := n.rules["dependentRequired"].(map[string]any)
	if all == nil {
		all = map[string]any{}
	}
	for name, names := range object {
		before, _ := all[name].([]any)
		list, _ := names.([]any)
		all[name] = slices.Concat(before, list)
	}
	if len(all) > 0 {
		n.rules["dependentRequired"] = all
	}
}

func (r *reader) pattern(n *node, pointer, text string) {
	p := r.compilePattern(pointer, text)
	if n.patterns == nil {
		n.patterns = map[string]*regexp.Regexp{}
	}
	if p != nil {
		n.patterns[text] = p.re
	}
}

func (r *reader) reference(n *node, keyword string, v any) {
	pointer := n.pointer + "/" + keyword
	text, ok := v.(string)
	switch {
	case !ok: // the metaschema says so
	case keyword == "$ref":
		to, err := n.base.Parse(text)
		if err != nil {
			r.fault(pointer, "is not a URI reference")
			return
		}
		r.refs = append(r.refs, reference{n, to})
	case keyword == "$anchor":
		r.anchor(n, pointer, text)
	case keyword == "$schema" && n.pointer != "":
		if d, err := dialectOf(map[string]any{keyword: v}); err != nil || d != r.dialect {
			r.fault(pointer, "must be the dialect of the whole: a schema is one document in one dialect")
		}
	}
}

// link resolves the references.
func (r *reader) link() {
	for _, ref := range r.refs {
		if ref.from.ref = r.target(*ref.to); ref.from.ref == nil {
			r.fault(ref.from.pointer+"/$ref", `leads to no schema of this document; it begins with "#", as in "#/$defs/money"`)
		}
	}
}

func (r *reader) target(to url.URL) *node {
	fragment := to.Fragment
	to.Fragment, to.RawFragment = "", ""
	resource := r.resources[to.String()]
	switch {
	case resource == nil || fragment == "":
		return resource
	case fragment[0] == '/':
		return r.nodes[resource.pointer+fragment]
	}
	return r.anchors[to.String()+"#"+fragment]
}

// circles finds schemas that are tried on a value in order to try them on that value.
func (r *reader) circles(root *node) {
	const open, done = 1, 2
	state := make(map[*node]int, len(r.nodes))
	var visit func(n *node)
	visit = func(n *node) {
		state[n] = open
		for _, s := range n.inPlace() {
			if state[s] == open {
				r.fault(s.pointer, "leads back to itself without going into the value")
			} else if state[s] != done {
				visit(s)
			}
		}
		state[n] = done
	}
	visit(root)
	for _, pointer := range sortedKeys(r.nodes) {
		if n := r.nodes[pointer]; state[n] == 0 {
			visit(n)
		}
	}
}

// allComputable reports whether every number in a value is; it allocates nothing.
func allComputable(v any) bool {
	switch v := v.(type) {
	case json.Number:
		return computable(string(v))
	case []any:
		for _, item := range v {
			if !allComputable(item) {
				return false
			}
		}
	case map[string]any:
		for _, member := range v {
			if !allComputable(member) {
				return false
			}
		}
	}
	return true
}

// incomputable calls found with the place of every number that would take long to compute with.
func incomputable(pointer string, v any, found func(pointer string)) {
	switch v := v.(type) {
	case json.Number:
		if !computable(string(v)) {
			found(pointer)
		}
	case []any:
		for i, item := range v {
			incomputable(pointer+"/"+strconv.Itoa(i), item, found)
		}
	case map[string]any:
		for _, name := range sortedKeys(v) {
			incomputable(pointer+"/"+escaped(name), v[name], found)
		}
	}
}
