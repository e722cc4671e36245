package eventlog_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
	"github.com/hooktrail/hooktrail/domain"
)

func TestRaiseFormat(t *testing.T) {
	t.Parallel()
	log := open(t)
	for _, step := range []struct {
		to     int
		raised bool
		then   int
	}{{domain.Format, false, domain.Format}, {8, true, 8}, {8, false, 8}, {7, false, 8}, {9, true, 9}} {
		raised, err := eventlog.RaiseFormat(t.Context(), log, step.to, domain.Actor{})
		if err != nil || raised != step.raised {
			t.Errorf("raise to %d: %v, %v", step.to, raised, err)
		}
		if format, err := eventlog.Format(t.Context(), log); err != nil || format != step.then {
			t.Errorf("raised to %d, the log has format %d, %v", step.to, format, err)
		}
	}
	log.check(t)
}

// TestLog_FormatGate: what a newer format introduced is refused until the log is raised to it, by whichever process.
func TestLog_FormatGate(t *testing.T) {
	t.Parallel()
	log := open(t)
	other := reopen(t, log.db, log.key)
	for _, l := range []*opened{log, other} {
		eventlog.Introduce(l.Log, domain.KindEventAppended, 9)
	}
	refused := func(l *opened) {
		t.Helper()
		before, err := l.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = domain.AppendOne(t.Context(), l, group(event(`1`)))
		if !errors.Is(err, domain.ErrFormat) || !strings.Contains(err.Error(), "format 9") || !strings.Contains(err.Error(), "--raise-format") {
			t.Errorf("append: %v", err)
		}
		if after, err := l.Head(t.Context()); err != nil || after != before {
			t.Errorf("a refused append moved the head from %d to %d: %v", before, after, err)
		}
	}
	refused(log)
	for _, to := range []int{8, 9} {
		refused(other)
		if raised, err := eventlog.RaiseFormat(t.Context(), log, to, domain.Actor{}); err != nil || !raised {
			t.Fatalf("raise to %d: %v, %v", to, raised, err)
		}
	}
	log.mustAppend(t, group(event(`1`)))
	other.mustAppend(t, group(event(`2`)))
	log.check(t)
}
