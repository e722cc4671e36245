package schema

import (
	"bytes"
	"encoding/json"
	"testing"
)

// kibibyte is an example of the sparkbox catalogue, some three models in 1 KiB.
func kibibyte(b *testing.B) (*Schema, []byte) {
	b.Helper()
	e := catalogue(b, "sparkbox")[0]
	var data bytes.Buffer
	if err := json.Compact(&data, e.Examples[0]); err != nil {
		b.Fatal(err)
	}
	model := data.Bytes()
	all := append([]byte{'['}, model...)
	for len(all)+len(model) < 1024 {
		all = append(append(all, ','), model...)
	}
	return compile(b, string(e.Schema)), append(all, ']')
}

func BenchmarkSchema_Validate(b *testing.B) {
	s, data := kibibyte(b)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if found := s.violations(data); found != nil {
			b.Fatal(found)
		}
	}
}

// What of it is only the counting beforehand.
func BenchmarkSchema_Validate_counting(b *testing.B) {
	s, data := kibibyte(b)
	var v any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if count := (counter{left: maxSteps}); !count.eval(s.root, v) {
			b.Fatal("too much")
		}
	}
}

func BenchmarkSchema_Validate_invalid(b *testing.B) {
	s, data := kibibyte(b)
	data = bytes.Replace(data, []byte(`"units_to_md":120`), []byte(`"units_to_md":1.5`), 1)
	b.ReportAllocs()
	for b.Loop() {
		if found := s.violations(data); len(found) != 1 {
			b.Fatal(found)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	document := catalogue(b, "sparkbox")[0].Schema
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(document); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCache_Compile(b *testing.B) {
	document := catalogue(b, "sparkbox")[0].Schema
	c := NewCache()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Compile(b.Context(), "t", document); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBreaks(b *testing.B) {
	document := catalogue(b, "sparkbox")[0].Schema
	old, new := compile(
		b,
		string(document),
	), compile(
		b,
		string(bytes.Replace(document, []byte(`"uuid"]`), []byte(`"uuid","sku_id"]`), 1)),
	)
	b.ReportAllocs()
	for b.Loop() {
		if changes := Breaks(old, new); len(changes) > 0 {
			b.Fatal(changes)
		}
	}
}
