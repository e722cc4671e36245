package schema

import "unicode/utf8"

const (
	// maxSteps is what one validation may take, in evaluations of a subschema on a value (or what takes as long).
	maxSteps = 250_000
	// maxInPlace is how many subschemas may be tried on one and the same value.
	maxInPlace = 1000

	// What compiling takes, in steps: for 8 bytes of the document one, for a subschema (which the metaschema checks in
	// many steps) these, and for each instruction of a regular expression one, and one for
	// 16 of the ranges of characters that it holds.
	stepsPerNode = 32
	bytesPerStep = 8

	rangesPerStep = 16
)

// plan is what a node costs, laid out for walking.
type plan struct {
	steps    int // of one evaluation
	text     int // of 32 bytes of a string
	names    int // of 32 bytes of member names
	distinct bool
	inPlace  []*node
	members  map[string]*node
	further  *node   // of members that aren't named
	each     []*node // of any member
	name     *node
	first    []*node
	elements []*node
}

// counter walks a value as a validator would that finds everything true and stops nowhere early, and counts.
type counter struct {
	left  int
	done  <-chan struct{} // of the caller's context, looked at every now and then; nil for none
	evals int
}

// ended reports whether the caller has gone.
func (b *counter) ended() bool {
	if b.evals++; b.evals%1024 != 0 {
		return false
	}
	select {
	case <-b.done:
		return true
	default:
		return false
	}
}

// plans makes every node's plan and refuses what is tried too often in place.
func (r *reader) plans() {
	for _, n := range r.nodes {
		n.plan = r.planOf(n)
	}
	for _, pointer := range sortedKeys(r.nodes) {
		if b := (counter{left: maxInPlace}); !b.inPlace(r.nodes[pointer]) {
			r.fault(pointer, "tries more than %d subschemas on one value", maxInPlace)
			return // whoever refers to it does the same
		}
	}
}

func (r *reader) planOf(n *node) plan {
	p := plan{
		steps: 1 + len(n.texts("required"))/8, inPlace: n.inPlace(),
		members: n.named["properties"], further: n.one["additionalProperties"], name: n.one["propertyNames"],
		first: n.many["prefixItems"],
	}
	dependents, _ := n.rules["dependentRequired"].(map[string]any)
	for _, names := range dependents {
		p.steps += 1 + len(texts(names))/8
	}
	values, _ := n.listed()
	strings := 0
	for _, v := range values {
		if _, ok := v.(string); ok {
			strings++
		} else {
			p.steps += size(v)
		}
	}
	p.steps += strings / 16
	if n.rules["format"] != nil {
		p.text++
	}
	if text, ok := n.rules["pattern"].(string); ok {
		p.text += r.patterns[text].size // there are no faults
	}
	p.distinct, _ = n.rules["uniqueItems"].(bool)
	for _, text := range sortedKeys(n.named["patternProperties"]) {
		p.names += r.patterns[text].size
		p.each = append(p.each, n.named["patternProperties"][text])
	}
	if s := n.one["unevaluatedProperties"]; s != nil {
		p.each = append(p.each, s)
	}
	for _, keyword := range []string{"items", "contains", "unevaluatedItems"} {
		if s := n.one[keyword]; s != nil {
			p.elements = append(p.elements, s)
		}
	}
	return p
}

// size is how many values a value holds, itself included.
func size(v any) int {
	total := 1
	switch v := v.(type) {
	case map[string]any:
		for _, member := range v {
			total += size(member)
		}
	case []any:
		for _, item := range v {
			total += size(item)
		}
	}
	return total
}

func (b *counter) inPlace(n *node) bool {
	b.left--
	for _, s := range n.plan.inPlace {
		if b.left < 0 || !b.inPlace(s) {
			return false
		}
	}
	return b.left >= 0
}

func (b *counter) eval(n *node, v any) bool {
	if b.left -= n.plan.steps; b.left < 0 || b.ended() {
		return false
	}
	for _, s := range n.plan.inPlace {
		if !b.eval(s, v) {
			return false
		}
	}
	switch v := v.(type) {
	case map[string]any:
		return b.object(n, v)
	case []any:
		return b.array(n, v)
	case string:
		b.left -= len(v)/128 + len(v)*n.plan.text/32
	}
	return b.left >= 0
}

func (b *counter) object(n *node, object map[string]any) bool {
	b.left -= len(object) / 4
	p := &n.plan
	for name, member := range object {
		b.left -= (len(name) + utf8.UTFMax) * p.names / 32
		s := p.members[name]
		if s == nil {
			s = p.further
		}
		if s != nil && !b.eval(s, member) || p.name != nil && !b.eval(p.name, name) || !b.all(p.each, member) {
			return false
		}
	}
	return b.left >= 0
}

func (b *counter) array(n *node, array []any) bool {
	b.left -= len(array) / 4
	p := &n.plan
	if p.distinct { // items made to collide are compared each with each
		b.left -= len(array) * (size(array) - 1) / 4
	}
	for i, item := range array {
		if i < len(p.first) && !b.eval(p.first[i], item) || !b.all(p.elements, item) {
			return false
		}
	}
	return b.left >= 0
}

func (b *counter) all(list []*node, v any) bool {
	for _, s := range list {
		if !b.eval(s, v) {
			return false
		}
	}
	return b.left >= 0
}
