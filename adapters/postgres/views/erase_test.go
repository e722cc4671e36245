package views_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
	"github.com/hooktrail/hooktrail/adapters/postgres/seal/sealtest"
	"github.com/hooktrail/hooktrail/adapters/postgres/views"
	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
	"github.com/hooktrail/hooktrail/projections/historytest"
)

// changedLog shows entries changed, whichever way they are read.
type changedLog struct {
	views.Log
	change func(domain.Entry) domain.Entry
}

func (l *changedLog) all(entries []domain.Entry, err error) ([]domain.Entry, error) {
	changed := slices.Clone(entries)
	for i := range changed {
		changed[i] = l.change(changed[i])
	}
	return changed, err
}

func (l *changedLog) Page(ctx context.Context, after domain.Position, limit int) ([]domain.Entry, error) {
	return l.all(l.Log.Page(ctx, after, limit))
}

func (l *changedLog) Entries(
	ctx context.Context, tenant domain.TenantID, sequences []domain.Sequence,
) ([]domain.Entry, error) {
	return l.all(l.Log.Entries(ctx, tenant, sequences))
}

func (l *changedLog) Streams(
	ctx context.Context, tenant domain.TenantID, streams []domain.Stream, upTo domain.Sequence,
) ([]domain.Entry, error) {
	return l.all(l.Log.Streams(ctx, tenant, streams, upTo))
}

// tenantsOwn is what a snapshot has of deliveries that no erasure may change.
func tenantsOwn(s historytest.Snapshot) (own struct {
	Deliveries []projections.Delivery
	Attempts   [][]projections.Attempt
},
) {
	own.Deliveries = s.Deliveries
	for _, attempts := range s.Attempts {
		attempts = slices.Clone(attempts)
		for i := range attempts {
			a := &attempts[i]
			a.Erased, a.BodySize = false, 0
			if a.Result != nil {
				a.Result = &domain.AttemptResult{AttemptEnd: a.Result.AttemptEnd}
			}
		}
		own.Attempts = append(own.Attempts, attempts)
	}
	return own
}

// answers are what a tenant's views answer as of a sequence.
type answers struct {
	historytest.Snapshot
	historytest.Present
}

// answersOf reads what views answer as of every sequence of every tenant that a history speaks of.
func answersOf(r *rapid.T, h *historytest.History, v projections.Views) map[domain.TenantID][]answers {
	ends := make(map[domain.TenantID]domain.Sequence)
	for _, e := range h.Entries {
		ends[e.Tenant] = e.Sequence
	}
	all := make(map[domain.TenantID][]answers)
	for tenant, end := range ends {
		for at := range end + 1 {
			s, p := take(r, v, tenant, -1, projections.AsOf{Sequence: at, Set: true})
			all[tenant] = append(all[tenant], answers{s, p})
		}
	}
	return all
}

// sameOwn holds answers to have the same of deliveries, attempts and health, whatever was erased between them.
func sameOwn(r *rapid.T, before, after map[domain.TenantID][]answers) {
	for tenant, all := range before {
		for at := range all {
			if diff := cmp.Diff(tenantsOwn(all[at].Snapshot), tenantsOwn(after[tenant][at].Snapshot)); diff != "" {
				r.Fatalf("tenant %s as of %d (-before +after):\n%s", tenant, at, diff)
			}
			if diff := cmp.Diff(all[at].Health, after[tenant][at].Health); diff != "" {
				r.Fatalf("health in tenant %s (-before +after):\n%s", tenant, diff)
			}
		}
	}
}

