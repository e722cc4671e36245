package schema

import (
	"encoding/json"
	"strings"
)

// types is a set of JSON types, with numbers split in two.
type types uint8

const (
	nulls types = 1 << iota
	booleans
	objects
	arrays
	stringsType
	integers
	fractions
	everyType = 1<<iota - 1
)

func typeNamed(name string) types {
	switch name {
	case "null":
		return nulls
	case "boolean":
		return booleans
	case "object":
		return objects
	case "array":
		return arrays
	case "string":
		return stringsType
	case "integer":
		return integers
	case "number":
		return integers | fractions
	}
	return 0
}

func (t types) String() string {
	var names []string
	for _, name := range []string{"null", "boolean", "object", "array", "string"} {
		if t&typeNamed(name) != 0 {
			names = append(names, name)
		}
	}
	switch {
	case t&integers != 0:
		names = append(names, "number")
	case t&fractions != 0:
		names = append(names, "numbers with a fraction")
	}
	return strings.Join(names, ", ")
}

// ruled are the types that a node's own type keyword allows.
func (n *node) ruled() types {
	names := n.texts("type")
	if len(names) == 0 {
		return everyType
	}
	var t types
	for _, name := range names {
		t |= typeNamed(name)
	}
	return t
}

func typeOf(v any) types {
	switch v := v.(type) {
	case nil:
		return nulls
	case bool:
		return booleans
	case string:
		return stringsType
	case json.Number:
		if rational(v).IsInt() {
			return integers
		}
		return fractions
	case []any:
		return arrays
	}
	return objects
}
