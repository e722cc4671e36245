package eventlog_test

import (
	"testing"

	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/domain/logtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	logtest.Conformance(t, logtest.Hooks{
		Open: func(t *testing.T) domain.Log { return open(t) },
		Heartbeat: func(t *testing.T, log domain.Log, node domain.UUID) {
			t.Helper()
			if err := log.(*opened).Leases().Heartbeat(t.Context(), node); err != nil {
				t.Fatal(err)
			}
		},
		Introduce: func(_ *testing.T, log domain.Log, kind domain.Kind, format int) {
			eventlog.Introduce(log.(*opened).Log, kind, format)
		},
		Check: func(t *testing.T, log domain.Log) {
			t.Helper()
			log.(*opened).check(t)
		},
	})
}
