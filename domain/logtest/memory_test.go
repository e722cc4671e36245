package logtest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/domain/logtest"
)

func TestMemory_Conformance(t *testing.T) {
	t.Parallel()
	logtest.Conformance(t, logtest.Hooks{
		Open: func(*testing.T) domain.Log { return logtest.NewMemory(nil) },
		Heartbeat: func(_ *testing.T, log domain.Log, node domain.UUID) {
			log.(*logtest.Memory).Heartbeat(node)
		},
		Introduce: func(_ *testing.T, log domain.Log, kind domain.Kind, format int) {
			log.(*logtest.Memory).Introduce(kind, format)
		},
	})
}

func TestMemory_Await(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := logtest.NewMemory(nil)
		begin := time.Now()
		log.Await(t.Context(), 0)
		if waited := time.Since(begin); waited != time.Second {
			t.Errorf("an idle log let wait %v, want 1s", waited)
		}
		woken := make(chan time.Time)
		go func() {
			log.Await(t.Context(), 0)
			woken <- time.Now()
		}()
		time.Sleep(time.Millisecond) // the bubble's time: the goroutine above blocks
		if _, err := domain.AppendOne(t.Context(), log, creation("acme")); err != nil {
			t.Fatal(err)
		}
		if at := <-woken; at != begin.Add(time.Second+time.Millisecond) {
			t.Errorf("the append woke the waiting reader at %v", at.Sub(begin))
		}
	})
}

func TestMemory_RecordedAt(t *testing.T) {
	t.Parallel()
	fixed := time.Date(2026, 7, 1, 12, 0, 0, 1, time.FixedZone("", 3600))
	log := logtest.NewMemory(func() time.Time { return fixed })
	for i, tenant := range []domain.TenantID{"one", "two", "three"} {
		entries, err := domain.AppendOne(t.Context(), log, creation(tenant))
		if err != nil {
			t.Fatal(err)
		}
		want := time.Date(2026, 7, 1, 11, 0, 0, i*1000, time.UTC)
		if got := entries[0].RecordedAt; got != want {
			t.Errorf("entry %d was recorded at %v, want %v", i, got, want)
		}
	}
}

func TestMemory_Erase(t *testing.T) {
	t.Parallel()
	log := logtest.NewMemory(nil)
	group := creation("acme")
	for _, subject := range []string{"ann", "bob", ""} {
		group.Drafts = append(group.Drafts, domain.Draft{
			Tenant: "acme", Subject: subject, Stream: domain.Stream{Kind: domain.StreamEvent, ID: domain.NewUUID()},
			Fact: &domain.EventAppended{
				Event: domain.EventAttributes{
					EventClass: domain.EventClass{Type: "a.b"}, EventIdentity: domain.EventIdentity{ID: "1"},
				},
				Data: []byte(`{}`),
			},
			Reason: "a",
		})
	}
	if _, err := domain.AppendOne(t.Context(), log, group); err != nil {
		t.Fatal(err)
	}
	page, err := log.Page(t.Context(), 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	key := page[0].SubjectKey
	log.Erase("acme", "ann")
	log.Erase("acme", "nobody")
	late := domain.Draft{
		Tenant: "acme", Stream: domain.Stream{Kind: domain.StreamDelivery, ID: domain.NewUUID()}, SubjectKey: key,
		Fact: &domain.AttemptFinished{Body: []byte("hello"), Result: domain.AttemptResult{
			AttemptEnd: domain.AttemptEnd{Number: 1}, Exchange: domain.Exchange{Detail: "a"},
		}},
	}
	entries, err := domain.AppendOne(t.Context(), log, domain.Group{Drafts: []domain.Draft{late}})
	if err != nil {
		t.Fatal(err)
	}
	if f := entries[0].Fact.(*domain.AttemptFinished); !entries[0].Erased || f.Body != nil || f.Result.Detail != "" ||
		f.Result.Number != 1 {
		t.Errorf("appended under a destroyed key: %+v", f)
	}
	logtest.Verify(t, log)
	for i, want := range []bool{false, true, false, false} {
		page, err := log.Page(context.Background(), domain.Position(i), 1)
		if err != nil {
			t.Fatal(err)
		}
		e := page[0]
		if e.Erased != want || e.Fact == nil || len(e.Leaf) == 0 {
			t.Errorf("entry %d: erased %v, want %v", i, e.Erased, want)
		}
		if f, ok := e.Fact.(*domain.EventAppended); ok {
			if (f.Data == nil) != want || (f.Event.ID == "") != want || f.Event.Type != "a.b" || e.Reason != "a" {
				t.Errorf("entry %d has %+v of the reason %q", i, f, e.Reason)
			}
		}
	}
}

func creation(tenant domain.TenantID) domain.Group {
	return domain.Group{Drafts: []domain.Draft{{
		Tenant: tenant, Stream: domain.Stream{Kind: domain.StreamTenant, ID: domain.NewUUID()},
		Fact: &domain.TenantCreated{Tenant: domain.TenantConfig{ID: tenant, Name: "A"}},
	}}}
}
