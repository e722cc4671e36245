package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/migrations/migratetest"
)

// opened is a log that runs, on a database of its own.
type opened struct {
	*eventlog.Log
	db      migratetest.Database
	key     *seal.MasterKey
	keyFile string
	stop    func()
}

// open opens the log of a new database, runs it and bootstraps it.
func open(t testing.TB, configure ...func(*eventlog.Config)) *opened {
	t.Helper()
	return openIn(t, migratetest.Open(t), configure...)
}

func openIn(t testing.TB, db migratetest.Database, configure ...func(*eventlog.Config)) *opened {
	t.Helper()
	keyFile := filepath.Join(t.TempDir(), "master.json")
	key, err := seal.LoadOrCreateMasterKey(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	log := reopen(t, db, key, configure...)
	log.keyFile = keyFile
	if err := eventlog.Bootstrap(t.Context(), log); err != nil {
		t.Fatal(err)
	}
	return log
}

// reopen opens another Log on the same database and runs it.
func reopen(t testing.TB, db migratetest.Database, key *seal.MasterKey, configure ...func(*eventlog.Config)) *opened {
	t.Helper()
	config := eventlog.Config{URL: db.URL, MasterKey: key, InstanceName: "test", Logger: slog.New(slog.DiscardHandler), ReadConnections: 4}
	for _, f := range configure {
		f(&config)
	}
	log, err := eventlog.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- log.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run the log: %v", err)
		}
		log.Close()
	})
	t.Cleanup(stop)
	return &opened{Log: log, db: db, key: key, stop: stop}
}

// check verifies the whole log.
func (o *opened) check(t testing.TB) {
	t.Helper()
	// A connection that a test has killed while nobody used it fails whoever uses it next.
	waitFor(t, "the log to be readable", func() bool {
		_, err := eventlog.CheckLog(context.Background(), o.Log, eventlog.CheckOptions{})
		if err != nil && !errors.Is(err, domain.ErrUnavailable) {
			t.Fatal(err)
		}
		return err == nil
	})
}

// event drafts an event of the default tenant.
func event(data string) domain.Draft {
	return domain.Draft{
		Tenant: domain.DefaultTenant, Stream: domain.Stream{Kind: domain.StreamEvent, ID: domain.NewUUID()},
		Fact: &domain.EventAppended{
			Event: domain.EventAttributes{
				EventClass:    domain.EventClass{Type: "test.made", SchemaVersion: "v1"},
				EventIdentity: domain.EventIdentity{ID: fmt.Sprintf("%x", len(data)), Source: "/test"},
			},
			Data: []byte(data),
		},
	}
}

// routed drafts the continuation of an event's routing, as the version that follows.
func routed(stream domain.Stream, version int) domain.Draft {
	return domain.Draft{
		Tenant: domain.DefaultTenant, Stream: stream, Expected: version,
		Fact: &domain.EventRouted{Routing: domain.Routing{Complete: true}},
	}
}

func group(drafts ...domain.Draft) domain.Group { return domain.Group{Drafts: drafts} }

// mustAppend appends groups that are to be taken.
func (o *opened) mustAppend(t testing.TB, groups ...domain.Group) []domain.Entry {
	t.Helper()
	var entries []domain.Entry
	for _, outcome := range o.Append(context.Background(), groups...) {
		if outcome.Err != nil {
			t.Fatal(outcome.Err)
		}
		entries = append(entries, outcome.Entries...)
	}
	return entries
}

func TestLog_Append(t *testing.T) {
	t.Parallel()
	log := open(t)
	log.check(t)
	entries := log.mustAppend(t, group(event(`{"a":1}`), event(`{"a":2}`)), group(event(`{"a":3}`)))
	log.check(t)
	if len(entries) != 3 || entries[0].Position != 5 || entries[0].Sequence != 1 || entries[2].Sequence != 3 {
		t.Errorf("appended %+v", entries)
	}
	var many []domain.Group
	for i := range 700 {
		many = append(many, group(event(fmt.Sprint(i))))
	}
	log.mustAppend(t, many...)
	log.check(t)
}
