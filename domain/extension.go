package domain

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Extension is the value of a CloudEvents extension attribute: a text, a Boolean or an integer. The types that JSON
// doesn't have are texts.
type Extension struct {
	text  string // canonical (CloudEvents §3.1)
	typed bool   // a Boolean or an integer, whichever the text is
}

// ExtensionText is an extension that is a text.
func ExtensionText(text string) Extension { return Extension{text: text} }

// ParseExtension reads an extension from a JSON value that was checked already.
func ParseExtension(field string, value []byte) (Extension, error) {
	switch text := string(value); text[0] {
	case '"':
		unquoted, err := jsontext.AppendUnquote(nil, value)
		return Extension{text: string(unquoted)}, err
	case 't', 'f':
		return Extension{text: text, typed: true}, nil
	default:
		// Digits alone: a fraction or an exponent makes no integer (CloudEvents JSON format §2.2).
		if n, err := strconv.ParseInt(text, 10, 32); err == nil {
			return Extension{text: strconv.FormatInt(n, 10), typed: true}, nil
		}
	}
	return Extension{}, Invalid(field, "must be a text, a Boolean or an integer of 32 bits")
}

// String returns the value's canonical text, whatever its type.
func (x Extension) String() string { return x.text }

// Typed reports whether the value is a Boolean or an integer: its text is its JSON.
func (x Extension) Typed() bool { return x.typed }

// Equal reports whether two values are the same, their types included.
func (x Extension) Equal(y Extension) bool { return x == y }

// Value returns a string, a bool or an int64.
func (x Extension) Value() any {
	if !x.typed {
		return x.text
	}
	if n, err := strconv.ParseInt(x.text, 10, 64); err == nil {
		return n
	}
	return x.text == "true"
}

// AppendJSON appends the value in JSON, in its own type.
func (x Extension) AppendJSON(b []byte) []byte {
	if x.typed {
		return append(b, x.text...)
	}
	b, _ = jsontext.AppendQuote(b, x.text) // the error says that bytes were replaced, and the log holds UTF-8 only
	return b
}

// MarshalJSON implements json.Marshaler.
func (x Extension) MarshalJSON() ([]byte, error) { return x.AppendJSON(nil), nil }

// UnmarshalJSON implements json.Unmarshaler.
func (x *Extension) UnmarshalJSON(value []byte) (err error) {
	*x, err = ParseExtension("", value)
	return err
}
