package openapi_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// nullLog takes appends and forgets them: what is measured is the HTTP surface.
type nullLog struct {
	domain.Log
	leaf []byte
	at   time.Time
}

func (l *nullLog) Append(_ context.Context, groups ...domain.Group) []domain.Outcome {
	outcomes := make([]domain.Outcome, len(groups))
	for i, g := range groups {
		outcomes[i].Entries = make([]domain.Entry, len(g.Drafts))
		for j, d := range g.Drafts {
			outcomes[i].Entries[j] = domain.Entry{Sequence: domain.Sequence(j), Stream: d.Stream, RecordedAt: l.at, Leaf: l.leaf, Fact: d.Fact}
		}
	}
	return outcomes
}

// payload is event data of about 1 KiB.
func payload() string {
	return `{"customer":"c-17","lines":[` + strings.Repeat(`{"sku":"A-1001","quantity":2,"price":"12.50"},`, 20) + `{}],"note":"` + strings.Repeat("x", 50) + `"}`
}

func BenchmarkAppend(b *testing.B) {
	f := newFixture(b)
	producer := f.key("acme", domain.RoleProducer)
	f.server.Log = &nullLog{Log: f.log, leaf: bytes.Repeat([]byte("x"), 650), at: time.Now().UTC()}
	f.useServer()
	event := `{"type":"offer.issued","subject":"customer-17","data":` + payload() + `}`
	named := func(n int) string { return fmt.Sprintf(`{"id":"order-%d",%s`, n, event[1:]) }
	b.Run("single", func(b *testing.B) {
		f.benchmark(b, producer, "/v1/tenants/acme/events", 1, func(int) string { return event })
	})
	b.Run("single with id", func(b *testing.B) { f.benchmark(b, producer, "/v1/tenants/acme/events", 1, named) })
	batch := `{"events":[` + strings.TrimSuffix(strings.Repeat(event+",", 100), ",") + `]}`
	b.Run("batch of 100", func(b *testing.B) {
		f.benchmark(b, producer, "/v1/tenants/acme/events/batch", 100, func(int) string { return batch })
	})
}

func (f *fixture) benchmark(b *testing.B, key, target string, events int, body func(n int) string) {
	b.ReportAllocs()
	n, begin := 0, cpuTime(b)
	for b.Loop() {
		text := body(n)
		n++
		r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, target, strings.NewReader(text))
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		f.handler.ServeHTTP(w, r)
		if w.Code != http.StatusCreated {
			b.Fatalf("status %d: %s", w.Code, w.Body)
		}
	}
	b.ReportMetric(float64((cpuTime(b)-begin).Microseconds())/float64(n*events), "cpu-µs/event")
}

// cpuTime is what the process has used: it counts the garbage collector, and not what else the machine does.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
