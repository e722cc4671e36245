package schema

import (
	"encoding/json"
	"math/big"
	"slices"
	"strings"
)

// listed checks each value that the new schema lists.
func (c *comparison) listed(o *node, values []any) {
	allowed, lists := o.canonicalValues()
	refused := 0
	for _, v := range values {
		switch {
		case lists && !allowed[canonical(v)]:
			refused++
		case o.onlyLists():
		case !c.accepts(o, v):
			refused++
		}
	}
	if refused == 0 {
		return
	}
	keyword := ""
	for _, k := range []string{"const", "enum", "type"} {
		if _, ok := o.rules[k]; ok {
			keyword = k
			break
		}
	}
	c.change(o, keyword, "doesn't allow %d of the values that the new schema lists", refused)
}

// values compares type, const and enum.
func (c *comparison) values(o *node, n []*node) {
	for _, keyword := range []string{"const", "enum"} {
		if _, ok := o.rules[keyword]; ok {
			c.change(o, keyword, "is dropped: the new schema doesn't list its values")
			return
		}
	}
	if more := c.factsOf(n).types &^ o.ruled(); more != 0 {
		c.change(o, "type", "is widened: the new schema also allows %s", more)
	}
}

func (c *comparison) numeric(o *node, n []*node, t types) {
	for _, keyword := range []string{"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"} {
		if bound, ok := o.rules[keyword].(json.Number); ok && !bounded(n, keyword, rational(bound)) {
			c.change(o, keyword, "is loosened")
		}
	}
	if factor, ok := o.rules["multipleOf"].(json.Number); ok && !multiple(n, t, rational(factor)) {
		c.change(o, "multipleOf", "is loosened")
	}
}

// bounded says whether the parts keep numbers on the right side of a bound.
func bounded(n []*node, keyword string, bound *big.Rat) bool {
	exclusive, inclusive, sign := "exclusiveMinimum", "minimum", 1
	if strings.HasSuffix(strings.ToLower(keyword), "maximum") {
		exclusive, inclusive, sign = "exclusiveMaximum", "maximum", -1
	}
	return slices.ContainsFunc(n, func(p *node) bool {
		if own, ok := p.rules[exclusive].(json.Number); ok && rational(own).Cmp(bound)*sign >= 0 {
			return true
		}
		own, ok := p.rules[inclusive].(json.Number)
		if !ok {
			return false
		}
		tighter := rational(own).Cmp(bound) * sign
		return tighter > 0 || tighter == 0 && keyword == inclusive
	})
}

// multiple says whether the parts allow only multiples of a factor.
func multiple(n []*node, t types, factor *big.Rat) bool {
	if t&fractions == 0 && factor.Sign() > 0 && new(big.Rat).Inv(factor).IsInt() {
		return true
	}
	return slices.ContainsFunc(n, func(p *node) bool {
		own, ok := p.rules["multipleOf"].(json.Number)
		return ok && factor.Sign() > 0 && new(big.Rat).Quo(rational(own), factor).IsInt()
	})
}

func (c *comparison) text(o *node, n []*node) {
	c.counts(o, n, "minLength", "maxLength")
	for _, keyword := range []string{"pattern", "format", "contentEncoding", "contentMediaType"} {
		c.kept(o, n, keyword)
	}
	if s := o.one["contentSchema"]; s != nil &&
		!slices.ContainsFunc(n, func(p *node) bool { return p.one["contentSchema"] != nil && c.same(s, p.one["contentSchema"]) }) {
		c.change(o, "contentSchema", "is dropped or changed")
	}
}

// kept reports a rule that no part repeats word by word.
func (c *comparison) kept(o *node, n []*node, keyword string) {
	text, ok := o.rules[keyword].(string)
	if ok && !slices.ContainsFunc(n, func(p *node) bool { return p.rules[keyword] == text }) {
		c.change(o, keyword, "is dropped or changed")
	}
}

// counts compares a lower and an upper bound on a number of things.
func (c *comparison) counts(o *node, n []*node, least, most string) {
	if bound, ok := o.whole(least); ok && bound > 0 && atLeast(n, least) < bound {
		c.change(o, least, "is loosened")
	}
	if bound, ok := o.whole(most); ok && atMost(n, most) > bound {
		c.change(o, most, "is loosened")
	}
}

func atLeast(n []*node, keyword string) int64 {
	var most int64
	for _, p := range n {
		if bound, ok := p.whole(keyword); ok {
			most = max(most, bound)
		}
	}
	return most
}

func atMost(n []*node, keyword string) int64 {
	least := int64(maxCount) + 1
	for _, p := range n {
		if bound, ok := p.whole(keyword); ok {
			least = min(least, bound)
		}
	}
	return least
}

func (c *comparison) array(o *node, n []*node) {
	c.counts(o, n, "minItems", "maxItems")
	if o.rules["uniqueItems"] == true && atMost(n, "maxItems") > 1 &&
		!slices.ContainsFunc(n, func(p *node) bool { return p.rules["uniqueItems"] == true }) {
		c.change(o, "uniqueItems", "is dropped")
	}
	for i, s := range o.many["prefixItems"] {
		if int64(i) < atMost(n, "maxItems") {
			c.compare(s, itemParts(n, i))
		}
	}
	if s := o.one["items"]; s != nil {
		c.items(o, s, n)
	}
	least, most := counted(o)
	if s := o.one["contains"]; s != nil && (least > 0 || most <= maxCount) && !slices.ContainsFunc(n, func(p *node) bool { return c.contains(o, s, p) }) {
		c.change(o, "contains", cantTell)
	}
}

// items compares the rule for the elements that o doesn't count, at each place where the parts have another one.
func (c *comparison) items(o, s *node, n []*node) {
	last := len(o.many["prefixItems"])
	for i := last; i < longestPrefix(n); i++ {
		if int64(i) < atMost(n, "maxItems") {
			c.compare(s, itemParts(n, i))
		}
	}
	if last = max(last, longestPrefix(n)); int64(last) < atMost(n, "maxItems") {
		c.compare(s, itemParts(n, last))
	}
}

func longestPrefix(n []*node) int {
	longest := 0
	for _, p := range n {
		longest = max(longest, len(p.many["prefixItems"]))
	}
	return longest
}

// itemParts are the parts' rules for one element.
func itemParts(n []*node, i int) []*node {
	var list []*node
	for _, p := range n {
		if prefix := p.many["prefixItems"]; i < len(prefix) {
			list = append(list, prefix[i])
		} else if s := p.one["items"]; s != nil {
			list = append(list, s)
		}
	}
	return parts(nil, list...)
}

// contains says whether one part ensures o's contains with its counts.
func (c *comparison) contains(o, s, p *node) bool {
	own := p.one["contains"]
	if own == nil {
		return false
	}
	least, most := counted(o)
	ownLeast, ownMost := counted(p)
	if most <= maxCount { // no more may be like s, so the two must count the same elements
		return c.same(s, own) && ownLeast >= least && ownMost <= most
	}
	return ownLeast >= least && c.clean(s, parts(nil, own))
}

func counted(n *node) (least, most int64) {
	least, ok := n.whole("minContains")
	if !ok {
		least = 1
	}
	return least, atMost([]*node{n}, "maxContains")
}
