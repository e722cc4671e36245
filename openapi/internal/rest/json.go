package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/hooktrail/hooktrail/domain"
)

// JSON is the content type of most bodies.
const JSON = "application/json"

// AppendText appends a text as JSON. Bytes that aren't UTF-8 become U+FFFD, as encoding/json has it.
func AppendText(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s) // the error says that bytes were replaced
	return b
}

// Splice appends an object, which isn't empty, with more members, whose values go out as they are.
func Splice(b []byte, object any, more ...domain.Member) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(object); err != nil {
		return nil, fmt.Errorf("write %T: %w", object, err)
	}
	text := bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))
	b = append(b, text[:len(text)-1]...)
	for _, m := range more {
		b = AppendText(append(b, ','), m.Name)
		b = append(append(b, ':'), m.Raw...)
	}
	return append(b, '}'), nil
}

// readJSON reads a body for Huma, first into an any that it checks against the operation's schema, then into the
// operation's input. JSON's numbers have any size, and a client is told of its request, not of this program's types.
func readJSON(body []byte, v any) error {
	err := json.Unmarshal(body, v)
	var wrong *json.UnmarshalTypeError
	var malformed *json.SyntaxError
	switch {
	case errors.As(err, &wrong):
		if checked, ok := v.(*any); ok { // what it can't take is a number
			*checked, err = readNumbers(body)
			return err
		}
		return wrongType(wrong)
	case errors.As(err, &malformed):
		return errors.New("must be JSON")
	}
	return err
}

// readNumbers reads a body with numbers that no float has: for being compared with bounds, the largest one does.
func readNumbers(body []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, errors.New("must be JSON")
	}
	return nearest(v), nil
}

// nearest replaces numbers by floats.
func nearest(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			v[name] = nearest(member)
		}
	case []any:
		for i, element := range v {
			v[i] = nearest(element)
		}
	case json.Number:
		n, _ := strconv.ParseFloat(string(v), 64) // an error is ErrRange, with an infinity
		return max(-math.MaxFloat64, min(n, math.MaxFloat64))
	}
	return v
}

// wrongType says what is wrong with a value that the schema allows and the input's type doesn't hold.
func wrongType(wrong *json.UnmarshalTypeError) error {
	problem := "must be of the type that the document names"
	if strings.HasPrefix(wrong.Value, "number") {
		problem = "must be a number that isn't too large; a whole one has digits alone, as in 50"
	}
	if wrong.Field != "" {
		problem = Clip(wrong.Field) + " " + problem
	}
	return errors.New(problem)
}
