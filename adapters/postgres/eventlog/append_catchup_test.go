package eventlog

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/migrations/migratetest"
)

// A process that finds more entries of others than it catches up with forgets which streams it knew, and asks: none of
// those that exist passes for new, nor is refused.
func TestAppend_AfterMoreThanCaughtUp(t *testing.T) {
	t.Parallel()
	db := migratetest.Open(t)
	key, err := seal.LoadOrCreateMasterKey(filepath.Join(t.TempDir(), "master.json"))
	if err != nil {
		t.Fatal(err)
	}
	behind, ahead := runLog(t, db.URL, key, 5), runLog(t, db.URL, key, 5)
	if err := Bootstrap(t.Context(), behind); err != nil {
		t.Fatal(err)
	}
	stream := domain.NewUUID()
	for n, others := range []int{0, 3, 6, 1} { // entries of the other process between two of this one's
		for i := range others {
			id := domain.NewUUID()
			if i == 0 {
				id = stream
			}
			appendTo(t, ahead, id, domain.AnyVersion)
		}
		want := n
		if n > 0 {
			want = 2 * n // the other process appended to the stream as often
		}
		if entry := appendTo(t, behind, stream, want); entry.StreamVersion != want+1 {
			t.Errorf("after %d entries of others: version %d, want %d", others, entry.StreamVersion, want+1)
		}
	}
	if checked, err := CheckLog(t.Context(), behind, CheckOptions{}); err != nil || checked != 4+4+10 {
		t.Errorf("checked up to position %d: %v", checked, err)
	}
}

func runLog(t *testing.T, url string, key *seal.MasterKey, maxCatchUp int) *Log {
	t.Helper()
	config := Config{
		URL: url, MasterKey: key, InstanceName: "test", Logger: slog.New(slog.DiscardHandler), ReadConnections: 2,
	}
	return run(t, config, func(l *Log) { l.maxCatchUp = maxCatchUp })
}

func run(t *testing.T, config Config, change func(*Log)) *Log {
	t.Helper()
	log, err := Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	change(log)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- log.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		log.Close()
	})
	return log
}

func appendTo(t *testing.T, log *Log, stream domain.UUID, expected int) domain.Entry {
	t.Helper()
	entries, err := domain.AppendOne(t.Context(), log, domain.Group{Drafts: []domain.Draft{{
		Tenant: domain.DefaultTenant, Stream: domain.Stream{Kind: domain.StreamEvent, ID: stream}, Expected: expected,
		Fact: &domain.EventRouted{Routing: domain.Routing{Complete: true}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return entries[0]
}
