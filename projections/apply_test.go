package projections_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
	"github.com/hooktrail/hooktrail/projections/historytest"
	"github.com/hooktrail/hooktrail/projections/memorytest"
)

// oneOfEach is a history with an entry of every kind. Streams are named by their last byte.
func oneOfEach() []domain.Entry {
	id := func(n byte) domain.UUID {
		if n == 15 { // of a delivery that somebody asked for
			return domain.UUID{6: 0x7f, 7: 0xff, 15: n}
		}
		return domain.UUID{15: n}
	}
	tenant := domain.TenantConfig{ID: "acme", Name: "Acme"}
	endpoint := domain.EndpointConfig{Name: "e", URL: "https://e.example"}
	subscription := domain.SubscriptionConfig{Endpoint: id(3), EventTypes: []domain.Pattern{"*"}}
	key := domain.KeyConfig{KeyRights: domain.KeyRights{ID: id(2)}, KeyNames: domain.KeyNames{Name: "k"}}
	due := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	finish := func(n int, s domain.DeliveryStatus) *domain.AttemptFinished {
		return &domain.AttemptFinished{Result: domain.AttemptResult{AttemptEnd: domain.AttemptEnd{Number: n, Status: s}}}
	}
	routing := func(last bool, ids ...byte) domain.Routing {
		r := domain.Routing{Complete: last}
		for _, n := range ids {
			r.Deliveries = append(r.Deliveries, domain.RoutedDelivery{ID: id(n), Endpoint: id(3), EndpointVersion: 1})
		}
		return r
	}
	event := &domain.EventAppended{Data: []byte("1"), Routing: routing(false, 6), Event: domain.EventAttributes{
		EventClass: domain.EventClass{Type: "a"}, EventIdentity: domain.EventIdentity{ID: "x", Source: "s"},
	}}
	steps := []struct {
		kind domain.StreamKind
		id   byte
		fact domain.Fact
	}{
		{domain.StreamTenant, 1, &domain.TenantCreated{Tenant: tenant}},
		{domain.StreamTenant, 1, &domain.TenantUpdated{Tenant: tenant}},
		{domain.StreamTenant, 9, &domain.TenantRegistered{ID: "other"}},
		{domain.StreamTenant, 9, &domain.TenantUnregistered{ID: "other"}},
		{domain.StreamKey, 2, &domain.KeyCreated{Key: key}},
		{domain.StreamKey, 2, &domain.KeyRevoked{Key: key}},
		{domain.StreamEndpoint, 3, &domain.EndpointCreated{Endpoint: endpoint}},
		{domain.StreamEndpoint, 3, &domain.EndpointUpdated{Endpoint: endpoint}},
		{domain.StreamEndpoint, 3, &domain.EndpointKeyRotated{Endpoint: endpoint}},
		{domain.StreamEndpoint, 3, &domain.EndpointPaused{Endpoint: endpoint}},
		{domain.StreamEndpoint, 3, &domain.EndpointResumed{Endpoint: endpoint}},
		{domain.StreamEndpoint, 3, &domain.EndpointDisabled{Endpoint: endpoint}},
		{domain.StreamSubscription, 4, &domain.SubscriptionCreated{Subscription: subscription}},
		{domain.StreamSubscription, 4, &domain.SubscriptionUpdated{Subscription: subscription}},
		{domain.StreamSubscription, 4, &domain.SubscriptionPaused{Subscription: subscription}},
		{domain.StreamSubscription, 4, &domain.SubscriptionResumed{Subscription: subscription}},
		{domain.StreamEvent, 5, event},
		{domain.StreamEvent, 5, &domain.EventRouted{Routing: routing(true, 7)}},
		{domain.StreamDelivery, 6, &domain.AttemptStarted{Number: 1}},
		{domain.StreamDelivery, 6, finish(1, domain.DeliveryDead)},
		{domain.StreamDelivery, 6, &domain.DeliveryRedriven{Attempts: 1, NextAttemptAt: due}},
		{domain.StreamDelivery, 6, &domain.AttemptStarted{Number: 2}},
		{domain.StreamDelivery, 6, finish(2, domain.DeliverySucceeded)},
		{domain.StreamDelivery, 6, &domain.DeliveryResent{Attempts: 2, NextAttemptAt: due}},
		{domain.StreamDelivery, 6, &domain.AttemptStarted{Number: 3}},
		{domain.StreamDelivery, 6, finish(3, domain.DeliverySucceeded)},
		{domain.StreamDelivery, 7, &domain.DeliveryRescheduled{NextAttemptAt: due}},
		{domain.StreamDelivery, 7, &domain.DeliveryCancelled{Reason: domain.CancelEndpointDeleted}},
		{domain.StreamDelivery, 15, &domain.DeliveryCreated{Event: id(5), EventSequence: 16, Endpoint: id(3), EndpointVersion: 6}},
		{domain.StreamDelivery, 15, &domain.DeliveryCancelled{Reason: domain.CancelEndpointDeleted}},
		{domain.StreamReplay, 16, &domain.ReplayCreated{Replay: domain.ReplayConfig{As: domain.AsRedrive, To: 9, Approval: true}}},
		{domain.StreamReplay, 16, &domain.ReplayApproved{}},
		{domain.StreamReplay, 16, &domain.ReplayPaused{}},
		{domain.StreamReplay, 16, &domain.ReplayResumed{}},
		{domain.StreamReplay, 16, &domain.ReplayAdvanced{Through: domain.ReplayPlace{Sequence: 4}}},
		{domain.StreamReplay, 16, &domain.ReplayFinished{}},
		{domain.StreamReplay, 17, &domain.ReplayCreated{Replay: domain.ReplayConfig{As: domain.AsReplay}}},
		{domain.StreamReplay, 17, &domain.ReplayCancelled{}},
		{domain.StreamSubscription, 4, &domain.SubscriptionDeleted{Subscription: subscription}},
		{domain.StreamEndpoint, 3, &domain.EndpointDeleted{Endpoint: endpoint}},
		{domain.StreamServer, 8, &domain.ServerStarted{}},
		{domain.StreamLease, 8, &domain.LeaseTaken{}},
		{domain.StreamServer, 8, &domain.FollowerStopped{}},
		{domain.StreamServer, 8, &domain.FormatRaised{}},
		{domain.StreamServer, 8, &domain.LossAccepted{}},
		{domain.StreamDamage, 14, &domain.DamageAccepted{}},
		{domain.StreamReconciliation, 15, &domain.ReconciliationCreated{}},
		{domain.StreamReconciliation, 15, &domain.ReconciliationFinished{}},
		{domain.StreamEndpoint, 10, &domain.EndpointCreated{Endpoint: endpoint}},
		{domain.StreamEndpoint, 10, &domain.EndpointHandshakeStarted{Endpoint: endpoint}},
		{domain.StreamEndpoint, 10, &domain.EndpointHandshakeFinished{Endpoint: endpoint}},
		{domain.StreamEndpoint, 10, &domain.EndpointDeleted{Endpoint: endpoint}},
		{domain.StreamEventType, 11, &domain.EventTypeRegistered{EventType: domain.EventTypeConfig{Name: "a"}}},
		{domain.StreamEventType, 11, &domain.EventTypeUpdated{EventType: domain.EventTypeConfig{Name: "a"}}},
		{domain.StreamKey, 12, &domain.KeyCreated{Key: domain.KeyConfig{KeyRights: domain.KeyRights{ID: id(12)}}}},
		{domain.StreamKey, 12, &domain.RegistrationUsed{Key: domain.KeyConfig{KeyRights: domain.KeyRights{ID: id(12)}}}},
		{domain.StreamProfile, 13, &domain.ProfileAdded{Profile: domain.ProfileName{Name: "p"}}},
		{domain.StreamExport, 15, &domain.ExportCreated{}},
		{domain.StreamExport, 15, &domain.ExportFinished{}},
		{domain.StreamExport, 15, &domain.ExportDownloaded{}},
		{domain.StreamExport, 15, &domain.ExportExpired{}},
		{domain.StreamExport, 16, &domain.ExportCreated{}},
		{domain.StreamExport, 16, &domain.ExportFailed{}},
		{domain.StreamExport, 17, &domain.ExportCreated{}},
		{domain.StreamExport, 17, &domain.ExportCancelled{}},
		{domain.StreamTenant, 1, &domain.TenantDeleted{Tenant: tenant}},
	}
	versions := make(map[domain.Stream]int)
	entries := make([]domain.Entry, len(steps))
	for i, s := range steps {
		stream := domain.Stream{Kind: s.kind, ID: id(s.id)}
		versions[stream]++
		entries[i] = domain.Entry{
			Position: domain.Position(i + 1), Tenant: "acme", Sequence: domain.Sequence(i),
			Stream: stream, StreamVersion: versions[stream], Kind: s.fact.Kind(), KindVersion: 1,
			RecordedAt: due.Add(time.Duration(i) * time.Microsecond), Leaf: []byte("{}"), Fact: s.fact,
		}
	}
	return entries
}

