package schema

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// Change is one rule of an old schema that a new one doesn't keep.
type Change struct {
	Pointer string // RFC 6901, of the rule in the old schema
	Text    string
}

const (
	maxChanges     = 100
	maxComparisons = maxSteps
)

// changed is said of what isn't compared but for being the same.
const changed = "is changed: what is beneath it isn't compared, so this counts as breaking; a new version overrides that"

// Breaks reports what breaks for a receiver that reads events by the old schema when they follow the new one. It
// returns nothing only if every value that is valid under the new schema is valid under the old one and no member went
// that the old one names. The comparison is structural and errs on the side of breaking: the caller may override it.
// Changes are ordered by place, at most 100.
func Breaks(old, new *Schema) []Change {
	c := comparison{seen: map[pair]bool{}, left: maxComparisons}
	c.compare(old.root, parts(nil, new.root))
	if c.left < 0 {
		c.changes = append(c.changes, Change{"", "is too large to be compared with the new schema"})
	}
	slices.SortFunc(c.changes, func(a, b Change) int {
		if by := strings.Compare(a.Pointer, b.Pointer); by != 0 {
			return by
		}
		return strings.Compare(a.Text, b.Text)
	})
	c.changes = slices.Compact(c.changes)
	return c.changes[:min(len(c.changes), maxChanges)]
}

// comparison collects the rules of old nodes that new ones don't imply.
type comparison struct {
	changes []Change
	seen    map[pair]bool
	left    int // how many more comparisons may be made
}

// pair is an old node and new ones.
type pair struct {
	old   *node
	parts string
}

func (c *comparison) change(n *node, keyword, format string, args ...any) {
	pointer := n.pointer
	if keyword != "" {
		pointer += "/" + keyword
	}
	if len(c.changes) < 4*maxChanges {
		c.changes = append(c.changes, Change{clip(pointer, maxPointerBytes), fmt.Sprintf(format, args...)})
	}
}

// parts are all the nodes that must hold together when each of nodes, and with it, holds.
func parts(with []*node, nodes ...*node) []*node {
	all := slices.Clone(with)
	var add func(n *node)
	add = func(n *node) {
		if slices.Contains(all, n) {
			return
		}
		all = append(all, n)
		if n.ref != nil {
			add(n.ref)
		}
		for _, s := range n.many["allOf"] {
			add(s)
		}
	}
	for _, n := range nodes {
		add(n)
	}
	slices.SortFunc(all, func(a, b *node) int { return a.id - b.id })
	return all
}

// compare reports what o demands and the parts, which all hold, don't ensure. What was compared before isn't again: it
// was reported, or is assumed while it is being shown, which is sound because each way round goes deeper into the
// value.
func (c *comparison) compare(o *node, n []*node) {
	if c.left -= 1 + len(n); c.left < 0 {
		return
	}
	key := pair{o, ids(n)}
	if c.seen[key] || o.anything() || c.empty(n) {
		return
	}
	c.seen[key] = true
	for _, p := range parts(nil, o) {
		if !slices.ContainsFunc(n, func(q *node) bool { return c.same(p, q) }) {
			c.rules(p, n)
		}
	}
}

// empty reports whether parts obviously accept no value.
func (c *comparison) empty(n []*node) bool { return slices.ContainsFunc(n, (*node).nothing) }

func ids(n []*node) string {
	var b strings.Builder
	for _, p := range n {
		b.WriteString(strconv.Itoa(p.id))
		b.WriteByte(' ')
	}
	return b.String()
}

func (c *comparison) same(a, b *node) bool {
	return (&sameShape{map[[2]*node]bool{}, &c.left}).same(a, b)
}

// rules goes through what one node demands by itself, its references and allOf apart.
func (c *comparison) rules(o *node, n []*node) {
	if o.nothing() {
		c.change(o, "", "allows nothing, but the new schema does")
		return
	}
	if o.one["unevaluatedProperties"] != nil || o.one["unevaluatedItems"] != nil {
		c.change(o, "", "%s (what is unevaluated depends on the whole)", changed)
	}
	allowed := c.values(o, n)
	for _, keyword := range sortedKeys(o.rules) {
		c.rule(o, n, keyword, allowed)
	}
	for _, group := range [][]string{{"not"}, {"if", "then", "else"}, {"anyOf"}, {"oneOf"}, {"contains"}, {"dependentSchemas"}, {"propertyNames"}} {
		if o.has(group[0]) && !slices.ContainsFunc(n, func(q *node) bool { return c.sameGroup(o, q, group) }) {
			c.change(o, group[0], changed)
		}
	}
	if allowed&objects != 0 {
		c.members(o, n)
	}
	if allowed&arrays != 0 {
		c.elements(o, n)
	}
}

