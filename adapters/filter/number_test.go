package filter

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/hooktrail/hooktrail/domain"
	"pgregory.net/rapid"
)

// matching says what a filter gives for data.
func matching(t testing.TB, f *Filters, src, data string) (bool, error) {
	t.Helper()
	if err := f.Check(src); err != nil {
		t.Fatalf("%s\nis refused: %v", src, err)
	}
	return match(f, src, &domain.EventAppended{Data: []byte(data)})
}

// What a number's type is, what it can be computed with and how it is written doesn't depend on its size.
func TestNumbers(t *testing.T) {
	t.Parallel()
	f := filters(t)
	for _, c := range []struct{ data, src string }{
		{`{"id":186853002}`, `string(data.id) == '186853002' && '186853002' == string(data.id)`},
		{`{"id":5}`, `string(data.id) == '5'`},
		{`{"id":-9007199254740993}`, `string(data.id) == '-9007199254740993'`},
		{`{"id":9223372036854775807}`, `string(data.id) == '9223372036854775807' && data.id == 9223372036854775807`},
		{`{"id":9223372036854775808}`, `string(data.id) == '9223372036854775808' && data.id == 9223372036854775808u`},
		{`{"id":18446744073709551616}`, `string(data.id) == '18446744073709551616'`},
		{`{"id":123456789012345678901234567890}`, `string(data.id) == '123456789012345678901234567890'`},
		{`{"id":-123456789012345678901234567890}`, `string(data.id) == '-123456789012345678901234567890'`},
		{`{"id":"123456789012345678901234567890"}`, `string(int(data.id) + 1) == '123456789012345678901234567891'`},
		{`{"id":1` + strings.Repeat("0", 1000) + `}`, `string(data.id).size() == 1001 && data.id > 1e300 && data.id == data.id`},

		{`{"n":4}`, `data.n + 1 == 5 && 1 + data.n == 5 && 5 == data.n + 1 && 5 == 1 + data.n`},
		{
			`{"n":4}`,
			`data.n + 1 == 5.0 && 5.0 == 1 + data.n && data.n + 1.0 == 5 && data.n + 1u == 5 && 1u + data.n == 5u`,
		},
		{`{"n":1000000000000000000}`, `data.n + 1 == 1000000000000000001 && 1000000000000000001 == 1 + data.n`},
		{
			`{"n":9223372036854775807}`,
			`data.n + 1 == 9223372036854775808u && data.n + 1 - 1 == data.n && data.n + 1 > data.n`,
		},
		{
			`{"n":-9223372036854775808}`,
			`string(data.n - 1) == '-9223372036854775809' && -data.n == 9223372036854775808u`,
		},
		{
			`{"n":-9223372036854775808}`,
			`data.n / -1 == 9223372036854775808u && data.n % -1 == 0 && data.n - 1 < data.n`,
		},
		{
			`{"n":18446744073709551615}`,
			`data.n == 18446744073709551615u && data.n % 2 == 1 && data.n / 5 == 3689348814741910323`,
		},
		{
			`{"n":18446744073709551616}`,
			`data.n / 2 == 9223372036854775808u && data.n - 1 == 18446744073709551615u && data.n % 2 == 0`,
		},
		{
			`{"n":18446744073709551616}`,
			`data.n == 18446744073709551616.0 && 18446744073709551616.0 == data.n && data.n * 0 == 0`,
		},
		{`{"n":18446744073709551616}`, `data.n * 1.5 > 2.7e19 && 0.5 * data.n == 9223372036854775808u`},
		{
			`{"n":18446744073709551617}`,
			`data.n != 18446744073709551616.0 && data.n > 18446744073709551616.0 && ` +
				`!(18446744073709551616.0 >= data.n)`,
		},

		{
			`{"amount":4}`,
			`data.amount * 1.5 == 6 && 1.5 * data.amount == 6.0 && ` +
				`data.amount / 2.0 == 2 && data.amount - 0.5 == 3.5`,
		},
		{
			`{"amount":4.0}`,
			`data.amount * 1.5 == 6 && data.amount + 1 == 5 && data.amount * 2 == 8 && 2 * data.amount == 8`,
		},
		{
			`{"amount":4.5}`,
			`data.amount * 1.5 == 6.75 && data.amount + 1 == 5.5 && 9 == data.amount * 2 && data.amount / 2 == 2.25`,
		},
		{`{"amount":1000000000000000000}`, `data.amount * 1.5 == 1.5e18 && 1.5 * data.amount == 1500000000000000000`},
		{
			`{"amount":5}`,
			`data.amount / 2 == 2 && data.amount / 2.0 == 2.5 && data.amount % 2 == 1 && -data.amount == -5`,
		},

		{
			`{"a":10,"b":10.0,"c":1e1}`,
			`data.a == data.b && data.b == data.c && data.a in [10.0] && data.b in [10] && data.c in [1, 10u]`,
		},
		{
			`{"a":10,"b":10.0}`,
			`type(data.a) == int && type(data.b) == double && string(data.a) == '10' && string(data.b) == '10'`,
		},
		{`{"a":123456789012345678901234567890}`, `type(data.a) == int`},
		{`{"a":186853002.0,"b":1e21}`, `string(data.a) == '186853002' && string(data.b) == '1000000000000000000000'`},
		{`{"c":0.000001,"d":1.5e300}`, `string(data.c) == '0.000001' && string(data.d).size() == 301`},
		{
			`{"a":9007199254740993}`,
			`data.a != 9007199254740992.0 && data.a > 9007199254740992.0 && !(data.a in [9007199254740992.0])`,
		},
		{
			`{"a":[1,2.0,18446744073709551616]}`,
			`data.a == [1.0, 2, 18446744073709551616.0] && [1u, 2, 18446744073709551616.0] == data.a`,
		},
		{
			`{"a":[18446744073709551616]}`,
			`18446744073709551616.0 in data.a && 3 in [1, 3] && ` +
				`!(data.a[0] in {"a": 1}) && data.a[0] in [18446744073709551616.0]`,
		},
		{
			`{"a":{"n":18446744073709551616}}`,
			`data.a == {"n": 18446744073709551616.0} && data.a != {"n": 1} && ` +
				`data.a != {"m": 18446744073709551616.0}`,
		},
		{
			`{"a":18446744073709551616}`,
			`data.?a == optional.of(18446744073709551616.0) && data.?b == optional.none() && data.?a != data.?b`,
		},
		{
			`{"a":18446744073709551616}`,
			`int(data.a) == data.a && double(data.a) == 18446744073709551616.0 && ` +
				`int(1e20) == 100 * 1000000000000000000`,
		},
		{
			`{"a":18446744073709551615}`,
			`uint(data.a) == 18446744073709551615u && int(18446744073709551615u) == data.a`,
		},
		{`{"a":-0}`, `data.a == 0 && string(data.a) == '0'`},
		{
			`{"a":1e400,"b":-1e400}`,
			`data.a > 1e308 && data.b < -1e308 && data.a != data.b && data.a > 18446744073709551615u`,
		},
		{`{"a":1767225600}`, `timestamp(data.a) == timestamp("2026-01-01T00:00:00Z")`},
		{
			`{"l":[1,2,3],"n":2}`,
			`data.l[data.n] == 3 && data.l[data.n - 1] == 2 && size(data.l) * 1.5 > 4 && size(data.l) > 2.5`,
		},
		{
			`{"s":"abc","n":2}`,
			`data.s.charAt(data.n) == 'c' && data.s.substring(0, data.n - 1) == 'a' && ` +
				`data.s + string(data.n) == 'abc2'`,
		},
		{
			`{"l":[{"q":2,"p":1.5},{"q":1,"p":3}]}`,
			`data.l.all(x, x.q * x.p == 3) && data.l.exists(x, x.p / x.q == 3)`,
		},
		{
			`{"n":4}`,
			`string(true) == 'true' && string(duration('1s')) == '1s' && ` +
				`int('7') == 7 && double('1.5') == 1.5 && uint('7') == 7u`,
		},
		{`{"n":3}`, `data.n != "3" && !(data.n == null) && "3" != data.n && data.n != true`},
	} {
		if matches, err := matching(t, f, c.src, c.data); !matches || err != nil {
			t.Errorf("%s\nof %.100s\ngives %t, %v", c.src, c.data, matches, err)
		}
	}
}

