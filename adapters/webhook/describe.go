package webhook

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// Description is a profile as its receivers need it: what arrives, how it is verified, what to answer. It is plain
// data, the same for the same profile and sample, and holds no secret.
type Description struct {
	Name        string
	Version     int
	Text        string // what the profile's document says of itself
	HTTPSOnly   bool
	Transport   string // in words
	ContentType string
	Headers     []DescribedHeader
	BodySchema  json.RawMessage // JSON Schema 2020-12
	Body        string          // of the sample, exactly as it would be sent
	Identity    Identity
	Answers     []DescribedAnswer
	Success     string // statuses in words: "2xx", "200 or 204"
	Timeout     string // for the whole answer, in words
	Retries     Retries
	Honours     bool                // whether Retry-After, 410, 429 and 503 mean something
	Signature   *DescribedSignature // nil: the format signs nothing
	Auth        DescribedAuth
	EventTypes  []string // the vendor's catalogue; nil: it has none
}

// DescribedHeader is one header of a request.
type DescribedHeader struct {
	Name     string // as the document writes it; of a Prefix, what the names begin with
	Text     string
	Example  string
	Required bool // whether every request has it
	Prefix   bool // each CloudEvents extension attribute of the event makes a header
}

// DescribedAnswer is what the product makes of a status.
type DescribedAnswer struct {
	Status string // "200", "2XX" or "default", as OpenAPI writes it
	Text   string
}

// DescribedAuth is how receivers of a format know the sender by a secret of their own.
type DescribedAuth struct {
	Required bool
	Types    []string // that an endpoint may have: "api_key", "basic", "bearer"
	Header   string   // an API key's, unless the endpoint names another; "": the endpoint names it
	Query    string   // likewise, where the key goes into the URL
}

// Identity is where a request says which event it is about, so that a receiver can tell a repeat. At most one of Header
// and Pointer is set; if neither is, the format carries no id.
type Identity struct {
	Header  string
	Pointer string // into the body, RFC 6901
	Source  string // header or pointer of the source, without which the id isn't unique; "": it is
	Number  bool   // the event's sequence, by which it can be fetched
}

// Sample is what a description is made for. The zero value stands for an endpoint that overrides nothing and an event
// of the program's own making.
type Sample struct {
	EndpointID    string
	Type          string // of the event
	SchemaVersion string
	Data          []byte // of the event; nil: made up
	Success       Statuses
	Timeout       time.Duration
	Retry         domain.Schedule
}

// Describe describes requests of a profile. Data that the format can't carry is refused with a *RefusedError.
func (p *Profile) Describe(s Sample) (Description, error) {
	root, err := parseNode(p.Document)
	if err != nil {
		return Description{}, err // it was parsed before
	}
	s = completed(p, s)
	request, err := sampleRequest(p, s)
	if err != nil {
		return Description{}, err
	}
	d := Description{
		Name: p.Name, Version: p.Version, Text: p.Description, HTTPSOnly: p.HTTPSOnly, Transport: "https or http",
		ContentType: p.ContentType, BodySchema: bodySchema(p, root.member("envelope")), Body: string(request.Body),
		Identity: identityOf(root), Success: s.Success.String(), Timeout: FormatDuration(s.Timeout),
		Retries: DescribeRetries(s.Retry), Honours: p.HonoursRetryAfter, EventTypes: p.EventTypes,
	}
	if p.HTTPSOnly {
		d.Transport = "https only"
	}
	d.Auth = DescribedAuth{
		Required: p.auth.required, Types: p.auth.types, Header: strings.ToLower(p.auth.header),
		Query: p.auth.query,
	}
	if len(d.Auth.Types) == 0 {
		d.Auth.Types = authTypes()
	}
	if d.Signature, err = describeSignature(p, root.member("signature")); err != nil {
		return Description{}, err
	}
	d.Headers = describeHeaders(p, root, request)
	d.Answers = describeAnswers(p, s.Success)
	return d, nil
}

