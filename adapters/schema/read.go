package schema

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

const (
	// draft is the only dialect.
	draft = "https://json-schema.org/draft/2020-12/schema"

	maxSubschemas = 2000
	maxNameBytes  = 256
)

// reader turns a decoded document into nodes and collects what is wrong on the way. What has the wrong JSON type is left
// to the metaschema, which is asked too.
type reader struct {
	faults  []Fault
	nodes   map[string]*node // by pointer
	anchors map[string]*node
	refs    []reference
}

// reference is a $ref that waits until all nodes are known.
type reference struct {
	from *node
	to   string
}

func (r *reader) fault(pointer, format string, args ...any) {
	r.faults = append(r.faults, Fault{clip(pointer, maxPointerBytes), fmt.Sprintf(format, args...)})
}

func (r *reader) read(pointer string, v any) *node {
	n := &node{id: len(r.nodes), pointer: pointer}
	if len(r.nodes) == maxSubschemas {
		r.fault("", "has more than %d subschemas", maxSubschemas)
	}
	if r.nodes[pointer] = n; len(r.nodes) > maxSubschemas {
		return n
	}
	switch v := v.(type) {
	case bool:
		n.verdict = &v
	case map[string]any:
		n.rules, n.one = map[string]any{}, map[string]*node{}
		n.many, n.named = map[string][]*node{}, map[string]map[string]*node{}
		for _, keyword := range sortedKeys(v) {
			r.keyword(n, keyword, v[keyword])
		}
		n.digest = sha256.Sum256([]byte(canonical(n.rules)))
	}
	return n
}

func (r *reader) keyword(n *node, keyword string, v any) {
	pointer := n.pointer + "/" + escaped(keyword)
	switch kindOf(keyword) {
	case aSchema:
		n.one[keyword] = r.read(pointer, v)
	case schemas:
		list, _ := v.([]any)
		for i, item := range list {
			n.many[keyword] = append(n.many[keyword], r.read(pointer+"/"+strconv.Itoa(i), item))
		}
	case namedSchemas:
		r.members(n, keyword, v)
	case aRule:
		n.rules[keyword] = v
		r.rule(n, keyword, v)
	case aReference:
		r.reference(n, keyword, v)
	case aNote:
	case unknown:
		r.unknown(pointer, keyword)
	}
}

func (r *reader) members(n *node, keyword string, v any) {
	object, _ := v.(map[string]any)
	n.named[keyword] = map[string]*node{}
	for _, name := range sortedKeys(object) {
		pointer := n.pointer + "/" + keyword + "/" + escaped(name)
		if len(name) > maxNameBytes && keyword != "patternProperties" {
			r.fault(pointer, "has a name of more than %d bytes", maxNameBytes)
			continue
		}
		if keyword == "patternProperties" {
			r.pattern(n, pointer, name)
		}
		n.named[keyword][name] = r.read(pointer, object[name])
	}
}

func (r *reader) pattern(n *node, pointer, text string) {
	re := r.regexp(pointer, text)
	if n.patterns == nil {
		n.patterns = map[string]*regexp.Regexp{}
	}
	if re != nil {
		n.patterns[text] = re
	}
}

func (r *reader) reference(n *node, keyword string, v any) {
	pointer := n.pointer + "/" + keyword
	text, ok := v.(string)
	switch {
	case !ok: // the metaschema says so
	case keyword == "$ref":
		r.refs = append(r.refs, reference{n, text})
	case keyword == "$anchor":
		if r.anchors[text] != nil {
			r.fault(pointer, "stands twice")
		}
		r.anchors[text] = n
	case n.pointer != "":
		r.fault(pointer, "may stand only at the top: a schema is one document in one dialect")
	case keyword == "$schema" && strings.TrimSuffix(text, "#") != draft:
		r.fault(pointer, "must be %s, the only dialect", draft)
	}
}

func (r *reader) unknown(pointer, keyword string) {
	switch keyword {
	case "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor":
		r.fault(pointer, "isn't available: where it leads depends on who asks; write $ref")
	case "$vocabulary":
		r.fault(pointer, "isn't available: the vocabularies of 2020-12 are in force, formats asserted")
	case "definitions":
		r.fault(pointer, "is of an older draft: write $defs")
	case "dependencies":
		r.fault(pointer, "is of an older draft: write dependentRequired or dependentSchemas")
	case "additionalItems":
		r.fault(pointer, "is of an older draft: write prefixItems and items")
	default:
		if !strings.HasPrefix(keyword, "x-") {
			r.fault(pointer, "is no keyword of JSON Schema 2020-12; a member of your own begins with x-")
		}
	}
}

// link resolves the references.
func (r *reader) link() {
	for _, ref := range r.refs {
		if ref.from.ref = r.target(ref.to); ref.from.ref == nil {
			r.fault(ref.from.pointer+"/$ref", `leads to no schema of this document; it begins with "#", as in "#/$defs/money"`)
		}
	}
}

func (r *reader) target(to string) *node {
	fragment, ok := strings.CutPrefix(to, "#")
	if !ok {
		return nil
	}
	fragment, err := url.PathUnescape(fragment)
	if err != nil {
		return nil
	}
	if fragment != "" && fragment[0] != '/' {
		return r.anchors[fragment]
	}
	return r.nodes[fragment]
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

// allComputable says whether every number in a value is; it allocates nothing.
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
