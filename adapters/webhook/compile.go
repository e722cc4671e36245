package webhook

import (
	"slices"
	"strings"
)

// compiler writes an envelope out as segments.
type compiler struct {
	*reader
	profile *Profile
	literal strings.Builder // not yet in a segment
}

// envelope compiles the JSON that a profile's bodies look like. Its strings may hold fields.
func (r *reader) envelope(p *Profile, n *node) {
	if n == nil {
		return
	}
	c := compiler{reader: r, profile: p}
	c.value(n)
	if c.literal.Len() > 0 {
		c.emit(segment{})
	}
	for _, s := range p.body {
		p.bodySize += len(s.literal)
	}
	c.bound(n)
}

// maxRepeats is how often an envelope may hold the same field. Each may be as large as an event's data: without a bound
// a small document could make bodies of any size.
const maxRepeats = 4

// bound refuses an envelope that holds a field, or a member of the data, too often.
func (c *compiler) bound(n *node) {
	type place struct {
		field  field
		member int
	}
	seen := make(map[place]int)
	for _, s := range c.profile.body {
		at := place{s.field, s.member}
		if seen[at]++; s.field != fieldNone && seen[at] == maxRepeats+1 {
			c.fault(n.pointer, "holds ${%s} more than %d times", c.nameOf(s), maxRepeats)
		}
	}
}

// nameOf is how the document writes a segment's field.
func (c *compiler) nameOf(s segment) string {
	if s.field == fieldMember {
		return "data." + c.profile.members[s.member]
	}
	return fieldNames()[s.field]
}

// emit ends the literal text with a field.
func (c *compiler) emit(s segment) {
	s.literal = c.literal.String()
	c.literal.Reset()
	c.profile.body = append(c.profile.body, s)
}

func (c *compiler) value(n *node) {
	switch n.kind {
	case kindString:
		c.text(n)
	case kindObject:
		c.object(n)
	case kindArray:
		c.literal.WriteByte('[')
		for i, item := range n.items {
			if i > 0 {
				c.literal.WriteByte(',')
			}
			c.value(item)
		}
		c.literal.WriteByte(']')
	default:
		c.literal.WriteString(n.text)
	}
}

// object writes members in the document's order. A name that ends in "?" is left out with an empty field, and "..."
// spreads the event's extension attributes.
func (c *compiler) object(n *node) {
	c.literal.WriteByte('{')
	for i, name := range n.names {
		item := n.items[i]
		bare, optional := strings.CutSuffix(name, "?")
		if i == 0 && (optional || name == "...") {
			c.fault(item.pointer, "may be empty and so can't be an object's first member")
		}
		if name == "..." {
			c.spread(n, item)
			continue
		}
		if optional && c.literal.Len() > 0 {
			c.emit(segment{}) // what comes before it isn't optional
		}
		if i > 0 {
			c.literal.WriteByte(',')
		}
		c.literal.Write(appendString(nil, bare))
		c.literal.WriteByte(':')
		if optional {
			c.optional(item)
		} else {
			c.value(item)
		}
	}
	c.literal.WriteByte('}')
}

func (c *compiler) spread(parent, item *node) {
	if item.kind != kindString || item.text != "${extensions}" {
		c.fault(item.pointer, `must be "${extensions}"`)
		return
	}
	c.emit(segment{field: fieldExtensions, taken: plainNames(parent.names)})
}

// plainNames returns member names as they are sent.
func plainNames(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = strings.TrimSuffix(name, "?")
	}
	return out
}

func (c *compiler) optional(n *node) {
	before := len(c.profile.body)
	c.value(n)
	if len(c.profile.body) != before+1 || c.literal.Len() > 0 || n.kind != kindString {
		c.fault(n.pointer, `must be one field, such as "${subject}", since its member's name ends in "?"`)
		return
	}
	last := &c.profile.body[before]
	if last.field.numeric() {
		c.fault(n.pointer, "is never empty: drop the \"?\" from its name")
	}
	last.optional = true
}

// text writes a string: literal, one field with the type that it has in JSON, or text with fields in it.
func (c *compiler) text(n *node) {
	parts := parseParts(n.text, c.at(n.pointer))
	if len(parts) == 1 && parts[0].field != fieldNone && parts[0].literal == "" {
		c.field(n, parts[0])
		return
	}
	c.literal.WriteByte('"')
	for _, p := range parts {
		c.literal.Write(appendPart(nil, p.literal))
		switch {
		case p.field == fieldNone:
		case !p.field.textual() || p.how != plain:
			c.fault(n.pointer, "can't have %s among other text", fieldNames()[p.field])
		case p.field.numeric():
			c.emit(segment{field: p.field})
		default:
			c.emit(segment{field: p.field, how: jsonPart})
		}
	}
	c.literal.WriteByte('"')
}

// field writes a value that is one field.
func (c *compiler) field(n *node, p part) {
	switch {
	case p.field == fieldBody || p.field == fieldExtensions:
		c.fault(n.pointer, "can't be %s", fieldNames()[p.field])
	case p.how == percent:
		c.fault(n.pointer, "can't be percent-encoded: that is for headers")
	case p.field == fieldMember:
		c.emit(segment{field: fieldMember, how: jsonString, member: c.memberIndex(p.member)})
	case p.how != plain || p.field == fieldData || p.field.numeric():
		c.emit(segment{field: p.field, how: p.how})
	default:
		c.emit(segment{field: p.field, how: jsonString})
	}
}

// memberIndex numbers the members of the data that the envelope takes, each once.
func (c *compiler) memberIndex(name string) int {
	i := slices.Index(c.profile.members, name)
	if i < 0 {
		i = len(c.profile.members)
		c.profile.members = append(c.profile.members, name)
	}
	return i
}