// has reports whether a keyword that holds schemas is there.
func (n *node) has(keyword string) bool {
	return n.one[keyword] != nil || n.many[keyword] != nil || n.named[keyword] != nil
}

func one(n *node) []*node {
	if n == nil {
		return nil
	}
	return []*node{n}
}

// sameGroup reports whether keywords that mean something together are the same in both.
func (c *comparison) sameGroup(o, n *node, group []string) bool {
	for _, keyword := range group {
		t := sameShape{map[[2]*node]bool{}, &c.left}
		if !t.same(o.one[keyword], n.one[keyword]) || !slices.EqualFunc(o.many[keyword], n.many[keyword], t.same) ||
			!maps.EqualFunc(o.named[keyword], n.named[keyword], t.same) {
			return false
		}
	}
	return group[0] != "contains" ||
		canonical(o.rules["minContains"]) == canonical(n.rules["minContains"]) &&
			canonical(o.rules["maxContains"]) == canonical(n.rules["maxContains"])
}

// values compares type, enum and const, and returns the types that the new schema allows.
func (c *comparison) values(o *node, n []*node) types {
	allowed := types(everyType)
	var now []any
	lists := false
	for _, q := range n {
		allowed &= q.ruled()
		if values, ok := q.listed(); ok && !lists {
			now, lists = values, true
		}
	}
	if lists {
		c.left -= len(now) / 4
		var of types
		for _, v := range now {
			of |= typeOf(v)
		}
		allowed &= of
	}
	if more := allowed &^ o.ruled(); more != 0 {
		c.change(o, "type", "is widened: the new schema also allows %s", more)
	}
	for _, keyword := range []string{"enum", "const"} {
		rule, ok := o.rules[keyword]
		if !ok {
			continue
		}
		if !lists {
			c.change(o, keyword, "is dropped: the new schema doesn't list its values")
			continue
		}
		was, ok := rule.([]any)
		if !ok || keyword == "const" {
			was = []any{rule}
		}
		known, added := make(map[string]bool, len(was)), 0
		for _, v := range was {
			known[canonical(v)] = true
		}
		for _, v := range now {
			if !known[canonical(v)] {
				added++
			}
		}
		if c.left -= (len(was) + len(now)) / 8; added > 0 {
			c.change(o, keyword, "doesn't allow %d of the values that the new schema lists", added)
		}
	}
	return allowed
}

// about are the types that a rule bears on; none for rules that are compared elsewhere.
func about(keyword string) types {
	switch keyword {
	case "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf":
		return integers | fractions
	case "minLength", "maxLength", "pattern", "format", "contentEncoding", "contentMediaType":
		return stringsType
	case "minItems", "maxItems", "uniqueItems":
		return arrays
	case "minProperties", "maxProperties", "required", "dependentRequired":
		return objects
	}
	return 0
}

// rule compares one keyword that holds no schema, unless it is about types that the new schema doesn't allow.
func (c *comparison) rule(o *node, n []*node, keyword string, allowed types) {
	was := o.rules[keyword]
	if allowed&about(keyword) == 0 || was == false { // uniqueItems: false demands nothing
		return
	}
	if keyword == "required" {
		for i, name := range texts(was) {
			if !slices.ContainsFunc(n, func(q *node) bool { return slices.Contains(q.texts(keyword), name) }) {
				c.change(o, "required/"+strconv.Itoa(i), "is dropped: the member %s may be missing", quoted(name))
			}
		}
		return
	}
	exclusive := "exclusive" + strings.ToUpper(keyword[:1]) + keyword[1:] // bounds no less than minimum or maximum itself
	if !slices.ContainsFunc(n, func(q *node) bool {
		return implies(keyword, q.rules[keyword], was) || implies(keyword, q.rules[exclusive], was)
	}) {
		done := "changed"
		if _, bound := was.(json.Number); bound {
			done = "loosened"
		}
		c.change(o, keyword, "is dropped or %s", done)
	}
}