func TestNumbers_failures(t *testing.T) {
	t.Parallel()
	f := filters(t)
	long := `{"n":1` + strings.Repeat("0", 399) + `,"s":"` + strings.Repeat("1", 401) + `","x":"a","d":2.5}`
	for src, want := range map[string]string{
		`data.n * 10 == 0`:                  "line 1, column 8: integer overflow",
		`data.n * data.n == 0`:              "line 1, column 8: integer overflow",
		`-(data.n * 10) == 0`:               "integer overflow",
		`int(data.s) == 0`:                  "line 1, column 4: integer overflow",
		`data.n / 0 == 0`:                   "line 1, column 8: division by zero",
		`data.n % 0 == 0`:                   "line 1, column 8: modulus by zero",
		`5 / (data.n - data.n) == 0`:        "division by zero",
		`uint(data.n) == 0u`:                "integer overflow",
		`1u - 2u == 0u`:                     "integer overflow",
		`data.d % 2 == 0`:                   "line 1, column 8: no such overload",
		`data.n + data.x == ""`:             "line 1, column 8: no such overload",
		`data.x + data.n == ""`:             "line 1, column 8: no such overload",
		`data.n > data.x`:                   "line 1, column 8: no such overload",
		`data.x > data.n`:                   "line 1, column 8: no such overload",
		`string(data) == ""`:                "line 1, column 7: no such overload",
		`double(data.x) == 0.0`:             "line 1, column 7: type conversion error",
		`-data.x == 0`:                      "line 1, column 1: no such overload",
		`(data.d - data.d) / 0 > 1`:         "NaN values cannot be ordered",
		`data.x.substring(0, data.n) == ""`: "no such overload",
		`timestamp(data.n) > occurred_at`:   "no such overload",
		`1 in data.x`:                       "no such overload",
	} {
		matches, err := matching(t, f, src, long)
		if err == nil || matches || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s\ngives %t, %v; want %s", src, matches, err, want)
		}
	}
	if matches, err := matching(t, f, `(data.d - data.d) / 0 == (data.d - data.d) / 0`, long); matches || err != nil {
		t.Errorf("NaN equals itself: %t, %v", matches, err)
	}
}

