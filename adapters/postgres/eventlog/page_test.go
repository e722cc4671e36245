package eventlog_test

import (
	"encoding/base64"
	"math/rand/v2"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// A page of big events that is read from the database ends long before its number of entries does, and the next goes
// on.
func TestLog_PageOfBigEvents(t *testing.T) {
	t.Parallel()
	log := open(t)
	const big, bound = 200, 32 << 20
	noise := make([]byte, 190<<10)
	source := rand.NewChaCha8([32]byte{1})
	var last domain.Position
	for range big / 20 {
		var g domain.Group
		for range 20 {
			_, _ = source.Read(noise) // never fails
			g.Drafts = append(g.Drafts, event(`"`+base64.StdEncoding.EncodeToString(noise)+`"`))
		}
		entries := log.mustAppend(t, g)
		last = entries[len(entries)-1].Position
	}
	other := reopen(t, log.db, log.key) // which has none of them in memory
	var at domain.Position
	pages := 0
	for at < last {
		page, err := other.Page(t.Context(), at, 50_000)
		if err != nil || len(page) == 0 {
			t.Fatalf("behind position %d: %d entries, %v", at, len(page), err)
		}
		size := 0
		for _, e := range page {
			if at++; e.Position != at {
				t.Fatalf("position %d, want %d", e.Position, at)
			}
			if fact, ok := e.Fact.(*domain.EventAppended); ok {
				size += len(fact.Data)
			}
		}
		if size > bound*4/3 { // in base64, compressed again
			t.Errorf("a page holds %d bytes of data", size)
		}
		pages++
	}
	if want := 2; pages != want {
		t.Errorf("%d pages, want %d", pages, want)
	}
	other.check(t)
}
