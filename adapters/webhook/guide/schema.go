package guide

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// member is a line in a table of a schema's members.
type member struct {
	Path     string // "event.id", "data[].sku"
	Type     string
	Required bool
	Text     string
}

// maxDepth and maxMembers bound a table: beyond them the schema itself is the better reading.
const (
	maxDepth   = 4
	maxMembers = 200
)

// schema is what the tables show of a JSON Schema.
type schema struct {
	Type        json.RawMessage
	Const       json.RawMessage
	Enum        []json.RawMessage
	Format      string
	Description string
	Properties  json.RawMessage
	Required    []string
	Items       json.RawMessage
	Ref         string `json:"$ref"`
}

// members lists the members that a schema describes, in its own order.
func members(document []byte) []member {
	var list []member
	appendMembers(&list, document, "", 0)
	return list[:min(len(list), maxMembers)]
}

func appendMembers(list *[]member, document []byte, prefix string, depth int) {
	var s schema
	if depth > maxDepth || json.Unmarshal(document, &s) != nil {
		return // true and false are schemas as well, without members
	}
	names, values := ordered(s.Properties)
	for i, name := range names {
		var inner schema
		_ = json.Unmarshal(values[i], &inner) // true and false say nothing more
		path := prefix + name
		*list = append(*list, member{path, inner.kind(), slices.Contains(s.Required, name), inner.text()})
		appendMembers(list, values[i], path+".", depth+1)
		if len(inner.Items) > 0 {
			appendMembers(list, inner.Items, path+"[].", depth+1)
		}
	}
}

// kind names a value's type.
func (s *schema) kind() string {
	switch {
	case s.Const != nil:
		return "always " + string(s.Const)
	case s.Ref != "":
		return "see the schema"
	}
	var one string
	var several []string
	if json.Unmarshal(s.Type, &one) == nil {
		several = []string{one}
	} else if json.Unmarshal(s.Type, &several) != nil {
		return "any"
	}
	kind := strings.Join(several, " or ")
	if s.Format != "" {
		kind += ", " + s.Format
	}
	return kind
}

// text is the description and the values that are allowed.
func (s *schema) text() string {
	if len(s.Enum) == 0 {
		return s.Description
	}
	values := make([]string, len(s.Enum))
	for i, value := range s.Enum {
		values[i] = string(value)
	}
	return strings.TrimSpace(s.Description + " One of " + strings.Join(values, ", ") + ".")
}

// ordered reads an object's members in the order in which they are written, which a Go map would lose.
func ordered(object json.RawMessage) (names []string, values []json.RawMessage) {
	dec := json.NewDecoder(bytes.NewReader(object))
	if token, err := dec.Token(); err != nil || token != json.Delim('{') {
		return nil, nil
	}
	for dec.More() {
		name, err := dec.Token()
		text, ok := name.(string)
		var value json.RawMessage
		if err != nil || !ok || dec.Decode(&value) != nil {
			return names, values
		}
		names, values = append(names, text), append(values, value)
	}
	return names, values
}

// indented writes a schema for reading; what isn't JSON is left as it is.
func indented(document []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, document, "", "  ") != nil {
		return string(document)
	}
	return b.String()
}
