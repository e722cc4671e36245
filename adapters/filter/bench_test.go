package filter

import (
	"strings"
	"testing"
)

func BenchmarkFilters_Match(b *testing.B) {
	for name, src := range map[string]string{
		"attributes": `type == "order.paid" && subject.startsWith("customer-")`,
		"data":       `data.price > 9 && data.address.city == "Köln"`,
		"optional":   `data.?customer.?country.orValue("") in ["DE", "AT"] || data.rate < 11.0`,
		"pattern":    `subject.matches("^customer-[0-9]+$")`,
		"exists":     `data.items.exists(i, i.sku == "B7" && i.n > 4)`,
	} {
		b.Run(name, func(b *testing.B) {
			f, e, s := filters(b), order(), subscription(src)
			b.ReportAllocs()
			for b.Loop() {
				if ok, err := f.Match(s, e); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
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

func BenchmarkFilters_Check(b *testing.B) {
	f := filters(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := f.Check(`data.?customer.?country.orValue("") in ["DE", "AT"] || data.rate < 11.0`); err != nil {
			b.Fatal(err)
		}
	}
}
