package filter

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// Every expression that the package's doc shows is a filter.
func TestDoc_expressions(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	f, shown := filters(t), 0
	for line := range strings.Lines(string(text)) {
		src, listed := strings.CutPrefix(strings.TrimSpace(line), "//\t")
		if listed && strings.ContainsAny(src, "><=(") {
			shown++
			if err := f.Check(src); err != nil {
				t.Errorf("%s is refused: %v", src, err)
			}
		}
	}
	if shown < 4 {
		t.Errorf("%d expressions are shown", shown)
	}
}

// Each sentence of the doc about numbers holds, with the literal on either side and of either kind.
func TestDoc_numbers(t *testing.T) {
	t.Parallel()
	f := filters(t)
	for _, c := range []struct{ sentence, data, src string }{
		{
			"written with digits only it is an int", `{"a":0,"b":7,"c":9007199254740993,"d":1` + strings.Repeat("0", 30) + `}`,
			`type(data.a) == int && type(data.b) == int && type(data.c) == int && type(data.d) == int`,
		},
		{
			"with a fraction or an exponent it is a double", `{"a":10.0,"b":1e1,"c":1E30,"d":0.5}`,
			`type(data.a) == double && type(data.b) == double && type(data.c) == double && type(data.d) == double`,
		},
		{
			"comparisons go by value", `{"a":10,"b":10.0}`,
			`data.a == data.b && data.a == 10.0 && 10.0 == data.a && data.b == 10 && 10 == data.b && data.a <= 10.0 && 10 >= data.b`,
		},
		{
			"in goes by value, within lists and maps too", `{"a":10,"l":[10.0,{"x":1}]}`,
			`data.a in data.l && 10 in data.l && {"x": 1.0} in data.l && data.l == [10, {"x": 1.0}]`,
		},
		{"large values are exact", `{"a":9007199254740993}`, `data.a > 9007199254740992.0 && 9007199254740992.0 < data.a`},
		{
			"with a double on one side it is that of doubles", `{"n":3,"d":1.5}`,
			`data.n * 1.5 == 4.5 && 1.5 * data.n == 4.5 && data.n + data.d == 4.5 && data.n / 2.0 == 1.5 && 3 * data.d == 4.5`,
		},
		{
			"integers are exact and never wrap around", `{"n":9223372036854775807}`,
			`data.n + data.n == 18446744073709551614u && data.n * data.n > 8.5e37 && data.n * data.n / data.n == data.n`,
		},
		{"up to 400 digits", `{"n":1` + strings.Repeat("0", 398) + `}`, `data.n * 9 > data.n && string(data.n * 9).size() == 399`},
		{"integers divide towards zero", `{"n":5,"m":-5}`, `5 / 2 == 2 && data.n / 2 == 2 && data.m / 2 == -2 && 5 / 2.0 == 2.5`},
		{"% is for integers", `{"count":4.0,"n":7}`, `int(data.count) % 2 == 0 && data.n % 4 == 3 && 7 % data.n == 0`},
		{
			"string() writes the digits", `{"id":186853002,"n":-7,"d":1e21,"e":2.50}`,
			`string(data.id) == "186853002" && "186853002" == string(data.id) && string(data.n) == "-7" && ` +
				`string(data.d) == "1000000000000000000000" && string(data.e) == "2.5"`,
		},
		{
			"int() takes a double's whole part", `{"d":2.9,"m":-2.9,"h":1e20}`,
			`int(data.d) == 2 && int(data.m) == -2 && string(int(data.h)) == "100000000000000000000"`,
		},
		{"int() takes a text's digits beyond 64 bits", `{"s":"36893488147419103232"}`, `int(data.s) / 2 == int("18446744073709551616")`},
		{
			"larger integers are compared as text, as doubles and with one another", `{"a":18446744073709551616,"b":18446744073709551617}`,
			`string(data.a) == "18446744073709551616" && data.a == 18446744073709551616.0 && data.a < data.b`,
		},
	} {
		if matches, err := matching(t, f, c.src, c.data); !matches || err != nil {
			t.Errorf("%s: %s\nof %.100s\ngives %t, %v", c.sentence, c.src, c.data, matches, err)
		}
	}
	if _, err := matching(t, f, `data.n * 10 > 1`, `{"n":1`+strings.Repeat("0", 399)+`}`); err == nil {
		t.Error("arithmetic goes on past 400 digits")
	}
	if err := f.Check(`size(data.items) == 2.0`); err == nil || !strings.Contains(err.Error(), "write both as integers (2)") {
		t.Errorf("types that are known to differ: %v", err)
	}
}

// A number's type and what can be done with it don't depend on its size: for integers of every length the same holds.
func TestDoc_numbersOfAnySize(t *testing.T) {
	t.Parallel()
	filter := compiledFilter(t, filters(t), `data.n + 1 == data.next && data.next - 1 == data.n && 1 + data.n == data.next && `+
		`data.n * 1.5 > data.n && data.n < 1.5 * data.n && string(data.n) == data.text && data.text == string(data.n) && `+
		`type(data.n) == int && type(data.n * 1.5) == double && data.n != data.next && !(data.n in [0, 0.5])`)
	for digits := 1; digits < 300; digits++ {
		text := strings.Repeat("4", digits)
		data := fmt.Appendf(nil, `{"n":%s,"next":%s5,"text":"%s"}`, text, text[1:], text)
		run := &domain.FilterRun{Event: &domain.EventAppended{Data: data}}
		if matches, err := filter(t.Context(), run); !matches || err != nil {
			t.Errorf("an integer of %d digits: %t, %v", digits, matches, err)
		}
	}
}

// occurred_at has a value for every event: its producer's, or the time at which it is accepted, in microseconds, as the
// event reads back.
func TestDoc_occurredAt(t *testing.T) {
	t.Parallel()
	f, now := filters(t), time.Date(2026, 7, 1, 10, 0, 0, 123456789, time.UTC)
	for _, c := range []struct {
		at   time.Time
		want time.Time
	}{
		{time.Time{}, now.Truncate(time.Microsecond)},
		{now.Add(-time.Hour), now.Add(-time.Hour).Truncate(time.Microsecond)},
	} {
		e := order()
		e.Event.OccurredAt = c.at
		src := `occurred_at == timestamp("` + c.want.Format(time.RFC3339Nano) + `") && timestamp("2026-01-01T00:00:00Z") < occurred_at`
		if matches, err := compiledFilter(t, f, src)(t.Context(), &domain.FilterRun{Event: e, Now: now}); !matches || err != nil {
			t.Errorf("%s gives %t, %v", src, matches, err)
		}
	}
}
