package webhook

// hexDigits spell escapes.
const hexDigits = "0123456789abcdef"

// appendString writes a JSON string. Only what must be escaped is: non-ASCII text and <, > and & stay as they are.
func appendString(b []byte, s string) []byte {
	return append(appendPart(append(b, '"'), s), '"')
}

// appendPart writes the inside of a JSON string.
func appendPart(b []byte, s string) []byte {
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(b, s[from:]...)
}

// appendPercent writes a header value as CloudEvents' HTTP binding asks (§3.1.3.2): space, double quote, percent and
// everything outside visible ASCII as the percent-encoded bytes of its UTF-8.
func appendPercent(b []byte, s string) []byte {
	const upper = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '%' {
			b = append(b, '%', upper[c>>4], upper[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}
