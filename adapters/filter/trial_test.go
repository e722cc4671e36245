package filter

import "testing"

// TestFilters_Compile: a trial says what Match says, and leaves nothing behind.
func TestFilters_Compile(t *testing.T) {
	t.Parallel()
	f := filters(t)
	for _, src := range []string{`data.price == 10`, `data.price > 10`, `data.missing == 1`, `data.items.exists(i, i.n == 5)`} {
		want, wantErr := f.Match(subscription(src), order())
		trial, err := f.Compile(src)
		if err != nil {
			t.Fatal(err)
		}
		got, err := trial(order())
		if got != want || (err == nil) != (wantErr == nil) {
			t.Errorf("%s: %v, %v; Match says %v, %v", src, got, err, want, wantErr)
		}
	}
	kept, last := len(f.recent), f.last.Load()
	trial, err := f.Compile(`data.price == 11`)
	if err != nil {
		t.Fatal(err)
	}
	if matches, err := trial(order()); matches || err != nil {
		t.Error(matches, err)
	}
	if len(f.recent) != kept || f.last.Load() != last {
		t.Error("a trial left something behind")
	}
	if _, err := f.Compile(`data.price >`); err == nil {
		t.Error("compiled what is no filter")
	}
}
