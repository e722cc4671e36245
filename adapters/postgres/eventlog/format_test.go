package eventlog_test

import (
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
	}{{domain.Format, false, 1}, {3, true, 3}, {3, false, 3}, {2, false, 3}, {4, true, 4}} {
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
