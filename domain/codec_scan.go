package domain

import (
	"strings"
	"time"
	"unicode/utf8"
)

// scan reads JSON in exactly the form in which codec_append.go writes it, front to back. The first thing that is
// otherwise makes it bad, and the part is then left to encoding/json. Strings that it returns share the part's memory.
type scan struct {
	text  string
	bad   bool
	first bool // the comma before the next member isn't there
}

// scanInto fills dst, all or not at all.
func scanInto[T any](dst *T, b []byte, read func(*T, *scan)) bool {
	s := scan{text: string(b)}
	var value T
	read(&value, &s)
	if s.bad || s.text != "" {
		return false
	}
	*dst = value
	return true
}

func (a *EventAttributes) scanJSON(b []byte) bool { return scanInto(a, b, (*EventAttributes).scan) }
func (f *EventRouted) scanJSON(b []byte) bool     { return scanInto(f, b, (*EventRouted).scan) }
func (f *AttemptStarted) scanJSON(b []byte) bool  { return scanInto(f, b, (*AttemptStarted).scan) }
func (r *AttemptResult) scanJSON(b []byte) bool   { return scanInto(r, b, (*AttemptResult).scan) }

func (a *EventAttributes) scan(s *scan) {
	a.ID = s.after(`{"id":`).string()
	a.Source = s.after(`,"source":`).string()
	a.Type = EventType(s.after(`,"type":`).string())
	a.Subject = s.optional(`,"subject":`)
	if s.is(`,"occurred_at":`) {
		a.OccurredAt = s.time()
	}
	a.SchemaVersion = s.after(`,"schema_version":`).string()
	a.DataSchema = s.optional(`,"dataschema":`)
	if s.is(`,"extensions":{`) {
		a.Extensions = make(map[string]string)
		for more := true; more; more = s.is(`,`) {
			name := s.string()
			a.Extensions[name] = s.after(`:`).string()
		}
		s.after(`}`)
	}
	if s.is(`,"test":{"endpoint":`) {
		a.Test = &TestTarget{Endpoint: s.uuid()}
		s.after(`}`)
	}
	if s.is(`,"about":`) {
		a.About = s.uuid()
	}
	a.SchemaProblem = s.optional(`,"schema_problem":`)
	s.after(`}`)
}

func (f *EventRouted) scan(s *scan) {
	s.after(`{`)
	if s.is(`"deliveries":`) {
		f.Deliveries = scanList(s, scanRoutedDelivery)
		s.after(`,`)
	}
	if s.is(`"skipped":`) {
		f.Skipped = scanList(s, scanSkipped)
		s.after(`,`)
	}
	f.Complete = s.after(`"complete":`).bool()
	s.after(`}`)
}

func scanRoutedDelivery(s *scan) (d RoutedDelivery) {
	d.ID = s.after(`{"id":`).uuid()
	d.Endpoint = s.after(`,"endpoint":`).uuid()
	d.EndpointVersion = int(s.after(`,"endpoint_version":`).int())
	d.Subscriptions = scanList(s.after(`,"subscriptions":`), scanMatch)
	s.after(`}`)
	return d
}

func scanMatch(s *scan) (m SubscriptionMatch) {
	m.ID = s.after(`{"id":`).uuid()
	m.Version = int(s.after(`,"version":`).int())
	s.after(`}`)
	return m
}

func scanSkipped(s *scan) (skipped Skipped) {
	skipped.Subscription = s.after(`{"subscription":`).uuid()
	skipped.Version = int(s.after(`,"version":`).int())
	skipped.Endpoint = s.after(`,"endpoint":`).uuid()
	skipped.Reason = SkipReason(s.after(`,"reason":`).string())
	s.after(`}`)
	return skipped
}

func (f *AttemptStarted) scan(s *scan) {
	f.Number = int(s.after(`{"number":`).int())
	f.EndpointVersion = int(s.after(`,"endpoint_version":`).int())
	f.ProfileDigest = s.after(`,"profile_digest":`).string()
	if s.is(`,"keys":`) {
		f.Keys = scanList(s, (*scan).uuid)
	}
	f.At = s.after(`,"at":`).time()
	f.TimeoutMS = s.after(`,"timeout_ms":`).int()
	f.Node = s.after(`,"node":`).uuid()
	s.after(`}`)
}

func (r *AttemptResult) scan(s *scan) {
	r.Number = int(s.after(`{"number":`).int())
	r.Outcome = AttemptOutcome(s.after(`,"outcome":`).string())
	r.StatusCode = int(s.optionalInt(`,"status_code":`))
	r.Error = s.optional(`,"error":`)
	r.Detail = s.optional(`,"detail":`)
	r.DurationUS = s.after(`,"duration_us":`).int()
	r.FinishedAt = s.after(`,"finished_at":`).time()
	r.Status = DeliveryStatus(s.after(`,"status":`).string())
	if s.is(`,"next_attempt_at":`) {
		r.NextAttemptAt = s.time()
	}
	if s.is(`,"request":{"method":`) {
		r.Request.scan(s)
	}
	if s.is(`,"response":{`) {
		r.Response.scan(s)
	}
	r.RemoteAddr = s.optional(`,"remote_addr":`)
	if s.is(`,"tls":{"version":`) {
		r.TLS = &TLSInfo{Version: s.string(), CertificateSHA256: s.after(`,"certificate_sha256":`).string()}
		s.after(`}`)
	}
	if s.is(`,"timings":{`) {
		r.Timings = new(AttemptTimings)
		r.Timings.scan(s)
	}
	s.after(`}`)
}