func TestApply_EveryKind(t *testing.T) {
	t.Parallel()
	entries := oneOfEach()
	seen := make(map[domain.Kind]bool)
	for _, e := range entries {
		seen[e.Kind] = true
	}
	text, err := os.ReadFile(filepath.Join("..", "domain", "testdata", "facts.golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var facts []struct{ Kind domain.Kind }
	if err := json.Unmarshal(text, &facts); err != nil || len(facts) == 0 {
		t.Fatalf("%d facts of every kind and version: %v", len(facts), err)
	}
	for _, f := range facts {
		if !seen[f.Kind] {
			t.Errorf("the history has no %s: add one, and a fold for it", f.Kind)
		}
	}
	m := memorytest.New()
	for _, e := range entries {
		if err := projections.Apply(m, e); err != nil {
			t.Fatal(err)
		}
	}
}

func TestApply_ErasedConfiguration(t *testing.T) {
	t.Parallel()
	for i, erased := range oneOfEach() {
		if erased.Stream.Kind == domain.StreamEvent || erased.Stream.Kind == domain.StreamDelivery {
			continue
		}
		m := memorytest.New()
		for n, e := range oneOfEach() {
			if n == i {
				e.Fact, e.Erased = nil, true
			}
			if err := projections.Apply(m, e); err != nil {
				t.Fatalf("%s at %d erased: %v", erased.Kind, i, err)
			}
		}
		err := m.Read(t.Context(), "acme", 0, func(r projections.Reader) error {
			as := projections.AsOf{Sequence: erased.Sequence, Set: true}
			if erased.Stream.Kind == domain.StreamEndpoint {
				if _, err := r.Endpoint(t.Context(), erased.Stream.ID, as); !errors.Is(err, domain.ErrNotFound) {
					t.Errorf("version %d of an endpoint is used without its content: %v", erased.StreamVersion, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestApply_ErasedSubject: what remains of an erased event and of its deliveries is everything but what was about the
// person: no status, no endpoint, no attempt changes.
func TestApply_ErasedSubject(t *testing.T) {
	t.Parallel()
	whole, erased := memorytest.New(), memorytest.New()
	for _, e := range oneOfEach() {
		if err := projections.Apply(whole, e); err != nil {
			t.Fatal(err)
		}
		if err := projections.Apply(erased, historytest.Erase(t, e)); err != nil {
			t.Fatal(err)
		}
	}
	before, after := deliveriesOf(t, whole), deliveriesOf(t, erased)
	if diff := cmp.Diff(before, after); diff != "" || len(before) != 3 {
		t.Errorf("%d deliveries; the erasure changes them:\n%s", len(before), diff)
	}
	err := erased.Read(t.Context(), "acme", 0, func(r projections.Reader) error {
		event, err := r.EventBySequence(t.Context(), 16)
		if !event.Erased || event.Attrs.ID != "" || event.Attrs.Type != "a" {
			t.Errorf("the event is %+v", event)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func deliveriesOf(t *testing.T, m *memorytest.Memory) (rows []projections.Delivery) {
	t.Helper()
	err := m.Read(t.Context(), "acme", 0, func(r projections.Reader) (err error) {
		rows, err = r.Deliveries(t.Context(), projections.DeliveryFilter{}, projections.Page{Limit: 9}, projections.AsOf{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestApply_PeriodDestroyed: where nothing of an event and its deliveries opens any more, they leave their traces.
func TestApply_PeriodDestroyed(t *testing.T) {
	t.Parallel()
	m := memorytest.New()
	for _, e := range oneOfEach() {
		if e.Stream.Kind == domain.StreamEvent || e.Stream.Kind == domain.StreamDelivery {
			e.Fact, e.Erased = nil, true
		}
		if err := projections.Apply(m, e); err != nil {
			t.Fatal(err)
		}
	}
	err := m.Read(t.Context(), "acme", 0, func(r projections.Reader) error {
		event, err := r.EventBySequence(t.Context(), 16)
		if !event.Erased || event.Attrs.ID != "" {
			t.Errorf("the event isn't marked: %+v", event)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestApply_StopsAtWhatItCannotFold(t *testing.T) {
	t.Parallel()
	first := oneOfEach()[0]
	for name, change := range map[string]func(*domain.Entry){
		"a kind that must be understood": func(e *domain.Entry) { e.Kind, e.Fact, e.Critical = "tenant.moved", nil, true },
		"a version of a newer program":   func(e *domain.Entry) { e.KindVersion, e.Fact = 2, nil },
		"a damaged configuration":        func(e *domain.Entry) { e.Fact, e.Damaged = nil, true },
		"content that isn't erased":      func(e *domain.Entry) { e.Fact = nil },
		"a position that leaves one out": func(e *domain.Entry) { e.Position = 2 },
		"a delivery that nobody made": func(e *domain.Entry) {
			e.Fact, e.Kind = &domain.AttemptStarted{Number: 1}, domain.KindAttemptStarted
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := first
			change(&e)
			if err := projections.Apply(memorytest.New(), e); err == nil {
				t.Error("folded")
			}
		})
	}
}

// TestApply_StopsAtAContradiction: a step that its delivery's state doesn't allow stops the fold, with the entry's place.
func TestApply_StopsAtAContradiction(t *testing.T) {
	t.Parallel()
	m, entries := memorytest.New(), oneOfEach()
	var succeeded domain.Entry
	for _, e := range entries {
		if err := projections.Apply(m, e); err != nil {
			t.Fatal(err)
		}
		if f, ok := e.Fact.(*domain.AttemptFinished); ok && f.Result.Status == domain.DeliverySucceeded {
			succeeded = e
		}
	}
	next := entries[len(entries)-1]
	next.Position, next.Sequence = next.Position+1, next.Sequence+1
	next.Stream, next.StreamVersion = succeeded.Stream, succeeded.StreamVersion+1
	for _, fact := range []domain.Fact{
		&domain.DeliveryRedriven{Attempts: 2}, &domain.DeliveryCancelled{Reason: domain.CancelErased}, &domain.AttemptStarted{Number: 3},
	} {
		next.Fact, next.Kind = fact, fact.Kind()
		if err := projections.Apply(m, next); err == nil || !strings.Contains(err.Error(), fmt.Sprint("position ", next.Position)) {
			t.Errorf("%s after success: %v", next.Kind, err)
		}
	}
	if m.Cursor() != entries[len(entries)-1].Position {
		t.Errorf("the fold went on to %d", m.Cursor())
	}
}

// TestApply_PassesOverWhatNewerProgramsSay: a release that adds a kind can be rolled out node by node, and back.
func TestApply_PassesOverWhatNewerProgramsSay(t *testing.T) {
	t.Parallel()
	m := memorytest.New()
	for _, e := range oneOfEach()[:2] {
		if e.Sequence == 1 {
			e.Kind, e.Fact = "tenant.painted", nil
		}
		if err := projections.Apply(m, e); err != nil {
			t.Fatal(err)
		}
	}
	if m.Cursor() != 2 {
		t.Errorf("the fold is at %d", m.Cursor())
	}
}

// TestApply_DamagedDelivery: what a damaged entry's kind says moves its delivery on, and a delivery whose making is damaged
// stops nothing.
func TestApply_DamagedDelivery(t *testing.T) {
	t.Parallel()
	entries := oneOfEach()
	read := func(damage func(*domain.Entry) bool) (rows []projections.Delivery) {
		t.Helper()
		m := memorytest.New()
		for _, e := range entries {
			if damage(&e) {
				e.Fact, e.Damaged = nil, true
			}
			if e.Stream.Kind == domain.StreamDelivery {
				e.Cause = causeOf(entries, e.Stream.ID)
			}
			if err := projections.Apply(m, e); err != nil {
				t.Fatal(err)
			}
		}
		err := m.Read(t.Context(), "acme", 0, func(r projections.Reader) (err error) {
			rows, err = r.Deliveries(t.Context(), projections.DeliveryFilter{}, projections.Page{Limit: 10}, projections.AsOf{})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	whole := read(func(*domain.Entry) bool { return false })
	if len(whole) == 0 {
		t.Fatal("the history makes no delivery")
	}
	steps := read(func(e *domain.Entry) bool {
		return e.Stream.Kind == domain.StreamDelivery && !(e.Kind == domain.KindAttemptFinished && e.StreamVersion > 3)
	})
	for i, d := range steps {
		if w := whole[i]; d.Status != w.Status || d.Attempts != w.Attempts || d.Open != w.Open || d.Version != w.Version {
			t.Errorf("with damaged steps: %+v, want %+v", d, w)
		}
	}
	makes := func(e *domain.Entry) bool {
		return e.Stream.Kind == domain.StreamEvent || e.Kind == domain.KindDeliveryCreated
	}
	if rows := read(makes); len(rows) > 0 {
		t.Errorf("damaged entries made %+v", rows)
	}
}

// causeOf is the sequence of the event of which a delivery is.
func causeOf(entries []domain.Entry, delivery domain.UUID) domain.Sequence {
	for i := range entries {
		for _, d := range domain.Routed(&entries[i]) {
			if d.ID == delivery {
				return d.EventSequence
			}
		}
	}
	return 0
}
