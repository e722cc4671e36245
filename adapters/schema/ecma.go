package schema

import (
	"cmp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ecmaReader reads a regular expression by the grammar of ECMA 262 (edition 2020, which JSON Schema refers to), §21.2.1,
// with flag u and its early errors, and writes it in Go's syntax. It doesn't recurse: what it takes is linear in the
// text.
type ecmaReader struct {
	text string
	at   int              // the byte that is read next
	out  *strings.Builder // nil: only the syntax is of interest

	open    []ecmaGroup
	groups  int // capturing ones
	names   map[string]bool
	highest backReference   // of those by number
	named   []backReference // those by name

	foreign *patternError // the first thing that ECMA 262 has and this program hasn't
}

// ecmaGroup is a group that isn't closed yet.
type ecmaGroup struct {
	at        int
	assertion bool // it is a look-around, which can't be repeated
}

type backReference struct {
	at     int
	number int
	name   string
}

// read reads the whole text. An error of syntax wins over what this program hasn't.
func (r *ecmaReader) read() *patternError {
	for r.at < len(r.text) {
		if err := r.term(); err != nil {
			return err
		}
	}
	if len(r.open) > 0 {
		return r.wrong(r.open[len(r.open)-1].at, "a group that isn't closed")
	}
	if r.highest.number > r.groups {
		return r.wrong(r.highest.at, "a reference to a group that doesn't exist")
	}
	for _, ref := range r.named {
		if !r.names[ref.name] {
			return r.wrong(ref.at, "a reference to a group that doesn't exist")
		}
	}
	return r.foreign
}

func (r *ecmaReader) character(at int) int { return utf8.RuneCountInString(r.text[:at]) + 1 }

func (r *ecmaReader) wrong(at int, text string) *patternError {
	return &patternError{at: r.character(at), text: text, syntax: true}
}

// lacks notes something that this program hasn't.
func (r *ecmaReader) lacks(at int, text string) {
	if r.foreign == nil && r.out != nil {
		r.foreign = &patternError{at: r.character(at), text: text}
	}
}

func (r *ecmaReader) write(text string) {
	if r.out != nil && r.out.Len() <= maxWritten {
		r.out.WriteString(text)
	}
}

// skip goes past a text if it comes next.
func (r *ecmaReader) skip(text string) bool {
	if !strings.HasPrefix(r.text[r.at:], text) {
		return false
	}
	r.at += len(text)
	return true
}

// next is the byte that comes next; 0 at the end.
func (r *ecmaReader) next() byte {
	if r.at == len(r.text) {
		return 0
	}
	return r.text[r.at]
}

// run goes past the bytes that are among some and returns them.
func (r *ecmaReader) run(among string) string {
	rest := r.text[r.at:]
	n := len(rest) - len(strings.TrimLeft(rest, among))
	r.at += n
	return rest[:n]
}

// What Go's syntax has for sets that ECMA 262 has as well.
const (
	noCharacter  = `[^\x00-\x{10FFFF}]`
	anyCharacter = `[\x00-\x{10FFFF}]`
	notLineEnd   = `[^\n\r\x{2028}\x{2029}]`
	space        = `\t\n\v\f\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}`
	notSpace     = `\x00-\x08\x0e-\x1f\x21-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e}` +
		`\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{fefe}\x{ff00}-\x{10FFFF}`
)

// term reads one term with its quantifier, or what begins or ends an alternative or a group.
func (r *ecmaReader) term() *patternError {
	at := r.at
	switch c := r.text[r.at]; c {
	case '|', '^', '$':
		r.at++
		r.write(string(rune(c)))
		return nil
	case '(':
		return r.group()
	case ')':
		if len(r.open) == 0 {
			return r.wrong(at, "a parenthesis that closes nothing")
		}
		last := r.open[len(r.open)-1]
		r.open = r.open[:len(r.open)-1]
		r.at++
		r.write(")")
		if last.assertion {
			return nil
		}
	case '.':
		r.at++
		r.write(notLineEnd)
	case '[':
		if err := r.class(); err != nil {
			return err
		}
	case '\\':
		if assertion, err := r.escape(); err != nil || assertion {
			return err
		}
	case '*', '+', '?':
		return r.wrong(at, "a quantifier that has nothing to repeat")
	case '{', '}', ']':
		return r.wrong(at, "a bracket that isn't escaped and has no meaning")
	default:
		c, size := utf8.DecodeRuneInString(r.text[r.at:])
		r.at += size
		r.literal(c)
	}
	return r.quantifier()
}

// literal writes one character. Half of a surrogate pair is none: no text in UTF-8 has it.
func (r *ecmaReader) literal(c rune) {
	switch {
	case r.out == nil:
	case isSurrogate(c):
		r.write(noCharacter)
	default:
		r.write(hex(c))
	}
}

func isSurrogate(c rune) bool { return c >= 0xD800 && c <= 0xDFFF }

// hex is a character in Go's syntax, within a class and outside.
func hex(c rune) string {
	if c < utf8.RuneSelf && strings.IndexByte(alpha+digits, byte(c)) >= 0 {
		return string(c)
	}
	return `\x{` + strconv.FormatInt(int64(c), 16) + `}`
}

// group reads what begins a group.
func (r *ecmaReader) group() *patternError {
	group := ecmaGroup{at: r.at}
	switch {
	case r.skip("(?:"):
	case r.skip("(?="), r.skip("(?!"):
		group.assertion = true
		r.lacks(group.at, "a look-ahead, which can't be matched in linear time,")
	case r.skip("(?<="), r.skip("(?<!"):
		group.assertion = true
		r.lacks(group.at, "a look-behind, which can't be matched in linear time,")
	case r.skip("(?<"):
		name, err := r.groupName()
		if err != nil {
			return err
		}
		if r.names[name] {
			return r.wrong(group.at, "a group whose name is a duplicate")
		}
		if r.names == nil {
			r.names = map[string]bool{}
		}
		r.names[name] = true
		r.groups++
	case r.skip("(?"):
		return r.wrong(group.at, `a group of a kind that it doesn't have (there are no flags within an expression)`)
	default:
		r.at++
		r.groups++
	}
	r.open = append(r.open, group)
	r.write("(?:")
	return nil
}

// groupName reads a name, and the bracket behind it.
func (r *ecmaReader) groupName() (string, *patternError) {
	var name strings.Builder
	for first := true; ; first = false {
		at := r.at
		if !first && r.skip(">") {
			return name.String(), nil
		}
		c, size := utf8.DecodeRuneInString(r.text[r.at:])
		r.at += size
		if c == '\\' {
			var ok bool
			if c, ok = r.unicodeEscape(); !ok {
				return "", r.wrong(at, "a group's name that isn't an identifier")
			}
		}
		if !isIdentifier(c, first) {
			return "", r.wrong(at, "a group's name that isn't an identifier")
		}
		name.WriteRune(c)
	}
}

// isIdentifier reports whether a character may be in an identifier, or be its first.
func isIdentifier(c rune, first bool) bool {
	switch {
	case c == '$' || c == '_':
		return true
	case unicode.In(c, unicode.Pattern_Syntax, unicode.Pattern_White_Space):
		return false
	case unicode.In(c, unicode.L, unicode.Nl, unicode.Other_ID_Start):
		return true
	}
	return !first && (c == 0x200C || c == 0x200D ||
		unicode.In(c, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc, unicode.Other_ID_Continue))
}

// quantifier reads what may follow an atom.
func (r *ecmaReader) quantifier() *patternError {
	at := r.at
	switch {
	case r.skip("*"):
		r.write("*")
	case r.skip("+"):
		r.write("+")
	case r.skip("?"):
		r.write("?")
	case r.skip("{"):
		least := r.run(digits)
		most, open := least, false
		if least != "" && r.skip(",") {
			most = r.run(digits)
			open = most == ""
		}
		if least == "" || !r.skip("}") {
			return r.wrong(at, "a brace that begins no quantifier")
		}
		least, most = strings.TrimLeft(least, "0"), strings.TrimLeft(most, "0")
		if !open && (len(least) > len(most) || len(least) == len(most) && least > most) {
			return r.wrong(at, "a quantifier whose least is above its most")
		}
		r.repeat(at, least, most, open)
	default:
		return nil
	}
	r.skip("?") // a lazy one matches the same texts
	return nil
}

// repeat writes a quantifier of numbers without leading zeros.
func (r *ecmaReader) repeat(at int, least, most string, open bool) {
	for _, n := range []string{least, most} {
		if count, _ := strconv.Atoi("0" + n); len(n) > 9 || count > maxRepeat { // at most nine digits never fail
			r.lacks(at, "a repetition of more than "+strconv.Itoa(maxRepeat)+" times")
			return
		}
	}
	r.write("{" + cmp.Or(least, "0") + ",")
	if !open {
		r.write(cmp.Or(most, "0"))
	}
	r.write("}")
}

// escape reads what begins with a backslash, outside a class. It reports whether that is an assertion.
func (r *ecmaReader) escape() (assertion bool, err *patternError) {
	at := r.at
	r.at++
	switch c := r.next(); c {
	case 'b', 'B':
		r.at++
		r.write(`\` + string(rune(c)))
		return true, nil
	case 'k':
		r.at++
		if !r.skip("<") {
			return false, r.wrong(at, noEscape)
		}
		name, err := r.groupName()
		if err != nil {
			return false, err
		}
		r.named = append(r.named, backReference{at: at, name: name})
		r.lacks(at, "a back-reference, which can't be matched in linear time,")
		return false, nil
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		number, err := strconv.Atoi(r.run(digits))
		if err != nil || number > r.highest.number {
			if err != nil { // more digits than any text has groups
				number = len(r.text) + 1
			}
			r.highest = backReference{at: at, number: number}
		}
		r.lacks(at, "a back-reference, which can't be matched in linear time,")
		return false, nil
	}
	set, c, err := r.escaped(at, false)
	switch {
	case err != nil:
		return false, err
	case set != nil:
		r.write(set.outside)
	default:
		r.literal(c)
	}
	return false, nil
}

// characterSet is what an escape for many characters is in Go's syntax.
type characterSet struct{ outside, within string }

// escaped reads an escape whose backslash was read, which is for one character or, with a set, for many.
func (r *ecmaReader) escaped(at int, class bool) (*characterSet, rune, *patternError) {
	c := r.next()
	r.at++
	switch c {
	case 'd', 'D', 'w', 'W':
		text := `\` + string(rune(c))
		return &characterSet{text, text}, 0, nil
	case 's':
		return &characterSet{"[" + space + "]", space}, 0, nil
	case 'S':
		return &characterSet{"[^" + space + "]", notSpace}, 0, nil
	case 'p', 'P':
		set, err := r.property(at, c == 'P')
		return set, 0, err
	case 'f':
		return nil, '\f', nil
	case 'n':
		return nil, '\n', nil
	case 'r':
		return nil, '\r', nil
	case 't':
		return nil, '\t', nil
	case 'v':
		return nil, '\v', nil
	case 'c':
		if letter := r.next(); letter != 0 && strings.IndexByte(alpha, letter) >= 0 {
			r.at++
			return nil, rune(letter & 0x1f), nil
		}
	case '0':
		if n := r.next(); n < '0' || n > '9' {
			return nil, 0, nil
		}
	case 'x':
		if c, ok := r.hexDigits(2); ok {
			return nil, c, nil
		}
	case 'u':
		r.at--
		if c, ok := r.unicodeEscape(); ok {
			return nil, c, nil
		}
	case 'b':
		if class {
			return nil, '\b', nil
		}
	case '-':
		if class {
			return nil, '-', nil
		}
	case '^', '$', '\\', '.', '*', '+', '?', '(', ')', '[', ']', '{', '}', '|', '/':
		return nil, rune(c), nil
	}
	return nil, 0, r.wrong(at, noEscape)
}

// hexDigits reads so many hexadecimal digits.
func (r *ecmaReader) hexDigits(n int) (rune, bool) {
	if r.at+n > len(r.text) {
		return 0, false
	}
	value, err := strconv.ParseUint(r.text[r.at:r.at+n], 16, 32)
	if err != nil {
		return 0, false
	}
	r.at += n
	return rune(value), true
}

// unicodeEscape reads what follows a backslash: a u with four digits, twice for a surrogate pair, or with digits in
// braces.
func (r *ecmaReader) unicodeEscape() (rune, bool) {
	switch {
	case r.skip("u{"):
		text := r.run(digits + "abcdefABCDEF")
		value, err := strconv.ParseUint("0"+strings.TrimLeft(text, "0"), 16, 32)
		return rune(value), text != "" && r.skip("}") && err == nil && value <= unicode.MaxRune
	case !r.skip("u"):
		return 0, false
	}
	c, ok := r.hexDigits(4)
	if !ok || c>>10 != 0xD800>>10 {
		return c, ok
	}
	before := r.at
	if r.skip(`\u`) {
		if low, ok := r.hexDigits(4); ok && low>>10 == 0xDC00>>10 {
			return 0x10000 + (c-0xD800)<<10 + low - 0xDC00, true
		}
	}
	r.at = before
	return c, true
}

// class reads a class and writes it.
func (r *ecmaReader) class() *patternError {
	begin := r.at
	r.at++
	not := r.skip("^")
	empty := true
	write := func(text string) {
		if empty {
			r.write(map[bool]string{false: "[", true: "[^"}[not])
			empty = false
		}
		r.write(text)
	}
	for !r.skip("]") {
		at := r.at
		set, low, err := r.classAtom(begin)
		if err != nil {
			return err
		}
		high := low
		if rest := r.text[r.at:]; strings.HasPrefix(rest, "-") && !strings.HasPrefix(rest, "-]") {
			r.at++
			var other *characterSet
			if other, high, err = r.classAtom(begin); err != nil {
				return err
			}
			if set != nil || other != nil {
				return r.wrong(at, "a range that doesn't go from one character to another")
			}
			if low > high {
				return r.wrong(at, "a range that is out of order")
			}
		}
		if r.out == nil {
			continue
		}
		if set != nil {
			if set.within != "" {
				write(set.within)
			}
			continue
		}
		if isSurrogate(low) {
			low = 0xE000
		}
		if isSurrogate(high) {
			high = 0xD7FF
		}
		switch {
		case low == high:
			write(hex(low))
		case low < high:
			write(hex(low) + "-" + hex(high))
		}
	}
	switch {
	case !empty:
		r.write("]")
	case not:
		r.write(anyCharacter)
	default:
		r.write(noCharacter)
	}
	return nil
}

// classAtom reads one character of a class that began at a place, or an escape for many.
func (r *ecmaReader) classAtom(begin int) (*characterSet, rune, *patternError) {
	if r.at == len(r.text) {
		return nil, 0, r.wrong(begin, "a class that isn't closed")
	}
	c, size := utf8.DecodeRuneInString(r.text[r.at:])
	if r.at += size; c != '\\' {
		return nil, c, nil
	}
	return r.escaped(r.at-1, true)
}

// property reads what follows \p or, with not, \P.
func (r *ecmaReader) property(at int, not bool) (*characterSet, *patternError) {
	const letters = alpha + digits + "_"
	if !r.skip("{") {
		return nil, r.wrong(at, `a \p without a property in braces`)
	}
	name, value := r.run(letters), ""
	valued := r.skip("=")
	if valued {
		value = r.run(letters)
	}
	if !r.skip("}") {
		return nil, r.wrong(at, `a \p without a property in braces`)
	}
	kind, set := unicodeProperty(name, value, valued)
	switch kind {
	case noProperty:
		return nil, r.wrong(at, "a Unicode property that doesn't exist")
	case foreignProperty:
		r.lacks(at, "a Unicode property that this program doesn't know")
		return &characterSet{}, nil
	}
	if r.out == nil {
		return &characterSet{}, nil
	}
	return set(not), nil
}
