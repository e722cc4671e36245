package domain

import (
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// handCoded are the parts that every delivered event costs one of. Encoding and decoding them through reflection was
// the largest cost of a fold: they have code of their own, which a property test holds against encoding/json. Times are
// written in UTC.
type handCoded interface {
	// appendJSON appends what encoding/json decodes to the same value.
	appendJSON(b []byte) ([]byte, error)
	// scanJSON reads what appendJSON writes. It says false, and changes nothing, for JSON in any other form.
	scanJSON(b []byte) bool
}

var (
	_ handCoded = (*EventAttributes)(nil)
	_ handCoded = (*EventRouted)(nil)
	_ handCoded = (*AttemptStarted)(nil)
	_ handCoded = (*AttemptResult)(nil)
)

func (a *EventAttributes) appendJSON(b []byte) ([]byte, error) {
	b = appendString(append(b, `{"id":`...), a.ID)
	b = appendString(append(b, `,"source":`...), a.Source)
	b = appendString(append(b, `,"type":`...), string(a.Type))
	b = appendOptional(b, `,"subject":`, a.Subject)
	var err error
	if !a.OccurredAt.IsZero() {
		b, err = appendTime(append(b, `,"occurred_at":`...), a.OccurredAt)
	}
	b = appendString(append(b, `,"schema_version":`...), a.SchemaVersion)
	b = appendOptional(b, `,"dataschema":`, a.DataSchema)
	if len(a.Extensions) > 0 {
		b = append(b, `,"extensions":`...)
		before := byte('{')
		for _, name := range slices.Sorted(maps.Keys(a.Extensions)) {
			b = append(appendString(append(b, before), name), ':')
			b, before = appendString(b, a.Extensions[name]), ','
		}
		b = append(b, '}')
	}
	if a.Test != nil {
		b = append(appendUUID(append(b, `,"test":{"endpoint":`...), a.Test.Endpoint), '}')
	}
	if !a.About.IsZero() {
		b = appendUUID(append(b, `,"about":`...), a.About)
	}
	b = appendOptional(b, `,"schema_problem":`, a.SchemaProblem)
	return append(b, '}'), err
}

func (f *EventRouted) appendJSON(b []byte) ([]byte, error) {
	b = append(b, '{')
	if len(f.Deliveries) > 0 {
		b = appendList(append(b, `"deliveries":`...), f.Deliveries, appendRoutedDelivery)
		b = append(b, ',')
	}
	if len(f.Skipped) > 0 {
		b = appendList(append(b, `"skipped":`...), f.Skipped, appendSkipped)
		b = append(b, ',')
	}
	return append(strconv.AppendBool(append(b, `"complete":`...), f.Complete), '}'), nil
}

func appendRoutedDelivery(b []byte, d *RoutedDelivery) []byte {
	b = appendUUID(append(b, `{"id":`...), d.ID)
	b = appendUUID(append(b, `,"endpoint":`...), d.Endpoint)
	b = appendInt(append(b, `,"endpoint_version":`...), d.EndpointVersion)
	return append(appendList(append(b, `,"subscriptions":`...), d.Subscriptions, appendMatch), '}')
}

func appendMatch(b []byte, m *SubscriptionMatch) []byte {
	b = appendUUID(append(b, `{"id":`...), m.ID)
	return append(appendInt(append(b, `,"version":`...), m.Version), '}')
}

func appendSkipped(b []byte, s *Skipped) []byte {
	b = appendUUID(append(b, `{"subscription":`...), s.Subscription)
	b = appendInt(append(b, `,"version":`...), s.Version)
	b = appendUUID(append(b, `,"endpoint":`...), s.Endpoint)
	return append(appendString(append(b, `,"reason":`...), string(s.Reason)), '}')
}

func (f *AttemptStarted) appendJSON(b []byte) ([]byte, error) {
	b = appendInt(append(b, `{"number":`...), f.Number)
	b = appendInt(append(b, `,"endpoint_version":`...), f.EndpointVersion)
	b = appendString(append(b, `,"profile_digest":`...), f.ProfileDigest)
	b = appendKeys(b, f.Keys)
	b, err := appendTime(append(b, `,"at":`...), f.At)
	b = appendInt(append(b, `,"timeout_ms":`...), f.TimeoutMS)
	return append(appendUUID(append(b, `,"node":`...), f.Node), '}'), err
}

func (r *AttemptResult) appendJSON(b []byte) ([]byte, error) {
	b = appendInt(append(b, `{"number":`...), r.Number)
	b = appendString(append(b, `,"outcome":`...), string(r.Outcome))
	b = appendNonzero(b, `,"status_code":`, r.StatusCode)
	b = appendOptional(b, `,"error":`, r.Error)
	b = appendOptional(b, `,"detail":`, r.Detail)
	b = appendInt(append(b, `,"duration_us":`...), r.DurationUS)
	b, err := appendTime(append(b, `,"finished_at":`...), r.FinishedAt)
	b = appendString(append(b, `,"status":`...), string(r.Status))
	if !r.NextAttemptAt.IsZero() && err == nil {
		b, err = appendTime(append(b, `,"next_attempt_at":`...), r.NextAttemptAt)
	}
	b = r.Request.appendMember(b)
	b = r.Response.appendMember(b)
	b = appendOptional(b, `,"remote_addr":`, r.RemoteAddr)
	if r.TLS != nil {
		b = appendString(append(b, `,"tls":{"version":`...), r.TLS.Version)
		b = append(appendString(append(b, `,"certificate_sha256":`...), r.TLS.CertificateSHA256), '}')
	}
	if r.Timings != nil {
		b = r.Timings.append(append(b, `,"timings":`...))
	}
	return append(b, '}'), err
}

func (r *SentRequest) appendMember(b []byte) []byte {
	if r.Method == "" && r.URL == "" && len(r.Headers) == 0 && r.BodySHA256 == "" && r.BodyBytes == 0 && len(r.Keys) == 0 {
		return b
	}
	b = appendString(append(b, `,"request":{"method":`...), r.Method)
	b = appendString(append(b, `,"url":`...), r.URL)
	b = appendHeaders(b, `,"headers":`, r.Headers)
	b = appendString(append(b, `,"body_sha256":`...), r.BodySHA256)
	b = appendInt(append(b, `,"body_bytes":`...), r.BodyBytes)
	return append(appendKeys(b, r.Keys), '}')
}

func appendKeys(b []byte, keys []UUID) []byte {
	if len(keys) == 0 {
		return b
	}
	return appendList(append(b, `,"keys":`...), keys, func(b []byte, id *UUID) []byte { return appendUUID(b, *id) })
}

func (a *CapturedAnswer) appendMember(b []byte) []byte {
	if len(a.Headers) == 0 && a.BodySHA256 == "" && a.BodyBytes == 0 && !a.Truncated && !a.Incomplete && !a.Masked {
		return b
	}
	begin := len(b) + len(`,"response":`)
	b = appendHeaders(append(b, `,"response":`...), `,"headers":`, a.Headers)
	b = appendOptional(b, `,"body_sha256":`, a.BodySHA256)
	b = appendNonzero(b, `,"body_bytes":`, a.BodyBytes)
	if a.Truncated {
		b = append(b, `,"truncated":true`...)
	}
	if a.Incomplete {
		b = append(b, `,"incomplete":true`...)
	}
	if a.Masked {
		b = append(b, `,"masked":true`...)
	}
	b[begin] = '{' // for the comma of the first member that there is
	return append(b, '}')
}

func (t *AttemptTimings) append(b []byte) []byte {
	begin := len(b)
	b = appendNonzero(b, `,"dns":`, t.DNS)
	b = appendNonzero(b, `,"connect":`, t.Connect)
	b = appendNonzero(b, `,"tls":`, t.TLS)
	b = appendNonzero(b, `,"first_byte":`, t.FirstByte)
	if len(b) == begin {
		return append(b, `{}`...)
	}
	b[begin] = '{'
	return append(b, '}')
}

func appendHeaders(b []byte, name string, headers []Header) []byte {
	if len(headers) == 0 {
		return b
	}
	return appendList(append(b, name...), headers, func(b []byte, h *Header) []byte {
		b = appendString(append(b, `{"name":`...), h.Name)
		return append(appendString(append(b, `,"value":`...), h.Value), '}')
	})
}

func appendList[E any](b []byte, list []E, element func([]byte, *E) []byte) []byte {
	if list == nil {
		return append(b, `null`...)
	}
	b = append(b, '[')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = element(b, &list[i])
	}
	return append(b, ']')
}