// Where types are known when a filter is made, an error says what to write instead.
func TestNumbers_refused(t *testing.T) {
	t.Parallel()
	f := filters(t)
	const both = "write both as integers (2) or both with a fraction (2.0), or convert one with int(…) or double(…)"
	for src, want := range map[string]string{
		`data.id == 18446744073709551616`: `is compared as text, such as string(data.id) == "18446744073709551616"`,
		`size(data.l) == 2.0`:             both,
		`size(data.l) in [2.0]`:           both,
		`2.0 % 2 == 0`:                    both,
	} {
		if err := f.Check(src); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s\ngives %v", src, err)
		}
	}
}

// written draws a number as JSON may have it, and its exact value.
func written(t *rapid.T, label string) (string, *big.Rat) {
	text := rapid.OneOf(
		rapid.Map(rapid.Int64(), func(n int64) string { return strconv.FormatInt(n, 10) }),
		rapid.Map(rapid.Uint64(), func(n uint64) string { return strconv.FormatUint(n, 10) }),
		rapid.Map(rapid.Float64(), func(f float64) string { return strconv.FormatFloat(f, 'e', -1, 64) }),
		rapid.Map(rapid.Float64Range(-1e6, 1e6), func(f float64) string { return strconv.FormatFloat(f, 'f', 3, 64) }),
		rapid.StringMatching(`-?[1-9][0-9]{0,60}`),
		rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})\.[0-9]{1,4}`),
		rapid.SampledFrom([]string{
			"0", "-0", "0.0", "9007199254740992", "9007199254740993", "9007199254740992.0", "1e16",
			"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "9223372036854775808.0",
			"18446744073709551615", "18446744073709551616", "18446744073709551616.0",
		}),
	).Draw(t, label)
	if strings.ContainsAny(text, ".eE") {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Skip("no double is near")
		}
		return text, new(big.Rat).SetFloat64(f)
	}
	value, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%q is no number", text)
	}
	return text, value
}

// TestNumbers_order: all six comparisons, in and equality within lists go by the exact values.
func TestNumbers_order(t *testing.T) {
	t.Parallel()
	f := filters(t)
	rapid.Check(t, func(t *rapid.T) {
		a, x := written(t, "a")
		b, y := written(t, "b")
		if rapid.Bool().Draw(t, "same") {
			b, y = a, x
		}
		order := x.Cmp(y)
		for src, want := range map[string]bool{
			`data.a == data.b`: order == 0, `data.a != data.b`: order != 0, `data.a < data.b`: order < 0,
			`data.a <= data.b`: order <= 0, `data.a > data.b`: order > 0, `data.a >= data.b`: order >= 0,
			`data.a in data.l`: order == 0, `[1] + data.m == [1] + data.l`: order == 0,
		} {
			run := &domain.FilterRun{Event: &domain.EventAppended{
				Data: fmt.Appendf(nil, `{"a":%s,"b":%s,"l":[%s],"m":[%s]}`, a, b, b, a),
			}}
			if got, err := f.Lazy(src)(t.Context(), run); got != want || err != nil {
				t.Fatalf("%s of %s and %s gives %t, %v", src, a, b, got, err)
			}
		}
	})
}

// TestNumbers_arithmetic: what is computed with integers is exact, what is computed with a double is the double's.
func TestNumbers_arithmetic(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, _ := written(t, "a")
		b, _ := written(t, "b")
		l, r := number(a), number(b)
		for name, o := range operations() {
			got, want := o.apply(l, r), expected(name, a, b)
			if shown(got) != want {
				t.Fatalf("%s %s %s gives %s, not %s", a, name, b, shown(got), want)
			}
		}
	})
}

// expected computes a op b apart from the product's code.
func expected(op, a, b string) string {
	if strings.ContainsAny(a+b, ".eE") {
		read := func(text string) float64 {
			if text == "-0" { // an integer has no negative zero
				return 0
			}
			f, _ := strconv.ParseFloat(text, 64)
			return f
		}
		x, y := read(a), read(b)
		switch op {
		case "_+_":
			x += y
		case "_-_":
			x -= y
		case "_*_":
			x *= y
		case "_/_":
			x /= y
		default:
			return "no such overload"
		}
		return "double " + strconv.FormatFloat(x, 'g', -1, 64)
	}
	x, _ := new(big.Int).SetString(a, 10)
	y, _ := new(big.Int).SetString(b, 10)
	switch op {
	case "_+_":
		x.Add(x, y)
	case "_-_":
		x.Sub(x, y)
	case "_*_":
		x.Mul(x, y)
	case "_/_":
		if y.Sign() == 0 {
			return "division by zero"
		}
		x.Quo(x, y)
	case "_%_":
		if y.Sign() == 0 {
			return "modulus by zero"
		}
		x.Rem(x, y)
	}
	return "int " + x.String()
}

func shown(v ref.Val) string {
	switch v := v.(type) {
	case types.Int:
		return fmt.Sprint("int ", int64(v))
	case integer:
		if _, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return "an integer of two forms"
		}
		return "int " + string(v)
	case types.Double:
		return "double " + strconv.FormatFloat(float64(v), 'g', -1, 64)
	case *types.Err:
		return v.Error()
	}
	return fmt.Sprintf("%T", v)
}

// FuzzNumber: every number of JSON is read as what it is, is written with its digits, and is read again as itself.
func FuzzNumber(f *testing.F) {
	for _, text := range []string{"0", "-0", "10.50", "1e400", "-1E-400", "9223372036854775808", "123456789012345678901234567890"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		notNumber := strings.Trim(text, "-0123456789.eE+") != "" || domain.CheckJSON("n", []byte(text)) != nil
		if notNumber || len(text) > 5000 {
			t.Skip()
		}
		n := number(text)
		digits, ok := toString(n).(types.String)
		if !ok || strings.ContainsAny(string(digits), "eE") {
			t.Fatalf("%s is written %v", text, toString(n))
		}
		double, fraction := n.(types.Double)
		switch {
		case fraction != strings.ContainsAny(text, ".eE"):
			t.Fatalf("%s is a %T", text, n)
		case !fraction && strings.TrimPrefix(text, "-") != strings.TrimPrefix(string(digits), "-"):
			t.Fatalf("%s is written %s", text, digits)
		case fraction && !math.IsInf(float64(double), 0) && equal(convert(digits, types.DoubleType), n) != types.True:
			t.Fatalf("%s is written %s", text, digits)
		}
		if order, ok := compareNumbers(n, n); order != 0 || !ok || equal(n, n) != types.True {
			t.Fatalf("%s differs from itself", text)
		}
	})
}
