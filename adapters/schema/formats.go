package schema

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/net/idna"
)

var errFormat = errors.New("does not have the format")

// formatChecks are the formats that the library doesn't know or doesn't check as their standards have them. It checks
// json-pointer, relative-json-pointer and uuid itself.
func formatChecks() map[string]func(string) bool {
	return map[string]func(string) bool{
		"date":          isDate,
		"time":          isTime,
		"date-time":     isDateTime,
		"duration":      duration.MatchString,
		"email":         func(s string) bool { return isASCII(s) && isIDNEmail(s) },
		"hostname":      isHostname,
		"idn-hostname":  isIDNHostname,
		"idn-email":     isIDNEmail,
		"ipv4":          isIPv4,
		"ipv6":          isIPv6,
		"uri":           func(s string) bool { return isURI(s, false) },
		"uri-reference": func(s string) bool { return isURIReference(s, false) },
		"iri":           func(s string) bool { return isURI(s, true) },
		"iri-reference": func(s string) bool { return isURIReference(s, true) },
		"uri-template":  isURITemplate,
	}
}

// registerFormats replaces the library's checks, and takes away those of names that the standard doesn't have.
func registerFormats(c *jsonschema.Compiler) {
	for name, check := range formatChecks() {
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(v any) error {
			if s, ok := v.(string); ok && !check(s) {
				return errFormat
			}
			return nil
		}})
	}
	for _, name := range []string{"period", "semver"} {
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(any) error { return nil }})
	}
}

// duration is RFC 3339, appendix A: a unit in the middle can't be left out.
var duration = regexp.MustCompile(`^P(\d+W|` + durationDate + `(` + durationTime + `)?|` + durationTime + `)$`)

const (
	durationDate = `(\d+Y(\d+M(\d+D)?)?|\d+M(\d+D)?|\d+D)`
	durationTime = `T(\d+H(\d+M(\d+S)?)?|\d+M(\d+S)?|\d+S)`
)