// implies reports whether a rule of the new schema allows no more than the old one of the same keyword. Numbers are
// compared; of other rules this is only known if they are the same.
func implies(keyword string, now, was any) bool {
	have, isNumber := now.(json.Number)
	want, wasNumber := was.(json.Number)
	switch {
	case !isNumber || !wasNumber:
		return now != nil && canonical(now) == canonical(was)
	case keyword == "multipleOf":
		return new(big.Rat).Quo(rational(have), rational(want)).IsInt()
	case strings.HasPrefix(keyword, "min"), keyword == "exclusiveMinimum":
		return rational(have).Cmp(rational(want)) >= 0
	default:
		return rational(have).Cmp(rational(want)) <= 0
	}
}

// members compares properties, patternProperties and additionalProperties.
func (c *comparison) members(o *node, n []*node) {
	for _, name := range sortedKeys(o.named["properties"]) {
		before, now := o.named["properties"][name], c.member(n, name)
		named := slices.ContainsFunc(n, func(q *node) bool { return q.named["properties"][name] != nil })
		if !named || !before.nothing() && c.empty(now) {
			c.change(o, "properties/"+escaped(name), "is removed")
			continue
		}
		c.compare(before, now)
	}
	for _, pattern := range sortedKeys(o.named["patternProperties"]) {
		var now []*node
		for _, q := range n {
			now = append(now, one(q.named["patternProperties"][pattern])...)
		}
		if now == nil {
			c.change(o, "patternProperties/"+escaped(pattern), "is removed, or its pattern changed")
			continue
		}
		c.compare(o.named["patternProperties"][pattern], parts(nil, now...))
	}
	if further := o.one["additionalProperties"]; further != nil && !further.anything() {
		c.further(o, further, n)
	}
}

// further compares what applies to members that the old schema doesn't name.
func (c *comparison) further(o, before *node, n []*node) {
	i := slices.IndexFunc(n, func(q *node) bool { return q.one["additionalProperties"] != nil })
	if i < 0 {
		c.change(o, "additionalProperties", "is opened: the new schema allows members that the old one doesn't name")
		return
	}
	admit := func(now []*node, as string) {
		if before.nothing() && !c.empty(now) {
			c.change(o, "additionalProperties", "doesn't allow what the new schema has as %s", as)
			return
		}
		c.compare(before, now)
	}
	// One of the new parts says what further members are; those which it names itself are looked at singly.
	q := n[i]
	admit(parts(nil, q.one["additionalProperties"]), "further members")
	for _, pattern := range sortedKeys(q.named["patternProperties"]) {
		if o.named["patternProperties"][pattern] == nil {
			admit(parts(nil, q.named["patternProperties"][pattern]), "members by a pattern")
		}
	}
	for _, name := range sortedKeys(q.named["properties"]) {
		if c.left--; o.named["properties"][name] == nil && !o.matches(name, &c.left) {
			admit(c.member(n, name), "the member "+quoted(name))
		}
	}
}

// matches reports whether one of the node's patterns matches a member's name.
func (n *node) matches(name string, left *int) bool {
	for _, re := range n.patterns {
		if *left--; re.MatchString(name) {
			return true
		}
	}
	return false
}

// member are all nodes that apply to the member of a name.
func (c *comparison) member(n []*node, name string) []*node {
	var all []*node
	for _, q := range n {
		found := one(q.named["properties"][name])
		for _, pattern := range sortedKeys(q.patterns) {
			if c.left--; q.patterns[pattern].MatchString(name) {
				found = append(found, q.named["patternProperties"][pattern])
			}
		}
		if found == nil {
			found = one(q.one["additionalProperties"])
		}
		all = append(all, found...)
	}
	return parts(nil, all...)
}

// elements compares prefixItems and items.
func (c *comparison) elements(o *node, n []*node) {
	before := o.many["prefixItems"]
	longest := len(before)
	for _, q := range n {
		longest = max(longest, len(q.many["prefixItems"]))
	}
	element := func(i int) []*node {
		var all []*node
		for _, q := range n {
			if prefix := q.many["prefixItems"]; i < len(prefix) {
				all = append(all, prefix[i])
			} else {
				all = append(all, one(q.one["items"])...)
			}
		}
		return parts(nil, all...)
	}
	for i, s := range before {
		c.compare(s, element(i))
	}
	if s := o.one["items"]; s != nil {
		for i := len(before); i <= longest; i++ {
			c.compare(s, element(i))
		}
	}
}
