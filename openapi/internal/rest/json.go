package rest

import (
	"bytes"
	"encoding/json"
	"fmt"

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