func isDate(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

func isDateTime(s string) bool {
	return len(s) > 11 && (s[10] == 'T' || s[10] == 't') && isDate(s[:10]) && isTime(s[11:])
}

var clock = regexp.MustCompile(`^(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|([+-])(\d\d):(\d\d))$`)

// isTime is full-time of RFC 3339 §5.6; second 60 exists only in the last minute of a day in UTC.
func isTime(s string) bool {
	m := clock.FindStringSubmatch(s)
	if m == nil {
		return false
	}
	hour, minute, second, offHour, offMinute := two(m[1]), two(m[2]), two(m[3]), two(m[5]), two(m[6])
	if hour > 23 || minute > 59 || second > 60 || offHour > 23 || offMinute > 59 {
		return false
	}
	offset := offHour*60 + offMinute
	if m[4] == "-" {
		offset = -offset
	}
	const day = 24 * 60
	return second < 60 || (hour*60+minute-offset+day)%day == day-1
}

// two reads two digits; none are 0.
func two(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// labels is UTS 46 without mapping, which leaves IDNA 2008's rules on code points, hyphens, joiners and directions.
var labels = idna.New(idna.ValidateLabels(true), idna.CheckHyphens(true), idna.CheckJoiners(true), idna.BidiRule(),
	idna.StrictDomainName(true), idna.VerifyDNSLength(true))

// isHostname is RFC 1123 §2.1, and RFC 5890 for labels that begin with "xn--".
func isHostname(s string) bool { return isASCII(s) && isIDNHostname(s) }

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

// isIDNHostname is RFC 5890 §2.3.2.3: each label is an ASCII label or a U-label.
func isIDNHostname(s string) bool {
	if s == "" || len(s) > 4*253 {
		return false
	}
	s = strings.Map(func(r rune) rune {
		switch r {
		case '\u3002', '\uff0e', '\uff61': // the other full stops of RFC 3490 §3.1
			return '.'
		}
		return r
	}, s)
	if strings.HasSuffix(s, ".") || strings.ContainsFunc(s, func(r rune) bool {
		return r <= unicode.MaxASCII && !strings.ContainsRune(alpha+digits+"-.", r)
	}) {
		return false
	}
	ascii, err := labels.ToASCII(strings.ToLower(s))
	if err != nil || len(ascii) > 253 {
		return false
	}
	back, err := labels.ToUnicode(ascii)
	if err != nil {
		return false
	}
	for label := range strings.SplitSeq(back, ".") {
		if !contextual([]rune(label)) {
			return false
		}
	}
	return true
}

// contextual is RFC 5892, appendices A.3 to A.9, and its section 2.6, which the library for IDNA leaves out.
func contextual(label []rune) bool {
	arabic, extended := false, false
	for i, r := range label {
		next, before := rune(0), rune(0)
		if i > 0 {
			before = label[i-1]
		}
		if i+1 < len(label) {
			next = label[i+1]
		}
		switch {
		case r == 0xB7 && (before != 'l' || next != 'l'), // MIDDLE DOT
			r == 0x375 && !unicode.Is(unicode.Greek, next),                    // KERAIA
			(r == 0x5F3 || r == 0x5F4) && !unicode.Is(unicode.Hebrew, before), // GERESH, GERSHAYIM
			r == 0x640, r == 0x7FA, r >= 0x302E && r <= 0x302F, r >= 0x3031 && r <= 0x3035, r == 0x303B, // DISALLOWED
			r == 0x30FB && !containsJapanese(label),
			r > unicode.MaxASCII && !isLetterOrDigit(r):
			return false
		}
		arabic = arabic || r >= 0x660 && r <= 0x669
		extended = extended || r >= 0x6F0 && r <= 0x6F9
	}
	return !arabic || !extended
}

// isLetterOrDigit is LetterDigits of RFC 5892 §2.1 with the exceptions of §2.6.
func isLetterOrDigit(r rune) bool {
	switch r {
	case 0xB7, 0x375, 0x5F3, 0x5F4, 0x30FB, 0x200C, 0x200D, 0x6FD, 0x6FE, 0xF0B, 0x3007:
		return true
	}
	return unicode.In(r, unicode.Ll, unicode.Lo, unicode.Lm, unicode.Mn, unicode.Mc, unicode.Nd)
}

func containsJapanese(label []rune) bool {
	for _, r := range label {
		if r != 0x30FB && unicode.In(r, unicode.Hiragana, unicode.Katakana, unicode.Han) {
			return true
		}
	}
	return false
}

// isIDNEmail is a mailbox of RFC 5321 §4.1.2, and of RFC 6531 §3.3 beyond ASCII.
func isIDNEmail(s string) bool {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at > 64 || len(s) > 254 {
		return false
	}
	local, host := s[:at], s[at+1:]
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		v6, is6 := strings.CutPrefix(inner, "IPv6:")
		if !closed || is6 && !isIPv6(v6) || !is6 && !isIPv4(inner) {
			return false
		}
	} else if !isIDNHostname(host) {
		return false
	}
	if len(local) > 1 && local[0] == '"' && local[len(local)-1] == '"' {
		return isQuotedContent(local[1 : len(local)-1])
	}
	for atom := range strings.SplitSeq(local, ".") {
		if atom == "" || strings.ContainsFunc(atom, func(r rune) bool {
			return r <= unicode.MaxASCII && !strings.ContainsRune(alpha+digits+"!#$%&'*+-/=?^_`{|}~", r)
		}) {
			return false
		}
	}
	return true
}

// isQuotedContent reports whether a text may be between the quotes of a Quoted-string: printable characters, where a
// backslash takes one of ASCII with it and a quote must be taken so.
func isQuotedContent(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] == '"' || text[i] < ' ' || text[i] == 0x7f {
			return false
		}
		if text[i] == '\\' {
			if i++; i == len(text) || text[i] < ' ' || text[i] > '~' {
				return false
			}
		}
	}
	return true
}
