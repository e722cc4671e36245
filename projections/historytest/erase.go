package historytest

import (
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// Erase returns an entry as a log shows it once the subject of its personal parts was erased; other entries as they are.
func Erase(t testing.TB, e domain.Entry) domain.Entry {
	t.Helper()
	parts, err := domain.EncodeFact(e.Fact)
	if err != nil {
		t.Fatal(err)
	}
	var kept []domain.Part
	for _, p := range parts {
		if !p.Personal() {
			kept = append(kept, p)
		}
	}
	if len(kept) == len(parts) {
		return e
	}
	e.Erased = true
	if e.Fact, err = domain.DecodeFact(e.Kind, e.KindVersion, kept, true); err != nil {
		t.Fatal(err)
	}
	return e
}
