package domain_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

func TestCheckJSON(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat(`[`, n) + strings.Repeat(`]`, n) }
	const malformed, invalid = true, false
	tests := []struct {
		text      string
		malformed bool
		want      string // empty: accepted
	}{
		{text: `{}`},
		{text: `[]`},
		{text: ` {"a" : [1, -0.5e+3, true, false, null, "x"]}` + "\r\n\t "},
		{text: `0`},
		{text: `-0`},
		{text: `1e5`},
		{text: `1E-5`},
		{text: `12345678901234567890.00000000000000001`},
		{text: `""`},
		{text: `"\u0000\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00 é 😀"`},
		{text: "\"\u007f\u2028\""},
		{text: `{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}`},
		{text: `{"":1,"A":2,"a":3," a":4}`},
		{text: deep(64)},
		{text: strings.Repeat(`{"a":`, 64) + "1" + strings.Repeat(`}`, 64)},

		{``, malformed, "data: the JSON text ends too early at byte 0"},
		{"  \n", malformed, "data: the JSON text ends too early at byte 3"},
		{`{"a":1`, malformed, "data: the JSON text ends too early at byte 6"},
		{`"a`, malformed, "data: the JSON text ends too early at byte 2"},
		{`"\u00`, malformed, "data: the JSON text ends too early at byte 5"},
		{`"a\`, malformed, "data: the JSON text ends too early at byte 3"},
		{`tru`, malformed, "data: the JSON text ends too early at byte 3"},
		{`trup`, malformed, "data: unexpected character at byte 3"},
		{`nullx`, malformed, "data: something follows the JSON value at byte 4"},
		{`{} {}`, malformed, "data: something follows the JSON value at byte 3"},
		{`{"a":1,}`, malformed, "data: unexpected character at byte 7"},
		{`{a:1}`, malformed, "data: unexpected character at byte 1"},
		{`{"a" 1}`, malformed, "data: unexpected character at byte 5"},
		{`[1,]`, malformed, "data: unexpected character at byte 3"},
		{`[1 2]`, malformed, "data: unexpected character at byte 3"},
		{`01`, malformed, "data: something follows the JSON value at byte 1"},
		{`1.`, malformed, "data: the JSON text ends too early at byte 2"},
		{`[.5]`, malformed, "data: unexpected character at byte 1"},
		{`[-]`, malformed, "data: unexpected character at byte 2"},
		{`[1.e3]`, malformed, "data: unexpected character at byte 3"},
		{`[1e+]`, malformed, "data: unexpected character at byte 4"},
		{`+1`, malformed, "data: unexpected character at byte 0"},
		{`'a'`, malformed, "data: unexpected character at byte 0"},
		{"\"a\nb\"", malformed, "data: unexpected character at byte 2"},
		{"\"\\n\x00\"", malformed, "data: unexpected character at byte 3"},
		{`"\x41"`, malformed, "data: invalid escape sequence at byte 1"},
		{`"\u00g0"`, malformed, "data: invalid escape sequence at byte 1"},
		{"\ufeff{}", malformed, "data: unexpected character at byte 0"},
		{"[\x00]", malformed, "data: unexpected character at byte 1"},
		{"[\xff]", malformed, "data: unexpected character at byte 1"},

		{`{"a":1,"b":2,"a":3}`, invalid, "data: duplicate member name at byte 13"},
		{`{"a":1,"\u0061":2}`, invalid, "data: duplicate member name at byte 7"},
		{`{"\u00e9":1,"é":2}`, invalid, "data: duplicate member name at byte 12"},
		{`[{"x":{"y":1, "z":2,"y":3}}]`, invalid, "data: duplicate member name at byte 20"},
		{"\"a\xff\"", invalid, "data: a string isn't UTF-8 at byte 2"},
		{"\"\\n\xc3\"", invalid, "data: a string isn't UTF-8 at byte 3"},
		{"\"\xed\xa0\x80\"", invalid, "data: a string isn't UTF-8 at byte 1"},
		{"{\"\xc0\xaf\":1}", invalid, "data: a string isn't UTF-8 at byte 2"},
		{`"ab\ud800"`, invalid, "data: a string contains a lone surrogate at byte 3"},
		{`"\udc00\ud800"`, invalid, "data: a string contains a lone surrogate at byte 1"},
		{`"\ud800\u0041"`, invalid, "data: a string contains a lone surrogate at byte 1"},
		{`"\ud800x"`, invalid, "data: a string contains a lone surrogate at byte 1"},
		{deep(65), invalid, "data: nested too deep at byte 64"},
		{strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat(`}`, 65), invalid, "data: nested too deep at byte 320"},
	}
	for _, test := range tests {
		err := domain.CheckJSON("data", []byte(test.text))
		if test.want == "" {
			if err != nil {
				t.Errorf("%.60q: %v", test.text, err)
			}
			continue
		}
		var fault *domain.JSONError
		if !errors.As(err, &fault) || fault.Malformed != test.malformed || err.Error() != test.want {
			t.Errorf("%.60q: %v, want %s", test.text, err, test.want)
		}
		var field *domain.InvalidError
		if !errors.As(err, &field) || field.Field != "data" || field.Error() != test.want {
			t.Errorf("%.60q: unwraps to %v", test.text, field)
		}
	}
}

// TestCheckJSON_Names has the duplicate at every place of objects of many sizes, within another object.
func TestCheckJSON_Names(t *testing.T) {
	t.Parallel()
	for _, outer := range []int{0, 1, 23, 24, 25} {
		for _, size := range []int{1, 2, 23, 24, 25, 26, 60} {
			for duplicate := -1; duplicate < size; duplicate++ {
				object := numbered(size, duplicate)
				text := numbered(outer, -1)
				text = text[:len(text)-1] + comma(outer) + `"inner":` + object + `,"last":` + numbered(3, -1) + `}`
				if err := domain.CheckJSON("", []byte(text)); (err != nil) != (duplicate >= 0) {
					t.Fatalf("%d names around %d, duplicate of %d: %v", outer, size, duplicate, err)
				}
			}
		}
	}
}

// numbered writes an object of n members, and one more with the name of the duplicate-th.
func numbered(n, duplicate int) string {
	var b strings.Builder
	b.WriteByte('{')
	for i := range n {
		fmt.Fprintf(&b, `%s"n%d":0`, comma(i), i)
	}
	if duplicate >= 0 {
		fmt.Fprintf(&b, `,"n%d":0`, duplicate)
	}
	return b.String() + "}"
}

func comma(before int) string {
	if before > 0 {
		return ","
	}
	return ""
}

func TestSplitObject(t *testing.T) {
	t.Parallel()
	text := "\n{ \"type\" : \"offer.issued\" ,\"d\\u0061ta\":\t{ \"a\" : 1 }\n, \"n\":-1.50 } "
	members, err := domain.SplitObject([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := []struct{ name, raw string }{{"type", `"offer.issued"`}, {"data", `{ "a" : 1 }`}, {"n", `-1.50`}}
	if len(members) != len(want) {
		t.Fatalf("%d members", len(members))
	}
	for i, m := range members {
		if m.Name != want[i].name || string(m.Raw) != want[i].raw {
			t.Errorf("member %d is %s %s, want %v", i, m.Name, m.Raw, want[i])
		}
	}
	if grown := append(members[0].Raw, "overwritten"...); !bytes.Contains([]byte(text), members[1].Raw) {
		t.Errorf("appending to a member (%s) wrote over the next", grown)
	}
	for _, test := range []struct{ text, want string }{
		{`{"a":1,"a":2}`, "duplicate member name at byte 7"},
		{`{"a":{"b":1,"b":2}}`, "duplicate member name at byte 12"},
		{` [1]`, "must be an object at byte 1"},
		{`[1`, "the JSON text ends too early at byte 2"},
		{`{"a":1} x`, "something follows the JSON value at byte 8"},
		{strings.Repeat(`{"a":`, 69), "nested too deep at byte 340"},
	} {
		if _, err := domain.SplitObject([]byte(test.text)); err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %s", test.text, err, test.want)
		}
	}
}

func TestSplitArray(t *testing.T) {
	t.Parallel()
	elements, err := domain.SplitArray([]byte(` [ {"a": 1} ,2, [ ] ]`))
	if err != nil || len(elements) != 3 {
		t.Fatalf("%q, %v", elements, err)
	}
	if got := string(bytes.Join(elements, []byte("|"))); got != `{"a": 1}|2|[ ]` {
		t.Errorf("elements are %s", got)
	}
	if none, err := domain.SplitArray([]byte(`[]`)); err != nil || len(none) != 0 {
		t.Errorf("an empty array: %q, %v", none, err)
	}
	var fault *domain.JSONError
	if _, err := domain.SplitArray([]byte(`{"a":1}`)); !errors.As(err, &fault) || fault.Malformed {
		t.Errorf("an object: %v", err)
	}
	if _, err := domain.SplitArray([]byte(`[1,]`)); !errors.As(err, &fault) || !fault.Malformed {
		t.Errorf("a trailing comma: %v", err)
	}
}

// FuzzCheckJSON compares it with encoding/json, which allows more: duplicate names, any bytes in strings, lone surrogates
// and 10,000 levels.
func FuzzCheckJSON(f *testing.F) {
	for _, seed := range []string{usualJSON, `{"a":1,"\u0061":2}`, `"\ud83d\ude00"`, "\"\xff\"", `[1,2.5e-7,-0]`, numbered(30, 3)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := domain.CheckJSON("data", data)
		var fault *domain.JSONError
		switch valid := json.Valid(data); {
		case err == nil && !valid:
			t.Error("accepted what encoding/json refuses")
		case err == nil && duplicates(data):
			t.Error("a duplicate member name was accepted")
		case err != nil && !errors.As(err, &fault):
			t.Errorf("another error: %v", err)
		case err != nil && fault.Malformed && valid:
			t.Errorf("malformed for encoding/json alone isn't: %v", err)
		case err != nil && (fault.Offset < 0 || fault.Offset > len(data)):
			t.Errorf("the fault is outside the text: %v", err)
		case err != nil && fault.Problem == "duplicate member name" && valid && !duplicates(data):
			t.Errorf("there is no duplicate: %v", err)
		}
		split(t, data, err)
	})
}

// split compares SplitObject with encoding/json where a text is an object that CheckJSON accepts.
func split(t *testing.T, data []byte, checked error) {
	members, err := domain.SplitObject(data)
	var want map[string]json.RawMessage
	if checked != nil || json.Unmarshal(data, &want) != nil || want == nil {
		return
	}
	if err != nil || len(members) != len(want) {
		t.Fatalf("split into %d members, want %d: %v", len(members), len(want), err)
	}
	for _, m := range members {
		if raw, ok := want[m.Name]; !ok || !bytes.Equal(raw, m.Raw) {
			t.Errorf("member %q is %q, want %q", m.Name, m.Raw, raw)
		}
	}
}

// duplicates reports whether an object of a valid JSON text has two members of one name.
func duplicates(data []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	type level struct {
		names map[string]bool // nil: an array
		value bool            // whether a value comes next
	}
	stack := []level{{}}
	for {
		token, err := decoder.Token()
		if err != nil {
			return false
		}
		top := &stack[len(stack)-1]
		if name, ok := token.(string); ok && top.names != nil && !top.value {
			if top.names[name] {
				return true
			}
			top.names[name], top.value = true, true
			continue
		}
		top.value = false
		switch token {
		case json.Delim('{'):
			stack = append(stack, level{names: make(map[string]bool)})
		case json.Delim('['):
			stack = append(stack, level{})
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:len(stack)-1]
		}
	}
}

func BenchmarkCheckJSON(b *testing.B) {
	for size, data := range benchmarkJSON() {
		b.Run(size, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if err := domain.CheckJSON("data", data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSplitObject(b *testing.B) {
	for size, data := range benchmarkJSON() {
		b.Run(size, func(b *testing.B) {
			data := []byte(`{"type":"offer.issued","subject":"customer/42","data":` + string(data) + `}`)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := domain.SplitObject(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// benchmarkJSON is data of a usual size and of the largest.
func benchmarkJSON() map[string][]byte {
	n := (domain.MaxDataBytes - 2) / (len(usualJSON) + 1)
	return map[string][]byte{
		"1KiB": []byte(usualJSON), "256KiB": []byte("[" + strings.Repeat(usualJSON+",", n-1) + usualJSON + "]"),
	}
}

// usualJSON is about 1 KiB of what producers send.
const usualJSON = `{
  "offer_id": "of_01939f2e8a007c3d9d4e", "customer": {"id": 4711, "name": "Jörg Müller", "email": "joerg@example.org",
  "address": {"street": "Hauptstraße 1", "zip": "10115", "city": "Berlin", "country": "DE"}},
  "issued_at": "2026-07-01T12:00:00Z", "valid_until": "2026-08-01T12:00:00Z", "currency": "EUR", "total": 1234.50,
  "items": [
    {"sku": "A-100", "text": "Panel, 400 W", "quantity": 12, "unit_price": 89.90, "tax": 0.19, "in_stock": true},
    {"sku": "B-200", "text": "Inverter \"compact\"", "quantity": 1, "unit_price": 155.70, "tax": 0.19, "in_stock": false},
    {"sku": "C-300", "text": "Mounting\tset", "quantity": 12, "unit_price": 0, "tax": null, "in_stock": true}
  ],
  "notes": "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore magna aliqua.",
  "tags": ["solar", "b2c", "2026-q3"], "source": {"system": "crm", "version": "4.2.1", "trace": "4bf92f3577b34da6a3ce929d0e0e4736"}
}`
