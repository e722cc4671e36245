package webhook

import "github.com/go-json-experiment/json/jsontext"

// appendString writes a JSON string. Only what must be escaped is: non-ASCII text and <, > and & stay as they are.
func appendString(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s) // the error is bad UTF-8, which is written as U+FFFD
	return b
}

// appendPart writes the inside of a JSON string.
func appendPart(b []byte, s string) []byte {
	at := len(b)
	b = appendString(b, s)
	return append(b[:at], b[at+1:len(b)-1]...)
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
