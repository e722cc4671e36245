package logtest

import (
	"slices"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// selection is a query and, in other words, what it selects of a tenant's log. i is the place in own (testSelect).
type selection struct {
	name  string
	query domain.Query
	want  func(i int, e domain.Entry) bool
}

func testSelect(f *fixture) {
	ann := domain.Actor{Principal: domain.NewUUID(), Credential: domain.NewUUID()}
	bob := domain.Actor{Principal: domain.NewUUID(), Credential: domain.NewUUID()}
	own := f.history(ann, bob)
	f.neighbour(ann)

	all := func(int, domain.Entry) bool { return true }
	none := func(int, domain.Entry) bool { return false }
	kind := func(kinds ...domain.Kind) func(int, domain.Entry) bool {
		return func(_ int, e domain.Entry) bool { return slices.Contains(kinds, e.Kind) }
	}
	between := func(from, to int) func(int, domain.Entry) bool {
		return func(i int, _ domain.Entry) bool { return i >= from && i < to }
	}
	by := func(who domain.Actor) func(int, domain.Entry) bool {
		return func(_ int, e domain.Entry) bool { return e.By == who }
	}
	at := func(i int) *domain.Sequence { return &own[i].Sequence }
	when := func(i int) time.Time { return own[i].RecordedAt }
	last := len(own)
	for _, s := range []selection{
		{"everything", domain.Query{}, all},
		{"from", domain.Query{From: at(5)}, between(5, last)},
		{"from zero", domain.Query{From: at(0)}, all},
		{"to", domain.Query{To: at(5)}, between(0, 5)},
		{"to zero", domain.Query{To: at(0)}, none},
		{"a range", domain.Query{From: at(3), To: at(20)}, between(3, 20)},
		{"an empty range", domain.Query{From: at(20), To: at(3)}, none},
		{"since", domain.Query{Since: when(7)}, between(7, last)},
		{"just after", domain.Query{Since: when(7).Add(time.Microsecond)}, between(8, last)},
		{"until", domain.Query{Until: when(7)}, between(0, 7)},
		{"until and with", domain.Query{Until: when(7).Add(time.Microsecond)}, between(0, 8)},
		{"a time range", domain.Query{Since: when(7), Until: when(17)}, between(7, 17)},
		{"before all", domain.Query{Until: when(0)}, none},
		{"after all", domain.Query{Since: when(last - 1).Add(time.Hour)}, none},
		{"a kind", domain.Query{Kind: domain.KindEventRouted}, kind(domain.KindEventRouted)},
		{"a prefix", domain.Query{Kind: "event.*"}, kind(domain.KindEventRouted, domain.KindEventAppended)},
		{"an unknown kind", domain.Query{Kind: "event.nonsense"}, none},
		{"no prefix", domain.Query{Kind: "event"}, none},
		{"a prefix without its star", domain.Query{Kind: "event."}, none},
		{"part of a word", domain.Query{Kind: "even*"}, none},
		{"a pattern of SQL", domain.Query{Kind: "%"}, none},
		{"a pattern of SQL as a prefix", domain.Query{Kind: "_vent.*"}, none},
		{"a stream", domain.Query{Stream: own[4].Stream}, func(_ int, e domain.Entry) bool { return e.Stream == own[4].Stream }},
		{"an unknown stream", domain.Query{Stream: f.event().Stream}, none},
		{"another kind of stream", domain.Query{Stream: domain.Stream{Kind: domain.StreamDelivery, ID: own[4].Stream.ID}}, none},
		{"a principal", domain.Query{Actor: ann.Principal}, by(ann)},
		{"a credential", domain.Query{Actor: bob.Credential}, by(bob)},
		{"nobody", domain.Query{Actor: domain.NewUUID()}, none},
		{"kind and time", domain.Query{Kind: domain.KindEventAppended, Until: when(12)}, func(i int, e domain.Entry) bool {
			return e.Kind == domain.KindEventAppended && i < 12
		}},
		{"stream and kind", domain.Query{Stream: own[4].Stream, Kind: domain.KindEventRouted}, func(i int, _ domain.Entry) bool {
			return i == 5
		}},
		{
			"all at once",
			domain.Query{From: at(2), To: at(30), Since: when(4), Until: when(28), Kind: "event.*", Actor: bob.Principal},
			func(i int, e domain.Entry) bool {
				return i >= 4 && i < 28 && e.By == bob && e.Kind != domain.KindDeliveryCancelled
			},
		},
	} {
		f.step(s.name, func(f *fixture) { f.selects(own, s) })
	}
	f.step("a tenant without a log", func(f *fixture) {
		f.selected(domain.Query{Tenant: "unknown", Limit: 10}, nil)
	})
	f.step("a limit must be positive", func(f *fixture) {
		for _, limit := range []int{0, -1} {
			if _, err := domain.Select(f.Context(), f.log, domain.Query{Tenant: f.tenant, Limit: limit}); err == nil {
				f.Errorf("limit %d was accepted", limit)
			}
		}
	})
}

// history fills the tenant's log and returns the whole of it: its creation, then events, their routing and cancelled
// deliveries in turn. Events are ann's and bob's in turn, routing is the instance's, cancellations are bob's.
func (f *fixture) history(ann, bob domain.Actor) []domain.Entry {
	own := []domain.Entry{f.one(domain.Entry{Tenant: f.tenant, Sequence: 0})}
	for i := range 12 {
		event := f.event()
		routed := f.on(event.Stream, 1)
		cancelled := f.on(domain.Stream{Kind: domain.StreamDelivery, ID: domain.NewUUID()}, 0)
		cancelled.Fact, cancelled.Reason = &domain.DeliveryCancelled{Reason: domain.CancelErased}, "asked for"
		event.By, cancelled.By = ann, bob
		if i%2 == 0 {
			event.By = bob
		}
		own = append(own, f.append(group(event, routed, cancelled))...)
	}
	return own
}

// neighbour fills another tenant's log with what would be selected, were it not another's.
func (f *fixture) neighbour(by domain.Actor) {
	f.create("neighbour")
	event := f.event()
	event.Tenant, event.By = "neighbour", by
	f.append(group(event))
}

// selects holds a query's answers, in both directions, limited and as headers, against what it should select.
func (f *fixture) selects(own []domain.Entry, s selection) {
	f.Helper()
	var want []domain.Entry
	for i, e := range own {
		if s.want(i, e) {
			want = append(want, e)
		}
	}
	q := s.query
	q.Tenant = f.tenant
	for _, q.Descending = range []bool{false, true} {
		if q.Descending {
			slices.Reverse(want)
		}
		for _, q.Limit = range []int{1000, 1, 5} {
			for _, q.HeadersOnly = range []bool{false, true} {
				f.selected(q, want[:min(len(want), q.Limit)])
			}
		}
		q.HeadersOnly = true
		for _, q.Limit = range []int{1000, 2} {
			for _, q.Examine = range []int{0, 1, 3, 7} {
				f.scanned(q, len(own), want)
			}
		}
	}
}

// scanned goes through a query step by step: each examines no more than it may, and together they find everything.
func (f *fixture) scanned(q domain.Query, size int, want []domain.Entry) {
	f.Helper()
	var got []domain.Entry
	at := domain.Sequence(0)
	if q.Descending {
		at = domain.Sequence(size)
	}
	for steps := 0; ; steps++ {
		found, next, err := f.log.Scan(f.Context(), q)
		if err != nil || len(found) > q.Limit {
			f.Fatalf("%+v: a step found %d entries, %v", q, len(found), err)
		}
		got = append(got, found...)
		if next == nil {
			break
		}
		if *next == at && len(found) == 0 || steps > 2*size {
			f.Fatalf("%+v: the step from %d leads nowhere", q, at)
		}
		moved := *next - at
		if q.Descending {
			moved = -moved
		}
		begun := q.From == nil && q.To == nil && q.Since.IsZero() && q.Until.IsZero() // else the first step begins elsewhere
		if most := domain.Sequence(q.Examine); most > 0 && (begun || steps > 0) && q.Stream == (domain.Stream{}) && (moved < 0 || moved > most) {
			f.Errorf("%+v: a step went from %d to %d", q, at, *next)
		}
		at = *next
		q.GoOn(at)
	}
	if len(got) != len(want) {
		f.Fatalf("%+v: the steps found %d entries, want %d", q, len(got), len(want))
	}
	for i, e := range got {
		w := want[i]
		w.Fact, w.Reason, w.Context = nil, "", nil
		sameEntry(f.T, e, w)
	}
}

func (f *fixture) selected(q domain.Query, want []domain.Entry) {
	f.Helper()
	got, err := domain.Select(f.Context(), f.log, q)
	if err != nil || len(got) != len(want) {
		f.Fatalf("%+v: %d entries and error %v, want %d entries", q, len(got), err, len(want))
	}
	for i, e := range got {
		w := want[i]
		if q.HeadersOnly {
			w.Fact, w.Reason, w.Context = nil, "", nil
		}
		sameEntry(f.T, e, w)
	}
}