func appendInt[N ~int | ~int64](b []byte, n N) []byte { return strconv.AppendInt(b, int64(n), 10) }

func appendNonzero[N ~int | ~int64](b []byte, name string, n N) []byte {
	if n == 0 {
		return b
	}
	return appendInt(append(b, name...), n)
}

func appendOptional(b []byte, name, s string) []byte {
	if s == "" {
		return b
	}
	return appendString(append(b, name...), s)
}

func appendUUID(b []byte, id UUID) []byte {
	if id.IsZero() {
		return append(b, `""`...)
	}
	return append(id.append(append(b, '"')), '"')
}

// appendTime fails for years that RFC 3339 can't say.
func appendTime(b []byte, t time.Time) ([]byte, error) {
	b, err := t.UTC().AppendText(append(b, '"'))
	return append(b, '"'), err
}

// appendString writes what isn't UTF-8 as U+FFFD, as encoding/json does.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	plain := 0
	for i := 0; i < len(s); {
		if plainInString[s[i]] {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r >= utf8.RuneSelf && (r != utf8.RuneError || size > 1) {
			i += size
			continue
		}
		b = append(b, s[plain:i]...)
		b = appendEscaped(b, r)
		i += size
		plain = i
	}
	return append(append(b, s[plain:]...), '"')
}

func appendEscaped(b []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	switch r {
	case '"', '\\':
		return append(b, '\\', byte(r))
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	case utf8.RuneError:
		return append(b, `\ufffd`...)
	}
	return append(b, '\\', 'u', '0', '0', hex[r>>4&0xf], hex[r&0xf])
}