// TestViews_ErasureChangesNoFold folds random histories, and folds them again when all that is of persons is destroyed:
// no delivery's status, endpoint, attempts or health is another, as of any sequence.
func TestViews_ErasureChangesNoFold(t *testing.T) {
	t.Parallel()
	f := openFolded(t, nil)
	rapid.Check(t, func(r *rapid.T) {
		if f.memory.Cursor() > 150 {
			return
		}
		h := historytest.New(r, f, f.memory)
		for range 40 {
			h.Step()
		}
		awaitFold(t, f, h.Entries[len(h.Entries)-1])
		before := answersOf(r, h, f.views)
		erased := &changedLog{f.Log, func(e domain.Entry) domain.Entry {
			if e.Stream.Kind == domain.StreamEvent || e.Stream.Kind == domain.StreamDelivery {
				return historytest.Erase(t, e)
			}
			return e
		}}
		again := views.NewViews(f.pool, erased, nil)
		if err := again.Rebuild(t.Context(), nil); err != nil {
			r.Fatal(err)
		}
		sameOwn(r, before, answersOf(r, h, again))
	})
}

// TestViews_EachErasureChangesNoFold destroys the secrets of a random history's persons one after another, in random
// order. After each, what is folded by a process that never saw them has the same deliveries, attempts and health as of
// any sequence, and so have the views as they are; the entries about the erased, and no others, are erased.
func TestViews_EachErasureChangesNoFold(t *testing.T) {
	t.Parallel()
	f := openFolded(t, nil)
	erasures := 0
	rapid.Check(t, func(r *rapid.T) {
		if erasures >= 3 {
			return
		}
		h := historytest.New(r, f, f.memory)
		for range 40 {
			h.Step()
		}
		awaitFold(t, f, h.Entries[len(h.Entries)-1])
		before := answersOf(r, h, f.views)
		by := make(map[domain.UUID]domain.Sequence) // each person's secret, with an entry to say that it was destroyed
		var keys []domain.UUID
		for _, e := range h.Entries {
			if key := e.SubjectKey; !key.IsZero() && by[key] == 0 && e.Stream.Kind == domain.StreamEvent && e.Sequence > 0 {
				by[key] = e.Sequence
				keys = append(keys, key)
			}
		}
		if len(keys) == 0 {
			return
		}
		gone := make(map[domain.UUID]bool)
		for _, key := range rapid.Permutation(keys).Draw(r, "the order of erasures") {
			sealtest.Destroy(t, f.db.AdminURL, key, by[key])
			gone[key] = true
			erasures++
			sameOwn(r, before, answersOf(r, h, f.views))
			fresh, err := eventlog.Open(t.Context(), eventlog.Config{URL: f.db.URL, MasterKey: f.key, ReadConnections: 2})
			if err != nil {
				r.Fatal(err)
			}
			again := views.NewViews(f.pool, fresh, nil)
			if err := again.Rebuild(t.Context(), nil); err != nil {
				r.Fatal(err)
			}
			sameOwn(r, before, answersOf(r, h, again))
			for _, e := range h.Entries {
				now, err := fresh.Entries(t.Context(), e.Tenant, []domain.Sequence{e.Sequence})
				if err != nil || len(now) != 1 || now[0].Erased != gone[e.SubjectKey] || now[0].Damaged {
					r.Fatalf("entry %d of %s, of %s: %+v, %v", e.Sequence, e.Tenant, e.SubjectKey, now, err)
				}
			}
			fresh.Close()
		}
	})
	if erasures == 0 {
		t.Error("nobody was erased: nothing was tried")
	}
}

