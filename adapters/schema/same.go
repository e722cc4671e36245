package schema

import (
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// canonical writes a value so that two are equal in JSON Schema's sense if and only if their texts are.
func canonical(v any) string {
	var b strings.Builder
	writeCanonical(&b, v)
	return b.String()
}

func writeCanonical(b *strings.Builder, v any) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case string:
		b.WriteString(strconv.Quote(v))
	case json.Number:
		b.WriteString(rational(v).RatString())
	case []any:
		b.WriteByte('[')
		for _, item := range v {
			writeCanonical(b, item)
			b.WriteByte(',')
		}
		b.WriteByte(']')
	case map[string]any:
		b.WriteByte('{')
		for _, name := range sortedKeys(v) {
			b.WriteString(strconv.Quote(name))
			b.WriteByte(':')
			writeCanonical(b, v[name])
			b.WriteByte(',')
		}
		b.WriteByte('}')
	}
}

// rational is exact; numbers that it can't read were refused.
func rational(n json.Number) *big.Rat {
	r, ok := new(big.Rat).SetString(string(n))
	if !ok {
		return new(big.Rat)
	}
	return r
}

// sameShape compares schemas as written, whatever their places, and follows references.
type sameShape struct {
	seen map[[2]*node]bool
	left *int // comparisons
}

func (t *sameShape) same(a, b *node) bool {
	if *t.left--; *t.left < 0 {
		return false
	}
	if a == nil || b == nil {
		return a == b
	}
	if t.seen[[2]*node{a, b}] {
		return true // being compared further up, or found the same
	}
	t.seen[[2]*node{a, b}] = true
	if a.anything() && b.anything() {
		return true
	}
	return a.nothing() == b.nothing() && a.anything() == b.anything() && a.digest == b.digest && t.same(a.ref, b.ref) &&
		t.sameParts(a, b)
}

func (t *sameShape) sameParts(a, b *node) bool {
	return maps.EqualFunc(a.one, b.one, t.same) &&
		maps.EqualFunc(a.many, b.many, t.sameLists) &&
		maps.EqualFunc(
			bearing(a.named),
			bearing(b.named),
			func(x, y map[string]*node) bool { return maps.EqualFunc(x, y, t.same) },
		)
}

func (t *sameShape) sameLists(a, b []*node) bool { return slices.EqualFunc(a, b, t.same) }

// bearing leaves out what is only there to be referred to.
func bearing(named map[string]map[string]*node) map[string]map[string]*node {
	if named["$defs"] == nil {
		return named
	}
	named = maps.Clone(named)
	delete(named, "$defs")
	return named
}
