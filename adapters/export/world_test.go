package export_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/export"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/domain/logtest"
	"github.com/hooktrail/hooktrail/projections/memorytest"
)

// memoryLog is the log in memory with what exports read of one.
type memoryLog struct{ *logtest.Memory }

func (l memoryLog) Entries(ctx context.Context, tenant domain.TenantID, sequences []domain.Sequence) ([]domain.Entry, error) {
	return l.some(ctx, tenant, func(e *domain.Entry) bool { return slices.Contains(sequences, e.Sequence) })
}

func (l memoryLog) Streams(
	ctx context.Context, tenant domain.TenantID, streams []domain.Stream, upTo domain.Sequence,
) ([]domain.Entry, error) {
	return l.some(ctx, tenant, func(e *domain.Entry) bool { return e.Sequence <= upTo && slices.Contains(streams, e.Stream) })
}

func (l memoryLog) some(ctx context.Context, tenant domain.TenantID, want func(*domain.Entry) bool) ([]domain.Entry, error) {
	all, err := domain.Select(ctx, l.Memory, domain.Query{Tenant: tenant, Limit: 1 << 20})
	return slices.DeleteFunc(all, func(e domain.Entry) bool { return !want(&e) }), err
}

// leases are those of a log, of which only this process's nodes live.
type leases struct {
	memoryLog
	nodes []domain.UUID
}

// Standing implements export.Leases.
func (l *leases) Standing(ctx context.Context) (domain.Standing, error) {
	var s domain.Standing
	taken, err := domain.Select(ctx, l, domain.Query{Tenant: domain.InstanceTenant, Kind: domain.KindLeaseTaken, Limit: 1000})
	for _, e := range taken {
		if f, ok := e.Fact.(*domain.LeaseTaken); ok {
			s.Leases = []domain.Lease{{Name: f.Leases[0].Name, Owner: f.Node, Epoch: f.Leases[0].Epoch}}
		}
	}
	for _, n := range l.nodes {
		l.Heartbeat(n)
		s.Nodes = append(s.Nodes, domain.Node{ID: n})
	}
	return s, err
}

// world is an instance in memory whose exports are written by a Runner.
type world struct {
	testing.TB
	log    memoryLog
	views  *memorytest.Memory
	runner *export.Runner
	set    export.Settings
	node   domain.UUID
}

const acme = domain.TenantID("acme")

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, log: memoryLog{logtest.NewMemory(nil)}, views: memorytest.New(), node: domain.NewUUID()}
	store, err := export.NewDir(t.TempDir() + "/files")
	if err != nil {
		t.Fatal(err)
	}
	w.set = export.Settings{
		Log: w.log, Views: w.views, Leases: &leases{w.log, []domain.UUID{w.node}}, Store: store, Work: t.TempDir(), Node: w.node,
		Quota: 1 << 30, TenantQuota: 1 << 28, Tick: 5 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	}
	w.runner = export.NewRunner(w.set)
	for _, id := range []domain.TenantID{domain.InstanceTenant, acme, "other"} {
		w.append(domain.Draft{
			Tenant: id, Stream: domain.Stream{Kind: domain.StreamTenant, ID: domain.NewUUID()},
			Fact: &domain.TenantCreated{Tenant: domain.TenantConfig{ID: id, Name: string(id), WebhooksEnabled: true}},
		})
	}
	return w
}

func (w *world) append(drafts ...domain.Draft) []domain.Entry {
	w.Helper()
	entries, err := domain.AppendOne(context.Background(), w.log, domain.Group{Drafts: drafts})
	if err != nil {
		w.Fatal(err)
	}
	return entries
}

// run has the views follow the log and a runner write exports until stop is called.
func (w *world) run() (stop func()) {
	w.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- w.views.Follow(ctx, w.log) }()
	go func() { done <- w.runner.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				w.Error(err)
			}
		}
	}
	w.Cleanup(stop)
	return stop
}

func (w *world) head(tenant domain.TenantID) domain.Sequence {
	w.Helper()
	last, err := domain.Select(context.Background(), w.log, domain.Query{Tenant: tenant, Descending: true, Limit: 1, HeadersOnly: true})
	if err != nil || len(last) == 0 {
		w.Fatal(err, len(last))
	}
	return last[0].Sequence
}

// order asks for an export as of the log's end.
func (w *world) order(tenant domain.TenantID, q domain.ExportQuery) domain.UUID {
	w.Helper()
	return w.orderAt(tenant, q, w.head(tenant))
}

func (w *world) orderAt(tenant domain.TenantID, q domain.ExportQuery, at domain.Sequence) domain.UUID {
	w.Helper()
	fact, err := domain.CreateExport(q, at, domain.DefaultExportKeep)
	if err != nil {
		w.Fatal(err)
	}
	id := domain.NewUUID()
	w.append(domain.Draft{Tenant: tenant, Stream: domain.Stream{Kind: domain.StreamExport, ID: id}, Fact: fact})
	return id
}

// ended waits until an export has ended.
func (w *world) ended(tenant domain.TenantID, id domain.UUID) domain.Export {
	w.Helper()
	return w.when(tenant, id, func(x *domain.Export) bool { return x.Status != domain.ExportQueued })
}

func (w *world) when(tenant domain.TenantID, id domain.UUID, want func(*domain.Export) bool) domain.Export {
	w.Helper()
	for began := time.Now(); ; time.Sleep(2 * time.Millisecond) {
		found, err := w.runner.Exports(context.Background(), tenant, []domain.UUID{id})
		if err != nil || len(found) != 1 {
			w.Fatalf("%d exports, %v", len(found), err)
		}
		if want(&found[0]) {
			return found[0]
		}
		if time.Since(began) > 20*time.Second {
			w.Fatalf("the export stays %s: %+v", found[0].Status, found[0])
		}
	}
}
