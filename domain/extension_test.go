package domain_test

import (
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

func TestParseExtension(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]any{
		`"a \"b\" \u00e9"`: `a "b" é`, `""`: "", `"7"`: "7", `"true"`: "true", `true`: true, `false`: false, `0`: int64(0), `-0`: int64(0),
		`2147483647`: int64(1<<31 - 1), `-2147483648`: int64(-1 << 31),
	} {
		x, err := domain.ParseExtension("x", []byte(value))
		if err != nil || x.Value() != want {
			t.Errorf("%s is read as %#v, %v, want %#v", value, x.Value(), err, want)
		}
		written, err := x.MarshalJSON()
		if again, err2 := domain.ParseExtension("x", written); err != nil || err2 != nil || !again.Equal(x) {
			t.Errorf("%s is written as %s", value, written)
		}
	}
	for _, value := range []string{`1.0`, `1e2`, `2147483648`, `-2147483649`, `{}`, `[]`, `null`} {
		if x, err := domain.ParseExtension("x", []byte(value)); err == nil {
			t.Errorf("%s is read as %#v", value, x.Value())
		}
	}
}

// TestEventAttributes_URIReferences: CloudEvents asks for URI references where an event comes from, and its schema.
func TestEventAttributes_URIReferences(t *testing.T) {
	t.Parallel()
	for text, fine := range map[string]bool{
		"/": true, "/billing": true, "billing": true, "https://shop.example:8080/orders?region=eu#a": true, "urn:uuid:6e8bc430": true,
		"//host/path": true, "mailto:a@shop.example": true, "?q": true, "#f": true, "a%20b": true, "http://[::1]:80/": true, "1-555-123-4567": true,
		"a b": false, "a\\b": false, "<a>": false, "%zz": false, "a%2": false, "ü": false, "1:2": false, ":a": false, "a#b#c": false,
		"http://[::1/": false, "/a[b]": false, "?a=[b]": false, "http://host:port/": false, `"a"`: false, "{x}": false, "a^b": false, "a|b": false,
	} {
		attrs := domain.EventAttributes{EventClass: domain.EventClass{Type: "a.b", SchemaVersion: "v1"}}
		attrs.ID, attrs.Source = "1", text
		if err := attrs.Validate(); (err == nil) != fine {
			t.Errorf("source %q: %v", text, err)
		}
		attrs.Source, attrs.DataSchema = "/s", text
		if err := attrs.Validate(); (err == nil) != fine {
			t.Errorf("dataschema %q: %v", text, err)
		}
	}
}
