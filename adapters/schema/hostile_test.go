package schema

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// hostile pairs of schema and data: whatever the answer, it comes soon.
func hostile() map[string][2]string {
	fill := func(item string) string {
		n := (domain.MaxDataBytes - 2) / (len(item) + 1)
		return "[" + strings.Repeat(item+",", n-1) + item + "]"
	}
	list := func(n int, schema string) string { return strings.TrimSuffix(strings.Repeat(schema+",", n), ",") }
	var distinct, names, enum, members, required strings.Builder
	for i := range 30_000 {
		fmt.Fprintf(&distinct, "%d,", i)
	}
	for i := range 15_000 {
		fmt.Fprintf(&names, `"member%d":1,`, i)
	}
	for i := range 7000 {
		fmt.Fprintf(&enum, "%d.5,", i+10_000)
	}
	for i := range 1500 {
		fmt.Fprintf(&members, `"member%d":{"type":"integer"},`, i)
	}
	for i := range 7000 {
		fmt.Fprintf(&required, `"a%d",`, i)
	}
	all := strings.TrimSuffix(distinct.String(), ",")
	object := "{" + strings.TrimSuffix(names.String(), ",") + "}"
	text := `"` + strings.Repeat("a", domain.MaxDataBytes-2) + `"`
	deep := strings.Repeat("[", 64) + strings.Repeat("]", 64)
	return map[string][2]string{
		"unique numbers":         {`{"uniqueItems":true}`, "[" + all + "]"},
		"unique, colliding":      {`{"uniqueItems":true}`, colliding(4000)},
		"unique, colliding, few": {`{"uniqueItems":true}`, colliding(150)},
		"unique, few":            {`{"uniqueItems":true}`, "[" + strings.Join(strings.Split(all, ",")[:950], ",") + "]"},
		"every element is wrong": {`{"items":{"type":"string"}}`, fill("1")},
		"wrong in many ways":     {`{"items":{"allOf":[` + list(2, `{"type":"string"}`) + `]}}`, fill("1")},
		"nothing of anyOf":       {`{"items":{"anyOf":[` + list(2, `{"minimum":2}`) + `]}}`, fill("1")},
		"many allOf of items":    {`{"allOf":[` + list(900, `{"items":{"type":"string"}}`) + `]}`, fill("1")},
		"large enum":             {`{"items":{"enum":[` + strings.TrimSuffix(enum.String(), ",") + `]}}`, fill("1.5")},
		"enum of strings":        {`{"items":{"enum":[` + list(6000, `"aaaaa"`) + `]}}`, fill(`"aaaab"`)},
		"slow pattern":           {`{"pattern":"^(a|b|c|[a-d])*(aa|b){80}x$"}`, text},
		"pattern":                {`{"pattern":"^[a-z]+$"}`, text},
		"patterns of names":      {`{"patternProperties":{` + `"a{300}x":true,"a{400}y":true` + `}}`, object},
		"exponential descent":    {`{"items":{"$ref":"#"},"contains":{"$ref":"#"},"allOf":[{"items":{"$ref":"#"}}]}`, deep},
		"hidden descent":         {`{"minItems":9,"not":{"minItems":9,"items":{"$ref":"#"},"contains":{"$ref":"#"}}}`, deep},
		"unevaluated": {
			`{"unevaluatedProperties":{"type":"string"},"allOf":[` + list(20, `{"patternProperties":{"^x":true}}`) + `]}`,
			object,
		},
		"names": {`{"propertyNames":{"pattern":"^[0-9]+$"}}`, object},
		"members": {
			`{"additionalProperties":false,"properties":{` + strings.TrimSuffix(members.String(), ",") + `}}`,
			object,
		},
		"many required":   {`{"items":{"required":[` + strings.TrimSuffix(required.String(), ",") + `]}}`, fill("{}")},
		"exact fractions": {`{"items":{"multipleOf":1e-400}}`, fill("123456789e-399")},
		"large exponents": {`{"items":{"multipleOf":3}}`, fill("1e400")},
		"huge exponent":   {`{"items":{"minimum":3}}`, fill("1e999999")},
		"many digits":     {`{"minimum":3}`, strings.Repeat("9", domain.MaxDataBytes)},
		"formats":         {`{"allOf":[` + list(400, `{"format":"uri"}`) + `]}`, text},
		"lengths":         {`{"allOf":[` + list(900, `{"minLength":1}`) + `]}`, text},
		"deep and wide":   {`{"items":{"$ref":"#"},"type":["array","null"]}`, fill(deep)},
		"conditions":      {`{"items":{"if":{"type":"string"},"then":false,"else":{"minimum":2}}}`, fill("1")},
		"dependents":      {`{"items":{"dependentSchemas":{"a":{"required":["b"]}}}}`, fill(`{"a":1}`)},
	}
}

