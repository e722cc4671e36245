package domain

import (
	"unicode/utf16"
	"unicode/utf8"
)

// string takes a string and returns its content unescaped: a slice of the text where nothing was escaped.
func (s *jsonScanner) string() ([]byte, bool) {
	s.at++
	begin := s.at
	if !s.plain() {
		return nil, false
	}
	if s.data[s.at] == '\\' {
		return s.escaped(begin)
	}
	s.at++
	return s.data[begin : s.at-1], true
}

// text takes a string whose content nobody needs.
func (s *jsonScanner) text() bool {
	for s.at++; s.plain(); {
		if s.data[s.at] == '"' {
			s.at++
			return true
		}
		if _, ok := s.escape(); !ok {
			return false
		}
	}
	return false
}

// plain goes on to the next quotation mark or backslash.
func (s *jsonScanner) plain() bool {
	for data := s.data; s.at < len(data); {
		at := s.at
		for at < len(data) && plainInString[data[at]] {
			at++
		}
		if s.at = at; at == len(data) {
			break
		}
		switch c := data[at]; {
		case c == '"' || c == '\\':
			return true
		case c < ' ':
			return s.malformed("a string contains a control character")
		case !s.multibyte():
			return false
		}
	}
	return s.malformed("")
}

// plainInString is read only: the ASCII characters that need no escape in a string.
var plainInString = func() (plain [256]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		plain[c] = c != '"' && c != '\\'
	}
	return plain
}()

// multibyte takes one character that isn't ASCII.
func (s *jsonScanner) multibyte() bool {
	r, size := utf8.DecodeRune(s.data[s.at:])
	if r == utf8.RuneError && size <= 1 {
		return s.invalid(s.at, "a string isn't UTF-8")
	}
	s.at += size
	return true
}

// escaped takes the rest of a string from its first backslash on.
func (s *jsonScanner) escaped(begin int) ([]byte, bool) {
	content := append([]byte(nil), s.data[begin:s.at]...)
	for s.data[s.at] != '"' {
		r, ok := s.escape()
		if !ok {
			return nil, false
		}
		content, begin = utf8.AppendRune(content, r), s.at
		if !s.plain() {
			return nil, false
		}
		content = append(content, s.data[begin:s.at]...)
	}
	s.at++
	return content, true
}

// escape takes one escape sequence, or two that make one character.
func (s *jsonScanner) escape() (rune, bool) {
	begin := s.at
	s.at++
	c := s.peek()
	if c == 'u' {
		s.at++
		return s.unicode(begin)
	}
	var r rune
	switch c {
	case '"', '\\', '/':
		r = rune(c)
	case 'b':
		r = '\b'
	case 'f':
		r = '\f'
	case 'n':
		r = '\n'
	case 'r':
		r = '\r'
	case 't':
		r = '\t'
	default:
		return 0, s.malformed("unknown escape sequence in a string")
	}
	s.at++
	return r, true
}

// unicode takes what follows \u, and the second half where the first is one of a surrogate pair.
func (s *jsonScanner) unicode(begin int) (rune, bool) {
	r, ok := s.hex4()
	if !ok || !utf16.IsSurrogate(r) {
		return r, ok
	}
	if s.at+1 < len(s.data) && s.data[s.at] == '\\' && s.data[s.at+1] == 'u' {
		s.at += 2
		low, ok := s.hex4()
		if !ok {
			return 0, false
		}
		if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
			return r, true
		}
	}
	return 0, s.invalid(begin, "a string contains a lone surrogate")
}

func (s *jsonScanner) hex4() (rune, bool) {
	var r rune
	for range 4 {
		c := s.peek()
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, s.malformed("a hexadecimal digit was expected")
		}
		r = r<<4 | rune(c)
		s.at++
	}
	return r, true
}
