package logtest

import (
	"bytes"
	"context"
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
		fact.Event.Extensions = map[string]domain.Extension{"traceparent": domain.ExtensionText("00-1"), "a": {}}
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
			AttemptEnd: domain.AttemptEnd{
				Number: 1, Outcome: domain.OutcomeFailed, FinishedAt: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC),
				Status: domain.DeliveryDead, StatusCode: 500,
			},
			Exchange: domain.Exchange{
				Response: domain.CapturedAnswer{Headers: []domain.Header{{Name: "A", Value: "<b>"}}},
			},
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
	found, err := domain.Select(f.Context(), f.log, domain.Query{Tenant: e.Tenant, From: &from, To: &to, Limit: 10})
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