// colliding is an array of different elements to which the library gives one hash, in which a bracket leaves no end.
func colliding(n int) string {
	items := make([]string, n)
	for i := range items {
		item := "[1"
		for bit := range 12 {
			if i>>bit&1 == 1 {
				item += ",[1,1]"
			} else {
				item += ",[1],1"
			}
		}
		items[i] = item + "]"
	}
	return "[" + strings.Join(items, ",") + "]"
}

func TestSchema_Validate_hostile(t *testing.T) {
	for name, pair := range hostile() {
		began := time.Now()
		s, err := Compile([]byte(pair[0]))
		compiling := time.Since(began)
		if err != nil {
			t.Logf("%-24s refused in %s: %.150v", name, compiling, err)
			continue
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began = time.Now()
		found := s.violations([]byte(pair[1]))
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		verdict := "valid"
		if len(found) > 0 {
			verdict = found[0].Text
		}
		t.Logf(
			"%-24s compiled in %-12s took %-14s %4d MB %s",
			name,
			compiling,
			took,
			(after.TotalAlloc-before.TotalAlloc)>>20,
			verdict,
		)
		if took > 3*time.Second || compiling > 3*time.Second {
			t.Errorf("%s: compiled in %s, validated in %s", name, compiling, took)
		}
	}
}

// hostileChanges are pairs of schemas that lead to many comparisons.
func hostileChanges() map[string][2]string {
	list := func(n int, item func(i int) string) string {
		items := make([]string, n)
		for i := range items {
			items[i] = item(i)
		}
		return strings.Join(items, ",")
	}
	consts := func(from int) func(int) string {
		return func(i int) string { return fmt.Sprintf(`{"const":%d}`, i+from) }
	}
	kinds := func(extra string) string {
		return `{"oneOf":[` + list(400, func(i int) string {
			return fmt.Sprintf(`{"type":"object","required":["kind"],"properties":{"kind":{"const":"k%d"}%s}}`, i, extra)
		}) + `]}`
	}
	numbers := func(from int) string {
		return `{"enum":[` + list(6000, func(i int) string { return fmt.Sprint(i + from) }) + `]}`
	}
	halves := func(leaf string) string {
		return `{"$ref":"#/$defs/d0","$defs":{"d40":` + leaf + `,` + list(40, func(i int) string {
			return fmt.Sprintf(
				`"d%d":{"properties":{"a":{"$ref":"#/$defs/d%d"},"b":{"anyOf":[{"$ref":"#/$defs/d%d"},{"type":"null"}]}}}`,
				i,
				i+1,
				i+1,
			)
		}) + `}}`
	}
	deep := func(leaf string) string {
		return strings.Repeat(`{"anyOf":[{"items":`, 20) + leaf + strings.Repeat(`},{"type":"null"}]}`, 20)
	}
	return map[string][2]string{
		"alternatives": {`{"anyOf":[` + list(900, consts(0)) + `]}`, `{"anyOf":[` + list(900, consts(500)) + `]}`},
		"kinds":        {kinds(""), kinds(`,"a":{"type":"string"}`)},
		"enums":        {numbers(0), numbers(3000)},
		"enum of many": {
			`{"allOf":[` + list(500, func(i int) string { return fmt.Sprintf(`{"maximum":%d}`, 9000+i) }) + `]}`,
			numbers(0),
		},
		"shared halves": {halves(`{"type":"string"}`), halves(`{"type":"integer"}`)},
		"deep":          {deep(`{"type":"string"}`), deep(`{"type":"integer"}`)},
		"all of": {
			`{"allOf":[` + list(
				900,
				func(i int) string { return fmt.Sprintf(`{"properties":{"a%d":{"minimum":1}}}`, i) },
			) + `]}`,
			`{"allOf":[` + list(
				900,
				func(i int) string { return fmt.Sprintf(`{"properties":{"a%d":{"minimum":0}}}`, i) },
			) + `]}`,
		},
		"pattern members": {
			`{"additionalProperties":false,"patternProperties":{` + list(
				900,
				func(i int) string { return fmt.Sprintf(`"a%d":true`, i) },
			) + `}}`,
			`{"additionalProperties":false,"properties":{` + list(
				900,
				func(i int) string { return fmt.Sprintf(`"a%d":{}`, i) },
			) + `}}`,
		},
	}
}

func TestBreaks_hostile(t *testing.T) {
	for name, pair := range hostileChanges() {
		old, err := Compile([]byte(pair[0]))
		if err != nil {
			t.Fatalf("%s: %.200v", name, err)
		}
		new, err := Compile([]byte(pair[1]))
		if err != nil {
			t.Fatalf("%s: %.200v", name, err)
		}
		began := time.Now()
		changes := Breaks(old, new)
		took := time.Since(began)
		text := ""
		if len(changes) > 0 {
			text = changes[0].Pointer + " " + changes[0].Text
		}
		t.Logf("%-16s took %-14s %3d changes: %s", name, took, len(changes), text)
		if took > 10*time.Second { // half a second, unless the machine has much else to do
			t.Errorf("%s took %s", name, took)
		}
	}
}
