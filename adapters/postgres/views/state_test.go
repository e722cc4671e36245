package views_test

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/hooktrail/hooktrail/adapters/postgres/views"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
	"github.com/hooktrail/hooktrail/projections/historytest"
)

// What a dispatcher loads is what they would have folded themselves.
func TestViews_State(t *testing.T) {
	t.Parallel()
	f := openFolded(t, nil)
	var entries []domain.Entry // of the whole log
	rapid.Check(t, func(t *rapid.T) {
		h := historytest.New(t, f, f.memory)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			h.Step()
		}
		last := h.Entries[len(h.Entries)-1]
		after := domain.Position(len(entries))
		for after < last.Position {
			page, err := f.Page(context.Background(), after, 1000)
			if err != nil {
				t.Fatal(err)
			}
			entries = append(entries, page...)
			after = domain.Position(len(entries))
		}
		err := f.views.Read(context.Background(), last.Tenant, last.Sequence, func(projections.Reader) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		at := domain.Position(rapid.IntRange(1, len(entries)).Draw(t, "position"))
		checkConfig(t, f, entries[:at])
		checkWaiting(t, f, h)
	})
}

func checkConfig(t *rapid.T, f *folded, entries []domain.Entry) {
	want := projections.NewConfig()
	for _, e := range entries {
		if err := projections.Apply(want, e); err != nil {
			t.Fatal(err)
		}
	}
	got, err := f.views.LoadConfig(context.Background(), want.Cursor())
	if err != nil {
		t.Fatal(err)
	}
	if got.Cursor() != want.Cursor() {
		t.Fatalf("as of %d, want %d", got.Cursor(), want.Cursor())
	}
	byID := func(a, b projections.Endpoint) int { return cmp.Compare(a.ID.String(), b.ID.String()) }
	if diff := gocmp.Diff(slices.SortedFunc(slices.Values(want.Endpoints()), byID), slices.SortedFunc(slices.Values(got.Endpoints()), byID)); diff != "" {
		t.Fatalf("endpoints at %d (-folded +loaded):\n%s", want.Cursor(), diff)
	}
	for _, e := range entries {
		if e.Sequence > 0 {
			continue
		}
		if diff := gocmp.Diff(want.Subscriptions(e.Tenant), got.Subscriptions(e.Tenant)); diff != "" {
			t.Fatalf("subscriptions at %d (-folded +loaded):\n%s", want.Cursor(), diff)
		}
		if want.Snapshot(e.Tenant).Configured() != got.Snapshot(e.Tenant).Configured() {
			t.Fatalf("the configuration of %s at %d is that of sequence %d, want %d",
				e.Tenant, want.Cursor(), got.Snapshot(e.Tenant).Configured(), want.Snapshot(e.Tenant).Configured())
		}
		wantTenant, _ := want.Tenant(e.Tenant)
		gotTenant, _ := got.Tenant(e.Tenant)
		if diff := gocmp.Diff(wantTenant, gotTenant); diff != "" {
			t.Fatalf("tenant at %d (-folded +loaded):\n%s", want.Cursor(), diff)
		}
	}
}

// checkWaiting holds the waiting deliveries of the history's endpoints against the memory.
func checkWaiting(t *rapid.T, f *folded, h *historytest.History) {
	ctx := context.Background()
	want := make(map[domain.UUID][]domain.WaitingDelivery)
	seen := make(map[domain.TenantID]bool)
	for _, e := range h.Entries {
		if seen[e.Tenant] {
			continue
		}
		seen[e.Tenant] = true
		s, present := take(t, f.memory, e.Tenant, -1, projections.AsOf{})
		checkHealth(t, f, present.Health)
		for _, d := range s.Deliveries {
			if d.Open || !d.Status.Ended() {
				want[d.Endpoint] = append(want[d.Endpoint], domain.WaitingDelivery{Delivery: d.Delivery, Position: d.Created.Position})
			}
		}
	}
	outstanding, as, err := f.views.Outstanding(ctx)
	if err != nil || as != f.memory.Cursor() {
		t.Fatalf("outstanding as of %d: %v", as, err)
	}
	for endpoint, rows := range want {
		if !slices.Contains(outstanding, endpoint) {
			t.Errorf("endpoint %s isn't outstanding", endpoint)
		}
		slices.SortFunc(rows, func(a, b domain.WaitingDelivery) int {
			return cmp.Or(a.Delivery.NextAttemptAt.Compare(b.Delivery.NextAttemptAt), cmp.Compare(a.Position, b.Position))
		})
		if diff := gocmp.Diff(rows, walkWaiting(t, f, endpoint)); diff != "" {
			t.Fatalf("waiting for %s (-memory +tables):\n%s", endpoint, diff)
		}
	}
}

