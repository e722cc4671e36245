package export_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/export"
	"github.com/hooktrail/hooktrail/domain"
)

func (w *world) events(tenant domain.TenantID, n int) {
	w.Helper()
	for range n {
		w.append(domain.Draft{
			Tenant: tenant, Stream: domain.Stream{Kind: domain.StreamEvent, ID: domain.NewUUID()}, Subject: "ann",
			Fact: &domain.EventAppended{
				Event: domain.EventAttributes{
					EventClass:    domain.EventClass{Type: "offer.issued", SchemaVersion: "v1"},
					EventIdentity: domain.EventIdentity{ID: "=1+1", Source: "/s", Subject: "ann"},
				},
				Data: []byte("{\"a\":\n1}"), Routing: domain.Routing{Complete: true},
			},
		})
	}
}

// read reads a kept export's file.
func (w *world) read(x domain.Export) string {
	w.Helper()
	f, err := w.runner.Open(context.Background(), &x)
	if err != nil {
		w.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		w.Fatal(err)
	}
	return string(text)
}

// TestRunner_Entries exports what isn't deliveries, each row of which is one entry, and nothing of other tenants.
func TestRunner_Entries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.events(acme, 3)
	w.events("other", 2)
	w.run()
	for _, c := range []struct {
		query domain.ExportQuery
		rows  int64
		text  string
	}{
		{domain.ExportQuery{What: domain.ExportEvents, Format: domain.FormatNDJSON, Columns: []string{"sequence", "data"}}, 3, "{\"sequence\":1,\"data\":{\"a\": 1}}\n"},
		{domain.ExportQuery{What: domain.ExportEvents, Format: domain.FormatCSV, Columns: []string{"event_id", "data"}}, 3, "event_id,data\r\n\"'=1+1\",\"{\"\"a\"\":\n1}\"\r\n"},
		{domain.ExportQuery{What: domain.ExportEvents, Format: domain.FormatCSV, Columns: []string{"event_id"}, Types: []domain.Pattern{"bill.*"}}, 0, "event_id\r\n"},
		{domain.ExportQuery{What: domain.ExportConfiguration, Format: domain.FormatCSV, Columns: []string{"kind"}}, 1, "kind\r\ntenant.created\r\n"},
		{domain.ExportQuery{What: domain.ExportLog, Format: domain.FormatNDJSON, Columns: []string{"kind"}, Kind: "tenant.*"}, 1, "{\"kind\":\"tenant.created\"}\n"},
		{domain.ExportQuery{What: domain.ExportDeliveries, Format: domain.FormatNDJSON}, 0, ""},
	} {
		x := w.ended(acme, w.orderAt(acme, c.query, 3))
		if x.Status != domain.ExportSucceeded || x.Result.Files[0].Rows != c.rows || !strings.HasPrefix(w.read(x), c.text) {
			t.Errorf("%+v: %s %+v: %q", c.query, x.Status, x.Result, w.read(x))
		}
	}
}

// TestRunner_Erased: what was erased is missing, marked and named; a file that was written before keeps its hash.
func TestRunner_Erased(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.events(acme, 2)
	w.run()
	q := domain.ExportQuery{What: domain.ExportEvents, Format: domain.FormatNDJSON}
	before := w.ended(acme, w.orderAt(acme, q, 2))
	again := w.ended(acme, w.orderAt(acme, q, 2))
	if before.Result.Files[0].SHA256 != again.Result.Files[0].SHA256 || before.Result.Erased != 0 {
		t.Errorf("the same query of the same sequence made %+v and %+v", before.Result, again.Result)
	}
	w.log.Erase(acme, "ann")
	after := w.ended(acme, w.orderAt(acme, q, 2))
	if r := after.Result; r.Erased != 2 || len(r.Erasures) != 2 || r.Erasures[0] != 1 || strings.Contains(w.read(after), "=1+1") {
		t.Errorf("after the erasure: %+v %s", r, w.read(after))
	}
}

// TestRunner_Quota: an export for which there is no room fails, says what to do and leaves nothing behind; deleting another
// makes room.
func TestRunner_Quota(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.events(acme, 20)
	q := domain.ExportQuery{What: domain.ExportEvents, Format: domain.FormatNDJSON}
	w.set.TenantQuota = 15 << 10
	w.runner = export.NewRunner(w.set)
	w.run()
	first := w.ended(acme, w.order(acme, q))
	if first.Status != domain.ExportSucceeded || first.Result.Files[0].Bytes < 8<<10 {
		t.Fatalf("%+v", first)
	}
	second := w.ended(acme, w.order(acme, q))
	if second.Status != domain.ExportStatusFailed || second.Failure.Code != domain.ExportQuotaExceeded ||
		!strings.Contains(second.Failure.Text, "delete") {
		t.Errorf("%+v", second)
	}
	if left, err := os.ReadDir(w.set.Work + "/" + second.ID.String()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left behind: %v, %v", left, err)
	}
	w.append(domain.Draft{
		Tenant: acme, Stream: first.Stream(), Expected: first.Version, Fact: &domain.ExportExpired{Why: domain.ExportEndAsked},
	})
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if third := w.ended(acme, w.order(acme, q)); third.Status == domain.ExportSucceeded {
			break
		}
		if time.Since(began) > 10*time.Second {
			t.Fatal("there is no room after an export was deleted")
		}
	}
}

// TestRunner_Expiry: a file whose time is over is deleted, which the log says, also where the server was down meanwhile.
func TestRunner_Expiry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.events(acme, 1)
	stop := w.run()
	x := w.ended(acme, w.order(acme, domain.ExportQuery{What: domain.ExportLog, Format: domain.FormatCSV}))
	stop()
	w.set.Clock = func() time.Time { return time.Now().Add(domain.DefaultExportKeep + time.Hour) }
	w.runner = export.NewRunner(w.set)
	w.run()
	gone := w.when(acme, x.ID, func(x *domain.Export) bool { return x.Expired })
	if _, err := w.runner.Open(context.Background(), &gone); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open: %v", err)
	}
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		names, err := w.set.Store.Names(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if len(names) == 0 {
			break
		}
		if time.Since(began) > 10*time.Second {
			t.Fatalf("kept: %v", names)
		}
	}
}
