package eventlog_test

import (
	"context"
	"fmt"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/hooktrail/hooktrail/adapters/postgres/eventlog"
)

// BenchmarkCheckLog checks a log of 200,000 entries; peak-MB is what the process had allocated at most meanwhile.
func BenchmarkCheckLog(b *testing.B) {
	log := open(b)
	data := payloads()
	const entries = 200_000
	for range entries / 1000 {
		g := group()
		for i := range 1000 {
			d := eventOf(data[i])
			d.Subject = fmt.Sprintf("customer/%d", i%100)
			g.Drafts = append(g.Drafts, d)
		}
		log.mustAppend(b, g)
	}
	log.stop() // which remembers entries
	checker := reopen(b, log.db, log.key)
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	ctx, stop := context.WithCancel(b.Context())
	peak := make(chan uint64)
	go func() {
		most := uint64(0)
		for ctx.Err() == nil {
			metrics.Read(sample)
			most = max(most, sample[0].Value.Uint64())
			time.Sleep(5 * time.Millisecond)
		}
		peak <- most
	}()
	for b.Loop() {
		if _, err := eventlog.CheckLog(context.Background(), checker.Log, eventlog.CheckOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	stop()
	b.ReportMetric(float64(<-peak)/(1<<20), "peak-MB")
	b.ReportMetric(entries*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}
