package dispatch_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/domain"
)

// counting is a Sender that answers at once.
type counting struct {
	sent atomic.Int64
	done chan struct{} // closed at the last
	last int64
}

// Send implements Sender.
func (c *counting) Send(_ context.Context, s domain.Shipment) domain.Answer {
	if c.sent.Add(1) == c.last {
		close(c.done)
	}
	return succeeds(s)
}

// BenchmarkDispatcher measures what an event costs from its append to the end of its delivery, the log in memory (which
// makes every leaf and takes every fact through the codec) included, and nothing being sent.
func BenchmarkDispatcher(b *testing.B) {
	for _, concurrency := range []int{32, 512} {
		b.Run(fmt.Sprintf("concurrency %d", concurrency), func(b *testing.B) {
			w := newWorld(b)
			w.subscribe(w.endpoint(func(c *domain.EndpointConfig) { c.Concurrency = concurrency }), "*")
			sender := &counting{done: make(chan struct{}), last: int64(b.N)}
			registry := prometheus.NewRegistry()
			n := w.start(func(s *dispatch.Settings) {
				s.Sender, s.Metrics, s.Budget, s.Window = sender, registry, 1<<30, 1<<20
			})
			for held := 0; held < shards; {
				held = valueOf(b, registry, "hooktrail_dispatch_shards")
				time.Sleep(10 * time.Millisecond)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				w.event("a")
			}
			<-sender.done
			b.StopTimer()
			n.end(b)
		})
	}
}
