package ingest

import (
	"bytes"
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
