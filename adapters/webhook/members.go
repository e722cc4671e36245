package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// membersOf finds top-level members of event data without decoding it. found holds, for each name, what stands for it
// inside a JSON string: the source bytes of a string between its quotes, the source text of a number or boolean, and
// nothing for null or a missing member. An object or array has no such form: the event is refused.
// Data was checked when it was appended: it is valid JSON without duplicate names.
func membersOf(data []byte, names []string, found [][]byte) error {
	s := scanner{data: data}
	s.space()
	if !s.next('{') {
		return nil // data that is no object has no members
	}
	for s.space(); s.at < len(data) && !s.next('}'); s.space() {
		name := s.skipString()
		s.space()
		s.next(':')
		s.space()
		start := s.at
		s.value()
		value := data[start:s.at]
		s.space()
		s.next(',')
		if i := indexOf(names, name); i >= 0 && len(value) > 0 {
			text, ok := asText(value)
			if !ok {
				return &RefusedError{CodeDataRefused, fmt.Sprintf("the data's member %q is an object or array; this format needs a text, number, boolean or null there", names[i])}
			}
			found[i] = text
		}
	}
	return nil
}

// indexOf looks a member's name up by its source, quotes included. Escapes are rare, so they may cost.
func indexOf(names []string, source []byte) int {
	if len(source) < 2 {
		return -1
	}
	inside := source[1 : len(source)-1]
	for _, c := range inside {
		if c == '\\' {
			var decoded string
			if json.Unmarshal(source, &decoded) != nil {
				return -1
			}
			inside = []byte(decoded)
			break
		}
	}
	for i, name := range names {
		if name == string(inside) {
			return i
		}
	}
	return -1
}

func asText(value []byte) ([]byte, bool) {
	switch value[0] {
	case '"':
		return value[1:max(len(value)-1, 1)], true
	case '{', '[':
		return nil, false
	case 'n':
		return nil, true
	}
	return value, true
}

// scanner walks over valid JSON. On anything else it stops early, never out of bounds.
type scanner struct {
	data []byte
	at   int
}

func (s *scanner) space() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// next steps over a byte if it comes next.
func (s *scanner) next(c byte) bool {
	if s.at < len(s.data) && s.data[s.at] == c {
		s.at++
		return true
	}
	return false
}

// skipString steps over a string and returns it with its quotes. Where there is none it steps over one byte, so that
// the walk always ends.
func (s *scanner) skipString() []byte {
	start := s.at
	s.at++
	if s.data[start] != '"' {
		return nil
	}
	for {
		quote := bytes.IndexByte(s.data[s.at:], '"')
		if quote < 0 {
			s.at = len(s.data)
			return nil
		}
		escape := bytes.IndexByte(s.data[s.at:s.at+quote], '\\')
		if escape < 0 {
			s.at += quote + 1
			return s.data[start:s.at]
		}
		s.at = min(s.at+escape+2, len(s.data)) // the escaped byte may be a quote
	}
}

// value steps over one value of any depth.
func (s *scanner) value() {
	depth := 0
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case '"':
			s.skipString()
		case '{', '[':
			depth++
			s.at++
		case '}', ']':
			if depth == 0 {
				return
			}
			depth--
			s.at++
		case ',':
			if depth == 0 {
				return
			}
			s.at++
			continue
		case ' ', '\t', '\n', '\r':
			if depth == 0 {
				return
			}
			s.at++
			continue
		case ':':
			s.at++
			continue
		default:
			s.scalar()
		}
		if depth == 0 {
			return
		}
	}
}

// scalar steps over a number, true, false or null.
func (s *scanner) scalar() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ',', '}', ']', ':', ' ', '\t', '\n', '\r', '"', '{', '[':
			return
		}
		s.at++
	}
}
