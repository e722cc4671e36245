package domain

import "fmt"

// MaxJSONDepth is how deep objects and arrays of an event's data may be nested.
const MaxJSONDepth = 64

// envelopeDepth is how deep an event's data is nested in a request at most: body, batch, event, and one to spare.
const envelopeDepth = 4

// JSONError says what is wrong with a JSON text and where. It never holds any of the text. It unwraps to an
// *InvalidError.
type JSONError struct {
	// Malformed: not the grammar of RFC 8259 §2. Otherwise it is what parsers disagree about: duplicate member names,
	// bytes that aren't UTF-8, lone surrogates, too deep a nesting.
	Malformed bool
	Field     string // as CheckJSON was given it; empty for a whole request body
	Offset    int    // in bytes, from 0
	Problem   string
}

// Error implements error.
func (e *JSONError) Error() string {
	if e.Field == "" {
		return e.text()
	}
	return e.Field + ": " + e.text()
}

// Unwrap gives the same as an *InvalidError.
func (e *JSONError) Unwrap() error { return &InvalidError{Field: e.Field, Text: e.text()} }

func (e *JSONError) text() string { return fmt.Sprintf("%s at byte %d", e.Problem, e.Offset) }

// CheckJSON refuses, with a *JSONError, what not every JSON parser would read in the same way: it must be one value of
// RFC 8259 in UTF-8, without duplicate member names in an object (compared unescaped) and without lone surrogates, nested
// at most MaxJSONDepth deep. Numbers may have any size. It doesn't allocate for objects of a usual size.
func CheckJSON(field string, data []byte) error {
	s := jsonScanner{data: data, depth: MaxJSONDepth}
	if !s.value() || !s.end() {
		return s.failed(field)
	}
	return nil
}

// Member is one member of a JSON object.
type Member struct {
	Name string // unescaped
	Raw  []byte // the value exactly as in the text, without the space around it
}

// SplitObject returns the members of a JSON object in their order, values sliced out of the text. It checks the whole
// text as CheckJSON does (four levels deeper, for what surrounds an event's data) and fails with a *JSONError; what
// is JSON but no object isn't Malformed.
func SplitObject(data []byte) ([]Member, error) {
	s := jsonScanner{data: data, depth: MaxJSONDepth + envelopeDepth}
	var members []Member
	s.space()
	if s.peek() != '{' {
		return nil, s.otherThan("an object")
	}
	ok := s.object(func(name []byte, begin, end int) {
		members = append(members, Member{Name: string(name), Raw: data[begin:end:end]})
	})
	if !ok || !s.end() {
		return nil, s.failed("")
	}
	return members, nil
}

// SplitArray returns the elements of a JSON array, sliced out of the text. It checks as SplitObject does.
func SplitArray(data []byte) ([][]byte, error) {
	s := jsonScanner{data: data, depth: MaxJSONDepth + envelopeDepth}
	var elements [][]byte
	s.space()
	if s.peek() != '[' {
		return nil, s.otherThan("an array")
	}
	ok := s.array(func(begin, end int) { elements = append(elements, data[begin:end:end]) })
	if !ok || !s.end() {
		return nil, s.failed("")
	}
	return elements, nil
}

// otherThan is the fault of a text that has another type than wanted, or is malformed.
func (s *jsonScanner) otherThan(wanted string) error {
	if begin := s.at; s.value() && s.end() {
		s.fault = JSONError{Offset: begin, Problem: "must be " + wanted}
	}
	return s.failed("")
}
