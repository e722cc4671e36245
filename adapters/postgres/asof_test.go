package postgres_test

import (
	"errors"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// TestLog_AsOf finds sequences by time.
func TestLog_AsOf(t *testing.T) {
	t.Parallel()
	log := open(t)
	var entries []domain.Entry
	for range 20 {
		entries = append(entries, log.mustAppend(t, group(event(`{}`), event(`{}`), event(`{}`)))...)
	}
	for _, e := range entries {
		for at, want := range map[time.Time]domain.Sequence{
			e.RecordedAt: e.Sequence, e.RecordedAt.Add(999): e.Sequence, e.RecordedAt.Add(-1): e.Sequence - 1,
		} {
			if got, err := log.SequenceAsOf(t.Context(), e.Tenant, at); err != nil || got != want {
				t.Errorf("as of %v: sequence %d, want %d (%v)", at, got, want, err)
			}
		}
	}
	var invalid *domain.InvalidError
	if _, err := log.SequenceAsOf(t.Context(), domain.DefaultTenant, time.Now().Add(time.Hour)); !errors.As(err, &invalid) {
		t.Errorf("as of the future: %v", err)
	}
	if got, err := log.SequenceAsOf(t.Context(), domain.DefaultTenant, time.Unix(0, 0)); err != nil || got != -1 {
		t.Errorf("as of 1970: %d, %v", got, err)
	}
}
