package webhook

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// membersOf finds top-level members of event data without decoding it. found gets, for each name, its value as it is
// written inside a JSON string: the source bytes of a string between its quotes, the source text of a number or
// boolean, and nothing for null or a missing member. An object or array has no such form: the event is refused. Data
// was checked when it was appended, so duplicate names and bad UTF-8 aren't looked for again.
func membersOf(data []byte, names []string, found [][]byte) error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if dec.PeekKind() != '{' {
		return nil // only objects have members
	}
	_, err := dec.ReadToken()
	for err == nil && dec.PeekKind() == '"' {
		var name jsontext.Token
		if name, err = dec.ReadToken(); err != nil {
			break
		}
		i := slices.Index(names, name.String())
		if i < 0 {
			err = dec.SkipValue()
			continue
		}
		var value jsontext.Value
		if value, err = dec.ReadValue(); err != nil {
			break
		}
		switch value.Kind() {
		case '{', '[':
			return &RefusedError{
				CodeDataRefused,
				fmt.Sprintf("the data's member %q is an object or array; this format needs a text, "+
					"number, boolean or null there", names[i]),
			}
		case '"':
			found[i] = bytes.Clone(value[1 : len(value)-1])
		case 'n':
			found[i] = nil
		default:
			found[i] = bytes.Clone(value)
		}
	}
	if err != nil {
		return fmt.Errorf("read the event's data: %w", err)
	}
	return nil
}