// describeHeaders lists what every request has first, and what only some have last.
func describeHeaders(p *Profile, root *node, sample *Request) []DescribedHeader {
	list := []DescribedHeader{
		{Name: "content-type", Text: "The body's media type.", Example: p.ContentType, Required: true},
		{Name: "user-agent", Text: "The sender and its version.", Example: sample.Header.Get("User-Agent"), Required: true},
	}
	if headers := root.member("headers"); headers != nil {
		for i, written := range headers.names {
			list = append(list, describeHeader(written, headers.items[i].text, sample))
		}
	}
	if p.signature != nil {
		text := "The signature of this request."
		if !p.KeyGenerated {
			text = "The signature of this request; absent where the endpoint has no signing key."
		}
		name := root.member("signature").member("header").text
		list = append(list, DescribedHeader{
			Name: name, Text: text, Example: sample.Header.Get(name),
			Required: p.KeyGenerated,
		})
	}
	if p.auth.header != "" {
		list = append(list, DescribedHeader{
			Name: strings.ToLower(p.auth.header), Example: exampleAPIKey,
			Text: "The receiver's own API key, unless the endpoint is configured to send it under another name or elsewhere.",
		})
	}
	hops := sample.Header.Get(domain.HeaderHops)
	return append(list,
		DescribedHeader{
			Name:     strings.ToLower(domain.HeaderHops),
			Example:  hops,
			Required: true,
			Text:     "How many webhooks led to this one, itself included. Pass it on with events that you append because of it, so that loops end.",
		},
		DescribedHeader{Name: "hooktrail-test", Text: "A test that somebody asked for, not a real event.", Example: "true"},
		DescribedHeader{
			Name: "hooktrail-replay-id", Text: "The replay in which an event is sent again.",
			Example: exampleReplay,
		},
	)
}

func describeHeader(written, value string, sample *Request) DescribedHeader {
	name, optional := strings.CutSuffix(written, "?")
	name, prefix := strings.CutSuffix(name, "...")
	h := DescribedHeader{Name: name, Required: !optional && !prefix, Prefix: prefix}
	if prefix {
		h.Text = "One header for each CloudEvents extension attribute of the event, percent-encoded."
		return h
	}
	h.Example = sample.Header.Get(name)
	parts := parseParts(value, func(string, ...any) {}) // it was parsed before, without a fault
	h.Text = describeParts(parts, value)
	return h
}

func describeAnswers(p *Profile, success Statuses) []DescribedAnswer {
	var list []DescribedAnswer
	for _, status := range success.List() {
		list = append(list, DescribedAnswer{
			strings.ToUpper(status),
			"Received. The event is not sent again; the answer's body doesn't matter.",
		})
	}
	if p.HonoursRetryAfter {
		list = append(
			list,
			DescribedAnswer{"410", "The receiver wants nothing more: the endpoint is disabled."},
			DescribedAnswer{
				"429",
				"Too many requests: the attempt has failed, the endpoint gets fewer for a while, and Retry-After (at most 24 h) is respected.",
			},
			DescribedAnswer{"503", "Overloaded: as 429."},
		)
	}
	other := "Anything else, a redirect (none is followed) or no answer in time is a failed attempt, which is repeated on schedule"
	if p.HonoursRetryAfter {
		return append(list, DescribedAnswer{"default", other + ", but not before what Retry-After says (at most 24 h)."})
	}
	return append(list, DescribedAnswer{"default", other + ", whatever Retry-After says."})
}

// identityOf looks for an event's id where it is a whole value, the best one first.
func identityOf(root *node) Identity {
	for _, f := range []field{fieldWebhookID, fieldID, fieldInternalID, fieldSequence, fieldProducerID} {
		at := placeOf(root, f)
		at.Number = f == fieldSequence && at != Identity{}
		if at == (Identity{}) {
			continue
		}
		if f == fieldProducerID {
			source := placeOf(root, fieldSource)
			at.Source = source.Header + source.Pointer
		}
		return at
	}
	return Identity{}
}

// placeOf returns the header or else the place in the body that holds one field and nothing else.
func placeOf(root *node, f field) Identity {
	alone := func(text string) bool {
		parts := parseParts(text, func(string, ...any) {})
		return len(parts) == 1 && parts[0].literal == "" && parts[0].field == f
	}
	if headers := root.member("headers"); headers != nil {
		i := slices.IndexFunc(headers.items, func(n *node) bool { return alone(n.text) })
		if i >= 0 && !strings.HasSuffix(headers.names[i], "?") {
			return Identity{Header: headers.names[i]}
		}
	}
	return Identity{Pointer: strings.TrimPrefix(find(root.member("envelope"), alone), "/envelope")}
}

// find returns the pointer of the first string in a node that fits, "" if none does. Members that may be left out
// don't.
func find(n *node, fits func(string) bool) string {
	if n.kind == kindString && fits(n.text) {
		return n.pointer
	}
	for i, item := range n.items {
		if n.kind == kindObject && strings.HasSuffix(n.names[i], "?") {
			continue
		}
		if pointer := find(item, fits); pointer != "" {
			return pointer
		}
	}
	return ""
}
