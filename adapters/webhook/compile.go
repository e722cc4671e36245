package webhook

import (
	"maps"
	"net/textproto"
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
			c.emit(segment{}) // what stands before isn't optional
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

// plainNames returns member names as they stand on the wire.
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
	if last.field == fieldData || last.field.numeric() {
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

// headers compiles the headers that a profile sets.
func (r *reader) headers(p *Profile, n *node) {
	if n == nil {
		return
	}
	if n.kind != kindObject {
		r.fault(n.pointer, "must be an object of names and values")
		return
	}
	for i, written := range n.names {
		item := n.items[i]
		rule := headerRule{}
		name, optional := strings.CutSuffix(written, "?")
		name, rule.spread = strings.CutSuffix(name, "...")
		rule.optional, rule.name = optional, textproto.CanonicalMIMEHeaderKey(name)
		if reason := reservedHeader(rule.name); reason != "" {
			r.fault(item.pointer, "%s", reason)
		}
		if slices.ContainsFunc(p.headers, func(h headerRule) bool { return h.name == rule.name }) {
			r.fault(item.pointer, "stands twice: header names don't tell upper from lower case")
		}
		r.headerValue(&rule, item)
		p.headers = append(p.headers, rule)
	}
}

func (r *reader) headerValue(rule *headerRule, n *node) {
	if n.kind != kindString {
		r.fault(n.pointer, "must be a string")
		return
	}
	if rule.spread {
		if n.text != "${extensions}" {
			r.fault(n.pointer, `must be "${extensions}"`)
		}
		return
	}
	rule.parts = parseParts(n.text, r.at(n.pointer))
	for _, p := range rule.parts {
		if !headerText(p.literal) {
			r.fault(n.pointer, "holds only visible ASCII characters and spaces")
		}
		if p.field != fieldNone && (!p.field.textual() || p.how == jsonString) {
			r.fault(n.pointer, "can't have %s in a header", fieldNames()[p.field])
		}
	}
	if rule.optional && (len(rule.parts) != 1 || rule.parts[0].field == fieldNone || rule.parts[0].literal != "") {
		r.fault(n.pointer, `must be one field, such as "${subject}", since its name ends in "?"`)
	}
}

// signature compiles what is signed and how. A receiver must be able to put the signed bytes together again, so each
// field of them also stands alone in a header.
func (r *reader) signature(p *Profile, n *node) {
	if n == nil || !r.object(n, []string{"header", "content", "encoding", "algorithms"}, "separator") {
		return
	}
	s := &signatureRule{
		header:    textproto.CanonicalMIMEHeaderKey(r.text(n, "header")),
		hex:       r.choice(n, "encoding", "hex", "base64") == "hex",
		separator: r.matching(n, "separator", `^[ ,;|]{1,2}$`, "is one or two of space, comma, semicolon and |, which no signature can hold"),
		prefixes:  map[algorithm]string{},
	}
	p.signature = s
	if reason := reservedHeader(s.header); reason != "" && n.member("header") != nil {
		r.fault(n.pointer+"/header", "%s", reason)
	}
	if slices.ContainsFunc(p.headers, func(h headerRule) bool { return h.name == s.header }) {
		r.fault(n.pointer+"/header", "is set among the headers already")
	}
	r.algorithms(s, n.member("algorithms"))
	r.signed(p, n)
}

func (r *reader) algorithms(s *signatureRule, n *node) {
	if n == nil || !r.object(n, nil, string(hmacSHA256), string(ed25519Alg)) {
		return
	}
	for _, name := range n.names {
		prefix := r.text(n, name)
		if !headerText(prefix) {
			r.fault(n.pointer+"/"+name, "holds only visible ASCII characters and spaces")
		}
		if s.separator != "" && strings.Contains(prefix, s.separator) {
			r.fault(n.pointer+"/"+name, "holds the separator, which would cut the signature in two")
		}
		s.prefixes[algorithm(name)] = prefix
	}
	if len(s.prefixes) == 0 {
		r.fault(n.pointer, "must name at least one algorithm and what stands before its signatures")
	}
	if prefixes := slices.Collect(maps.Values(s.prefixes)); len(prefixes) == 2 && (prefixes[0] == prefixes[1] || prefixes[0] == "" || prefixes[1] == "") {
		r.fault(n.pointer, "must give each algorithm a prefix of its own, by which a receiver tells them apart")
	}
}

func (r *reader) signed(p *Profile, n *node) {
	if n.member("content") == nil {
		return
	}
	pointer := n.pointer + "/content"
	p.signature.content = parseParts(r.text(n, "content"), r.at(pointer))
	bodies := 0
	for _, part := range p.signature.content {
		switch {
		case part.field == fieldBody:
			bodies++
		case part.field == fieldNone:
		case !part.field.textual() || part.how != plain:
			r.fault(pointer, "can't sign %s: sign the body", fieldNames()[part.field])
		case p.headerOf(part.field) == "":
			r.fault(pointer, "signs %s, which stands alone in no header: a receiver couldn't verify it", fieldNames()[part.field])
		}
	}
	if bodies != 1 {
		r.fault(pointer, "must hold ${body} once")
	}
}

// headerOf returns the header whose whole value is one field, or "".
func (p *Profile) headerOf(f field) string {
	for _, h := range p.headers {
		if len(h.parts) == 1 && h.parts[0].literal == "" && h.parts[0].field == f && h.parts[0].how == plain && !h.optional {
			return h.name
		}
	}
	return ""
}

// append writes a node as JSON again.
func (n *node) append(b []byte) []byte {
	switch n.kind {
	case kindString:
		return appendString(b, n.text)
	case kindArray, kindObject:
		open, end := byte('['), byte(']')
		if n.kind == kindObject {
			open, end = '{', '}'
		}
		b = append(b, open)
		for i, item := range n.items {
			if i > 0 {
				b = append(b, ',')
			}
			if n.kind == kindObject {
				b = append(appendString(b, n.names[i]), ':')
			}
			b = item.append(b)
		}
		return append(b, end)
	}
	return append(b, n.text...)
}
