package webhook

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/hooktrail/hooktrail/domain"
)

// redacted replaces secrets in what is recorded and shown.
const redacted = "[redacted]"

// CheckURL refuses what can't or mustn't be an endpoint's URL, when it is configured. It accepts only what every URL
// parser reads alike: no user name, no fragment, no backslash, no host in octal, decimal or short form. Where a host's
// name leads is another question, answered each time it is dialled. The error is a *domain.InvalidError on url.
func CheckURL(raw string, httpsOnly bool) error {
	refuse := func(format string, args ...any) error { return domain.Invalid("url", format, args...) }
	if err := domain.ValidateURL("url", raw, httpsOnly); err != nil {
		return err
	}
	if strings.ContainsAny(raw, "\\\"<>^`{|}") {
		return refuse(`holds none of \ " < > ^ { | } or a backtick: percent-encode them`)
	}
	u, err := url.Parse(raw)
	if err != nil {
		return refuse("must be an absolute URL such as https://receiver.example/hooks")
	}
	if port := u.Port(); port != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return refuse("has a port from 1 to 65535, or none")
		}
	}
	return checkHost(u.Hostname(), strings.HasPrefix(u.Host, "["))
}

// checkHost takes a host without port and brackets.
func checkHost(host string, brackets bool) error {
	refuse := func(format string, args ...any) error { return domain.Invalid("url", format, args...) }
	if brackets {
		addr, err := netip.ParseAddr(host)
		if err != nil || addr.Zone() != "" || !addr.Is6() {
			return refuse("has an IPv6 address without a zone between its brackets")
		}
		return nil
	}
	if len(host) > 253 {
		return refuse("has a host of at most 253 characters")
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(r rune) bool { return !hostRune(r) }) ||
			strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return refuse(
				"has a host of labels with 1 to 63 letters, digits and hyphens, in punycode where needed, and no dot at its end",
			)
		}
	}
	// A name whose last label is a number is an address in somebody's eyes (inet_aton takes octal, hexadecimal and
	// short forms), so only the one form that every parser reads alike is accepted.
	if last := labels[len(labels)-1]; numberLike(last) {
		if addr, err := netip.ParseAddr(host); err != nil || addr.String() != host {
			return refuse("has an IPv4 address only as four decimal numbers without leading zeros")
		}
	}
	return nil
}

func hostRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
}

// numberLike reports whether a label could be read as a number: digits, or 0x and hexadecimal digits.
func numberLike(label string) bool {
	digits := "0123456789"
	if rest, ok := strings.CutPrefix(strings.ToLower(label), "0x"); ok {
		label, digits = rest, digits+"abcdef"
	}
	return strings.Trim(strings.ToLower(label), digits) == ""
}

// RedactURL replaces what may be a credential: the query as a whole and the path's segments that look like a secret. Of
// a URL that can't be parsed nothing is shown.
func RedactURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return redacted
	}
	if u.User != nil {
		u.User = url.User("redacted")
	}
	segments := strings.Split(u.EscapedPath(), "/")
	for i, segment := range segments {
		if looksSecret(segment) {
			segments[i] = redacted
		}
	}
	query := u.RawQuery != ""
	u.Path, u.RawPath, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = "", "", "", false, "", ""
	shown := u.String() + strings.Join(segments, "/")
	if query {
		shown += "?" + redacted
	}
	return shown
}

// SplitURL parts a URL into what may be known of it and what is kept as a secret, "" if nothing is: everything from the
// path on, if it has a query or a segment that looks like a secret. Whether it is a URL at all is judged elsewhere.
func SplitURL(raw string) (shown, secret string) {
	base, target := cutTarget(raw)
	path, query, _ := strings.Cut(target, "?")
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if looksSecret(segment) {
			segments[i] = redacted
		}
	}
	shown = base + strings.Join(segments, "/")
	if query != "" {
		shown += "?" + redacted
	}
	if query == "" && strings.Join(segments, "/") == path {
		return raw, ""
	}
	return shown, target
}

// JoinURL puts together what SplitURL parted. Earlier builds kept the query alone.
func JoinURL(shown, secret string) string {
	if !strings.HasPrefix(secret, "/") && !strings.HasPrefix(secret, "?") {
		base, _, _ := strings.Cut(shown, "?")
		return base + "?" + secret
	}
	base, _ := cutTarget(shown)
	return base + secret
}

// cutTarget cuts a URL where its path or query begins.
func cutTarget(raw string) (base, target string) {
	begin := strings.Index(raw, "://") + len("://")
	if begin < len("://") {
		return raw, ""
	}
	i := strings.IndexAny(raw[begin:], "/?")
	if i < 0 {
		return raw, ""
	}
	return raw[:begin+i], raw[begin+i:]
}

// Of what looks like a secret in a URL's path.
const (
	minSecretSegment = 16 // characters of a segment that may be a secret
	minSecretRandom  = 8  // of them in parts that are no words or small numbers
)

// looksSecret reports whether a segment of a path looks like a credential, as chat and automation services put them
// there: 16 or more characters, of which more than a few belong to no word. It errs on the side of secrecy.
func looksSecret(escaped string) bool {
	segment, err := url.PathUnescape(escaped)
	if err != nil {
		segment = escaped
	}
	if len(segment) < minSecretSegment {
		return false
	}
	random := 0
	separates := func(r rune) bool { return strings.ContainsRune("-_.~:;,=+@!$&'()* ", r) }
	for part := range strings.FieldsFuncSeq(segment, separates) {
		if !wordlike(part) {
			random += len(part)
		}
	}
	return random >= minSecretRandom
}

// wordlike reports whether a part of a segment reads as words or as a small number: "orders", "IncomingWebhook", "v2",
// "2024". Words have vowels, few consonants in a row, and capitals only where one begins, or nowhere but capitals.
func wordlike(part string) bool {
	letters := strings.TrimRight(part, "0123456789")
	if digits := len(part) - len(letters); digits > 8 || len(letters) > 0 && digits > 2 {
		return false
	}
	uppers, capitals, run, longest := 0, 0, 0, 0 // capitals that follow a small letter; letters since the last one
	vowels, consonants, consonantRun := 0, 0, 0
	small := false // the letter before
	for _, r := range letters {
		upper := r >= 'A' && r <= 'Z'
		if !upper && (r < 'a' || r > 'z') {
			return false
		}
		if upper {
			uppers++
			if small {
				capitals, run = capitals+1, 0
			}
		}
		if strings.ContainsRune("aeiouyAEIOUY", r) {
			vowels, consonants = vowels+1, 0
		} else {
			consonants++
		}
		run, small = run+1, !upper
		longest, consonantRun = max(longest, run), max(consonantRun, consonants)
	}
	switch n := len(letters); {
	case longest >= minSecretSegment, consonantRun > 5, n >= 8 && vowels*4 < n:
		return false
	case uppers == n:
		return true
	default:
		return capitals == 0 && uppers <= 1 || n/(capitals+1) >= 4 && uppers*4 <= n
	}
}

// hasQuery reports whether a URL has a query parameter of one of these names, in any spelling and to any parser: some
// take a semicolon for a separator.
func hasQuery(u *url.URL, names ...string) bool {
	for param := range strings.FieldsFuncSeq(u.RawQuery, func(r rune) bool { return r == '&' || r == ';' }) {
		name, _, _ := strings.Cut(param, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		if slices.ContainsFunc(names, func(n string) bool { return n != "" && strings.EqualFold(n, name) }) {
			return true
		}
	}
	return false
}
