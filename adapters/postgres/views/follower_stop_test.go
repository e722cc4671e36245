package views_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hooktrail/hooktrail/adapters/postgres/views"
	"github.com/hooktrail/hooktrail/domain"
)

// Rows that the database will never take stop the fold at their entry, as an entry does that can't be folded:
// everything before it is there, and the log says so without quoting what was refused.
func TestFollower_StopsAtRefusedRows(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ spoil, problem string }{
		"a constraint": {`ALTER TABLE events ADD CONSTRAINT small CHECK (data_size < 3)`, "23514"},
		"a missing row": {`
			CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
			CREATE TRIGGER lose BEFORE UPDATE ON deliveries FOR EACH ROW EXECUTE FUNCTION lose()`, "rebuild the views"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := open(t)
			conn := connect(t, log.db.AdminURL)
			mustExec(t, conn, c.spoil)
			first, delivery := sent(domain.NewUUID())
			first.Fact.(*domain.EventAppended).Data = []byte(`1`)
			good := log.mustAppend(t, group(first), group(event(`22`)))
			// Folds what is there, so that the attempt's end below updates a row.
			followUntil(t, log, func() bool { return cursorOf(t, log) >= good[1].Position })
			end := finished(delivery, 0, 1, domain.OutcomeSucceeded, domain.DeliverySucceeded)
			made := log.mustAppend(t, group(event(`3`)), group(event(`4`)), group(end, event(`4444`)), group(event(`5`)))
			bad := made[2].Position
			if name == "a constraint" {
				bad = made[3].Position
			}
			registry := followUntil(t, log, func() bool { return len(stops(t, log)) > 0 })
			if testutil.ToFloat64(stoppedGauge(t, registry)) != 1 {
				t.Error("the metric doesn't say that the follower stopped")
			}
			fact := stops(t, log)[0].Fact.(*domain.FollowerStopped)
			if fact.Position != bad || !strings.Contains(fact.Problem, c.problem) {
				t.Errorf("the fact says %+v, want position %d and %q", fact, bad, c.problem)
			}
			if cursor := cursorOf(t, log); cursor != bad-1 {
				t.Errorf("the views are at position %d, want %d", cursor, bad-1)
			}
		})
	}
}

func stops(t testing.TB, log *opened) []domain.Entry {
	t.Helper()
	entries, err := domain.Select(t.Context(), log, domain.Query{Tenant: domain.InstanceTenant, Kind: domain.KindFollowerStopped, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func cursorOf(t testing.TB, log *opened) (at domain.Position) {
	t.Helper()
	conn := connect(t, log.db.AdminURL)
	defer func() { _ = conn.Close(context.Background()) }()
	if err := conn.QueryRow(t.Context(), `SELECT coalesce(max(position), 0) FROM cursors WHERE follower = 'views' AND tenant = ''`).Scan(&at); err != nil {
		t.Fatal(err)
	}
	return at
}

// followUntil runs a follower until something holds, and returns its metrics.
func followUntil(t testing.TB, log *opened, done func() bool) *prometheus.Registry {
	t.Helper()
	registry := prometheus.NewRegistry()
	f := views.NewFollower(views.FollowerConfig{
		Pool: newPool(t, log.db.URL), Log: log, Logger: slog.New(slog.DiscardHandler), Registerer: registry,
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	waitFor(t, "the follower", done)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	return registry
}
