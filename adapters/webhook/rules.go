package webhook

import (
	"maps"
	"net/textproto"
	"slices"
	"strings"
)

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
			r.fault(item.pointer, "is a duplicate: header names are case-insensitive")
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
// field of them is also the whole value of a header.
func (r *reader) signature(p *Profile, n *node) {
	if n == nil || !r.object(n, []string{"header", "content", "encoding", "algorithms"}, "separator") {
		return
	}
	s := &signatureRule{
		header: textproto.CanonicalMIMEHeaderKey(r.text(n, "header")),
		hex:    r.choice(n, "encoding", "hex", "base64") == "hex",
		separator: r.matching(n, "separator", `^[ ,;|]{1,2}$`,
			"is one or two of space, comma, semicolon and |, which no signature can hold"),
		prefixes: map[algorithm]string{},
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
		r.fault(n.pointer, "must name at least one algorithm and the prefix of its signatures")
	}
	if prefixes := slices.Collect(
		maps.Values(s.prefixes),
	); len(prefixes) == 2 &&
		(prefixes[0] == prefixes[1] || prefixes[0] == "" || prefixes[1] == "") {
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
			r.fault(pointer, "signs %s, which is not the whole value of any header: a receiver couldn't verify it",
				fieldNames()[part.field])
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
