package views_test

import (
	"slices"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres/views"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// TestViews_Exports folds exports in every state, in one page and entry by entry: lists find them, and what is live is what
// isn't finished or has a file.
func TestViews_Exports(t *testing.T) {
	t.Parallel()
	f := openFolded(t, nil)
	log, v := f.opened, f.views
	fold := func() { // what follows is folded in a page of its own
		t.Helper()
		head := log.mustAppend(t, group(event(`1`)))[0].Sequence
		if err := v.Read(t.Context(), domain.DefaultTenant, head, func(projections.Reader) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	until := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	finished := &domain.ExportFinished{Result: domain.ExportResult{ExpiresAt: until}}
	histories := [][]domain.Fact{
		{},
		{finished},
		{finished, &domain.ExportDownloaded{File: "f"}, &domain.ExportExpired{Why: domain.ExportEndTime}},
		{&domain.ExportFailed{Code: domain.ExportTooLarge}},
		{&domain.ExportCancelled{Why: domain.ExportEndAsked}},
		{finished},
	}
	order, err := domain.CreateExport(domain.ExportQuery{What: domain.ExportLog, Format: domain.FormatCSV}, 3, domain.DefaultExportKeep)
	if err != nil {
		t.Fatal(err)
	}
	var want []projections.Export
	for i, history := range histories {
		if i == 3 {
			fold()
		}
		draft := domain.Draft{Tenant: domain.DefaultTenant, Stream: domain.Stream{Kind: domain.StreamExport, ID: domain.NewUUID()}, Fact: order}
		row := projections.Export{ID: draft.Stream.ID, Tenant: draft.Tenant, Unfinished: len(history) == 0}
		row.Created = projections.OriginOf(log.mustAppend(t, group(draft))[0])
		if i == 5 {
			fold() // what moves it on comes in a later page
		}
		for n, fact := range history {
			draft.Expected, draft.Fact = n+1, fact
			log.mustAppend(t, group(draft))
		}
		if len(history) > 0 && history[len(history)-1] == domain.Fact(finished) {
			row.KeptUntil = until
		}
		want = append(want, row)
	}
	fold()
	for _, size := range []int{1, 4, 100} {
		for _, descending := range []bool{false, true} {
			expected := slices.Clone(want)
			if descending {
				slices.Reverse(expected)
			}
			if got := listExports(t, v, size, descending); !slices.Equal(got, expected) {
				t.Errorf("pages of %d, descending %v:\ngot  %v\nwant %v", size, descending, got, expected)
			}
		}
	}
	live, err := v.LiveExports(t.Context())
	if expected := []projections.Export{want[0], want[1], want[5]}; err != nil || !slices.Equal(live, expected) {
		t.Errorf("live are %v, want %v: %v", live, expected, err)
	}
	if err := v.Rebuild(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := listExports(t, v, 100, false); !slices.Equal(got, want) {
		t.Errorf("rebuilt:\ngot  %v\nwant %v", got, want)
	}
	err = v.Read(t.Context(), "other", -1, func(r projections.Reader) error {
		rows, err := r.Exports(t.Context(), projections.Page{Limit: 10})
		if len(rows) > 0 {
			t.Errorf("another tenant sees %v", rows)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func listExports(t *testing.T, v *views.Views, size int, descending bool) (all []projections.Export) {
	t.Helper()
	err := v.Read(t.Context(), domain.DefaultTenant, -1, func(r projections.Reader) error {
		page := projections.Page{Limit: size, Descending: descending}
		for {
			rows, err := r.Exports(t.Context(), page)
			all = append(all, rows...)
			if err != nil || len(rows) < size {
				return err
			}
			page.After, page.AfterID = &rows[len(rows)-1].Created.Sequence, rows[len(rows)-1].ID
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
