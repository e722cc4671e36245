package views_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
	"github.com/hooktrail/hooktrail/adapters/postgres/seal"
	"github.com/hooktrail/hooktrail/adapters/postgres/views"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/migrations/migratetest"
)

var _ views.Log = (*eventlog.Log)(nil)

// opened is a log that runs, on a database of its own.
type opened struct {
	*eventlog.Log
	db  migratetest.Database
	key *seal.MasterKey
}

// open opens the log of a new database, runs it and bootstraps it.
func open(t testing.TB) *opened {
	t.Helper()
	return openIn(t, migratetest.Open(t))
}

func openIn(t testing.TB, db migratetest.Database) *opened {
	t.Helper()
	key, err := seal.LoadOrCreateMasterKey(filepath.Join(t.TempDir(), "master.json"))
	if err != nil {
		t.Fatal(err)
	}
	log, err := eventlog.Open(t.Context(), eventlog.Config{
		URL: db.URL, MasterKey: key, InstanceName: "test", Logger: slog.New(slog.DiscardHandler), ReadConnections: 4,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- log.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run the log: %v", err)
		}
		log.Close()
	})
	if err := eventlog.Bootstrap(t.Context(), log); err != nil {
		t.Fatal(err)
	}
	return &opened{Log: log, db: db, key: key}
}

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

// event drafts an event of the default tenant that goes nowhere.
func event(data string) domain.Draft {
	return domain.Draft{
		Tenant: domain.DefaultTenant, Stream: domain.Stream{Kind: domain.StreamEvent, ID: domain.NewUUID()},
		Fact: &domain.EventAppended{
			Event: domain.EventAttributes{
				EventClass:    domain.EventClass{Type: "test.made", SchemaVersion: "v1"},
				EventIdentity: domain.EventIdentity{ID: fmt.Sprintf("%x", len(data)), Source: "/test"},
			},
			Data: []byte(data), Routing: domain.Routing{Complete: true},
		},
	}
}

// sent drafts an event with one delivery, of which its entry starts the first attempt.
func sent(endpoint domain.UUID) (draft domain.Draft, delivery domain.UUID) {
	draft, delivery = event(`{"a":1}`), domain.NewUUID()
	draft.Fact.(*domain.EventAppended).Routing.Deliveries = []domain.RoutedDelivery{{
		ID: delivery, Endpoint: endpoint, EndpointVersion: 1,
		Subscriptions: []domain.SubscriptionMatch{{ID: domain.UUID{1}, Version: 1}},
		First:         &domain.AttemptStarted{Number: 1, EndpointVersion: 1, TimeoutMS: 15000, Node: domain.UUID{2}},
	}}
	return draft, delivery
}

// finished drafts the end of an attempt of a delivery.
func finished(
	delivery domain.UUID, version, number int, outcome domain.AttemptOutcome, status domain.DeliveryStatus,
) domain.Draft {
	end := domain.AttemptEnd{Number: number, Outcome: outcome, Status: status, FinishedAt: time.Unix(1e9, 0).UTC()}
	if status == domain.DeliveryRetrying {
		end.NextAttemptAt = time.Unix(2e9, 0).UTC()
	}
	return domain.Draft{
		Tenant: domain.DefaultTenant, Stream: domain.Stream{Kind: domain.StreamDelivery, ID: delivery}, Expected: version,
		Fact: &domain.AttemptFinished{Result: domain.AttemptResult{AttemptEnd: end}},
	}
}

// started drafts the start of a later attempt.
func started(delivery domain.UUID, version, number int) domain.Draft {
	return domain.Draft{
		Tenant: domain.DefaultTenant, Stream: domain.Stream{Kind: domain.StreamDelivery, ID: delivery}, Expected: version,
		Fact: &domain.AttemptStarted{Number: number, EndpointVersion: 1, TimeoutMS: 15000, Node: domain.UUID{2}},
	}
}

func group(drafts ...domain.Draft) domain.Group { return domain.Group{Drafts: drafts} }

func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func mustExec(t testing.TB, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// code is the SQLSTATE of an error.
func code(err error) string {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return server.Code
	}
	return fmt.Sprint(err)
}

func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(20 * time.Second)
	for !done() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
