package views_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
	"github.com/hooktrail/hooktrail/adapters/postgres/views"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

var sized = flag.Int("entries", 20_000, "how many entries TestViews_Size appends")

// TestViews_Size appends events of 1 KiB that are delivered at the first try, two entries each, about a thousand
// people, and tells what they take on disk and how long the log takes to append, fold, check and rebuild. With -entries
// and -v it gives the figures of a large log; without, it holds the form to its size.
func TestViews_Size(t *testing.T) {
	t.Parallel()
	f := openFolded(t, nil)
	conn := connect(t, f.db.AdminURL)
	tables := []string{"entries", "tiles", "events", "deliveries", "undelivered"}
	before := sizes(t, f, tables)

	const perCall = 500
	random := rand.New(rand.NewPCG(1, 2))
	endpoint := domain.NewUUID()
	var last domain.Entry
	began := time.Now()
	for n := 0; n < *sized; n += 2 * perCall {
		groups := make([]domain.Group, 0, 2*perCall)
		for range perCall {
			draft, delivery := sent(endpoint)
			fact := draft.Fact.(*domain.EventAppended)
			fact.Data = []byte(`{"text":"` + noise(random, 1000) + `"}`)
			draft.Subject = fmt.Sprintf("person/%d", random.IntN(1000))
			end := finished(delivery, 0, 1, domain.OutcomeSucceeded, domain.DeliverySucceeded)
			end.Subject = draft.Subject
			groups = append(groups, group(draft, end))
		}
		entries := f.mustAppend(t, groups...)
		last = entries[len(entries)-1]
	}
	appended := time.Since(began)
	ctx := context.WithoutCancel(t.Context())
	if err := f.views.Read(ctx, last.Tenant, last.Sequence, func(projections.Reader) error { return nil }); err != nil {
		t.Fatal(err)
	}
	f.halt()
	mustExec(t, conn, `VACUUM (ANALYZE) deliveries, events, undelivered`)
	folded := time.Since(began)

	var total float64
	for i, size := range sizes(t, f, tables) {
		each := float64(size-before[i]) / float64(*sized)
		total += each
		t.Logf("%s: %.0f bytes an entry", tables[i], each)
	}
	began = time.Now()
	if _, err := eventlog.CheckLog(ctx, f.Log, eventlog.CheckOptions{}); err != nil {
		t.Fatal(err)
	}
	checked := time.Since(began)
	began = time.Now()
	if err := views.NewViews(f.pool, f.opened, nil).Rebuild(ctx, nil); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d entries: %.0f bytes each; appended in %.0f s, folded by %.0f s, checked in %.0f s, rebuilt in %.0f s",
		*sized, total, appended.Seconds(), folded.Seconds(), checked.Seconds(), time.Since(began).Seconds())
	if total > 2000 {
		t.Errorf("an entry takes %.0f bytes", total)
	}
}

// sizes are those of tables on disk, indexes and partitions included.
func sizes(t *testing.T, f *folded, tables []string) []int64 {
	t.Helper()
	const sql = `
		SELECT sum(pg_total_relation_size(coalesce(i.inhrelid, c.oid)))::bigint FROM pg_class c LEFT JOIN pg_inherits i ON i.inhparent = c.oid
		 WHERE c.oid = ('public.' || $1)::regclass`
	found := make([]int64, len(tables))
	for i, table := range tables {
		if err := f.pool.QueryRow(t.Context(), sql, table).Scan(&found[i]); err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// noise is a text that compresses about as words do.
func noise(random *rand.Rand, n int) string {
	words := [...]string{"espresso ", "filter ", "grinder ", "0.1 g ", "stoneware ", "350 ml ", "order ", "crema "}
	b := make([]byte, 0, n+16)
	for len(b) < n {
		b = append(b, words[random.IntN(len(words))]...)
		b = append(b, byte('a'+random.IntN(26)), byte('a'+random.IntN(26)), byte('a'+random.IntN(26)), ' ')
	}
	return string(b[:n])
}
