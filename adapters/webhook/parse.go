package webhook

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/textproto"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// MaxProfileBytes bounds a profile's document.
const MaxProfileBytes = 64 << 10

// ParseProfile validates and compiles a document. A bad one is refused with a *DocumentError that names every place
// that is wrong.
func ParseProfile(document []byte) (*Profile, error) {
	if len(document) > MaxProfileBytes {
		return nil, &DocumentError{[]Fault{{Pointer: "", Text: fmt.Sprintf("has more than %d bytes", MaxProfileBytes)}}}
	}
	root, err := parseNode(document)
	if err != nil {
		return nil, err
	}
	var r reader
	p := r.profile(root)
	if len(r.faults) > 0 {
		return nil, &DocumentError{r.faults}
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, document); err != nil {
		return nil, fmt.Errorf("write profile %s without white space: %w", p.Name, err)
	}
	p.Document = compact.Bytes()
	sum := sha256.Sum256(p.Document)
	p.Digest = hex.EncodeToString(sum[:])
	return p, nil
}

// dataContentType has requests say of their body what the producer said of the data, which is the whole body.
const dataContentType = "${data_content_type}"

// reader turns nodes into a profile and collects what is wrong on the way.
type reader struct{ faults []Fault }

func (r *reader) fault(pointer, format string, args ...any) {
	r.faults = append(r.faults, Fault{Pointer: pointer, Text: fmt.Sprintf(format, args...)})
}

// at is fault for one place.
func (r *reader) at(pointer string) func(string, ...any) {
	return func(format string, args ...any) { r.fault(pointer, format, args...) }
}

func (r *reader) profile(root *node) *Profile {
	p := &Profile{}
	if !r.object(root, []string{
		"name", "version", "transport", "content_type", "envelope", "success", "retry",
		"honours_retry_after",
	},
		"description", "headers", "signature", "key", "auth", "timeout", "event_types", "self_service") {
		return p
	}
	p.Name = r.matching(root, "name", `^[a-z0-9][a-z0-9-]{0,62}$`,
		"has 1 to 63 characters of a-z, 0-9 and -, and begins with a letter or digit")
	p.Version = r.version(root.member("version"))
	p.Description = r.text(root, "description")
	if n := root.member("content_type"); n != nil && n.kind == kindString && n.text == dataContentType {
		p.ContentType, p.dataTyped = domain.DefaultDataContentType, true
	} else {
		p.ContentType = r.matching(root, "content_type", `^[a-z]+/[a-z0-9.+-]+(; ?charset=utf-8)?$`,
			`is a media type in lower case, such as "application/json", or "`+dataContentType+`" where the body is the data`)
	}
	p.HTTPSOnly = r.choice(root, "transport", "https", "http_or_https") == "https"
	p.HonoursRetryAfter = r.flag(root, "honours_retry_after")
	p.SelfService = root.member("self_service") == nil || r.flag(root, "self_service")
	r.success(p, root.member("success"))
	r.timing(p, root)
	envelope := root.member("envelope")
	r.envelope(p, envelope)
	if p.dataTyped && envelope != nil && (envelope.kind != kindString || envelope.text != "${data}") {
		r.fault("/content_type", `can't be the data's own: the envelope is more than "${data}"`)
	}
	r.headers(p, root.member("headers"))
	r.signature(p, root.member("signature"))
	r.key(p, root)
	r.auth(p, root.member("auth"))
	for _, n := range r.list(root.member("event_types")) {
		if err := domain.EventType(n.text).Validate(""); err != nil {
			r.fault(n.pointer, "is not a valid event type")
		}
		p.EventTypes = append(p.EventTypes, n.text)
	}
	return p
}

// object checks that a node is an object with the required members and no unknown ones.
func (r *reader) object(n *node, required []string, optional ...string) bool {
	if n.kind != kindObject {
		r.fault(n.pointer, "must be an object")
		return false
	}
	for i, name := range n.names {
		if !slices.Contains(required, name) && !slices.Contains(optional, name) {
			r.fault(n.items[i].pointer, "is an unknown member: known are %s", strings.Join(append(slices.Clone(required),
				optional...), ", "))
		}
	}
	for _, name := range required {
		if n.member(name) == nil {
			r.fault(n.pointer+"/"+name, "is missing")
		}
	}
	return true
}

func (r *reader) text(parent *node, name string) string {
	n := parent.member(name)
	if n == nil {
		return ""
	}
	if n.kind != kindString {
		r.fault(n.pointer, "must be a string")
		return ""
	}
	if domain.ValidateText("", n.text, 0, 4096) != nil {
		r.fault(n.pointer, "has at most 4096 bytes and no control characters")
	}
	return n.text
}

func (r *reader) matching(parent *node, name, pattern, hint string) string {
	n := parent.member(name)
	if n == nil {
		return ""
	}
	if n.kind != kindString || !regexp.MustCompile(pattern).MatchString(n.text) {
		r.fault(n.pointer, "%s", hint)
		return ""
	}
	return n.text
}

