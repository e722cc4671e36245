package rest

import (
	"bytes"
	"net/http/httptest"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// FuzzCursor: a cursor comes back as it went out, in its own list only, and no text is anything else than refused.
func FuzzCursor(f *testing.F) {
	f.Add("", int64(0), []byte(nil))
	f.Add("AAAAAAAAACkAAAAAAAAAGPt1z3mJ0mQk", int64(41), []byte("acme"))
	f.Fuzz(func(t *testing.T, text string, pinned int64, after []byte) {
		r := &Request{Sources: &Sources{CursorKey: []byte("a key")}, Operation: "list-things", Tenant: "acme", HTTP: httptest.NewRequest("GET", "/v1/things?limit=2", nil)}
		if l, err := NewWalk(r, ListQuery{Cursor: text}, "filter"); err == nil && text != "" && l.cursor == nil {
			t.Fatal("a cursor is taken and has no place")
		}
		first, err := NewWalk(r, ListQuery{}, "filter")
		if err != nil {
			t.Fatal(err)
		}
		next, _ := first.Next(domain.Sequence(pinned), after)
		l, err := NewWalk(r, ListQuery{Cursor: *next}, "filter")
		if err != nil || *l.Pinned() != domain.Sequence(pinned) || !bytes.Equal(l.cursor.after, after) {
			t.Fatalf("%s: %v %v", *next, l, err)
		}
		r.CursorKey = []byte("another instance's")
		if _, err := NewWalk(r, ListQuery{Cursor: *next}, "filter"); err == nil {
			t.Error("a cursor of another instance is taken")
		}
		r.CursorKey = []byte("a key")
		if _, err := NewWalk(r, ListQuery{Cursor: *next}, "another"); err == nil {
			t.Error("a cursor is taken with other filters")
		}
	})
}
