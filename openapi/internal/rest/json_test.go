package rest

import (
	"encoding/json"
	"testing"
)

// FuzzText holds the texts that are written by hand to encoding/json's reading of them.
func FuzzText(f *testing.F) {
	for _, seed := range []string{"", "plain", "\"\\\x00\n\x7f<&>\u2028", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got, want string
		text := AppendText(nil, s)
		quoted, _ := json.Marshal(s)
		if json.Unmarshal(text, &got) != nil || json.Unmarshal(quoted, &want) != nil || got != want {
			t.Errorf("%q is written as %s", s, text)
		}
	})
}
