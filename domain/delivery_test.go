package domain_test

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hooktrail/hooktrail/domain"
)

// routedOne is a delivery as an event's entry makes it.
func routedOne(started bool) domain.Delivery {
	d := domain.RoutedDelivery{ID: id(2), Endpoint: id(1), EndpointVersion: 3}
	if started {
		d.First = &domain.AttemptStarted{Number: 1, Node: id(40)}
	}
	fact := &domain.EventAppended{Routing: domain.Routing{Deliveries: []domain.RoutedDelivery{d}, Complete: true}}
	return domain.Routed(&domain.Entry{
		Tenant: "acme", Sequence: 7, Stream: domain.Stream{Kind: domain.StreamEvent, ID: id(9)}, StreamVersion: 1,
		Kind: fact.Kind(), Fact: fact, RecordedAt: noon,
	})[0]
}

// askedFor is a delivery that no routing made.
func askedFor() domain.Delivery {
	fact := &domain.DeliveryCreated{Event: id(9), EventSequence: 7, Endpoint: id(1), EndpointVersion: 3, Retention: "short", Replay: id(60)}
	return domain.Routed(&domain.Entry{
		Tenant: "acme", Sequence: 70, Stream: domain.Stream{Kind: domain.StreamDelivery, ID: domain.DerivedDelivery(id(9), id(1))},
		StreamVersion: 1, Kind: fact.Kind(), Fact: fact, RecordedAt: noon,
	})[0]
}

// TestDelivery_Fold: whatever entries come, in turn or not, an error changes nothing, an entry that was folded already
// changes nothing, and an attempt is open exactly between its start and its end.
func TestDelivery_Fold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := routedOne(rapid.Bool().Draw(t, "started"))
		if rapid.Bool().Draw(t, "asked for") {
			d = askedFor()
		}
		var last *domain.Entry
		for range rapid.IntRange(0, 20).Draw(t, "entries") {
			number := d.Attempts + rapid.IntRange(0, 2).Draw(t, "number")
			var fact domain.Fact
			switch rapid.IntRange(0, 5).Draw(t, "kind") {
			case 3:
				fact = &domain.DeliveryResent{Attempts: number - rapid.IntRange(0, 1).Draw(t, "fewer"), NextAttemptAt: noon, Replay: id(61)}
			case 4:
				fact = &domain.DeliveryRescheduled{NextAttemptAt: noon}
			case 0:
				fact = &domain.AttemptStarted{Number: number, Node: id(41)}
			case 1:
				end := domain.AttemptEnd{Number: number, Status: domain.DeliveryRetrying, NextAttemptAt: noon.Add(time.Minute)}
				if rapid.Bool().Draw(t, "succeeds") {
					end.Status, end.NextAttemptAt = domain.DeliverySucceeded, time.Time{}
				}
				fact = &domain.AttemptFinished{Result: domain.AttemptResult{AttemptEnd: end}}
			case 2:
				fact = &domain.DeliveryRedriven{Attempts: d.Attempts, NextAttemptAt: noon}
			default:
				fact = &domain.DeliveryCancelled{Reason: domain.CancelEndpointDeleted}
			}
			e := &domain.Entry{StreamVersion: d.Version + 1, Kind: fact.Kind(), Fact: fact}
			before := d
			if err := d.Fold(e); err != nil {
				if !reflect.DeepEqual(before, d) {
					t.Fatalf("%s failed (%v) and changed the delivery: %+v, was %+v", e.Kind, err, d, before)
				}
				continue
			}
			last = e
			_, redriven := fact.(*domain.DeliveryRedriven)
			_, resent := fact.(*domain.DeliveryResent)
			if before.Status.Ended() && !before.Open && !resent && (!redriven || before.Status != domain.DeliveryDead) {
				t.Fatalf("%s was folded into a delivery that was %s", e.Kind, before.Status)
			}
			if before.Open && (resent || redriven || e.Kind == domain.KindDeliveryRescheduled) {
				t.Fatalf("%s was folded while an attempt was under way", e.Kind)
			}
			if (resent || redriven) && (d.Status.Ended() || d.ScheduleBase != d.Attempts || !d.NextAttemptAt.Equal(noon)) {
				t.Fatalf("%s made it %+v", e.Kind, d)
			}
			if before.Asked && !d.Asked || resent && !d.Asked {
				t.Fatalf("after %s nobody has asked for it", e.Kind)
			}
			if settled := d.Status.Ended() && !d.Open; settled && !d.Replay.IsZero() || resent && d.Replay != id(61) ||
				!settled && !resent && d.Replay != before.Replay {
				t.Fatalf("after %s, %s, the replay %q has it in hand; before it was %q", e.Kind, d.Status, d.Replay, before.Replay)
			}
			if d.Open && d.Node.IsZero() || !d.Open && !d.Node.IsZero() {
				t.Fatalf("open %v, by node %s", d.Open, d.Node)
			}
			if d.Status != domain.DeliveryStatusCancelled && d.Cancel != "" {
				t.Fatalf("%s, but cancelled because of %s", d.Status, d.Cancel)
			}
		}
		if last != nil {
			after := d
			if err := d.Fold(last); err != nil || !reflect.DeepEqual(after, d) {
				t.Fatalf("folded again: %+v, %v", d, err)
			}
		}
		gap := &domain.Entry{StreamVersion: d.Version + 2, Fact: &domain.DeliveryCancelled{}}
		if err := d.Fold(gap); err == nil {
			t.Fatal("an entry that leaves one out was folded")
		}
	})
}

