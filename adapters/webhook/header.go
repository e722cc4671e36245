package webhook

import (
	"net/textproto"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
)

// maxHeaderValue bounds a custom header's value, in bytes.
const maxHeaderValue = 4096

// CheckHeader refuses a custom header that an endpoint may not set: hop-by-hop headers and those that net/http or the
// product write, the prefixes of open wire formats, every header that an embedded profile sets or signs with (so that
// an endpoint can change to it later), and values that could end the header. What an operator's own profile sets is
// refused by [NewTarget], to that profile's endpoints alone. The error is a *domain.InvalidError on the field name
// given; it never holds the value.
func (s *Profiles) CheckHeader(fieldName, name, value string) error {
	canonical := textproto.CanonicalMIMEHeaderKey(name)
	if reason := reservedHeader(canonical); reason != "" {
		return domain.Invalid(fieldName, "%s", reason)
	}
	if strings.HasPrefix(canonical, "Webhook-") || strings.HasPrefix(canonical, "Ce-") {
		return domain.Invalid(fieldName, "belongs to a wire format")
	}
	for _, p := range s.byDigest {
		if !s.built[p.Name] {
			continue
		}
		if p.signature != nil && p.signature.header == canonical {
			return domain.Invalid(fieldName, "is the signature of the profile %s", p.Name)
		}
		for _, h := range p.headers {
			if h.name == canonical || h.spread && strings.HasPrefix(canonical, h.name) {
				return domain.Invalid(fieldName, "is set by the profile %s", p.Name)
			}
		}
	}
	if value == "" || len(value) > maxHeaderValue || !headerText(value) || strings.TrimSpace(value) != value {
		return domain.Invalid(fieldName, "has a value of 1 to %d visible ASCII characters, with spaces only between them",
			maxHeaderValue)
	}
	return nil
}

// reservedHeader says why neither a profile nor an endpoint may set a header; "" if it may.
func reservedHeader(canonical string) string {
	if canonical == "" || len(canonical) > 128 ||
		strings.ContainsFunc(canonical, func(r rune) bool { return !tokenRune(r) }) {
		return "is not a valid header name"
	}
	switch canonical {
	case "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade", "Http2-Settings":
		return "is a hop-by-hop header"
	case "Host", "Content-Length", "Content-Type", "Content-Encoding", "Expect", "User-Agent", "Accept-Encoding":
		return "is written by the product itself"
	case "Idempotency-Key", "X-Idempotency-Key":
		return "would let the HTTP client repeat a request on its own"
	}
	if strings.HasPrefix(canonical, "Hooktrail-") {
		return "begins with hooktrail-, which the product keeps for itself"
	}
	return ""
}

// tokenRune reports whether a character is allowed in a header's name (RFC 9110 §5.6.2).
func tokenRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
		r < 0x80 && strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

// headerText reports whether a text is a valid header value: visible ASCII and spaces.
func headerText(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
