package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Change is one rule of an old schema that a new one doesn't keep.
type Change struct {
	Pointer string // RFC 6901, of the rule in the old schema
	Text    string
}

const (
	maxChanges     = 100
	maxComparisons = 1_000_000
)

const cantTell = "differs, and it can't be told whether whatever the new schema allows still conforms"

// Breaks says what breaks for a receiver that reads events by the old schema when they follow the new one; nothing, if
// every value that is valid under the new schema is valid under the old one, and no member went that the old one names.
// What can't be told counts as breaking. Changes are ordered by place, at most 100.
func Breaks(old, new *Schema) []Change {
	c := comparison{seen: map[pair]bool{}, facts: map[string]facts{}, left: maxComparisons, steps: 2 * maxSteps}
	c.compare(old.root, parts(nil, new.root))
	if c.left < 0 {
		c.changes = append(c.changes, Change{"", "is too large to be compared with the new schema"})
	}
	slices.SortFunc(c.changes, func(a, b Change) int {
		if by := strings.Compare(a.Pointer, b.Pointer); by != 0 {
			return by
		}
		return strings.Compare(a.Text, b.Text)
	})
	c.changes = slices.Compact(c.changes)
	return c.changes[:min(len(c.changes), maxChanges)]
}

// comparison collects the rules of old nodes that new ones don't imply.
type comparison struct {
	changes []Change
	seen    map[pair]bool
	order   []pair           // of seen
	facts   map[string]facts // of new parts
	left    int              // how many more comparisons may be made
	steps   int              // what validating listed values may still take
}

// pair is an old node and new ones.
type pair struct {
	old   *node
	parts string
}

func (c *comparison) change(n *node, keyword, format string, args ...any) {
	pointer := n.pointer
	if keyword != "" {
		pointer += "/" + keyword
	}
	if len(c.changes) < 4*maxChanges {
		c.changes = append(c.changes, Change{clip(pointer, maxPointerBytes), fmt.Sprintf(format, args...)})
	}
}

// parts are all the nodes that must hold together when each of nodes, and with it, holds.
func parts(with []*node, nodes ...*node) []*node {
	all := slices.Clone(with)
	var add func(n *node)
	add = func(n *node) {
		if slices.Contains(all, n) {
			return
		}
		all = append(all, n)
		if n.ref != nil {
			add(n.ref)
		}
		for _, s := range n.many["allOf"] {
			add(s)
		}
	}
	for _, n := range nodes {
		add(n)
	}
	slices.SortFunc(all, func(a, b *node) int { return a.id - b.id })
	return all
}

// compare reports what o demands and the parts, which all hold, don't ensure. What was compared before isn't again: it
// was reported, or is assumed while it is being shown, which is sound because each way round goes deeper into the value.
func (c *comparison) compare(o *node, n []*node) {
	if c.left -= 1 + len(n); c.left < 0 {
		return
	}
	key := pair{o, ids(n)}
	if c.seen[key] || o.anything() || c.empty(n) {
		return
	}
	c.seen[key] = true
	c.order = append(c.order, key)
	for _, p := range parts(nil, o) {
		if !slices.ContainsFunc(n, func(q *node) bool { return c.same(p, q) }) {
			c.rules(p, n)
		}
	}
}

func ids(n []*node) string {
	var b strings.Builder
	for _, p := range n {
		b.WriteString(strconv.Itoa(p.id))
		b.WriteByte(' ')
	}
	return b.String()
}

// clean says whether the parts ensure what o demands, and reports nothing.
func (c *comparison) clean(o *node, n []*node) bool {
	changes, order := len(c.changes), len(c.order)
	c.compare(o, n)
	if c.left >= 0 && len(c.changes) == changes {
		return true
	}
	for _, p := range c.order[order:] {
		delete(c.seen, p) // its changes are forgotten too
	}
	c.changes, c.order = c.changes[:changes], c.order[:order]
	return false
}

func (c *comparison) same(a, b *node) bool {
	return (&twins{map[[2]*node]bool{}, &c.left}).same(a, b)
}

// rules goes through what one node demands by itself, its references and allOf apart.
func (c *comparison) rules(o *node, n []*node) {
	if o.nothing() {
		c.change(o, "", "allows nothing, but the new schema does")
		return
	}
	f := c.factsOf(n)
	if f.listed {
		c.listed(o, f.values)
		return
	}
	if o.one["unevaluatedProperties"] != nil || o.one["unevaluatedItems"] != nil {
		c.change(o, "", "%s (what is unevaluated depends on the whole)", cantTell)
	}
	c.values(o, n)
	c.alternatives(o, n)
	if f.types&(integers|fractions) != 0 {
		c.numeric(o, n, f.types)
	}
	if f.types&stringsType != 0 {
		c.text(o, n)
	}
	if f.types&arrays != 0 {
		c.array(o, n)
	}
	if f.types&objects != 0 {
		c.object(o, n)
	}
}
