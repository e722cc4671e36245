package openapi_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/export"
	"github.com/hooktrail/hooktrail/domain"
)

// exportLog is the fixture's log as exports read it; of the leases, the fixture's node lives.
type exportLog struct {
	*claimLog
	node domain.UUID
}

func (l exportLog) Entries(ctx context.Context, tenant domain.TenantID, at []domain.Sequence) ([]domain.Entry, error) {
	return l.some(ctx, tenant, func(e *domain.Entry) bool { return slices.Contains(at, e.Sequence) })
}

func (l exportLog) Streams(
	ctx context.Context, tenant domain.TenantID, streams []domain.Stream, upTo domain.Sequence,
) ([]domain.Entry, error) {
	return l.some(ctx, tenant, func(e *domain.Entry) bool { return e.Sequence <= upTo && slices.Contains(streams, e.Stream) })
}

func (l exportLog) some(ctx context.Context, tenant domain.TenantID, want func(*domain.Entry) bool) ([]domain.Entry, error) {
	all, err := domain.Select(ctx, l.claimLog, domain.Query{Tenant: tenant, Limit: 1 << 20})
	return slices.DeleteFunc(all, func(e domain.Entry) bool { return !want(&e) }), err
}

func (l exportLog) Standing(ctx context.Context) (domain.Standing, error) {
	l.Heartbeat(l.node)
	s := domain.Standing{Nodes: []domain.Node{{ID: l.node}}}
	taken, err := domain.Select(ctx, l.claimLog, domain.Query{Tenant: domain.InstanceTenant, Kind: domain.KindLeaseTaken, Limit: 100})
	for i := range taken {
		if f, ok := taken[i].Fact.(*domain.LeaseTaken); ok {
			s.Leases = []domain.Lease{{Name: f.Leases[0].Name, Owner: f.Node, Epoch: f.Leases[0].Epoch}}
		}
	}
	return s, err
}

// newExports makes what writes a fixture's exports; it writes none until run.
func newExports(f *fixture, node domain.UUID) *export.Runner {
	f.t.Helper()
	store, err := export.NewDir(f.t.TempDir() + "/exports")
	if err != nil {
		f.t.Fatal(err)
	}
	log := exportLog{f.log, node}
	return export.NewRunner(export.Settings{
		Log: log, Views: f.views, Leases: log, Store: store, Work: f.t.TempDir(), Node: node, Quota: 1 << 30, TenantQuota: 1 << 20,
		Tick: 5 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	})
}

// writeExports has the fixture's exports written until the test ends.
func (f *fixture) writeExports() {
	f.t.Helper()
	runner, ok := f.server.Exports.(*export.Runner)
	if !ok {
		f.t.Fatal("the fixture has no exports")
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := runner.Run(ctx); err != nil {
			f.t.Error(err)
		}
	})
	f.t.Cleanup(func() { stop(); running.Wait() })
}

// exported waits until an export has ended.
func (f *fixture) exported(path string) answer {
	f.t.Helper()
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		got := f.get(f.operator, path).want(http.StatusOK)
		if s := got.text("status"); s != "queued" && s != "running" {
			return got
		}
		if time.Since(began) > 20*time.Second {
			f.t.Fatalf("the export isn't written: %s", got.Body)
		}
	}
}