// checkHealth holds the health of endpoints, as it is read across tenants, against the memory.
func checkHealth(t *rapid.T, f *folded, want map[domain.UUID]domain.Health) {
	for endpoint, health := range want {
		got, as, err := f.views.Health(context.Background(), endpoint, f.memory.Cursor())
		if err != nil || as < f.memory.Cursor() || got != health {
			t.Fatalf("the health of %s as of %d is %+v, want %+v (%v)", endpoint, as, got, health, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, as, err := f.views.Health(ctx, domain.NewUUID(), f.memory.Cursor()+1); err == nil {
		t.Fatalf("the health beyond %d is answered as of %d", f.memory.Cursor(), as)
	}
}

func walkWaiting(t *rapid.T, f *folded, endpoint domain.UUID) (all []domain.WaitingDelivery) {
	q := domain.WaitingQuery{Endpoint: endpoint, Limit: 2}
	for {
		rows, _, err := f.views.Waiting(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) == 0 {
			return all
		}
		all = append(all, rows...)
		last := rows[len(rows)-1]
		q.After = domain.WaitingKey{Due: last.Delivery.NextAttemptAt, Position: last.Position}
	}
}

// The window of a dispatcher must not cost what all waits: with row-level security, Postgres uses an index only for
// conditions that it holds to be leakproof.
func TestViews_WaitingGoesByTheIndex(t *testing.T) {
	t.Parallel()
	conn := connect(t, open(t).db.URL)
	mustExec(t, conn, `SET enable_seqscan = off`)
	rows, err := conn.Query(t.Context(), `EXPLAIN SELECT delivery FROM undelivered
		WHERE waits AND endpoint = '00000000-0000-0000-0000-000000000001'
		  AND (next_attempt_at, created_position) > ('-infinity'::timestamptz, 1)
		ORDER BY next_attempt_at, created_position LIMIT 10`)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	plan := strings.Join(lines, "\n")
	if !strings.Contains(plan, "undelivered_waiting") || !regexp.MustCompile(`Index Cond:.*created_position`).MatchString(plan) {
		t.Errorf("the plan doesn't go by the index:\n%s", plan)
	}
}

// TestViews_SameRowsFromMemory: an entry is folded into the same row whether it is still in memory as it was appended,
// with no list, or read from the log, with an empty one.
func TestViews_SameRowsFromMemory(t *testing.T) {
	t.Parallel()
	f := openFolded(t, nil)
	config, draft := adminKey(domain.NewUUID())
	config.Registration = &domain.Registration{Quota: 1} // with no list of types
	draft.Fact = &domain.KeyCreated{Key: config}
	awaitFold(t, f, f.mustAppend(t, group(draft))[0])
	cold := &changedLog{f.Log, func(e domain.Entry) domain.Entry {
		if f, ok := e.Fact.(*domain.KeyCreated); ok && f.Key.Registration != nil {
			key := f.Key
			registration := *key.Registration
			registration.EventTypes = []domain.Pattern{}
			key.Registration = &registration
			e.Fact = &domain.KeyCreated{Key: key}
		}
		return e
	}}
	differences, err := views.NewViews(f.pool, cold, nil).VerifyViews(t.Context(), nil)
	if err != nil || len(differences) > 0 {
		t.Errorf("%+v, %v", differences, err)
	}
}

func TestViews_LoadDirectory(t *testing.T) {
	t.Parallel()
	f := openFolded(t, nil)
	id := domain.NewUUID()
	config, draft := adminKey(id)
	awaitFold(t, f, f.mustAppend(t, group(draft))[0])
	d, err := f.views.LoadDirectory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if k, ok := d.KeyByHash([32]byte{7}); !ok || k.ID != id || k.Tenant != domain.DefaultTenant || k.Name != "k" {
		t.Errorf("the key isn't there: %+v", k)
	}
	if _, ok := d.Tenant(domain.DefaultTenant); !ok {
		t.Error("the tenant isn't there")
	}
	draft.Expected, draft.Fact = 1, &domain.KeyRevoked{Key: config}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	followed := make(chan error, 1)
	go func() { followed <- d.Follow(ctx, f) }()
	if err := d.Await(ctx, f.mustAppend(t, group(draft))[0].Position); err != nil {
		t.Fatal(err)
	}
	if _, ok := d.KeyByHash([32]byte{7}); ok {
		t.Error("the revoked key still opens")
	}
	cancel()
	if err := <-followed; err != nil {
		t.Error(err)
	}
}

// adminKey drafts a key whose hash begins with 7.
func adminKey(id domain.UUID) (domain.KeyConfig, domain.Draft) {
	config := domain.KeyConfig{
		KeyRights: domain.KeyRights{ID: id, Role: domain.RoleAdmin, Hash: make([]byte, 32)},
		KeyNames:  domain.KeyNames{Name: "k", Principal: "p"},
	}
	config.Hash[0] = 7
	return config, domain.Draft{
		Tenant: domain.DefaultTenant, Stream: domain.Stream{Kind: domain.StreamKey, ID: id}, Fact: &domain.KeyCreated{Key: config},
		Subject: config.Subject(),
	}
}
