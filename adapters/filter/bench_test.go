package filter

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// BenchmarkFilter asks one filter about an event whose data is decoded already, and says what it costs in CEL's units.
func BenchmarkFilter(b *testing.B) {
	for name, src := range map[string]string{
		"attributes": `type == "order.paid" && subject.startsWith("customer-")`,
		"data":       `data.price > 9 && data.address.city == "Köln"`,
		"arithmetic": `data.price * 1.5 > 9.5 && data.count + 1 == 8`,
		"beyond":     `data.above + 1 > data.huge && string(data.above) == "18446744073709551616"`,
		"optional":   `data.?customer.?country.orValue("") in ["DE", "AT"] || data.rate < 11.0`,
		"pattern":    `subject.matches("^customer-[0-9]+$")`,
		"exists":     `data.items.exists(i, i.sku == "B7" && i.n > 4)`,
	} {
		b.Run(name, func(b *testing.B) {
			filter, run := compiledFilter(b, filters(b), src), &domain.FilterRun{Event: order()}
			b.ReportAllocs()
			for b.Loop() {
				run.Spent = 0
				if ok, err := filter(context.Background(), run); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
			b.ReportMetric(float64(run.Spent), "units/op")
		})
	}
}

// BenchmarkFilterRun asks many filters about one event: decoding, evaluations and all.
func BenchmarkFilterRun(b *testing.B) {
	for _, n := range []int{10, 1_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f, all := filters(b), make([]domain.Filter, n)
			for i := range all {
				all[i] = compiledFilter(b, f, fmt.Sprintf(`data.price > %d && data.address.city == "Köln"`, i))
			}
			e := order()
			var spent uint64
			b.ReportAllocs()
			for b.Loop() {
				run := &domain.FilterRun{Event: e}
				for _, filter := range all {
					if _, err := filter(context.Background(), run); err != nil {
						b.Fatal(err)
					}
				}
				spent = run.Spent
			}
			b.ReportMetric(float64(spent), "units/op")
		})
	}
}

// BenchmarkFilterRun_worst spends an event's whole budget in the ways that take the most time a unit.
func BenchmarkFilterRun_worst(b *testing.B) {
	text := `{"s":"` + strings.Repeat("a", 250_000) + `","n":1` + strings.Repeat("7", 399) + `,"l":[` + strings.Repeat("1,", 5_000) + `1]}`
	objects := `{"l":[` + strings.TrimSuffix(strings.Repeat(`{"sku":"A1","n":2},`, 10_000), ",") + `]}`
	for _, c := range []struct{ name, src, data string }{
		{"literals", `[1,2,3,4,5,6,7,8,9,10].all(x, [1,2,3,4,5,6,7,8,9,10].all(y, [1,2,3,4,5,6,7,8,9,10].all(z, x + y + z > 0)))`, `{}`},
		{"objects", `data.l.all(x, x.sku == "A1" && x.n == 2)`, objects},
		{"mixed", `data.l.all(x, x * 1.5 > 0.5)`, text},
		{"beyond", `data.l.all(x, (data.n - 1) / 3 > data.n % 7)`, text},
		{"beyond to double", `data.l.all(x, data.n * 0.5 > 0.5)`, text},
		{"string", `data.l.all(x, string(data.n) != string(x * 1.5))`, text},
		{"contains", `data.l.all(x, !data.s.contains("ab"))`, text},
		{"pattern", `data.l.all(x, !data.s.substring(0, 8192).matches("^(a|b|c|[a-d])*(aa|b)*x$"))`, text},
		{"failing", `data.l.exists(x, data.none == x)`, text},
	} {
		b.Run(c.name, func(b *testing.B) {
			filter := compiledFilter(b, filters(b), c.src)
			e := &domain.EventAppended{Data: []byte(c.data)}
			decoded := contentOf(&domain.FilterRun{Event: e})
			for b.Loop() {
				run := &domain.FilterRun{Event: e, Decoded: decoded}
				for asked := 0; ; asked++ {
					if _, err := filter(context.Background(), run); errors.Is(err, domain.ErrFilterBudget) {
						break
					} else if asked > domain.EventFilterBudget/baseCost {
						b.Fatal("the budget doesn't end")
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/domain.EventFilterBudget, "ns/unit")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	data := []byte(strings.Replace(orderData, "Ada", strings.Repeat("a", 1024-len(orderData)%1024), 1))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decode(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFilters_Compile(b *testing.B) {
	f := filters(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Compile(`data.?customer.?country.orValue("") in ["DE", "AT"] || data.rate < 11.0`); err != nil {
			b.Fatal(err)
		}
	}
}
