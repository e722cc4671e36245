package filter

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/hooktrail/hooktrail/domain"
)

func TestFilters_Check(t *testing.T) {
	t.Parallel()
	f := filters(t)
	for src, want := range map[string]string{
		``:                                     "has 1 to 4096 bytes",
		" \n":                                  "has 1 to 4096 bytes",
		strings.Repeat(" ", 4093) + "true":     "has 1 to 4096 bytes",
		"subject == \"\xff\"":                  "must be UTF-8",
		`amount > 1`:                           "line 1, column 1: undeclared reference to 'amount'; variables are id, source, type",
		"type == \"a\" &&\n  dato.x == 1":      "line 2, column 3: undeclared reference to 'dato'",
		`"ü" == "ü" && dato`:                   "line 1, column 15: undeclared reference",
		`type == 5`:                            "line 1, column 6: found no matching overload for '_==_' applied to '(string, int)'",
		`type = "a"`:                           "line 1, column 6: Syntax error",
		`(type == "a"`:                         "line 1, column 13: Syntax error",
		`subject`:                              "line 1, column 1: gives a value of type string, but must give a bool",
		`data.active`:                          "line 1, column 1: gives whatever the data has there, but must give a bool: compare it, such as data.active == true",
		`subject.matches("(")`:                 "line 1, column 17: invalid matches argument",
		`subject.matches(data.pattern)`:        "line 1, column 21: the regular expression must be a text literal",
		`matches(subject, id)`:                 "line 1, column 18: the regular expression must be a text literal",
		`subject.matches("(a|b){200}")`:        "exceeds limit",
		`occurred_at > timestamp("yesterday")`: "line 1, column 25: invalid timestamp argument",
		`occurred_at - occurred_at > duration("1 day")`: "line 1, column 38: invalid duration argument",
		`data.a in [data.b, 1]`:                         "line 1, column 16: lists and maps hold only literals",
		`data == {"a": [1, [id]]}`:                      "line 1, column 20: lists and maps hold only literals",
		`data.l.exists(x, [x, x] == data)`:              "lists and maps hold only literals",
		`data.l.map(x, x) == [1]`:                       "line 1, column 11: undeclared reference to 'map'",
		`data.s.replace("a", data.s) == ""`:             "line 1, column 15: replace isn't available in filters",
		`data.l.join(data.s) == ""`:                     "join isn't available",
		`data.s.indexOf(data.s) == 1`:                   "indexOf isn't available",
		`"%s".format(["a"]) == "a"`:                     "format isn't available",
		`strings.quote(data.s) == ""`:                   "strings.quote isn't available",
		`google.protobuf.Duration{seconds: 1} == data`:  "an object can't be made",
		`now() > occurred_at`:                           "undeclared reference to 'now'",
	} {
		var invalid *domain.InvalidError
		err := f.Check(src)
		if !errors.As(err, &invalid) || invalid.Field != "filter" || !strings.Contains(invalid.Text, want) {
			t.Errorf("%s\ngives %v\nwant  %s", src, err, want)
		}
	}
}

// What the package comment shows can be used.
func TestFilters_Check_examples(t *testing.T) {
	t.Parallel()
	f := filters(t)
	for _, src := range []string{
		`data.amount > 100 && subject.startsWith("customer-")`,
		`data.?customer.?country.orValue("") in ["DE", "AT"]`,
		`data.items.exists(i, i.sku.matches("^A[0-9]+$"))`,
		`extensions[?"region"] == optional.of("eu") && occurred_at.getFullYear() >= 2026`,
		`data.a == 1 // why not`, strings.Repeat("data.a == 1 || ", 130) + "true",
	} {
		if err := f.Check(src); err != nil {
			t.Errorf("%s\nis refused: %v", src, err)
		}
	}
}

// A function that CEL adds must be looked at before it is offered: what does one call cost at most, and does cost.go know?
func TestFilters_functionsAreKnown(t *testing.T) {
	t.Parallel()
	const known = `!_ -_ @in @not_strictly_false _!=_ _%_ _&&_ _*_ _+_ _-_ _/_ _<=_ _<_ _==_ _>=_ _>_ _?._ _?_:_ _[?_] _[_] ` +
		`__not_strictly_false__ _in_ _||_ bool bytes charAt contains double duration dyn endsWith format getDate getDayOfMonth ` +
		`getDayOfWeek getDayOfYear getFullYear getHours getMilliseconds getMinutes getMonth getSeconds hasValue in indexOf int join ` +
		`lastIndexOf lowerAscii matches optional.none optional.of optional.ofNonZeroValue or orValue replace reverse size split ` +
		`startsWith string strings.quote substring timestamp trim type uint upperAscii value`
	if names := strings.Join(slices.Sorted(maps.Keys(filters(t).env.Functions())), " "); names != known {
		t.Errorf("functions are\n%s\nnot\n%s", names, known)
	}
}

