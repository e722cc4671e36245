package schema

import (
	"encoding/json"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
)

const (
	maxPatternBytes = 1000
	// maxPatternProgram is how many instructions a regular expression may compile to.
	maxPatternProgram = 500
	// maxCount bounds minLength and its like, far beyond any event.
	maxCount = 1<<31 - 1
)

// rule checks what the metaschema doesn't.
func (r *reader) rule(n *node, keyword string, v any) {
	pointer := n.pointer + "/" + keyword
	text, _ := v.(string)
	switch keyword {
	case "minLength", "maxLength", "minItems", "maxItems", "minContains", "maxContains", "minProperties", "maxProperties":
		if number, ok := v.(json.Number); ok && !count(string(number)) {
			r.fault(pointer, "must be a whole number from 0 to %d, written in digits", maxCount)
		}
	case "pattern":
		r.regexp(pointer, text)
	case "format":
		if _, ok := v.(string); ok && !slices.Contains(formats(), text) {
			r.fault(pointer, "is none of the formats that are checked: %s", strings.Join(formats(), ", "))
		}
	}
}

func count(text string) bool {
	i, err := strconv.ParseUint(text, 10, 64)
	return err == nil && i <= maxCount
}

// formats are those that the library checks and the standard names. Format regex is missing: it would compile what
// stands in an event.
func formats() []string {
	return []string{
		"date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "iri", "iri-reference", "json-pointer",
		"relative-json-pointer", "time", "uri", "uri-reference", "uri-template", "uuid",
	}
}

// regexp compiles a regular expression, or says why it can't be used and returns nil.
func (r *reader) regexp(pointer, text string) *regexp.Regexp {
	if len(text) > maxPatternBytes {
		r.fault(pointer, "has more than %d bytes", maxPatternBytes)
		return nil
	}
	size, ok := programSize(text)
	if !ok {
		r.fault(pointer, "is no regular expression that runs in linear time (RE2: no look-around, no back-references)")
		return nil
	}
	if size > maxPatternProgram {
		r.fault(pointer, "is too large a regular expression: repetitions count as often as they repeat")
		return nil
	}
	re, err := regexp.Compile(text)
	if err != nil {
		r.fault(pointer, "is no regular expression")
		return nil
	}
	return re
}

// programSize is how many instructions a regular expression compiles to.
func programSize(text string) (int, bool) {
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return 0, false
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0, false
	}
	return len(prog.Inst), true
}

const (
	maxDigits   = 100
	maxExponent = 400
)

// computable says whether a number of JSON is small enough to be computed with exactly, which takes memory by its value
// and not by its length.
func computable(text string) bool {
	e := strings.IndexAny(text, "eE")
	if e < 0 {
		return len(text) <= maxDigits
	}
	exponent := strings.TrimLeft(text[e+1:], "+-0")
	if len(exponent) > 3 || e > maxDigits {
		return false
	}
	n, err := strconv.Atoi("0" + exponent)
	return err == nil && n <= maxExponent
}
