package openapi

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// FuzzSplit holds the cutting of checked JSON to the domain's own, member by member.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{
		`{}`, ` { "a" : 1 , "b":[ {"c":"}\"]"} ,2 ] } `, `{"\u0061":"\\","b":"\\\""}`, `{"a":-1.5e+3,"b":null,"c":true}`, `{"":{"":[[],{}]}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		want, err := domain.SplitObject(text)
		if err != nil {
			return
		}
		got := splitChecked(bytes.TrimLeft(text, " \t\r\n"), nil)
		if len(got) != len(want) {
			t.Fatalf("%d members, want %d", len(got), len(want))
		}
		for i := range want {
			if got[i].Name != want[i].Name || !bytes.Equal(got[i].Raw, want[i].Raw) {
				t.Errorf("member %d is %q %q, want %q %q", i, got[i].Name, got[i].Raw, want[i].Name, want[i].Raw)
			}
		}
		array := append(append([]byte("[1,"), bytes.TrimSpace(text)...), " , \"x\"]"...)
		objects, elements := 0, 0
		_ = eachChecked(array, func(members []domain.Member, object bool) error {
			elements++
			if object {
				objects += 1 + len(members)
			}
			return nil
		})
		if elements != 3 || objects != 1+len(want) {
			t.Errorf("%d elements, %d members of objects", elements, objects)
		}
	})
}

// FuzzCursor: a cursor comes back as it went out, in its own list only, and no text is anything else than refused.
func FuzzCursor(f *testing.F) {
	f.Add("", int64(0), []byte(nil))
	f.Add("AAAAAAAAACkAAAAAAAAAGPt1z3mJ0mQk", int64(41), []byte("acme"))
	f.Fuzz(func(t *testing.T, text string, pinned int64, after []byte) {
		c := &call{operation: "list-things", tenant: "acme", request: httptest.NewRequest("GET", "/v1/things?limit=2", nil)}
		if l, err := c.list(ListQuery{Cursor: text}, "filter"); err == nil && text != "" && l.at == nil {
			t.Fatal("a cursor is taken and has no place")
		}
		first, err := c.list(ListQuery{}, "filter")
		if err != nil {
			t.Fatal(err)
		}
		next, _ := first.next(domain.Sequence(pinned), after)
		l, err := c.list(ListQuery{Cursor: *next}, "filter")
		if err != nil || *l.pinned() != domain.Sequence(pinned) || !bytes.Equal(l.at.after, after) {
			t.Fatalf("%s: %v %v", *next, l, err)
		}
		if _, err := c.list(ListQuery{Cursor: *next}, "another"); err == nil {
			t.Error("a cursor is taken with other filters")
		}
	})
}

// FuzzText holds the texts that are written by hand to encoding/json's reading of them.
func FuzzText(f *testing.F) {
	for _, seed := range []string{"", "plain", "\"\\\x00\n\x7f<&>\u2028", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got, want string
		text := appendText(nil, s)
		quoted, _ := json.Marshal(s)
		if json.Unmarshal(text, &got) != nil || json.Unmarshal(quoted, &want) != nil || got != want {
			t.Errorf("%q is written as %s", s, text)
		}
	})
}
