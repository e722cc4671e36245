package schema

import (
	"crypto/sha256"
	"maps"
	"net/url"
	"regexp"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// node is one subschema, its keywords sorted by what they hold. It is immutable once linked.
type node struct {
	id      int // in the order of reading; 0 is the root
	pointer string
	base    *url.URL          // of references in it
	verdict *bool             // of the schemas true and false
	rules   map[string]any    // keywords that hold no schema and bear on what is valid
	digest  [sha256.Size]byte // of the rules, by their values
	one     map[string]*node
	many    map[string][]*node
	named   map[string]map[string]*node
	ref     *node

	patterns map[string]*regexp.Regexp // of patternProperties
	checks   *jsonschema.Schema        // the compiled form; nil if nothing leads here from the root
	plan     plan
}

// anything reports whether a schema obviously accepts every value.
func (n *node) anything() bool {
	if n.verdict != nil {
		return *n.verdict
	}
	return n.ref == nil && len(n.rules)+len(n.one)+len(n.many) == 0 &&
		len(n.named["properties"])+len(n.named["patternProperties"])+len(n.named["dependentSchemas"]) == 0
}

// nothing reports whether a schema obviously accepts no value.
func (n *node) nothing() bool { return n.verdict != nil && !*n.verdict }

// inPlace are the subschemas that are tried on the same value as the schema itself.
func (n *node) inPlace() []*node {
	var list []*node
	if n.ref != nil {
		list = append(list, n.ref)
	}
	for _, keyword := range []string{"not", "if", "then", "else"} {
		if s := n.one[keyword]; s != nil {
			list = append(list, s)
		}
	}
	for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
		list = append(list, n.many[keyword]...)
	}
	list = append(list, sortedValues(n.named["dependentSchemas"])...)
	return append(list, sortedValues(n.named["dependencies"])...)
}

// texts are the strings of a rule such as required.
func (n *node) texts(keyword string) []string { return texts(n.rules[keyword]) }

func texts(v any) []string {
	if s, ok := v.(string); ok {
		return []string{s}
	}
	list, _ := v.([]any)
	var all []string
	for _, item := range list {
		if s, ok := item.(string); ok {
			all = append(all, s)
		}
	}
	return all
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func sortedValues(m map[string]*node) []*node {
	list := make([]*node, 0, len(m))
	for _, name := range sortedKeys(m) {
		list = append(list, m[name])
	}
	return list
}

// listed are the values of const or enum, and whether there is one of them.
func (n *node) listed() ([]any, bool) {
	if v, ok := n.rules["const"]; ok {
		return []any{v}, true
	}
	list, ok := n.rules["enum"].([]any)
	return list, ok
}
