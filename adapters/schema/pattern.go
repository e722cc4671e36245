package schema

import (
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
)

// patternError reports why a regular expression can't be used.
type patternError struct {
	at     int    // the character, counted from 1; 0 for the whole
	text   string // what is there, or what the whole is
	syntax bool   // ECMA 262 refuses it; otherwise only this program does
}

// Error implements error.
func (e *patternError) Error() string {
	switch {
	case e.at == 0:
		return e.text
	case e.syntax:
		return "is not a regular expression of ECMA 262 with flag u: " + e.text + " at character " + strconv.Itoa(e.at)
	}
	return "has " + e.text + " at character " + strconv.Itoa(e.at)
}

// noEscape is said of an escape that ECMA 262 doesn't have.
const noEscape = "an escape that it doesn't have (what means itself is written without a backslash)"

const (
	// maxWritten bounds an expression in Go's syntax, which writes out some Unicode properties.
	maxWritten = 64 << 10
	// maxRepeat is how often Go repeats an expression at most.
	maxRepeat = 1000
)

func patternTooLarge() *patternError {
	return &patternError{text: "is too large a regular expression: repetitions count as often as they repeat"}
}

// asGo returns a regular expression of ECMA 262 in Go's syntax. It matches the same texts, as far as whether they match
// is concerned: it has no capturing groups and no lazy repetitions.
func asGo(text string) (string, *patternError) {
	var out strings.Builder
	r := ecmaReader{text: text, out: &out}
	if err := r.read(); err != nil {
		return "", err
	}
	if out.Len() > maxWritten {
		return "", patternTooLarge()
	}
	return out.String(), nil
}

// pattern is a regular expression of a schema, compiled. It implements jsonschema.Regexp.
type pattern struct {
	text   string // as the schema has it
	re     *regexp.Regexp
	size   int // in instructions
	ranges int // of characters
}

// newPattern compiles a regular expression of ECMA 262.
func newPattern(text string) (*pattern, *patternError) {
	written, bad := asGo(text)
	if bad != nil {
		return nil, bad
	}
	parsed, err := syntax.Parse(written, syntax.Perl)
	if err != nil { // it is nested or repeated too much: what asGo writes has no other faults
		return nil, patternTooLarge()
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil || len(prog.Inst) > maxPatternProgram {
		return nil, patternTooLarge()
	}
	re, err := regexp.Compile(written)
	if err != nil {
		return nil, patternTooLarge()
	}
	p := &pattern{text: text, re: re, size: len(prog.Inst)}
	held := map[*rune]bool{} // repetitions share their ranges
	for i := range prog.Inst {
		if runes := prog.Inst[i].Rune; len(runes) > 0 && !held[&runes[0]] {
			held[&runes[0]] = true
			p.ranges += len(runes) / 2
		}
	}
	return p, nil
}

// MatchString reports whether the pattern matches a part of s.
func (p *pattern) MatchString(s string) bool { return p.re.MatchString(s) }

// String is the pattern as the schema has it, for errors.
func (p *pattern) String() string { return p.text }

// isRegexp reports whether a text is a regular expression of ECMA 262, whether this program can run it or not.
func isRegexp(text string) bool {
	r := ecmaReader{text: text}
	err := r.read()
	return err == nil || !err.syntax
}