// hostile expressions are checked within moments, whatever the answer.
func TestFilters_Check_hostile(t *testing.T) {
	t.Parallel()
	f := filters(t)
	for name, src := range map[string]string{
		"parentheses": strings.Repeat("(", 2000) + "true" + strings.Repeat(")", 2000),
		"unclosed":    strings.Repeat("(", MaxSourceBytes),
		"lists":       strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + " == data",
		"maps":        strings.Repeat(`{"a":`, 600) + "1" + strings.Repeat("}", 600) + " == data",
		"not":         strings.Repeat("!", 4000) + "true",
		"minus":       strings.Repeat("-", 4000) + "1 == 1",
		"members":     "data" + strings.Repeat(".a", 2000) + " == 1",
		"indices":     "data" + strings.Repeat("[0]", 1300) + " == 1",
		"or":          "true" + strings.Repeat("||true", 680),
		"sum":         "1" + strings.Repeat("+1", 2000) + " == 1",
		"conditions":  strings.Repeat("true?true:", 400) + "true",
		"nested all":  strings.Repeat("data.all(x,", 350) + "true" + strings.Repeat(")", 200),
		"macros":      strings.Repeat("data.all(x,", 90) + "true" + strings.Repeat(")", 90),
		"optionals":   "data" + strings.Repeat(".?a", 1300) + ".hasValue()",
		"bindings":    "optional.of(data)" + strings.Repeat(".optMap(x,x+x)", 280) + ".hasValue()",
		"text":        `"` + strings.Repeat(`\`, 4000),
		"mixed list":  "data in [" + strings.Repeat(`1,"a",[],{},`, 340) + "1]",
	} {
		began := time.Now()
		err := f.Check(src)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: took %s", name, took)
		}
		var invalid *domain.InvalidError
		if err != nil && (!errors.As(err, &invalid) || len(invalid.Text) > 400 || !utf8.ValidString(invalid.Text)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// hostile evaluations end by the cost limit, long before the deadline.
func TestFilters_Match_hostile(t *testing.T) {
	t.Parallel()
	f := filters(t)
	text := `{"s":"` + strings.Repeat("a", 250_000) + `"}`
	list := `{"l":[` + strings.TrimSuffix(strings.Repeat("1,", 100_000), ",") + `]}`
	objects := `{"l":[` + strings.TrimSuffix(strings.Repeat(`{"sku":"A1","n":2},`, 10_000), ",") + `]}`
	for _, c := range []struct{ src, data string }{
		{`data.l.all(x, data.l.all(y, data.l.all(z, true)))`, list},
		{`data.l.all(x, data == data)`, objects},
		{`data.l.all(x, data in data.l) || data.l.all(x, !(data in data.l))`, objects},
		{`data.l.filter(x, data.l.filter(y, y == x).size() > 0).size() > 0`, objects},
		{`data.l.all(x, data.l + data.l != data.l)`, objects},
		{`optional.of(data.l)` + strings.Repeat(`.optMap(x, x + x)`, 3) + `.optMap(x, x == x).orValue(false)`, objects},
		{`optional.of(data.s)` + strings.Repeat(`.optMap(x, x + x)`, 3) + `.optMap(x, x == x).orValue(false)`, text},
		{`data.s` + strings.Repeat(` + data.s`, 90) + ` == ""`, text},
		{`data.s.split("").all(x, data.s.contains(x))`, text},
		{`data.s.split("").all(x, size(data.s) > 1)`, text},
		{strings.Repeat(`data.s.substring(0, 8192).matches("^(a|b|c|[a-d])*(aa|b)*x$") || `, 50) + `false`, text},
		{strings.Repeat(`data.s.matches("a+") || `, 50) + `false`, text},
		{`data.l.exists(x, occurred_at.getHours("Asia/Tokyo") > 24)`, list},
	} {
		if err := f.Check(c.src); err != nil {
			t.Errorf("%.60s is refused: %v", c.src, err)
			continue
		}
		e := order()
		e.Data = []byte(c.data)
		began := time.Now()
		matches, err := match(f, c.src, e)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%.60s took %s", c.src, took)
		}
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("more than %d steps", costLimit)) {
			t.Errorf("%.60s gives %t, %v", c.src, matches, err)
		}
	}
}

// Filters that people write work on the largest data.
func TestFilters_Match_largeData(t *testing.T) {
	t.Parallel()
	f := filters(t)
	objects := `{"l":[` + strings.Repeat(`{"sku":"A1","n":2},`, 10_000) + `{"sku":"B7","n":5}],"s":"` + strings.Repeat("a", 60_000) + `z"}`
	for _, src := range []string{
		`data.l.exists(i, i.sku == "B7")`, `data.l.all(i, i.n > 1)`, `data.l.size() == 10001`, `data.l[10000].n == 5`,
		`data.s.contains("` + strings.Repeat("a", 100) + `z")`, `data.s.endsWith("z") && data.s.size() == 60001`,
	} {
		e := order()
		e.Data = []byte(objects)
		if matches, err := match(f, src, e); !matches || err != nil {
			t.Errorf("%.60s gives %t, %v", src, matches, err)
		}
	}
}
