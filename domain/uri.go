package domain

import (
	"net/url"
	"strings"
)

// validateURIReference refuses text that isn't a URI reference (RFC 3986), which CloudEvents asks of some attributes.
// An empty one is for others to refuse.
func validateURIReference(field, s string) error {
	const others = "-._~:/?#[]@!$&'()*+,;=%"
	fine := strings.Count(s, "#") <= 1
	for i := range len(s) {
		switch c := s[i]; {
		case c == '%':
			fine = fine && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2])
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		default:
			fine = fine && strings.IndexByte(others, c) >= 0
		}
	}
	if fine {
		u, err := url.Parse(s)
		fine = err == nil && !strings.ContainsAny(u.EscapedPath()+u.Opaque+u.RawQuery+u.EscapedFragment(), "[]")
	}
	if !fine {
		return Invalid(field, "must be a URI reference (RFC 3986), such as /billing or https://shop.example/orders")
	}
	return nil
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }
