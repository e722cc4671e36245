package views_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hooktrail/hooktrail/adapters/postgres/views"
	"github.com/hooktrail/hooktrail/domain"
)

// TestViews_WrittenOnce: an event that is delivered at the first try within a page of the fold has its rows written
// once, and none in undelivered; one that isn't has one there.
func TestViews_WrittenOnce(t *testing.T) {
	t.Parallel()
	log := open(t)
	endpoint := domain.NewUUID()
	for range 5 {
		draft, delivery := sent(endpoint)
		log.mustAppend(t, group(draft), group(finished(delivery, 0, 1, domain.OutcomeSucceeded, domain.DeliverySucceeded)))
	}
	v := views.NewViews(newPool(t, log.db.URL), log, nil)
	admin := connect(t, log.db.AdminURL)
	rebuilt := func() (deliveries, events []string, undelivered int64) {
		t.Helper()
		if err := v.Rebuild(t.Context(), nil); err != nil { // into empty files
			t.Fatal(err)
		}
		err := admin.QueryRow(t.Context(), `
			SELECT (SELECT array_agg(ctid::text ORDER BY created_position) FROM deliveries),
			       (SELECT array_agg(ctid::text ORDER BY position) FROM events), pg_relation_size('undelivered')`).
			Scan(&deliveries, &events, &undelivered)
		if err != nil {
			t.Fatal(err)
		}
		return deliveries, events, undelivered
	}
	var places []string // without a gap: a row that was written again would have left one
	for i := range 5 {
		places = append(places, fmt.Sprintf("(0,%d)", i+1))
	}
	deliveries, events, undelivered := rebuilt()
	if !slices.Equal(deliveries, places) || !slices.Equal(events, places) || undelivered != 0 {
		t.Errorf("the deliveries are at %v, the events at %v, and undelivered has %d bytes", deliveries, events, undelivered)
	}
	draft, _ := sent(endpoint)
	log.mustAppend(t, group(draft))
	if _, _, undelivered = rebuilt(); undelivered == 0 {
		t.Error("what isn't delivered has no row in undelivered")
	}
}

// TestViews_FewIndexes: every index is a write for each row of a page.
func TestViews_FewIndexes(t *testing.T) {
	t.Parallel()
	rows, err := connect(t, open(t).db.AdminURL).Query(t.Context(), `
		SELECT i.indrelid::regclass::text FROM pg_index AS i
		 WHERE NOT i.indisprimary AND i.indrelid IN (SELECT polrelid FROM pg_policy)`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) == 0 {
		t.Fatalf("%v, %v", tables, err)
	}
	count := make(map[string]int)
	for _, table := range tables {
		if count[table]++; count[table] == 3 {
			t.Errorf("%s has more than two indexes beyond its primary key", table)
		}
	}
}
