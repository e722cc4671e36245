package schema

import (
	"encoding/json"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
)

const (
	maxPatternBytes = 1000
	// maxPatternProgram is how many instructions a regular expression may compile to, maxPrograms those of a schema.
	maxPatternProgram = 500
	maxPrograms       = 50_000
	// maxCount bounds minLength and its like, far beyond any event.
	maxCount = 1<<31 - 1
)

// rule checks what the metaschema doesn't.
func (r *reader) rule(n *node, keyword string, v any) {
	pointer := n.pointer + "/" + keyword
	text, _ := v.(string)
	switch keyword {
	case "minLength", "maxLength", "minItems", "maxItems", "minContains", "maxContains", "minProperties", "maxProperties":
		if number, ok := v.(json.Number); ok && !count(number) {
			r.fault(pointer, "must be a whole number from 0 to %d", maxCount)
		}
	case "pattern":
		r.compilePattern(pointer, text)
	}
}

// count reports whether a number is whole and in range, however it is written: 2.0 is 2.
func count(number json.Number) bool {
	r := rational(number)
	return computable(string(number)) && r.IsInt() && r.Sign() >= 0 && r.Num().IsInt64() && r.Num().Int64() <= maxCount
}

// pattern is a regular expression of a schema, compiled.
type pattern struct {
	re   *regexp.Regexp
	size int // in instructions
}

// compilePattern compiles a regular expression once for a schema. It reports a fault for one that can't be used and
// returns nil.
func (r *reader) compilePattern(pointer, text string) *pattern {
	if p := r.patterns[text]; p != nil {
		return p
	}
	if len(text) > maxPatternBytes {
		r.fault(pointer, "has more than %d bytes", maxPatternBytes)
		return nil
	}
	size, ok := programSize(text)
	if !ok {
		r.fault(pointer, "is not a regular expression that runs in linear time (no look-around, no back-references)")
		return nil
	}
	if size > maxPatternProgram {
		r.fault(pointer, "is too large a regular expression: repetitions count as often as they repeat")
		return nil
	}
	if r.programs += size; r.programs > maxPrograms {
		r.fault(pointer, "is too large together with the schema's other regular expressions")
		return nil
	}
	re, err := compileRegexp(text)
	if err != nil {
		r.fault(pointer, "is not a regular expression")
		return nil
	}
	p := &pattern{re, size}
	r.patterns[text] = p
	return p
}

// programSize is how many instructions a regular expression compiles to.
func programSize(text string) (int, bool) {
	text, err := asRE2(text)
	if err != nil {
		return 0, false
	}
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

// computable reports whether a number of JSON is small enough to be computed with exactly, which takes memory by its
// value and not by its length.
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