func TestDelivery_FoldInTurn(t *testing.T) {
	t.Parallel()
	d := routedOne(true)
	if !d.Open || d.Attempts != 1 || d.Version != 0 || d.EventSequence != 7 || d.Node != id(40) || !d.NextAttemptAt.IsZero() {
		t.Fatalf("the event's entry makes %+v", d)
	}
	end := func(s domain.DeliveryStatus) *domain.AttemptFinished {
		return &domain.AttemptFinished{Result: domain.AttemptResult{AttemptEnd: domain.AttemptEnd{Number: 1, Status: s}}}
	}
	for i, step := range []struct {
		fact   domain.Fact
		status domain.DeliveryStatus
		open   bool
	}{
		{&domain.DeliveryCancelled{Reason: domain.CancelEndpointDeleted}, domain.DeliveryStatusCancelled, true},
		{end(domain.DeliveryDead), domain.DeliveryDead, false},
		{&domain.DeliveryRedriven{Attempts: 1, NextAttemptAt: noon}, domain.DeliveryRetrying, false},
		{&domain.AttemptStarted{Number: 2, Node: id(41)}, domain.DeliveryRetrying, true},
	} {
		e := &domain.Entry{StreamVersion: i + 1, Kind: step.fact.Kind(), Fact: step.fact}
		if err := d.Fold(e); err != nil || d.Status != step.status || d.Open != step.open {
			t.Fatalf("%s: %+v, %v", e.Kind, d, err)
		}
	}
	if d.ScheduleBase != 1 || d.Cancel != "" || d.Node != id(41) {
		t.Errorf("in the end it is %+v", d)
	}
}

// TestDelivery_FoldCancelledWhileOpen: a cancellation lets the attempt under way end, and nothing follows it.
func TestDelivery_FoldCancelledWhileOpen(t *testing.T) {
	t.Parallel()
	d := routedOne(true)
	steps := []domain.Fact{
		&domain.DeliveryCancelled{Reason: domain.CancelTenantDeleted},
		&domain.AttemptFinished{Result: domain.AttemptResult{AttemptEnd: domain.AttemptEnd{
			Number: 1, Outcome: domain.OutcomeFailed, Status: domain.DeliveryStatusCancelled,
		}}},
	}
	for i, fact := range steps {
		if err := d.Fold(&domain.Entry{StreamVersion: i + 1, Kind: fact.Kind(), Fact: fact}); err != nil {
			t.Fatal(err)
		}
		if d.Open != (i == 0) || d.Attempts != 1 || d.Status != domain.DeliveryStatusCancelled ||
			d.Cancel != domain.CancelTenantDeleted || !d.NextAttemptAt.IsZero() {
			t.Fatalf("after %s: %+v", fact.Kind(), d)
		}
	}
	if d.Node != (domain.UUID{}) || !d.Status.Ended() {
		t.Errorf("in the end it is %+v", d)
	}
}

