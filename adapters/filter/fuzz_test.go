package filter

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// FuzzFilters: Check answers every text with nil or an *InvalidError, and what it lets through ends within its bounds.
func FuzzFilters(f *testing.F) {
	for _, src := range []string{
		`data.l.exists(x, x.a == 1)`, `has(data.a) && data.a in [1, "x"]`, `data.?a[?"b"].orValue("c").matches("^c+$")`,
		`type(data) == map`, `string(data.n + 1) == '7' && data.n * 1.5 > 2 && -data.n % 3 == 1`, `1u + 2u > 3u`, "b'\\xff' == b\"\"", `(`, `"\u`, `occurred_at.getDayOfYear("UTC") < 3 ? true : data.x`,
	} {
		f.Add(src, []byte(`{"a":[1,{"b":"c"}],"l":[{"a":1}],"s":"aaaa"}`))
	}
	all := filters(f)
	f.Fuzz(func(t *testing.T, src string, data []byte) { run(t, all, src, data) })
}

// FuzzFilters_wellFormed makes expressions out of what was found, so that evaluations rather than parsers are tried.
func FuzzFilters_wellFormed(f *testing.F) {
	f.Add([]byte("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"), []byte(`{"l":[1,2],"s":"ab"}`))
	f.Add([]byte("\x00\x07\x01\x03\x03\x00\x03\x05"), []byte(`{"n":18446744073709551616,"l":[1.5]}`))
	f.Add([]byte("\x05\x05\x05\x05\x06\x06\x07\x00\x00\x00"), []byte(`{"l":["a",{"l":[]}],"s":"1"}`))
	all := filters(f)
	f.Fuzz(func(t *testing.T, choices, data []byte) {
		g := grammar{choices: choices}
		run(t, all, g.condition(5), data)
	})
}

func run(t *testing.T, f *Filters, src string, data []byte) {
	began := time.Now()
	err := f.Check(src)
	var invalid *domain.InvalidError
	if err != nil && (!errors.As(err, &invalid) || invalid.Field != "filter" || strings.ContainsAny(invalid.Text, "\n\x00")) {
		t.Fatalf("%q: %v", src, err)
	}
	if domain.CheckJSON("data", data) != nil {
		data = []byte(`{"l":[1],"s":""}`)
	}
	e := order()
	e.Data = data
	first, firstErr := match(f, src, e)
	if took := time.Since(began); took > 5*time.Second {
		t.Fatalf("%q took %s", src, took)
	}
	if err != nil && strings.TrimSpace(src) != "" && firstErr == nil {
		t.Fatalf("%q is refused and yet gives %t", src, first)
	}
	if second, err := match(f, src, e); second != first || fmt.Sprint(err) != fmt.Sprint(firstErr) {
		t.Fatalf("%q gives %t, %v, then %t, %v", src, first, firstErr, second, err)
	}
}

// grammar makes an expression; the bytes decide which.
type grammar struct {
	choices []byte
}

func (g *grammar) choose(n int) int {
	if len(g.choices) == 0 {
		return 0
	}
	c := int(g.choices[0])
	g.choices = g.choices[1:]
	return c % n
}

func (g *grammar) condition(depth int) string {
	if depth == 0 {
		return `true`
	}
	a := func() string { return g.value(depth - 1) }
	c := func() string { return g.condition(depth - 1) }
	switch g.choose(10) {
	case 0:
		return a() + ` == ` + a()
	case 1:
		return `(` + c() + ` && ` + c() + `)`
	case 2:
		return `(` + c() + ` || ` + c() + `)`
	case 3:
		return a() + ` < ` + a()
	case 4:
		return a() + ` in ` + a()
	case 5:
		return `dyn(` + a() + `).all(x, ` + c() + `)`
	case 6:
		return `dyn(` + a() + `).exists_one(y, ` + c() + `)`
	case 7:
		return `string(` + a() + `).matches("^(a|1)*.b?$")`
	case 8:
		return `optional.of(` + a() + `).optMap(x, ` + c() + `).orValue(false)`
	}
	return `!` + c()
}

func (g *grammar) value(depth int) string {
	if depth <= 0 {
		return []string{`data`, `data.l`, `data.s`, `data.n`, `subject`, `1`, `2.5`, `["a", 1]`, `{}`}[g.choose(9)]
	}
	a := func() string { return `dyn(` + g.value(depth-1) + `)` }
	switch g.choose(11) {
	case 7:
		return a() + []string{` - `, ` * `, ` / `, ` % `}[g.choose(4)] + a()
	case 8:
		return `-` + a()
	case 9:
		return []string{`int(`, `double(`, `uint(`, `string(`}[g.choose(4)] + a() + `)`
	case 0:
		return a() + ` + ` + a()
	case 1:
		return a() + `.filter(x, ` + g.condition(depth-1) + `)`
	case 2:
		return a() + `[` + a() + `]`
	case 3:
		return `(` + g.condition(depth-1) + ` ? ` + a() + ` : ` + a() + `)`
	case 4:
		return a() + `.split(subject)`
	case 5:
		return `optional.of(` + a() + `).optMap(x, x + x).orValue(1)`
	case 6:
		return `size(` + a() + `)`
	}
	return g.value(0)
}
