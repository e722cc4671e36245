package domain

import (
	"encoding/base64"

	"github.com/go-json-experiment/json/jsontext"
)

// AppendContent writes a fact's parts as a JSON object for people who may read the tenant's log. Event data stays as it was
// sent; a captured answer isn't text: base64. Hashes of keys are left out: an imported key may be weak enough to be found by
// its hash. Of an erased entry only the tenant's parts are left.
func AppendContent(b []byte, fact Fact, erased bool) ([]byte, error) {
	parts, err := EncodeFact(fact)
	if err != nil {
		return nil, err
	}
	b = append(b, '{')
	empty := true
	for _, p := range parts {
		if erased && p.Personal() {
			continue
		}
		if !empty {
			b = append(b, ',')
		}
		empty = false
		b = append(appendText(b, p.Name), ':')
		switch {
		case p.Name == PartAnswer || p.Name == PartReply:
			b = append(base64.StdEncoding.AppendEncode(append(b, '"'), p.Bytes), '"')
		case fact.Kind() == KindKeyCreated || fact.Kind() == KindKeyRevoked || fact.Kind() == KindRegistrationUsed:
			b = appendWithout(b, p.Bytes, "hash")
		default:
			b = append(b, p.Bytes...)
		}
	}
	return append(b, '}'), nil
}

// appendText appends a text as JSON. Bytes that aren't UTF-8 become U+FFFD.
func appendText(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s) // the error says that bytes were replaced
	return b
}

// appendWithout writes an object without one of its members.
func appendWithout(b, object []byte, name string) []byte {
	b = append(b, '{')
	first := true
	members, _ := SplitObject(object) // the log wrote it
	for _, m := range members {
		if m.Name == name {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(append(appendText(b, m.Name), ':'), m.Raw...)
	}
	return append(b, '}')
}
