package domain_test

import (
	"errors"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

func TestExportQuery_Validate(t *testing.T) {
	t.Parallel()
	two, one := domain.Sequence(2), domain.Sequence(1)
	for field, change := range map[string]func(*domain.ExportQuery){
		"":                func(*domain.ExportQuery) {},
		"what":            func(q *domain.ExportQuery) { q.What = "bundle" },
		"format":          func(q *domain.ExportQuery) { q.Format = "xlsx" },
		"compression":     func(q *domain.ExportQuery) { q.Compression = "gzip" },
		"columns[1]":      func(q *domain.ExportQuery) { q.Columns = []string{"status", "status"} },
		"columns[0]":      func(q *domain.ExportQuery) { q.Columns = []string{"leaf"} },
		"from_sequence":   func(q *domain.ExportQuery) { minus := domain.Sequence(-1); q.From = &minus },
		"to_sequence":     func(q *domain.ExportQuery) { q.From, q.To = &two, &one },
		"to":              func(q *domain.ExportQuery) { q.Since, q.Until = time.Unix(2, 0), time.Unix(1, 0) },
		"types[0]":        func(q *domain.ExportQuery) { q.Types = []domain.Pattern{"a..b"} },
		"status":          func(q *domain.ExportQuery) { q.Status = "lost" },
		"kind":            func(q *domain.ExportQuery) { q.Kind = "event.*" },
		"stream":          func(q *domain.ExportQuery) { q.Stream = "event/1" },
		"actor":           func(q *domain.ExportQuery) { q.Actor = id(1) },
		"endpoint_id":     func(q *domain.ExportQuery) { q.What, q.Endpoint = domain.ExportEvents, id(1) },
		"subscription_id": func(q *domain.ExportQuery) { q.What, q.Subscription = domain.ExportLog, id(1) },
	} {
		q := domain.ExportQuery{What: domain.ExportDeliveries, Format: domain.FormatCSV}
		change(&q)
		err := q.Validate()
		var wrong *domain.InvalidError
		if field == "" && err != nil || field != "" && (!errors.As(err, &wrong) || wrong.Field != field) {
			t.Errorf("%q: %v", field, err)
		}
	}
}

func TestExport_Fold(t *testing.T) {
	t.Parallel()
	created := exampleExport()
	finished := &domain.ExportFinished{Result: domain.ExportResult{Files: []domain.ExportFile{{Name: "f"}}}}
	failed, cancelled := &domain.ExportFailed{Code: domain.ExportTooLarge}, &domain.ExportCancelled{}
	downloaded, expired := &domain.ExportDownloaded{}, &domain.ExportExpired{}
	for _, h := range []struct {
		facts  []domain.Fact
		status domain.ExportStatus
		kept   bool
		wrong  bool // the last fact contradicts
		remove domain.Kind
	}{
		{[]domain.Fact{created}, domain.ExportQueued, false, false, domain.KindExportCancelled},
		{[]domain.Fact{created, finished}, domain.ExportSucceeded, true, false, domain.KindExportExpired},
		{[]domain.Fact{created, finished, downloaded, downloaded}, domain.ExportSucceeded, true, false, domain.KindExportExpired},
		{[]domain.Fact{created, finished, expired}, domain.ExportSucceeded, false, false, ""},
		{[]domain.Fact{created, finished, expired, expired}, domain.ExportSucceeded, false, true, ""},
		{[]domain.Fact{created, failed}, domain.ExportStatusFailed, false, false, ""},
		{[]domain.Fact{created, cancelled}, domain.ExportStatusCancelled, false, false, ""},
		{[]domain.Fact{created, cancelled, finished}, domain.ExportStatusCancelled, false, true, ""},
		{[]domain.Fact{created, finished, cancelled}, domain.ExportSucceeded, true, true, domain.KindExportExpired},
	} {
		var x domain.Export
		for i, f := range h.facts {
			e := domain.Entry{
				Tenant: "acme", Sequence: domain.Sequence(10 + i), Stream: domain.Stream{Kind: domain.StreamExport, ID: id(1)},
				StreamVersion: i + 1, Kind: f.Kind(), Fact: f, RecordedAt: noon.Add(time.Duration(i)), Reason: "audit",
			}
			before := x
			err := x.Fold(&e)
			if last := i == len(h.facts)-1; (err != nil) != (last && h.wrong) {
				t.Fatalf("%v: fact %d: %v", h.facts, i, err)
			}
			if err != nil && x.Version != before.Version {
				t.Errorf("%v: an entry that contradicts changed the export", h.facts)
			}
		}
		if x.Status != h.status || x.Kept() != h.kept || x.Order.Sequence != 412 || x.Reason != "audit" || x.Created != 10 {
			t.Errorf("%v: folded to %+v", h.facts, x)
		}
		fact, err := x.Remove()
		if h.remove == "" {
			if !errors.Is(err, domain.ErrConflict) {
				t.Errorf("%v: removed by %v, %v", h.facts, fact, err)
			}
		} else if err != nil || fact.Kind() != h.remove {
			t.Errorf("%v: removed by %v, %v", h.facts, fact, err)
		}
	}
}
