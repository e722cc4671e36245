package filter

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

const orderData = `{
	"price": 10, "rate": 10.50, "count": 7, "zero": 0, "active": true, "none": null, "name": "Ada", "index": 1,
	"long": 9007199254740993, "even": 9007199254740992, "huge": 18446744073709551615, "lowest": -9223372036854775808,
	"beyond": 1e400, "tiny": 1e-400, "above": 18446744073709551616,
	"tags": ["new", "paid"], "codes": [1, 2.5, "x"], "address": {"city": "Köln"}, "empty": {},
	"items": [{"sku": "A1", "n": 2}, {"sku": "B7", "n": 5}]
}`

func order() *domain.EventAppended {
	return &domain.EventAppended{
		Event: domain.EventAttributes{
			EventClass:    domain.EventClass{Type: "order.paid", SchemaVersion: "v1"},
			EventIdentity: domain.EventIdentity{ID: "order-1", Source: "/shop", Subject: "customer-17", OccurredAt: time.Date(2026, 7, 1, 22, 30, 0, 0, time.UTC), Extensions: orderExtensions()},
		},
		Data: []byte(orderData),
	}
}

func orderExtensions() map[string]domain.Extension {
	all := map[string]domain.Extension{"region": domain.ExtensionText("eu")}
	for name, value := range map[string]string{"count": "7", "urgent": "true"} {
		x, err := domain.ParseExtension(name, []byte(value))
		if err != nil {
			panic(err)
		}
		all[name] = x
	}
	return all
}

func filters(t testing.TB) *Filters {
	t.Helper()
	f, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// match asks a filter, as it is kept in the configuration, about one event.
func match(f *Filters, src string, e *domain.EventAppended) (bool, error) {
	return f.Lazy(src)(context.Background(), &domain.FilterRun{Event: e, Now: time.Now()})
}

func TestFilters_Match(t *testing.T) {
	t.Parallel()
	f := filters(t)
	for src, want := range map[string]bool{
		`true`:                        true,
		`false`:                       false,
		`type == "order.paid"`:        true,
		`type.startsWith("invoice.")`: false,
		`id == "order-1" && source == "/shop" && schema_version == "v1"`:   true,
		`subject.matches("^customer-[0-9]+$")`:                             true,
		`occurred_at > timestamp("2026-07-01T00:00:00Z")`:                  true,
		`occurred_at - timestamp("2026-07-01T00:00:00Z") < duration("1h")`: false,
		`occurred_at.getHours() == 22`:                                     true,
		`occurred_at.getHours("Europe/Berlin") == 0`:                       true,
		`extensions.region == "eu" && extensions["region"] == "eu"`:        true,
		`extensions.count + 1 == 8 && extensions.urgent`:                   true,
		`extensions.count == "7"`:                                          false,
		`extensions[?"tier"].orValue("free") == "free"`:                    true,
		`"tier" in extensions || has(extensions.tier)`:                     false,

		`data.price > 9 && data.price > 9.5 && data.price == 10 && data.price == 10.0`: true,
		`data.rate > 10 && data.rate < 11`:                                             true,
		`data.price * 1.1 > 10.0 && data.rate * 1.1 > 10.0`:                            true,
		`int(data.count) % 2 == 1`:                                                     true,
		`type(data.price) == int && type(data.long) == int && type(data.huge) == int`:  true,
		`type(data.rate) == double && type(data.beyond) == double`:                     true,
		`data.price in [1, 10] && data.rate in [10.5] && data.count in [7u]`:           true,
		`data.long == 9007199254740993`:                                                true,
		`data.long == 9007199254740992`:                                                false,
		`data.even == 9007199254740993 || data.even in [9007199254740993]`:             false,
		`data.even == 9007199254740992 && data.long > data.even`:                       true,
		`data.huge == 18446744073709551615u && data.lowest == -9223372036854775808`:    true,
		`data.beyond > 1e308 && data.tiny == 0 && data.above > 1.8e19`:                 true,
		`data.tags[data.index] == "paid"`:                                              true,

		`data.active` + ` == true && data.none == null`:                     true,
		`data.name == "Ada" && data.name.lowerAscii() == "ada"`:             true,
		`data.name == 5 || data.name == null`:                               false,
		`data.address.city.size() == 4`:                                     true,
		`data["address"]["city"] == "Köln"`:                                 true,
		`has(data.address.city) && !has(data.address.street)`:               true,
		`data.?customer.?country.orValue("") in ["DE", "AT"]`:               false,
		`data.?address.?city.optMap(c, c + "!").orValue("") == "Köln!"`:     true,
		`data.missing == 1 || true`:                                         true,
		`data.missing == 1 && false`:                                        false,
		`data.empty == {} && data.tags == ["new", "paid"]`:                  true,
		`data.codes == [1, 2.5, "x"]`:                                       true,
		`data.address == {"city": "Köln"}`:                                  true,
		`"paid" in data.tags && !("old" in data.tags)`:                      true,
		`data.items.exists(i, i.sku.matches("^B[0-9]+$") && i.n >= 5)`:      true,
		`data.items.all(i, i.n > 2)`:                                        false,
		`data.items.exists_one(i, i.n == 2)`:                                true,
		`data.items.filter(i, i.n > 1).size() == 2`:                         true,
		`data.items.filter(i, i.n > 2)[0].sku == "B7"`:                      true,
		`data.exists(name, name == "price")`:                                true,
		`data.name.split("d").size() == 2 && " x ".trim() == "x"`:           true,
		`data.name.substring(0, 1) == data.name.charAt(0)`:                  true,
		`dyn(data.tags) + dyn(data.tags) == ["new", "paid", "new", "paid"]`: true,
	} {
		if err := f.Check(src); err != nil {
			t.Errorf("%s\nis refused: %v", src, err)
			continue
		}
		got, err := match(f, src, order())
		if err != nil || got != want {
			t.Errorf("%s\ngives %t, %v", src, got, err)
		}
	}
}

// What a filter fails on is an error that names the kind and, where known, the place, and no value of the event.
func TestFilters_Match_failures(t *testing.T) {
	t.Parallel()
	f := filters(t)
	for src, want := range map[string]string{
		`data.missing > 1`: "line 1, column 5: no such key",
		"data.price > 1 &&\n  data.address.street == \"\"": "line 2, column 15: no such key",
		`data[data.name] == 1`:                             "line 1, column 5: no such key",
		`extensions.tier == ""`:                            "line 1, column 11: no such key",
		`data.tags[5] == ""`:                               "index out of bounds",
		`data.rate % 2 == 0`:                               "line 1, column 11: no such overload",
		`data.name > 1`:                                    "line 1, column 11: no such overload",
		`data.name && true`:                                "no such overload",
		`data.name ? true : false`:                         "no such overload",
		`int(data.count) / int(data.zero) == 1`:            "division by zero",
		`int(data.name) == 1`:                              "type conversion error",
		`timestamp(data.name) > occurred_at`:               "line 1, column 10: invalid RFC 3339 timestamp",
		`int(data.beyond) == 1`:                            "integer overflow",
		`data.name.charAt(data.huge) == ""`:                "no such overload",
		`data.tags[data.huge] == ""`:                       "line 1, column 10: an operation failed",
		`data.?missing.value() == 1`:                       "optional.none() dereference",
		`occurred_at.getHours(data.name) == 1`:             "an operation failed",
	} {
		if err := f.Check(src); err != nil {
			t.Errorf("%s\nis refused: %v", src, err)
			continue
		}
		matches, err := match(f, src, order())
		if err == nil || matches || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s\ngives %t, %v; want %s", src, matches, err, want)
		} else if strings.Contains(err.Error(), "Ada") {
			t.Errorf("%s\nshows event data: %v", src, err)
		}
	}
}