// TestDelivery_FoldOutOfTurn: what can't follow is an error and changes nothing.
func TestDelivery_FoldOutOfTurn(t *testing.T) {
	t.Parallel()
	finish := func(n int) domain.Fact {
		return &domain.AttemptFinished{Result: domain.AttemptResult{AttemptEnd: domain.AttemptEnd{
			Number: n, Status: domain.DeliverySucceeded,
		}}}
	}
	ended := func(s domain.DeliveryStatus) domain.Fact {
		return &domain.AttemptFinished{Result: domain.AttemptResult{AttemptEnd: domain.AttemptEnd{Number: 1, Status: s}}}
	}
	dead, retrying, succeeded := ended(domain.DeliveryDead), ended(domain.DeliveryRetrying), ended(domain.DeliverySucceeded)
	cancelled := &domain.DeliveryCancelled{Reason: domain.CancelEndpointDeleted}
	redriven := &domain.DeliveryRedriven{Attempts: 1}
	for name, test := range map[string]struct {
		open    bool
		version int
		fact    domain.Fact
		before  []domain.Fact // folded first
	}{
		"a start while one is open":    {true, 1, &domain.AttemptStarted{Number: 2}, nil},
		"a start again":                {true, 1, &domain.AttemptStarted{Number: 1}, nil},
		"a start that leaves one out":  {false, 1, &domain.AttemptStarted{Number: 2}, nil},
		"an end without a start":       {false, 1, finish(0), nil},
		"another attempt's end":        {true, 1, finish(2), nil},
		"a gap in the versions":        {true, 2, finish(1), nil},
		"a start after success":        {true, 2, &domain.AttemptStarted{Number: 2}, []domain.Fact{succeeded}},
		"a start after death":          {true, 2, &domain.AttemptStarted{Number: 2}, []domain.Fact{dead}},
		"a start after a cancellation": {false, 2, &domain.AttemptStarted{Number: 1}, []domain.Fact{cancelled}},
		"an end that is pending":       {true, 1, ended(domain.DeliveryPending), nil},
		"an end of no status":          {true, 1, ended(""), nil},
		"a retry after a cancellation": {true, 2, retrying, []domain.Fact{cancelled}},
		"a redrive of a new delivery":  {false, 1, &domain.DeliveryRedriven{}, nil},
		"a redrive after success":      {true, 2, redriven, []domain.Fact{succeeded}},
		"a redrive of a cancelled one": {true, 3, redriven, []domain.Fact{cancelled, ended(domain.DeliveryStatusCancelled)}},
		"a redrive while one is open":  {true, 3, &domain.DeliveryRedriven{Attempts: 2}, []domain.Fact{retrying, &domain.AttemptStarted{Number: 2}}},
		"a redrive by another count":   {true, 2, &domain.DeliveryRedriven{Attempts: 2}, []domain.Fact{dead}},
		"a resend while one is open":   {true, 1, &domain.DeliveryResent{Attempts: 1}, nil},
		"a resend by another count":    {true, 2, &domain.DeliveryResent{Attempts: 2}, []domain.Fact{succeeded}},
		"a retry while one is open":    {true, 1, &domain.DeliveryRescheduled{}, nil},
		"a retry after the end":        {true, 2, &domain.DeliveryRescheduled{}, []domain.Fact{dead}},
		"a creation of a routed one":   {false, 1, &domain.DeliveryCreated{}, nil},
		"a cancellation after success": {true, 2, cancelled, []domain.Fact{succeeded}},
		"a cancellation after death":   {true, 2, cancelled, []domain.Fact{dead}},
		"a cancellation after another": {false, 2, cancelled, []domain.Fact{cancelled}},
	} {
		d := routedOne(test.open)
		for i, f := range test.before {
			if err := d.Fold(&domain.Entry{StreamVersion: i + 1, Kind: f.Kind(), Fact: f}); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		before := d
		err := d.Fold(&domain.Entry{StreamVersion: test.version, Kind: test.fact.Kind(), Fact: test.fact})
		if err == nil || !reflect.DeepEqual(before, d) {
			t.Errorf("%s: %v, %+v, was %+v", name, err, d, before)
		}
	}
}

// TestRouted: each delivery that an entry names is made once, with what the entry says of all of them.
func TestRouted(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		routing := drawRouting(t)
		e := &domain.Entry{
			Tenant: "acme", Sequence: 7, Stream: domain.Stream{Kind: domain.StreamEvent, ID: id(9)}, StreamVersion: 1,
			Fact: &domain.EventAppended{Routing: routing}, RecordedAt: noon, SubjectKey: id(3),
		}
		if rapid.Bool().Draw(t, "continued") {
			e.Sequence, e.StreamVersion, e.Fact = 9, 3, &domain.EventRouted{Routing: routing}
		}
		e.Kind = e.Fact.Kind()
		got := domain.Routed(e)
		if len(got) != len(routing.Deliveries) {
			t.Fatalf("%d deliveries of %d", len(got), len(routing.Deliveries))
		}
		for i, d := range got {
			r := routing.Deliveries[i]
			if d.ID != r.ID || d.Endpoint != r.Endpoint || d.EndpointVersion != r.EndpointVersion || d.Tenant != "acme" ||
				d.Event != id(9) || d.EventSequence != 7 || d.SubjectKey != id(3) || d.Retention != routing.Retention ||
				d.Version != 0 || d.Status != domain.DeliveryPending || !reflect.DeepEqual(d.Subscriptions, r.Subscriptions) {
				t.Fatalf("delivery %d is %+v, the routing says %+v", i, d, r)
			}
			if started := r.First != nil; d.Open != started || d.NextAttemptAt.IsZero() != started ||
				started && (d.Attempts != r.First.Number || d.Node != r.First.Node) {
				t.Fatalf("delivery %d is %+v, its first attempt %+v", i, d, r.First)
			}
		}
	})
	for kind, fact := range examples() {
		if kind == domain.KindEventAppended || kind == domain.KindEventRouted || kind == domain.KindDeliveryCreated {
			continue
		}
		if got := domain.Routed(&domain.Entry{Kind: kind, Fact: fact, StreamVersion: 1}); got != nil {
			t.Errorf("%s makes deliveries: %+v", kind, got)
		}
	}
	if got := domain.Routed(&domain.Entry{Kind: domain.KindEventAppended, Damaged: true, StreamVersion: 1}); got != nil {
		t.Errorf("an entry that doesn't open makes deliveries: %+v", got)
	}
}

// TestRouted_AskedFor: the first entry of its stream makes it, as version 1, and folding that again changes nothing.
func TestRouted_AskedFor(t *testing.T) {
	t.Parallel()
	d := askedFor()
	if d.ID != domain.DerivedDelivery(id(9), id(1)) || d.Version != 1 || d.Status != domain.DeliveryPending || d.Open ||
		!d.Asked || d.Replay != id(60) || d.Event != id(9) || d.EventSequence != 7 || d.Endpoint != id(1) ||
		d.EndpointVersion != 3 || d.Retention != "short" || !d.NextAttemptAt.Equal(noon) || d.Tenant != "acme" {
		t.Fatalf("it is %+v", d)
	}
	before := d
	if err := d.Fold(&domain.Entry{StreamVersion: 1, Fact: &domain.DeliveryCreated{}}); err != nil || !reflect.DeepEqual(before, d) {
		t.Errorf("folded again: %v, %+v", err, d)
	}
	if err := d.Fold(&domain.Entry{StreamVersion: 2, Fact: &domain.DeliveryCreated{}}); err == nil {
		t.Error("it was created twice")
	}
}
