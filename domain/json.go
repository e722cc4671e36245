package domain

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

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
	if tooDeep(data, MaxJSONDepth) < 0 && jsontext.Value(data).IsValid() {
		return nil
	}
	return faultOf(field, data, MaxJSONDepth)
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
	s := splitter{data: data, begin: jsontext.KindBeginObject}
	if err := s.split(); err != nil {
		return nil, err
	}
	return s.members, nil
}

// SplitArray returns the elements of a JSON array, sliced out of the text. It checks as SplitObject does.
func SplitArray(data []byte) ([][]byte, error) {
	s := splitter{data: data, begin: jsontext.KindBeginArray}
	if err := s.split(); err != nil {
		return nil, err
	}
	return s.elements, nil
}

// splitter takes an object or array apart.
type splitter struct {
	data     []byte
	begin    jsontext.Kind // of what is wanted
	members  []Member
	elements [][]byte
}

func (s *splitter) split() error {
	const depth = MaxJSONDepth + envelopeDepth
	if tooDeep(s.data, depth) < 0 && json.Unmarshal(s.data, s) == nil {
		return nil
	}
	if err := faultOf("", s.data, depth); err != nil {
		return err
	}
	problem := "must be an object"
	if s.begin == jsontext.KindBeginArray {
		problem = "must be an array"
	}
	return &JSONError{Offset: skipSpace(s.data, 0), Problem: problem}
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom, for the library's pool of decoders.
func (s *splitter) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != s.begin {
		return errors.New("another type")
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for k := d.PeekKind(); k != jsontext.KindEndObject && k != jsontext.KindEndArray; k = d.PeekKind() {
		var name string
		if s.begin == jsontext.KindBeginObject {
			token, err := d.ReadToken()
			if err != nil {
				return err
			}
			name = token.String()
		}
		value, err := d.ReadValue()
		if err != nil {
			return err
		}
		end := int(d.InputOffset())
		raw := s.data[end-len(value) : end : end]
		if s.begin == jsontext.KindBeginObject {
			s.members = append(s.members, Member{Name: name, Raw: raw})
		} else {
			s.elements = append(s.elements, raw)
		}
	}
	_, err := d.ReadToken()
	return err
}

// tooDeep returns where the first object or array begins that is nested deeper than a bound, -1 if none is. It goes
// wrong only behind a fault of the grammar.
func tooDeep(data []byte, bound int) int {
	if bytes.Count(data, []byte{'{'})+bytes.Count(data, []byte{'['}) <= bound {
		return -1
	}
	depth, text := 0, false
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			text = !text
		case '\\':
			i++
		case '{', '[':
			if text {
				continue
			}
			if depth++; depth > bound {
				return i
			}
		case '}', ']':
			if !text {
				depth--
			}
		}
	}
	return -1
}

// faultOf returns the first fault of a text as a *JSONError, nil if there is none. The library's own texts repeat some of
// the data, and don't tell what is ambiguous from what is malformed.
func faultOf(field string, data []byte, bound int) error {
	fault := &JSONError{Field: field}
	strict := firstError(data)
	if deep := tooDeep(data, bound); deep >= 0 && (strict == nil || deep < int(strict.ByteOffset)) {
		fault.Offset, fault.Problem = deep, "nested too deep"
		return fault
	}
	if strict == nil {
		return nil
	}
	fault.Offset = int(strict.ByteOffset)
	lax := firstError(data, jsontext.AllowInvalidUTF8(true))
	fault.Malformed = lax != nil && lax.ByteOffset <= strict.ByteOffset
	switch {
	case errors.Is(strict, jsontext.ErrDuplicateName):
		fault.Malformed, fault.Problem = false, "duplicate member name"
	case errors.Is(strict, io.ErrUnexpectedEOF):
		fault.Offset, fault.Problem = len(data), "the JSON text ends too early"
	case errors.Is(strict, errTrailing):
		fault.Problem = "something follows the JSON value"
	case fault.Malformed && data[fault.Offset] == '\\':
		fault.Problem = "invalid escape sequence"
	case fault.Malformed:
		fault.Problem = "unexpected character"
	case data[fault.Offset] == '\\':
		fault.Problem = "a string contains a lone surrogate"
	default:
		fault.Problem = "a string isn't UTF-8"
	}
	return fault
}

var errTrailing = errors.New("something follows the value")

// firstError reads a text that should be one value.
func firstError(data []byte, options ...jsontext.Options) *jsontext.SyntacticError {
	d := jsontext.NewDecoder(bytes.NewBuffer(data), options...)
	if _, err := d.ReadValue(); err != nil {
		var syntactic *jsontext.SyntacticError
		if errors.As(err, &syntactic) {
			return syntactic
		}
		return &jsontext.SyntacticError{ByteOffset: int64(len(data)), Err: io.ErrUnexpectedEOF} // nothing but space
	}
	if end := skipSpace(data, int(d.InputOffset())); end < len(data) {
		return &jsontext.SyntacticError{ByteOffset: int64(end), Err: errTrailing}
	}
	return nil
}

// skipSpace returns where the space of JSON ends that begins at a place.
func skipSpace(data []byte, at int) int {
	return len(data) - len(bytes.TrimLeft(data[at:], " \t\r\n"))
}