// scan begins behind the first member's name.
func (r *SentRequest) scan(s *scan) {
	r.Method = s.string()
	r.URL = s.after(`,"url":`).string()
	if s.is(`,"headers":`) {
		r.Headers = scanList(s, scanHeader)
	}
	r.BodySHA256 = s.after(`,"body_sha256":`).string()
	r.BodyBytes = int(s.after(`,"body_bytes":`).int())
	if s.is(`,"keys":`) {
		r.Keys = scanList(s, (*scan).uuid)
	}
	s.after(`}`)
}

// scan begins behind the opening brace.
func (a *CapturedAnswer) scan(s *scan) {
	s.first = true
	if s.is(`,"headers":`) {
		a.Headers = scanList(s, scanHeader)
	}
	a.BodySHA256 = s.optional(`,"body_sha256":`)
	a.BodyBytes = s.optionalInt(`,"body_bytes":`)
	a.Truncated = s.is(`,"truncated":true`)
	a.Incomplete = s.is(`,"incomplete":true`)
	a.Masked = s.is(`,"masked":true`)
	s.close()
}

// scan begins behind the opening brace.
func (t *AttemptTimings) scan(s *scan) {
	s.first = true
	t.DNS = s.optionalInt(`,"dns":`)
	t.Connect = s.optionalInt(`,"connect":`)
	t.TLS = s.optionalInt(`,"tls":`)
	t.FirstByte = s.optionalInt(`,"first_byte":`)
	s.close()
}

func scanHeader(s *scan) (h Header) {
	h.Name = s.after(`{"name":`).string()
	h.Value = s.after(`,"value":`).string()
	s.after(`}`)
	return h
}

func scanList[E any](s *scan, element func(*scan) E) []E {
	if s.is(`null`) {
		return nil
	}
	s.after(`[`)
	list := []E{}
	if s.is(`]`) {
		return list
	}
	for more := true; more && !s.bad; more = s.is(`,`) {
		list = append(list, element(s))
	}
	s.after(`]`)
	return list
}

// is takes a literal if it comes next.
func (s *scan) is(literal string) bool {
	if s.first {
		literal = literal[1:]
	}
	rest, ok := strings.CutPrefix(s.text, literal)
	if ok {
		s.text, s.first = rest, false
	}
	return ok
}

// after takes a literal that must come next.
func (s *scan) after(literal string) *scan {
	if !s.is(literal) {
		s.bad = true
	}
	return s
}

// close ends an object all of whose members are optional.
func (s *scan) close() {
	s.first = false
	s.after(`}`)
}

// string takes a string in which nothing is escaped.
func (s *scan) string() string { return s.after(`"`).content() }

// content takes a string behind its opening quotation mark.
func (s *scan) content() string {
	ascii := true
	for i := range len(s.text) {
		c := s.text[i]
		if plainInString[c] {
			continue
		}
		if c >= utf8.RuneSelf {
			ascii = false
			continue
		}
		content := s.text[:i]
		s.text = s.text[i:]
		s.after(`"`)
		s.bad = s.bad || !ascii && !utf8.ValidString(content)
		return content
	}
	s.bad = true
	return ""
}

func (s *scan) optional(name string) string {
	if s.is(name) {
		return s.string()
	}
	return ""
}

// int takes an integer of at most 18 digits.
func (s *scan) int() (n int64) {
	negative := s.is(`-`)
	digits := 0
	for digits < len(s.text) && s.text[digits] >= '0' && s.text[digits] <= '9' && digits < 19 {
		n = n*10 + int64(s.text[digits]-'0')
		digits++
	}
	if digits == 0 || digits > 18 || digits > 1 && s.text[0] == '0' {
		s.bad = true
	}
	s.text = s.text[digits:]
	if negative {
		return -n
	}
	return n
}

func (s *scan) optionalInt(name string) int64 {
	if s.is(name) {
		return s.int()
	}
	return 0
}

func (s *scan) bool() bool {
	if s.is(`true`) {
		return true
	}
	s.after(`false`)
	return false
}

func (s *scan) uuid() UUID {
	text := s.string()
	if text == "" {
		return UUID{}
	}
	id, err := ParseUUID(text)
	s.bad = s.bad || err != nil
	return id
}

// time takes a time in UTC. Those that only time.Parse accepts, and not encoding/json, are bad.
func (s *scan) time() time.Time {
	text := s.string()
	if len(text) < 20 || text[13] != ':' || text[19] != '.' && text[19] != 'Z' || text[len(text)-1] != 'Z' {
		s.bad = true
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	s.bad = s.bad || err != nil
	return t
}
