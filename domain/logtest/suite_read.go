package logtest

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

func (f *fixture) page(after domain.Position, limit int) []domain.Entry {
	f.Helper()
	page, err := f.log.Page(f.Context(), after, limit)
	if err != nil {
		f.Fatalf("page after %d: %v", after, err)
	}
	return page
}

func testPage(f *fixture) {
	for range 20 {
		f.append(group(f.event(), f.event()))
	}
	all := Verify(f.T, f.log)
	head := f.head()
	if int(head) != len(all) {
		f.Fatalf("the head is %d, pages have %d entries", head, len(all))
	}
	for _, limit := range []int{1, 2, 7, 1000} {
		var got []domain.Entry
		for page := f.page(0, limit); len(page) > 0; page = f.page(got[len(got)-1].Position, limit) {
			if len(page) > limit {
				f.Fatalf("a page of at most %d has %d entries", limit, len(page))
			}
			got = append(got, page...)
		}
		if len(got) != len(all) {
			f.Fatalf("pages of %d have %d entries in all, want %d", limit, len(got), len(all))
		}
		for i := range got {
			sameEntry(f.T, got[i], all[i])
		}
	}
	for _, after := range []domain.Position{head, head + 1, head + 1000} {
		if page := f.page(after, 10); len(page) != 0 {
			f.Errorf("the page after %d of %d has %d entries", after, head, len(page))
		}
	}
}

func testContent(f *fixture) {
	random := make([]byte, 256)
	for i := range random {
		random[i] = byte(i)
	}
	for _, data := range [][]byte{
		[]byte(`{"b":1, "a" : 2.0,"big":12345678901234567890,"a<b>&":"\u0000\u003c é 😀"}`),
		[]byte(" [1,\r\n\t2 ] "), []byte("null"), []byte(`""`), random,
		bytes.Repeat([]byte(`{"x":"0123456789"},`), 13000), // near the limit of an event's data
	} {
		sent := f.eventWith(bytes.Clone(data))
		fact := sent.Fact.(*domain.EventAppended)
		fact.Event.Subject = "a <subject> & \"more\" \u2028 é"
		fact.Event.Extensions = map[string]string{"traceparent": "00-1", "a": ""}
		sent.Subject, sent.Reason = fact.Event.Subject, "because <of> it"
		entry := f.append(group(sent))[0]
		for _, got := range []domain.Entry{entry, f.page(entry.Position-1, 1)[0], f.one(entry)} {
			if e, ok := got.Fact.(*domain.EventAppended); !ok || !bytes.Equal(e.Data, data) {
				f.Errorf("data of %d bytes came back otherwise: %.100q", len(data), got.Fact)
			}
			if got.Reason != sent.Reason {
				f.Errorf("the reason came back as %q", got.Reason)
			}
			sameFact(f.T, got.Fact, sent.Fact)
		}
	}
	f.step("an answer's body", func(f *fixture) {
		sent := f.on(domain.Stream{Kind: domain.StreamDelivery, ID: domain.NewUUID()}, 0)
		sent.Fact = &domain.AttemptFinished{Body: random, Result: domain.AttemptResult{
			Number: 1, Outcome: domain.OutcomeFailed, FinishedAt: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC),
			Status: domain.DeliveryDead, StatusCode: 500,
			Response: domain.CapturedAnswer{Headers: []domain.Header{{Name: "A", Value: "<b>"}}},
		}}
		sameFact(f.T, f.one(f.append(group(sent))[0]).Fact, sent.Fact)
	})
	f.step("no content", func(f *fixture) {
		sent := f.eventWith(nil)
		sameFact(f.T, f.one(f.append(group(sent))[0]).Fact, sent.Fact)
	})
}

// one selects one entry by its sequence.
func (f *fixture) one(e domain.Entry) domain.Entry {
	f.Helper()
	from, to := e.Sequence, e.Sequence+1
	found, err := f.log.Select(f.Context(), domain.Query{Tenant: e.Tenant, From: &from, To: &to, Limit: 10})
	if err != nil || len(found) != 1 {
		f.Fatalf("select of sequence %d: %d entries, %v", e.Sequence, len(found), err)
	}
	return found[0]
}

func testAwait(f *fixture) {
	f.step("returns at once when the log has grown already", func(f *fixture) {
		begin := time.Now()
		for range 10 {
			f.log.Await(f.Context(), f.head()-1)
		}
		if waited := time.Since(begin); waited > 5*time.Second {
			f.Errorf("ten calls took %v", waited)
		}
	})
	f.step("returns when the context ends", func(f *fixture) {
		ctx, cancel := context.WithCancel(f.Context())
		cancel()
		begin := time.Now()
		for range 10 {
			f.log.Await(ctx, f.head())
		}
		if waited := time.Since(begin); waited > 5*time.Second {
			f.Errorf("ten calls took %v", waited)
		}
	})
	f.step("an append wakes it before the second is over", func(f *fixture) {
		// Whoever was woken by the end of its second only would have waited for most of one after the append; one of ten
		// rounds in which the machine was busy elsewhere is forgiven.
		late := 0
		for range 10 {
			before := f.head()
			var woken time.Time
			begun := make(chan struct{})
			var done sync.WaitGroup
			done.Go(func() {
				close(begun)
				f.log.Await(f.Context(), before)
				woken = time.Now()
			})
			<-begun
			f.append(group(f.event()))
			appended := time.Now()
			done.Wait()
			if woken.Sub(appended) > 600*time.Millisecond {
				late++
			}
		}
		if late > 1 {
			f.Errorf("%d of 10 waits weren't ended by the append", late)
		}
	})
}

