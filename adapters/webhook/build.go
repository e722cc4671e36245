package webhook

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/hooktrail/hooktrail/domain"
)

// Build writes the request of one attempt, to the byte: the same event, target and attempt make it again. An event that
// the format can't carry is refused with a *RefusedError.
func (t *Target) Build(e *Event, a Attempt) (*Request, error) {
	w := writer{target: t, event: e, attempt: a}
	body, err := w.body()
	if err != nil {
		return nil, err
	}
	header, err := w.header(body)
	if err != nil {
		return nil, err
	}
	return &Request{Method: http.MethodPost, URL: t.loggedURL, Header: header, Body: body, target: t, masks: t.masks}, nil
}

// Body writes the body alone, which no secret has a part in: so what was sent can be made again after the endpoint's
// keys are destroyed. endpointID is the one of the TargetConfig.
func (p *Profile) Body(endpointID string, e *Event, a Attempt) ([]byte, error) {
	w := writer{target: &Target{profile: p, endpointID: endpointID}, event: e, attempt: a}
	return w.body()
}

// writer writes one request.
type writer struct {
	target  *Target
	event   *Event
	attempt Attempt
}

// roomForFields is what the fields of an envelope take, generously: one allocation is enough for nearly every body.
const roomForFields = 256

func (w *writer) body() ([]byte, error) {
	p := w.target.profile
	var found [8][]byte
	members := found[:]
	if len(p.members) > len(members) {
		members = make([][]byte, len(p.members))
	}
	if len(p.members) > 0 {
		if err := membersOf(w.event.Data, p.members, members); err != nil {
			return nil, err
		}
	}
	b := make([]byte, 0, p.bodySize+len(w.event.Data)+len(w.event.Subject)+roomForFields)
	for i := range p.body {
		s := &p.body[i]
		if s.optional && w.empty(s, members) {
			continue
		}
		b = append(b, s.literal...)
		switch s.field {
		case fieldNone:
		case fieldData:
			b = w.appendData(b, s.how)
		case fieldMember:
			b = append(append(append(b, '"'), members[s.member]...), '"')
		case fieldExtensions:
			b = w.appendExtensions(b, s.taken)
		default:
			b = w.appendField(b, s.field, s.how)
		}
	}
	return b, nil
}

// empty reports whether an optional member has nothing to hold.
func (w *writer) empty(s *segment, members [][]byte) bool {
	if s.field == fieldMember {
		return len(members[s.member]) == 0
	}
	if s.field == fieldData {
		return len(w.event.Data) == 0
	}
	return s.field != fieldOccurredAt && s.field != fieldEndpointID && w.event.text(s.field) == ""
}

func (w *writer) appendData(b []byte, how encoding) []byte {
	data := w.event.Data
	switch {
	case len(data) == 0 && w.target.profile.dataTyped:
		return b // no data at all, which CloudEvents tells from null
	case len(data) == 0 && how == jsonArray:
		return append(b, "[]"...)
	case len(data) == 0:
		return append(b, "null"...)
	case how != jsonArray:
		return append(b, data...)
	}
	if jsontext.Value(data).Kind() == '[' {
		return append(b, data...)
	}
	return append(append(append(b, '['), data...), ']')
}

// appendExtensions writes extension attributes as members, in order of name so that a repeat is the same to the byte.
func (w *writer) appendExtensions(b []byte, taken []string) []byte {
	for _, name := range w.extensionNames() {
		if slices.Contains(taken, name) {
			continue
		}
		b = appendString(append(b, ','), name)
		b = w.event.Extensions[name].AppendJSON(append(b, ':'))
	}
	return b
}

