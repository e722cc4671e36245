package schema

import (
	"net/netip"
	"strings"
	"unicode/utf8"
)

const (
	alpha      = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits     = "0123456789"
	unreserved = alpha + digits + "-._~"
	subDelims  = "!$&'()*+,;="
)

// isURIReference reports whether text is a URI reference of RFC 3986 or, with iri, an IRI reference of RFC 3987.
// net/url isn't used: it accepts spaces, braces and other characters that the grammar excludes.
func isURIReference(text string, iri bool) bool {
	_, ok := splitURI(text, iri)
	return ok
}

// isURI is isURIReference for absolute forms, those with a scheme.
func isURI(text string, iri bool) bool {
	scheme, ok := splitURI(text, iri)
	return ok && scheme != ""
}

// splitURI checks each component against its production in RFC 3986, appendix A, and returns the scheme.
func splitURI(text string, iri bool) (scheme string, ok bool) {
	rest, fragment, _ := strings.Cut(text, "#")
	rest, query, _ := strings.Cut(rest, "?")
	if !uriChars(fragment, unreserved+subDelims+":@/?", iri, false) ||
		!uriChars(query, unreserved+subDelims+":@/?", iri, iri) {
		return "", false
	}
	// The first segment of a relative path has no colon, so a colon before any slash ends a scheme.
	if colon := strings.IndexByte(rest, ':'); colon >= 0 && !strings.Contains(rest[:colon], "/") {
		if scheme, rest = rest[:colon], rest[colon+1:]; !isScheme(scheme) {
			return "", false
		}
	}
	path := rest
	if after, has := strings.CutPrefix(rest, "//"); has {
		authority := after
		path = ""
		if slash := strings.IndexByte(after, '/'); slash >= 0 {
			authority, path = after[:slash], after[slash:]
		}
		if !isAuthority(authority, iri) {
			return "", false
		}
	}
	return scheme, uriChars(path, unreserved+subDelims+":@/", iri, false)
}

func isScheme(text string) bool {
	return text != "" && strings.IndexByte(alpha, text[0]) >= 0 && strings.Trim(text, alpha+digits+"+-.") == "" &&
		uriChars(text, alpha+digits+"+-.", false, false)
}

func isAuthority(text string, iri bool) bool {
	if at := strings.IndexByte(text, '@'); at >= 0 {
		if !uriChars(text[:at], unreserved+subDelims+":", iri, false) {
			return false
		}
		text = text[at+1:]
	}
	if literal, has := strings.CutPrefix(text, "["); has {
		address, port, closed := strings.Cut(literal, "]")
		return closed && (isIPv6(address) || isIPvFuture(address)) && (port == "" || port[0] == ':' && isDigits(port[1:]))
	}
	host, port, _ := strings.Cut(text, ":")
	return uriChars(host, unreserved+subDelims, iri, false) && isDigits(port)
}

func isIPvFuture(text string) bool {
	if len(text) < 4 || text[0] != 'v' && text[0] != 'V' {
		return false
	}
	version, rest, found := strings.Cut(text[1:], ".")
	return found && version != "" && strings.Trim(version, "0123456789abcdefABCDEF") == "" && rest != "" &&
		uriChars(rest, unreserved+subDelims+":", false, false) && !strings.Contains(rest, "%")
}

// isDigits is true of the empty text too: a port may be empty.
func isDigits(text string) bool { return strings.Trim(text, digits) == "" }

func isIPv4(text string) bool {
	a, err := netip.ParseAddr(text)
	return err == nil && a.Is4()
}

func isIPv6(text string) bool {
	a, err := netip.ParseAddr(text)
	return err == nil && a.Is6() && !strings.Contains(text, "%")
}

// uriChars reports whether text consists of allowed characters, percent-encoded bytes and, with iri, ucschar of
// RFC 3987; with private, iprivate too.
func uriChars(text, allowed string, iri, private bool) bool {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == '%':
			if !isPercentEncoded(text[i:]) {
				return false
			}
			size = 3
		case r < utf8.RuneSelf:
			if strings.IndexByte(allowed, text[i]) < 0 {
				return false
			}
		case !(iri && isUCSChar(r) || private && isPrivate(r)):
			return false
		}
		i += size
	}
	return true
}

func isPercentEncoded(text string) bool {
	return len(text) >= 3 && text[0] == '%' && isHex(text[1]) && isHex(text[2])
}

func isHex(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F'
}

// isUCSChar is ucschar of RFC 3987 §2.2.
func isUCSChar(r rune) bool {
	switch {
	case r < 0xA0 || r == utf8.RuneError:
		return false
	case r <= 0xD7FF, r >= 0xF900 && r <= 0xFDCF, r >= 0xFDF0 && r <= 0xFFEF:
		return true
	case r < 0x10000:
		return false
	case r >= 0xE0000 && r < 0xE1000:
		return false
	}
	return r < 0xF0000 && r&0xFFFF <= 0xFFFD
}

// isPrivate is iprivate of RFC 3987 §2.2.
func isPrivate(r rune) bool {
	return r >= 0xE000 && r <= 0xF8FF || r >= 0xF0000 && r&0xFFFF <= 0xFFFD
}

// isURITemplate reports whether text is a template of RFC 6570, of any level.
func isURITemplate(text string) bool {
	for text != "" {
		open := strings.IndexByte(text, '{')
		literals := text
		if open >= 0 {
			literals = text[:open]
		}
		// §2.1, with the apostrophe that its erratum 6937 adds.
		if !uriChars(literals, unreserved+subDelims+":/?#[]@", true, true) {
			return false
		}
		if open < 0 {
			return true
		}
		expression, rest, closed := strings.Cut(text[open+1:], "}")
		if !closed || !isExpression(expression) {
			return false
		}
		text = rest
	}
	return true
}

// isExpression checks what is between the braces: an operator and variables (RFC 6570 §2.2 and §2.3).
func isExpression(text string) bool {
	if text != "" && strings.IndexByte("+#./;?&=,!@|", text[0]) >= 0 {
		text = text[1:]
	}
	for variable := range strings.SplitSeq(text, ",") {
		if name, exploded := strings.CutSuffix(variable, "*"); exploded {
			variable = name
		} else if name, length, cut := strings.Cut(variable, ":"); cut {
			if len(length) < 1 || len(length) > 4 || length[0] == '0' || !isDigits(length) {
				return false
			}
			variable = name
		}
		for part := range strings.SplitSeq(variable, ".") {
			if part == "" || !uriChars(part, alpha+digits+"_", false, false) {
				return false
			}
		}
	}
	return true
}
