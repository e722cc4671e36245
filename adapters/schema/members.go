package schema

import (
	"regexp"
	"slices"
)

func (c *comparison) object(o *node, n []*node) {
	c.counts(o, n, "minProperties", "maxProperties")
	for i, name := range o.texts("required") {
		if !required(n, name) {
			c.change(o, "required/"+itoa(i), "is dropped: the member %s may be missing", quoted(name))
		}
	}
	c.dependents(o, n)
	for _, name := range sortedKeys(o.named["properties"]) {
		c.property(o.named["properties"][name], n, name)
	}
	for _, pattern := range sortedKeys(o.named["patternProperties"]) {
		c.patterned(o.named["patternProperties"][pattern], n, pattern)
	}
	if s := o.one["additionalProperties"]; s != nil && !s.anything() {
		c.further(o, s, n)
	}
	if s := o.one["propertyNames"]; s != nil {
		var names []*node
		for _, p := range n {
			if own := p.one["propertyNames"]; own != nil {
				names = append(names, own)
			}
		}
		c.compare(s, parts(nil, append(names, typeNode(stringsType))...))
	}
}

func required(n []*node, name string) bool {
	return slices.ContainsFunc(n, func(p *node) bool { return slices.Contains(p.texts("required"), name) })
}

func (c *comparison) dependents(o *node, n []*node) {
	dependents, _ := o.rules["dependentRequired"].(map[string]any)
	for _, trigger := range sortedKeys(dependents) {
		for i, name := range texts(dependents[trigger]) {
			if !required(n, name) && !slices.ContainsFunc(n, func(p *node) bool {
				own, _ := p.rules["dependentRequired"].(map[string]any)
				return slices.Contains(texts(own[trigger]), name)
			}) {
				c.change(o, "dependentRequired/"+escaped(trigger)+"/"+itoa(i), "is dropped: the member %s may be missing", quoted(name))
			}
		}
	}
	for _, trigger := range sortedKeys(o.named["dependentSchemas"]) {
		with := n
		for _, p := range n {
			if own := p.named["dependentSchemas"][trigger]; own != nil {
				with = parts(with, own)
			}
		}
		c.compare(o.named["dependentSchemas"][trigger], with)
	}
}

// property compares one named member. A receiver may rely on every member that the old schema names.
func (c *comparison) property(s *node, n []*node, name string) {
	declared := slices.ContainsFunc(n, func(p *node) bool { return p.named["properties"][name] != nil })
	with := c.memberParts(n, name)
	if !declared || slices.ContainsFunc(with, (*node).nothing) && !s.nothing() {
		c.change(s, "", "is removed")
		return
	}
	c.compare(s, with)
}

// patterned compares the members whose names match; a part with the same pattern has a rule for each of them.
func (c *comparison) patterned(s *node, n []*node, pattern string) {
	var with []*node
	for _, p := range n {
		if own := p.named["patternProperties"][pattern]; own != nil {
			with = append(with, own)
		}
	}
	if len(with) == 0 && !s.anything() {
		c.change(s, "", "is removed, or its pattern changed")
		return
	}
	c.compare(s, parts(nil, with...))
}

// further compares the members that o doesn't name. One part that rules all its own unnamed members is enough, if
// what it names beyond o conforms too.
func (c *comparison) further(o, s *node, n []*node) {
	rules := func(p *node) bool { return p.one["additionalProperties"] != nil }
	if !slices.ContainsFunc(n, rules) {
		c.change(o, "additionalProperties", "is opened: the new schema allows members that the old one doesn't name")
		return
	}
	if slices.ContainsFunc(n, func(p *node) bool { return rules(p) && len(c.unlike(o, s, p, n)) == 0 }) {
		return
	}
	for _, name := range c.unlike(o, s, n[slices.IndexFunc(n, rules)], n) {
		c.change(o, "additionalProperties", "doesn't allow what the new schema has as %s", name)
	}
}

// unlike names what p allows as members that o doesn't name, and that doesn't conform to s.
func (c *comparison) unlike(o, s, p *node, n []*node) []string {
	var names []string
	for _, name := range sortedKeys(p.named["properties"]) {
		covered := o.named["properties"][name] != nil || matchesAny(o.patterns, name)
		if !covered && !c.clean(s, c.memberParts(n, name)) {
			names = append(names, "the member "+quoted(name))
		}
	}
	for _, pattern := range sortedKeys(p.named["patternProperties"]) {
		if o.named["patternProperties"][pattern] == nil && !c.clean(s, parts(nil, p.named["patternProperties"][pattern])) {
			names = append(names, "members by a pattern")
		}
	}
	if !c.clean(s, parts(nil, p.one["additionalProperties"])) {
		names = append(names, "further members")
	}
	return names
}

// memberParts are the parts' rules for one member.
func (c *comparison) memberParts(n []*node, name string) []*node {
	var list []*node
	for _, p := range n {
		c.left -= 1 + len(p.patterns)
		before := len(list)
		if s := p.named["properties"][name]; s != nil {
			list = append(list, s)
		}
		for _, pattern := range sortedKeys(p.patterns) {
			if p.patterns[pattern].MatchString(name) {
				list = append(list, p.named["patternProperties"][pattern])
			}
		}
		if s := p.one["additionalProperties"]; s != nil && len(list) == before {
			list = append(list, s)
		}
	}
	return parts(nil, list...)
}

func matchesAny(patterns map[string]*regexp.Regexp, name string) bool {
	for _, re := range patterns {
		if re.MatchString(name) {
			return true
		}
	}
	return false
}