func (w *writer) extensionNames() []string {
	if len(w.event.Extensions) == 0 {
		return nil
	}
	names := make([]string, 0, len(w.event.Extensions))
	for name := range w.event.Extensions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// appendField writes a textual field.
func (w *writer) appendField(b []byte, f field, how encoding) []byte {
	if how == jsonString {
		return append(w.appendField(append(b, '"'), f, jsonPart), '"')
	}
	switch f {
	case fieldSequence:
		return strconv.AppendInt(b, w.event.Sequence, 10)
	case fieldAttempt:
		return strconv.AppendInt(b, int64(w.attempt.Number), 10)
	case fieldTimestamp:
		return strconv.AppendInt(b, w.attempt.At.Unix(), 10)
	case fieldOccurredAt:
		return appendTime(b, w.event.OccurredAt)
	}
	text := w.text(f)
	switch how {
	case jsonPart:
		return appendPart(b, text)
	case percent:
		return appendPercent(b, text)
	}
	return append(b, text...)
}

// text returns a field that has its text already.
func (w *writer) text(f field) string {
	if f == fieldEndpointID {
		return w.target.endpointID
	}
	return w.event.text(f)
}

// appendTime writes RFC 3339 in UTC, at most microseconds, without trailing zeros.
func appendTime(b []byte, t time.Time) []byte {
	return t.UTC().Truncate(time.Microsecond).AppendFormat(b, time.RFC3339Nano)
}

// header writes all headers of the request. Values that never change are shared between requests.
func (w *writer) header(body []byte) (http.Header, error) {
	t, p := w.target, w.target.profile
	h := make(http.Header, len(t.constant)+len(p.headers)+4)
	for name, values := range t.constant {
		h[name] = values
	}
	values := make([]string, 0, len(p.headers)+5)
	set := func(name, value string) {
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	switch {
	case p.dataTyped && len(w.event.Data) == 0:
		delete(h, "Content-Type")
	case p.dataTyped:
		set("Content-Type", w.text(fieldDataContentType))
	}
	for i := range p.headers {
		rule := &p.headers[i]
		if rule.spread {
			w.spread(h, rule.name)
			continue
		}
		if value := w.value(rule); value != "" || !rule.optional {
			set(rule.name, value)
		}
	}
	if p.signature != nil && len(t.signers) > 0 {
		set(p.signature.header, w.signature(body))
	}
	set(domain.HeaderHops, domain.FormatHops(w.event.Hops))
	if w.attempt.Test {
		set("Hooktrail-Test", "true")
	}
	if w.attempt.ReplayID != "" {
		set("Hooktrail-Replay-Id", w.attempt.ReplayID)
	}
	return h, refuseUnsafe(h)
}

// refuseUnsafe is the last guard against a value that would end its header early. What appends events lets no control
// characters through, so this costs a look at the bytes and never fires unless something else is wrong.
func refuseUnsafe(h http.Header) error {
	for name, values := range h {
		for _, c := range []byte(values[0]) {
			if c < ' ' && c != '\t' || c == 0x7f {
				return &RefusedError{CodeHeaderRefused, fmt.Sprintf("the header %s would hold a control character", name)}
			}
		}
	}
	return nil
}

// spread makes a header of each extension attribute. Names that HTTP has no place for can't come from CloudEvents.
func (w *writer) spread(h http.Header, prefix string) {
	for _, name := range w.extensionNames() {
		key := textproto.CanonicalMIMEHeaderKey(prefix + name)
		if w.target.profile.reserves(key) || reservedHeader(key) != "" {
			continue
		}
		h[key] = []string{string(appendPercent(nil, w.event.Extensions[name].String()))}
	}
}

// reserves reports whether a profile gives a header a meaning of its own, so that no extension may take its place.
func (p *Profile) reserves(canonical string) bool {
	return slices.ContainsFunc(p.headers, func(r headerRule) bool { return !r.spread && r.name == canonical })
}

// value writes a header's value; one that is a single text is used as it is.
func (w *writer) value(rule *headerRule) string {
	if len(rule.parts) == 1 && rule.parts[0].literal == "" && rule.parts[0].how == plain {
		if f := rule.parts[0].field; !f.numeric() && f != fieldOccurredAt {
			return w.text(f)
		}
	}
	var scratch [128]byte
	return string(w.appendParts(scratch[:0], rule.parts))
}

func (w *writer) appendParts(b []byte, parts []part) []byte {
	for _, p := range parts {
		b = append(b, p.literal...)
		if p.field != fieldNone {
			b = w.appendField(b, p.field, p.how)
		}
	}
	return b
}

// signature signs with each key in turn.
func (w *writer) signature(body []byte) string {
	s := w.target.profile.signature
	var room, sum [128]byte
	var out [256]byte
	at := slices.IndexFunc(s.content, func(p part) bool { return p.field == fieldBody })
	before := append(w.appendParts(room[:0], s.content[:at]), s.content[at].literal...)
	after := w.appendParts(nil, s.content[at+1:])
	value := out[:0]
	for i, key := range w.target.signers {
		if i > 0 {
			value = append(value, s.separator...)
		}
		value = append(value, s.prefixes[key.algorithm]...)
		raw := key.sign(sum[:0], before, body, after)
		if s.hex {
			value = hex.AppendEncode(value, raw)
		} else {
			value = base64.StdEncoding.AppendEncode(value, raw)
		}
	}
	return string(value)
}