// TestExports asks for an export, waits for it, downloads it in whole and in part, and deletes it. Each of these is in the log.
func TestExports(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.writeExports()
	auditor := f.key("acme", domain.RoleAuditor)
	for n := range 5 {
		f.event("acme", fmt.Sprint("e", n))
	}
	const path = "/v1/tenants/acme/exports"
	body := `{"what":"events","format":"ndjson","columns":["sequence","event_id"],"reason":"audit"}`
	made := f.post(auditor, path, body, "Idempotency-Key", "once").want(http.StatusAccepted)
	at := made.Header.Get("Location")
	if again := f.post(auditor, path, body, "Idempotency-Key", "once").want(http.StatusAccepted); again.text("id") != made.text("id") ||
		again.Header.Get("Idempotency-Replayed") != "true" || at != path+"/"+made.text("id") {
		t.Errorf("repeated: %v %s", again.Header, again.Body)
	}
	got := f.exported(at)
	var manifest struct {
		Sequence      int64
		Reason        string
		Files         []struct{ Name, SHA256 string }
		RequestedBy   struct{ Credential string } `json:"requested_by"`
		ExpiresAt     time.Time                   `json:"expires_at"`
		EndedAt       time.Time                   `json:"ended_at"`
		Content       string
		DownloadsMade int `json:"downloads"`
	}
	got.into(&manifest)
	who := f.get(auditor, "/v1/whoami").text("key_id")
	keep := manifest.ExpiresAt.Sub(manifest.EndedAt)
	if got.text("status") != "succeeded" || len(manifest.Files) != 1 || manifest.Reason != "audit" ||
		manifest.RequestedBy.Credential != who || keep < domain.DefaultExportKeep-time.Minute || keep > domain.DefaultExportKeep {
		t.Fatalf("manifest %s", got.Body)
	}
	whole := f.get(auditor, manifest.Content).want(http.StatusOK)
	sum := sha256.Sum256(whole.Body)
	if lines := bytes.Count(whole.Body, []byte("\n")); lines != 5 || hex.EncodeToString(sum[:]) != manifest.Files[0].SHA256 ||
		!strings.Contains(string(whole.Body), `"event_id":"e4"}`) {
		t.Errorf("content %s", whole.Body)
	}
	etag := whole.Header.Get("ETag")
	if whole.Header.Get("Content-Type") != "application/x-ndjson" || etag == "" ||
		whole.Header.Get("Content-Disposition") != "attachment; filename=events.ndjson" {
		t.Errorf("headers %v", whole.Header)
	}
	part := f.get(auditor, manifest.Content, "Range", "bytes=3-9", "If-Range", etag).want(http.StatusPartialContent)
	if !bytes.Equal(part.Body, whole.Body[3:10]) {
		t.Errorf("a part: %q", part.Body)
	}
	if all := f.get(auditor, manifest.Content, "Range", "bytes=3-9", "If-Range", `"other"`).want(http.StatusOK); !bytes.Equal(all.Body, whole.Body) {
		t.Errorf("another file than the range was meant of: %q", all.Body)
	}
	f.get(auditor, manifest.Content, "Range", "bytes=99999-").want(http.StatusRequestedRangeNotSatisfiable)
	f.get(auditor, manifest.Content, "If-None-Match", etag).want(http.StatusNotModified)

	f.do(auditor, http.MethodDelete, at, "").want(http.StatusNoContent)
	f.get(auditor, manifest.Content).problem(http.StatusGone, "export_expired")
	f.do(auditor, http.MethodDelete, at, "").problem(http.StatusConflict, "export_ended")
	var page struct{ Items []struct{ Kind string } }
	f.get(auditor, "/v1/tenants/acme/log?kind=export.*").want(http.StatusOK).into(&page)
	var kinds []string
	for _, item := range page.Items {
		kinds = append(kinds, strings.TrimPrefix(item.Kind, "export."))
	}
	if said := strings.Join(kinds, " "); said != "created finished downloaded downloaded downloaded downloaded expired" {
		t.Errorf("the log says %s", said)
	}
	var list struct {
		Items []struct {
			ID      string
			Expired bool
		}
	}
	f.get(auditor, path).want(http.StatusOK).into(&list)
	if len(list.Items) != 1 || list.Items[0].ID != made.text("id") || !list.Items[0].Expired {
		t.Errorf("listed %+v", list)
	}
	f.get(f.key("other", domain.RoleAuditor), "/v1/tenants/other/exports/"+made.text("id")).problem(http.StatusNotFound, "not_found")
}

// TestExports_Refused: what can't be exported is refused with the member that is wrong, and what nobody writes is cancelled.
func TestExports_Refused(t *testing.T) {
	t.Parallel()
	f := newFixture(t) // in which nothing writes exports
	const path = "/v1/tenants/acme/exports"
	for body, location := range map[string]string{
		`{"what":"bundle","format":"ndjson"}`:                                                  "body.what",
		`{"what":"events","format":"html"}`:                                                    "body.format",
		`{"what":"log","format":"parquet","compression":"zstd"}`:                               "body.compression",
		`{"what":"log","format":"csv","columns":["status"]}`:                                   "body.columns[0]",
		`{"what":"log","format":"csv","filter":{"status":"dead"}}`:                             "body.filter.status",
		`{"what":"events","format":"csv","filter":{"types":["a..b"]}}`:                         "body.filter.types[0]",
		`{"what":"log","format":"csv","filter":{"stream":"nothing"}}`:                          "body.filter.stream",
		`{"what":"log","format":"csv","filter":{"from_sequence":4,"to_sequence":2}}`:           "body.filter.to_sequence",
		`{"what":"log","format":"csv","filter":{"actor":"x"}}`:                                 "body.filter.actor",
		`{"what":"log","format":"csv","filter":{"no_such_filter":"01939f2e"},"keep_hours":12}`: "body.filter.no_such_filter",
	} {
		got := f.post(f.operator, path, body).problem(http.StatusUnprocessableEntity, "validation_failed")
		if !strings.Contains(string(got.Body), `"`+location+`"`) {
			t.Errorf("%s: %s", body, got.Body)
		}
	}
	before := f.head()
	for body, want := range map[string]string{
		`{"what":"events","format":"csv","dry_run":true}`:                                     `"rows":0`,
		`{"what":"log","format":"csv","dry_run":true,"filter":{"to_sequence":1}}`:             `"rows":1,"entries":1`,
		`{"what":"configuration","format":"csv","dry_run":true,"filter":{"kind":"tenant.*"}}`: `"rows":1`,
	} {
		if got := f.post(f.operator, path, body).want(http.StatusOK); !strings.Contains(string(got.Body), want) {
			t.Errorf("%s: %s", body, got.Body)
		}
	}
	if f.head() != before {
		t.Error("a dry run appended something")
	}
	made := f.post(f.operator, path, `{"what":"log","format":"csv"}`).want(http.StatusAccepted)
	at := made.Header.Get("Location")
	f.get(f.operator, at+"/content").problem(http.StatusConflict, "export_not_ready")
	f.do(f.operator, http.MethodDelete, at, "").want(http.StatusNoContent)
	if got := f.get(f.operator, at).want(http.StatusOK); got.text("status") != "cancelled" {
		t.Errorf("deleted: %s", got.Body)
	}
}