func (r *reader) choice(parent *node, name string, allowed ...string) string {
	n := parent.member(name)
	if n != nil && (n.kind != kindString || !slices.Contains(allowed, n.text)) {
		r.fault(n.pointer, "is one of %s", strings.Join(allowed, ", "))
	}
	if n == nil {
		return ""
	}
	return n.text
}

func (r *reader) flag(parent *node, name string) bool {
	n := parent.member(name)
	if n != nil && n.kind != kindBool {
		r.fault(n.pointer, "must be true or false")
	}
	return n != nil && n.text == "true"
}

// list returns the strings of an array; none if it is absent.
func (r *reader) list(n *node) []*node {
	if n == nil {
		return nil
	}
	if n.kind != kindArray {
		r.fault(n.pointer, "must be an array of strings")
		return nil
	}
	var items []*node
	for i, item := range n.items {
		switch {
		case item.kind != kindString:
			r.fault(item.pointer, "must be a string")
		case slices.ContainsFunc(n.items[:i], func(o *node) bool { return o.kind == kindString && o.text == item.text }):
			r.fault(item.pointer, "is a duplicate")
		default:
			items = append(items, item)
		}
	}
	return items
}

func (r *reader) version(n *node) int {
	if n == nil {
		return 0
	}
	v, err := strconv.Atoi(n.text)
	if n.kind != kindNumber || err != nil || v < 1 || v > 1_000_000 {
		r.fault(n.pointer, "must be a whole number from 1 to 1000000")
	}
	return v
}

func (r *reader) success(p *Profile, n *node) {
	items := r.list(n)
	if n != nil && n.kind == kindArray && len(n.items) == 0 {
		r.fault(n.pointer, `must name at least one status, such as "2xx"`)
	}
	for _, item := range items {
		if !p.success.add(item.text) {
			r.fault(item.pointer, successHint)
		}
	}
}

// timing reads the timeout and the retry schedule, the latter in the contract's own form.
func (r *reader) timing(p *Profile, root *node) {
	if n := root.member("timeout"); n != nil {
		d, err := time.ParseDuration(r.text(root, "timeout"))
		if err != nil || d < time.Duration(domain.MinTimeout) || d > time.Duration(domain.MaxTimeout) {
			r.fault(n.pointer, `must be a duration from "100ms" to "120s"`)
		}
		p.Timeout = d
	}
	n := root.member("retry")
	if n == nil || n.kind == kindString && n.text == "default" {
		return
	}
	if n.kind != kindObject {
		r.fault(n.pointer, `must be "default" or a schedule such as {"first": "1m", "factor": 2, "max_elapsed": "72h"}`)
		return
	}
	if !r.object(n, nil, "schedule", "first", "factor", "max_interval", "max_elapsed", "jitter") {
		return
	}
	if err := json.Unmarshal(n.append(nil), &p.Retry); err != nil {
		r.fault(n.pointer, `has durations such as "5s", and numbers for factor and jitter`)
		return
	}
	var invalid *domain.InvalidError
	if errors.As(p.Retry.Validate("retry"), &invalid) {
		r.fault("/"+strings.NewReplacer(".", "/", "[", "/", "]", "").Replace(invalid.Field), "%s", invalid.Text)
	}
}

func (r *reader) key(p *Profile, root *node) {
	n := root.member("key")
	switch {
	case n == nil && p.signature != nil:
		r.fault("/key", "is missing: a profile that signs says how its keys are written")
	case n != nil && root.member("signature") == nil:
		r.fault(n.pointer, "needs a signature that it is for")
	case n != nil && r.object(n, []string{"format", "generated"}):
		p.keyFormat = keyFormat(r.choice(n, "format", string(keyText), string(keyWhsec)))
		p.KeyGenerated = r.flag(n, "generated")
		if p.keyFormat == keyText && p.signsWith(ed25519Alg) {
			r.fault(n.pointer+"/format", `must be "whsec" where ed25519 may sign`)
		}
	}
}

func (r *reader) auth(p *Profile, n *node) {
	if n == nil || !r.object(n, []string{"required"}, "types", "header", "query") {
		return
	}
	p.auth.required = r.flag(n, "required")
	for _, item := range r.list(n.member("types")) {
		if !slices.Contains(authTypes(), item.text) {
			r.fault(item.pointer, "is one of %s", strings.Join(authTypes(), ", "))
		}
		p.auth.types = append(p.auth.types, item.text)
	}
	if header := n.member("header"); header != nil {
		p.auth.header = textproto.CanonicalMIMEHeaderKey(r.text(n, "header"))
		if reason := reservedHeader(p.auth.header); reason != "" {
			r.fault(header.pointer, "%s", reason)
		}
	}
	if query := n.member("query"); query != nil {
		p.auth.query = r.matching(n, "query", queryName, "has 1 to 64 characters of A-Z, a-z, 0-9, _, . and -")
	}
}

// queryName is what an API key's query parameter may be called: nothing that would need escaping.
const queryName = `^[A-Za-z0-9_.-]{1,64}$`