func testSelect(f *fixture) {
	ann := domain.Actor{Principal: domain.NewUUID(), Credential: domain.NewUUID()}
	bob := domain.Actor{Principal: domain.NewUUID(), Credential: domain.NewUUID()}
	var own []domain.Entry
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
	f.create("neighbour")
	neighbour := f.event()
	neighbour.Tenant, neighbour.By = "neighbour", ann
	f.append(group(neighbour))
	begin := f.one(domain.Entry{Tenant: f.tenant, Sequence: 0})
	own = append([]domain.Entry{begin}, own...)

	at := func(i int) *domain.Sequence { return &own[i].Sequence }
	for name, q := range map[string]domain.Query{
		"everything":           {},
		"from":                 {From: at(5)},
		"to":                   {To: at(5)},
		"from zero":            {From: new(domain.Sequence)},
		"to zero":              {To: new(domain.Sequence)},
		"a range":              {From: at(3), To: at(20)},
		"an empty range":       {From: at(20), To: at(3)},
		"since":                {Since: own[7].RecordedAt},
		"until":                {Until: own[7].RecordedAt},
		"just after":           {Since: own[7].RecordedAt.Add(time.Microsecond)},
		"a time range":         {Since: own[7].RecordedAt, Until: own[17].RecordedAt},
		"before all":           {Until: own[0].RecordedAt},
		"after all":            {Since: own[36].RecordedAt.Add(time.Hour)},
		"a kind":               {Kind: domain.KindEventRouted},
		"a prefix":             {Kind: "event.*"},
		"an unknown kind":      {Kind: "event.nonsense"},
		"no prefix":            {Kind: "event"},
		"part of a word":       {Kind: "even.*"},
		"a stream":             {Stream: own[4].Stream},
		"an unknown stream":    {Stream: domain.Stream{Kind: domain.StreamEvent, ID: domain.NewUUID()}},
		"a stream's other id":  {Stream: domain.Stream{Kind: domain.StreamDelivery, ID: own[4].Stream.ID}},
		"a principal":          {Actor: ann.Principal},
		"a credential":         {Actor: bob.Credential},
		"nobody":               {Actor: domain.NewUUID()},
		"all at once":          {From: at(2), To: at(30), Since: own[4].RecordedAt, Kind: "event.*", Actor: bob.Principal},
		"kind and time":        {Kind: domain.KindDeliveryCancelled, Until: own[12].RecordedAt},
		"stream and kind":      {Stream: own[4].Stream, Kind: domain.KindEventRouted},
		"another tenant":       {Tenant: "neighbour"},
		"a tenant without log": {Tenant: "unknown"},
	} {
		if q.Tenant == "" {
			q.Tenant = f.tenant
		}
		f.step(name, func(f *fixture) { f.selects(q) })
	}
	f.step("a limit must be positive", func(f *fixture) {
		for _, limit := range []int{0, -1} {
			if _, err := f.log.Select(f.Context(), domain.Query{Tenant: f.tenant, Limit: limit}); err == nil {
				f.Errorf("limit %d was accepted", limit)
			}
		}
	})
}

// selects holds a query's answers, in both directions, limited and as headers, against a plain reading of the log.
func (f *fixture) selects(q domain.Query) {
	f.Helper()
	var want []domain.Entry
	for _, e := range Verify(f.T, f.log) {
		if e.Tenant == q.Tenant && matches(q, e) {
			want = append(want, e)
		}
	}
	for _, q.Descending = range []bool{false, true} {
		if q.Descending {
			slices.Reverse(want)
		}
		for _, q.Limit = range []int{1000, 1, 5} {
			for _, q.HeadersOnly = range []bool{false, true} {
				f.selected(q, want[:min(len(want), q.Limit)])
			}
		}
	}
}

func (f *fixture) selected(q domain.Query, want []domain.Entry) {
	f.Helper()
	got, err := f.log.Select(f.Context(), q)
	if err != nil || len(got) != len(want) {
		f.Fatalf("%+v: %d entries and error %v, want %d entries", q, len(got), err, len(want))
	}
	for i, e := range got {
		w := want[i]
		if q.HeadersOnly {
			w.Fact, w.Reason = nil, ""
		}
		sameEntry(f.T, e, w)
	}
}
