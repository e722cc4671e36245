package schema

import (
	"slices"
	"strconv"
)

// alternatives compares the keywords that try schemas on the same value.
func (c *comparison) alternatives(o *node, n []*node) {
	if list := o.many["anyOf"]; list != nil && !c.anyOf(list, n) {
		c.paired(o, "anyOf", n)
	}
	if list := o.many["oneOf"]; list != nil && !c.keeps(n, func(p *node) bool { return c.sameLists(list, p.many["oneOf"]) }) {
		c.oneOf(o, list, n)
	}
	if s := o.one["not"]; s != nil && !c.keeps(n, func(p *node) bool { return p.one["not"] != nil && c.same(s, p.one["not"]) }) {
		c.change(o, "not", cantTell)
	}
	if o.one["if"] != nil && (o.one["then"] != nil || o.one["else"] != nil) &&
		!c.keeps(n, func(p *node) bool { return p.one["if"] != nil && c.conditional(o, p, n) }) {
		c.change(o, "if", cantTell)
	}
}

// oneOf compares alternatives that exclude one another as anyOf.
func (c *comparison) oneOf(o *node, list, n []*node) {
	switch {
	case !c.disjoint(list):
		c.change(o, "oneOf", cantTell)
	case !c.anyOf(list, n):
		c.paired(o, "oneOf", n)
	}
}

func (c *comparison) keeps(n []*node, by func(*node) bool) bool { return slices.ContainsFunc(n, by) }

func (c *comparison) sameLists(a, b []*node) bool {
	return len(a) == len(b) && slices.EqualFunc(a, b, c.same)
}

// anyOf says whether whatever the parts allow conforms to one of the list: all of it to one, each of the parts' own
// alternatives to one, or each type to one.
func (c *comparison) anyOf(list []*node, n []*node) bool {
	if c.fits(list, n) {
		return true
	}
	for _, p := range n {
		for _, keyword := range []string{"anyOf", "oneOf"} {
			own := p.many[keyword]
			if own != nil && c.eachOf(own, list, n) {
				return true
			}
		}
	}
	return c.eachType(list, n)
}

// eachOf tries the alternative in the same place first.
func (c *comparison) eachOf(own, list, n []*node) bool {
	for i, s := range own {
		with := parts(n, s)
		if (i >= len(list) || !c.clean(list[i], with)) && !c.fits(list, with) {
			return false
		}
	}
	return true
}

func (c *comparison) eachType(list []*node, n []*node) bool {
	t := c.factsOf(n).types
	if t&(t-1) == 0 || slices.ContainsFunc(n, func(p *node) bool { return p.id < 0 }) {
		return false // one type, or split already
	}
	for bit := types(1); bit != 0 && bit <= t; bit <<= 1 {
		if t&bit != 0 && !c.fits(list, parts(n, typeNode(bit))) {
			return false
		}
	}
	return true
}

func (c *comparison) fits(list []*node, n []*node) bool {
	return slices.ContainsFunc(list, func(s *node) bool { return c.clean(s, n) })
}

// typeNode is a node that allows some types only. Its id says which, and is no other's.
func typeNode(t types) *node {
	names := []any{}
	for _, name := range []string{"null", "boolean", "object", "array", "string", "integer"} {
		if t&typeNamed(name) != 0 {
			names = append(names, name)
		}
	}
	if t&fractions != 0 {
		names = append(names, "number")
	}
	return &node{id: -int(t), rules: map[string]any{"type": names}}
}

// paired reports how each alternative differs from the one in its place, or that it can't be told.
func (c *comparison) paired(o *node, keyword string, n []*node) {
	list := o.many[keyword]
	i := slices.IndexFunc(n, func(p *node) bool { return len(p.many[keyword]) == len(list) })
	before := len(c.changes)
	if i >= 0 {
		for j, s := range list {
			c.compare(s, parts(n, n[i].many[keyword][j]))
		}
	}
	if len(c.changes) == before {
		c.change(o, keyword, cantTell)
	}
}

// conditional says whether p asks the same question, and what follows from it ensures what follows in o.
func (c *comparison) conditional(o, p *node, n []*node) bool {
	if !c.same(o.one["if"], p.one["if"]) {
		return false
	}
	then, otherwise := parts(n, p.one["if"]), n
	if s := p.one["then"]; s != nil {
		then = parts(then, s)
	}
	if s := p.one["else"]; s != nil {
		otherwise = parts(otherwise, s)
	}
	return (o.one["then"] == nil || c.clean(o.one["then"], then)) && (o.one["else"] == nil || c.clean(o.one["else"], otherwise))
}

// disjoint says whether no value can conform to two of the list: by type, or by a member that both require and that
// each gives other values. One of them is then as good as any of them.
func (c *comparison) disjoint(list []*node) bool {
	for i, a := range list {
		for _, b := range list[:i] {
			if c.left < 0 || !c.apart(parts(nil, a), parts(nil, b)) {
				return false
			}
		}
	}
	return true
}

func (c *comparison) apart(a, b []*node) bool {
	c.left -= 5 + len(a) + len(b)
	ta, tb := c.gather(a).types, c.gather(b).types
	if ta&tb == 0 {
		return true
	}
	if ta != objects || tb != objects {
		return false
	}
	for _, p := range a {
		for _, name := range p.texts("required") {
			if required(b, name) && c.otherValues(c.memberParts(a, name), c.memberParts(b, name)) {
				return true
			}
		}
	}
	return false
}

func (c *comparison) otherValues(a, b []*node) bool {
	left, ok := c.valuesOf(a)
	right, also := c.valuesOf(b)
	if !ok || !also {
		return false
	}
	have := make(map[string]bool, len(left))
	for _, v := range left {
		have[canonical(v)] = true
	}
	return !slices.ContainsFunc(right, func(v any) bool { return have[canonical(v)] })
}

func itoa(i int) string { return strconv.Itoa(i) }