// TestViews_ErasedEvent: an event of whom it is about was erased is shown as such, without being folded again, isn't
// found by the subject, and goes on to be delivered.
func TestViews_ErasedEvent(t *testing.T) {
	t.Parallel()
	f := openFolded(t, nil)
	draft, delivery := sent(domain.NewUUID())
	draft.Subject = "ann"
	draft.Fact.(*domain.EventAppended).Event.Subject = "ann"
	made := f.mustAppend(t, group(draft))[0]
	awaitFold(t, f, made)
	about := func(subject string) (rows []projections.Event) {
		t.Helper()
		err := f.views.Read(t.Context(), domain.DefaultTenant, -1, func(r projections.Reader) (err error) {
			rows, err = r.Events(t.Context(), projections.EventFilter{Subject: subject}, projections.Page{Limit: 10})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	if rows := about("ann"); len(rows) != 1 || rows[0].Attrs.Subject != "ann" || rows[0].DataSize == 0 {
		t.Fatalf("about ann: %+v", rows)
	}
	if rows := about("bob"); len(rows) != 0 {
		t.Fatalf("about bob: %+v", rows)
	}
	sealtest.Destroy(t, f.db.AdminURL, made.SubjectKey, made.Sequence)
	if rows := about("ann"); len(rows) != 0 {
		t.Errorf("about ann, who was erased: %+v", rows)
	}
	all := about("")
	if len(all) != 1 || !all[0].Erased || all[0].Attrs.ID != "" || all[0].Attrs.Subject != "" || all[0].Attrs.Type != "test.made" {
		t.Errorf("the erased event: %+v", all)
	}
	end := finished(delivery, 0, 1, domain.OutcomeSucceeded, domain.DeliverySucceeded)
	end.SubjectKey = made.SubjectKey
	awaitFold(t, f, f.mustAppend(t, group(end))[0])
	err := f.views.Read(t.Context(), domain.DefaultTenant, -1, func(r projections.Reader) error {
		d, err := r.Delivery(t.Context(), delivery, projections.AsOf{})
		if err != nil || d.Status != domain.DeliverySucceeded || d.Attempts != 1 {
			t.Errorf("its delivery: %+v, %v", d, err)
		}
		attempts, err := r.Attempts(t.Context(), delivery, projections.AsOf{})
		if err != nil || len(attempts) != 1 || attempts[0].Result == nil || attempts[0].Result.Outcome != domain.OutcomeSucceeded {
			t.Errorf("its attempts: %+v, %v", attempts, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if differences, err := f.views.VerifyViews(t.Context(), nil); err != nil || len(differences) > 0 {
		t.Errorf("after the erasure the views differ: %+v, %v", differences, err)
	}
}

// TestViews_NothingPersonal: what identifies a person, or says what was sent, is in no table of the views.
func TestViews_NothingPersonal(t *testing.T) {
	t.Parallel()
	const secret = "pers0nal"
	f := openFolded(t, nil)
	draft, delivery := sent(domain.NewUUID())
	fact := draft.Fact.(*domain.EventAppended)
	draft.Subject, fact.Event.Subject, fact.Event.Source = secret, secret, "https://"+secret+".example"
	fact.Event.ID, fact.Event.DataSchema, fact.Event.Extensions = secret, "https://schema.example/"+secret, map[string]domain.Extension{"who": domain.ExtensionText(secret)}
	fact.Data = []byte(`"` + secret + `"`)
	end := finished(delivery, 0, 1, domain.OutcomeFailed, domain.DeliveryDead)
	end.Fact.(*domain.AttemptFinished).Body = []byte(secret)
	result := &end.Fact.(*domain.AttemptFinished).Result
	result.Detail, result.Request.URL = secret, "https://receiver.example/"+secret
	config, key := adminKey(domain.NewUUID())
	config.Name, config.Principal = secret, secret
	key.Fact, key.Subject = &domain.KeyCreated{Key: config}, config.Subject()
	f.mustAppend(t, group(draft), group(end))
	awaitFold(t, f, f.mustAppend(t, group(key))[0])
	admin := connect(t, f.db.AdminURL)
	mustExec(t, admin, `ANALYZE`)
	rows, err := admin.Query(t.Context(), `
		SELECT c.relname FROM pg_class AS c JOIN pg_policy AS p ON p.polrelid = c.oid WHERE c.relkind = 'r' GROUP BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) < 10 {
		t.Fatalf("the tables of the views: %v, %v", tables, err)
	}
	for _, table := range append(tables, "pg_stats") {
		var found int
		sql := `SELECT count(*) FROM ` + table + ` AS x WHERE x::text LIKE '%' || $1 || '%' OR x::text LIKE '%' || encode($1::bytea, 'hex') || '%'`
		if err := admin.QueryRow(t.Context(), sql, secret).Scan(&found); err != nil || found > 0 {
			t.Errorf("%s has it in %d rows, %v", table, found, err)
		}
	}
}

// TestViews_Damaged: an event whose content doesn't open keeps its place in lists and through a rebuild, marked, and so
// does what follows from it.
func TestViews_Damaged(t *testing.T) {
	t.Parallel()
	log := open(t)
	draft, delivery := sent(domain.NewUUID())
	lost, lostDelivery := sent(domain.NewUUID())
	made := log.mustAppend(t, group(draft), group(lost))
	end := finished(delivery, 0, 1, domain.OutcomeFailed, domain.DeliveryRetrying)
	other := finished(lostDelivery, 0, 1, domain.OutcomeSucceeded, domain.DeliverySucceeded)
	end.Cause, other.Cause = made[0].Sequence, made[1].Sequence
	last := log.mustAppend(t, group(end), group(other))
	damaged := &changedLog{log.Log, func(e domain.Entry) domain.Entry {
		if e.Position == made[1].Position || e.Position == last[0].Position {
			e.Fact, e.Damaged = nil, true
		}
		return e
	}}
	v := views.NewViews(newPool(t, log.db.URL), damaged, nil)
	if err := v.Rebuild(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	err := v.Read(t.Context(), domain.DefaultTenant, last[1].Sequence, func(r projections.Reader) error {
		events, err := r.Events(t.Context(), projections.EventFilter{}, projections.Page{Limit: 10})
		if err != nil || len(events) != 2 || events[0].Damaged || !events[1].Damaged || events[1].ID != made[1].Stream.ID {
			t.Errorf("the events: %+v, %v", events, err)
		}
		d, err := r.Delivery(t.Context(), delivery, projections.AsOf{})
		if err != nil || d.Open || d.Status != domain.DeliveryRetrying || d.Version != 1 {
			t.Errorf("the delivery with a damaged step: %+v, %v", d, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if differences, err := v.VerifyViews(t.Context(), nil); err != nil || len(differences) > 0 {
		t.Errorf("%+v, %v", differences, err)
	}
}

// TestViews_AheadOfTheLog: views that reflect more than the log has answer nothing, and their follower stops, without
// ending.
func TestViews_AheadOfTheLog(t *testing.T) {
	t.Parallel()
	f := openFolded(t, nil)
	made := f.mustAppend(t, group(event(`1`)))[0]
	awaitFold(t, f, made)
	f.halt()
	admin := connect(t, f.db.AdminURL)
	mustExec(t, admin, `UPDATE cursors SET position = position + 1000`)
	err := f.views.Read(t.Context(), domain.DefaultTenant, -1, func(projections.Reader) error { return nil })
	if !errors.Is(err, views.ErrAhead) {
		t.Errorf("a read answers %v", err)
	}
	if _, err := f.views.LoadConfig(t.Context(), made.Position); !errors.Is(err, views.ErrAhead) {
		t.Errorf("the configuration is loaded: %v", err)
	}
	differences, err := f.views.VerifyViews(t.Context(), nil)
	if err != nil || len(differences) != 1 || differences[0].Table != "cursors" {
		t.Errorf("their cursor is beyond the log: %+v, %v", differences, err)
	}
	stopped := views.NewFollower(views.FollowerConfig{Pool: f.pool, Log: f.opened, Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- stopped.Run(ctx) }()
	waitFor(t, "the fact", func() bool { return len(stops(t, f.opened)) > 0 })
	select {
	case err := <-done:
		t.Errorf("the follower has ended: %v", err)
	default:
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := f.views.Rebuild(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if differences, err := f.views.VerifyViews(t.Context(), nil); err != nil || len(differences) > 0 {
		t.Errorf("after a rebuild: %+v, %v", differences, err)
	}
}