func TestFilters_Match_ofWhatIsMissing(t *testing.T) {
	t.Parallel()
	f, bare := filters(t), &domain.EventAppended{Event: domain.EventAttributes{EventClass: domain.EventClass{Type: "a"}}, Data: []byte(` 7 `)}
	for src, want := range map[string]string{
		`subject == "" && extensions.size() == 0 && data == 7`: "",
		`occurred_at.getFullYear() > 2025`:                     "",
		`data.a == 1`:                                          "no such key",
		`subject ==`:                                           "Syntax error",
	} {
		matches, err := match(f, src, bare)
		if want == "" && !(matches && err == nil) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s\ngives %t, %v; want %q", src, matches, err, want)
		}
	}
	bare.Data = nil
	if matches, err := match(f, `data == null`, bare); !matches || err != nil {
		t.Errorf("no data: %t, %v", matches, err)
	}
	for _, data := range []string{`{`, `1 2`} {
		bare.Data = []byte(data)
		if _, err := match(f, `data == 1`, bare); err == nil || !strings.Contains(err.Error(), "isn't JSON") {
			t.Errorf("data %q: %v", data, err)
		}
		if matches, err := match(f, `type == "a"`, bare); !matches || err != nil {
			t.Errorf("data %q that isn't read: %v", data, err)
		}
	}
}

// The race detector watches: programs, their compiled patterns, the memo, and errors that CEL shares.
func TestFilters_concurrently(t *testing.T) {
	t.Parallel()
	f := filters(t)
	sources := []string{
		`data.items.exists(i, i.n > 4)`, `subject.matches("^customer-") && data.price > 1`, `data.name + 1 == 2 || data.price * 2 > 1`,
		`data.missing > 1 || type == "x"`, `data.tags == ["new", "paid"]`, `subject ==`,
	}
	wants := make([]bool, len(sources))
	for i, src := range sources {
		wants[i], _ = match(filters(t), src, order())
	}
	var group sync.WaitGroup
	shared := order()
	for worker := range 8 {
		group.Go(func() {
			own := order()
			for round := range 200 {
				i, e := (round+worker)%len(sources), own
				if round%2 == 0 {
					e = shared
				}
				if got, _ := match(f, sources[i], e); got != wants[i] {
					t.Errorf("%s gives %t", sources[i], got)
					return
				}
			}
		})
	}
	group.Wait()
}
