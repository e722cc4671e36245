package eventlog_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hooktrail/hooktrail/domain"
)

// A scan over events that are small on disk and large when they are open ends by what it opened, and the next one goes
// on.
func TestLog_ScanOfCompressibleEvents(t *testing.T) {
	t.Parallel()
	log := open(t)
	const events, each = 80, 256 << 10 // 20 MiB
	data := `"` + strings.Repeat("x", each-2) + `"`
	var first domain.Entry
	for i := range events / 20 {
		var g domain.Group
		for range 20 {
			g.Drafts = append(g.Drafts, event(data))
		}
		entries := log.mustAppend(t, g)
		if i == 0 {
			first = entries[0]
		}
	}
	for _, descending := range []bool{false, true} {
		t.Run(fmt.Sprintf("descending %v", descending), func(t *testing.T) {
			q := domain.Query{
				Tenant: first.Tenant, From: &first.Sequence, Limit: 1000, Bytes: 2 << 20, Kind: domain.KindEventAppended,
				Descending: descending,
			}
			found, scans := 0, 0
			for next := new(domain.Sequence); next != nil; scans++ {
				var some []domain.Entry
				var err error
				if some, next, err = log.Scan(t.Context(), q); err != nil {
					t.Fatal(err)
				}
				if len(some)*each > q.Bytes+each {
					t.Fatalf("a scan opened %d events", len(some))
				}
				if found += len(some); next != nil {
					q.GoOn(*next)
				}
			}
			if found != events || scans < 10 {
				t.Errorf("%d events in %d scans, want %d in 10 or more", found, scans, events)
			}
		})
	}
}
