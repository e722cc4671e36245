package schema

import "slices"

// facts are what parts that hold together allow at most.
type facts struct {
	types  types
	values []any // if listed
	listed bool
}

// factsOf gathers them for the new schema's parts.
func (c *comparison) factsOf(n []*node) facts {
	key := ids(n)
	f, ok := c.facts[key]
	if !ok {
		f = c.gather(n)
		c.facts[key] = f
	}
	return f
}

func (c *comparison) gather(n []*node) facts {
	f := facts{types: everyType}
	for _, p := range n {
		f.types &= p.ruled()
	}
	if f.values, f.listed = c.valuesOf(n); !f.listed {
		return f
	}
	var have types
	for _, v := range f.values {
		have |= typeOf(v)
	}
	f.types &= have
	return f
}

// valuesOf are the values that the parts can have at most, if any of them lists its values. What another part refuses is
// left out.
func (c *comparison) valuesOf(n []*node) ([]any, bool) {
	for _, p := range n {
		list, ok := p.listed()
		if !ok {
			continue
		}
		return slices.DeleteFunc(slices.Clone(list), func(v any) bool {
			return slices.ContainsFunc(n, func(q *node) bool {
				return (q != p || !p.onlyLists()) && c.refuses(q, v)
			})
		}), true
	}
	return nil, false
}

// listed are the values of a node's const or enum, and whether it has one.
func (n *node) listed() ([]any, bool) {
	if v, ok := n.rules["const"]; ok {
		return []any{v}, true
	}
	list, ok := n.rules["enum"].([]any)
	return list, ok
}

// onlyLists says whether a node has no other rule than its const or enum.
func (n *node) onlyLists() bool {
	_, ok := n.listed()
	return ok && n.ref == nil && len(n.rules) == 1 && len(n.one)+len(n.many)+len(bearing(n.named)) == 0
}

// canonicalValues are the listed values as canonical texts.
func (n *node) canonicalValues() (map[string]bool, bool) {
	list, ok := n.listed()
	have := make(map[string]bool, len(list))
	for _, v := range list {
		have[canonical(v)] = true
	}
	return have, ok
}

// empty says whether the parts obviously allow no value.
func (c *comparison) empty(n []*node) bool {
	return slices.ContainsFunc(n, (*node).nothing) || c.factsOf(n).types == 0
}

// accepts says whether a value certainly conforms to a node.
func (c *comparison) accepts(n *node, v any) bool {
	if n.verdict != nil {
		return *n.verdict
	}
	return c.affordable(n, v) && n.checks.Validate(v) == nil
}

// refuses says whether a value certainly doesn't conform to a node.
func (c *comparison) refuses(n *node, v any) bool {
	if n.verdict != nil {
		return !*n.verdict
	}
	if n.ruled()&typeOf(v) == 0 {
		return true
	}
	return c.affordable(n, v) && n.checks.Validate(v) != nil
}

// affordable counts what validating v takes.
func (c *comparison) affordable(n *node, v any) bool {
	if n.checks == nil {
		return false
	}
	b := budget{c.steps}
	ok := b.eval(n, v)
	c.steps = b.left
	return ok
}
