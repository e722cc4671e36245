package export_test

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktrail/hooktrail/adapters/export"
	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/adapters/postgres/views"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/migrations/migratetest"
)

var benchDeliveries = flag.Int("deliveries", 20_000, "deliveries that BenchmarkExport exports")

// BenchmarkExport exports deliveries that succeeded at the first try, of which each is an event of its own, from Postgres:
//
//	go test ./adapters/export -run '^$' -bench Export -benchtime 1x -deliveries 1000000 -timeout 30m
func BenchmarkExport(b *testing.B) {
	ctx := context.Background()
	log, tables, last := openBench(b)
	for _, format := range []domain.ExportFormat{domain.FormatNDJSON, domain.FormatCSV, domain.FormatParquet} {
		b.Run(string(format), func(b *testing.B) {
			var rows int64
			for b.Loop() {
				x := &domain.Export{ID: domain.NewUUID(), Tenant: domain.DefaultTenant, Order: domain.ExportOrder{
					Query: domain.ExportQuery{What: domain.ExportDeliveries, Format: format}, Sequence: last,
				}}
				dir := filepath.Join(b.TempDir(), x.ID.String())
				made, err := export.Write(ctx, log, tables, x, dir, export.Usual(), func() error { return nil })
				if err != nil || made.Rows != int64(*benchDeliveries) {
					b.Fatalf("%d rows, %v", made.Rows, err)
				}
				rows += made.Rows
				if err := os.RemoveAll(dir); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// openBench opens a log in Postgres with deliveries, folded into views. last is the log's end.
func openBench(b *testing.B) (log *eventlog.Log, tables *views.Views, last domain.Sequence) {
	b.Helper()
	ctx := context.Background()
	db := migratetest.Open(b)
	key, err := seal.LoadOrCreateMasterKey(filepath.Join(b.TempDir(), "master.json"))
	if err != nil {
		b.Fatal(err)
	}
	log, err = eventlog.Open(ctx, eventlog.Config{URL: db.URL, MasterKey: key, InstanceName: "bench", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- log.Run(running) }()
	b.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			b.Error(err)
		}
		log.Close()
	})
	if err := eventlog.Bootstrap(ctx, log); err != nil {
		b.Fatal(err)
	}
	last = deliver(b, log, *benchDeliveries)
	pool, err := pgxpool.New(ctx, db.URL)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	tables = views.NewViews(pool, log, nil)
	if err := tables.Rebuild(ctx, nil); err != nil {
		b.Fatal(err)
	}
	return log, tables, last
}

// deliver appends deliveries, each of which ends some hundreds of entries after its event.
func deliver(t testing.TB, log domain.Log, deliveries int) (last domain.Sequence) {
	t.Helper()
	const batch = 500
	endpoint := domain.UUID{1}
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	var under []domain.Draft
	for made := 0; made < deliveries || len(under) > 0; {
		group := domain.Group{Drafts: under}
		under = nil
		for range min(batch, deliveries-made) {
			made++
			event, delivery := domain.NewUUID(), domain.NewUUID()
			group.Drafts = append(group.Drafts, domain.Draft{
				Tenant: domain.DefaultTenant, Stream: domain.Stream{Kind: domain.StreamEvent, ID: event},
				Fact: &domain.EventAppended{
					Event: domain.EventAttributes{
						EventClass:    domain.EventClass{Type: "offer.issued", SchemaVersion: "v1"},
						EventIdentity: domain.EventIdentity{ID: event.String(), Source: "/tenants/default", OccurredAt: now},
					},
					Data: []byte(`{"offer":"4711","amount":12.50,"currency":"EUR"}`), Routing: domain.Routing{
						Complete: true, Deliveries: []domain.RoutedDelivery{{
							ID: delivery, Endpoint: endpoint, EndpointVersion: 1,
							Subscriptions: []domain.SubscriptionMatch{{ID: domain.UUID{2}, Version: 1}},
							First: &domain.AttemptStarted{
								Number: 1, EndpointVersion: 1, ProfileDigest: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
								Keys: []domain.UUID{{3}}, At: now, TimeoutMS: 15000, Node: domain.UUID{4},
							},
						}},
					},
				},
			})
			under = append(under, domain.Draft{
				Tenant: domain.DefaultTenant, Stream: domain.Stream{Kind: domain.StreamDelivery, ID: delivery},
				Fact: &domain.AttemptFinished{Result: domain.AttemptResult{
					AttemptEnd: domain.AttemptEnd{
						Number: 1, Outcome: domain.OutcomeSucceeded, StatusCode: 200, DurationUS: 1234, FinishedAt: now,
						Status: domain.DeliverySucceeded, RequestBytes: 48, AnswerBytes: 2, RemoteAddr: "192.0.2.7:443",
					},
					Exchange: domain.Exchange{Request: domain.SentRequest{
						Method: "POST", URL: "https://receiver.example/hooks",
						Headers:    []domain.Header{{Name: "Content-Type", Value: "application/json"}, {Name: "Webhook-Id", Value: event.String()}},
						BodySHA256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
					}},
				}, Body: []byte("ok")},
			})
		}
		entries, err := domain.AppendOne(context.Background(), log, group)
		if err != nil {
			t.Fatal(err)
		}
		last = entries[len(entries)-1].Sequence
	}
	return last
}

var isolation = flag.Duration("isolation", 2*time.Second, "for how long BenchmarkAppend appends without and with an export")

// BenchmarkAppend measures another tenant's appends, one every millisecond, without and with an export beside them, which
// may at most double the 99th percentile:
//
//	go test ./adapters/export -run '^$' -bench Append -benchtime 1x -deliveries 200000 -isolation 20s -timeout 30m
func BenchmarkAppend(b *testing.B) {
	ctx := context.Background()
	log, tables, last := openBench(b)
	other := domain.TenantID("other")
	if _, err := domain.AppendOne(ctx, log, domain.Group{Drafts: []domain.Draft{{
		Tenant: other, Stream: domain.Stream{Kind: domain.StreamTenant, ID: domain.NewUUID()},
		Fact: &domain.TenantCreated{Tenant: domain.TenantConfig{ID: other, Name: "other", WebhooksEnabled: true}},
	}}}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		alone := appendLatency(b, log, other)
		exporting, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() {
			for exporting.Err() == nil {
				x := &domain.Export{ID: domain.NewUUID(), Tenant: domain.DefaultTenant, Order: domain.ExportOrder{
					Query: domain.ExportQuery{What: domain.ExportDeliveries, Format: domain.FormatNDJSON}, Sequence: last,
				}}
				if _, err := export.WritePaced(exporting, log, tables, x, b.TempDir()+x.ID.String()); err != nil && exporting.Err() == nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		beside := appendLatency(b, log, other)
		stop()
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(alone.Microseconds())/1000, "p99-alone-ms")
		b.ReportMetric(float64(beside.Microseconds())/1000, "p99-beside-ms")
	}
}

// appendLatency is the 99th percentile of appends of single events.
func appendLatency(b *testing.B, log domain.Log, tenant domain.TenantID) time.Duration {
	b.Helper()
	var mu sync.Mutex // guards took
	var took []time.Duration
	var appending sync.WaitGroup
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for began := time.Now(); time.Since(began) < *isolation; {
		<-ticker.C
		appending.Go(func() {
			began := time.Now()
			_, err := domain.AppendOne(context.Background(), log, domain.Group{Drafts: []domain.Draft{{
				Tenant: tenant, Stream: domain.Stream{Kind: domain.StreamEvent, ID: domain.NewUUID()},
				Fact: &domain.EventAppended{Data: []byte("1"), Routing: domain.Routing{Complete: true}},
			}}})
			if err != nil {
				b.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(began))
		})
	}
	appending.Wait()
	slices.Sort(took)
	return took[len(took)*99/100]
}
