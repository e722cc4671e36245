package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// benchEventBytes is the size of an event's data in every measurement: 1 KiB, as the peers were measured with.
const benchEventBytes = 1024

// benchData makes one event's data: an order as a shop would send it, exactly benchEventBytes long, so that compression
// meets what it meets in use. sentAt, in nanoseconds, lets the receiver tell the latency.
func benchData(random *rand.Rand, sentAt int64) []byte {
	b := fmt.Appendf(
		make([]byte, 0, benchEventBytes),
		`{"sent_ns":%d,"order_id":"%016x","customer":"%08x","currency":"EUR","lines":[`,
		sentAt,
		random.Uint64(),
		random.Uint32(),
	)
	for len(b) < benchEventBytes-180 {
		b = fmt.Appendf(b, `{"sku":"%08X","description":"%s","quantity":%d,"unit_price":%d.%02d},`,
			random.Uint32(), benchWords[random.IntN(len(benchWords))], 1+random.IntN(9), random.IntN(500), random.IntN(100))
	}
	b = fmt.Appendf(b[:len(b)-1], `],"note":"`)
	for len(b) < benchEventBytes-2 {
		b = append(b, "abcdefghijklmnop qrstuvwxyz"[random.IntN(27)])
	}
	return append(b, `"}`...)
}

var benchWords = [...]string{
	"espresso beans, dark roast", "oat drink, 1 l", "paper filters, 100 pieces", "hand grinder, steel", "cup, stoneware",
	"descaler, 500 ml", "milk jug, 350 ml", "thermometer", "scale, 0.1 g", "cleaning brush",
}

// benchEvent is the body that appends one event, about one of a thousand customers.
func benchEvent(random *rand.Rand, eventType string, sentAt int64) []byte {
	return benchEventAbout(random, eventType, sentAt, fmt.Sprintf("customer/%d", random.IntN(1000)))
}

func benchEventAbout(random *rand.Rand, eventType string, sentAt int64, subject string) []byte {
	b := fmt.Appendf(nil, `{"type":%q,"subject":%q,"data":`, eventType, subject)
	return append(append(b, benchData(random, sentAt)...), '}')
}

// benchBatch is the body that appends n events.
func benchBatch(random *rand.Rand, eventType string, n int) []byte {
	b := []byte(`{"events":[`)
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, benchEvent(random, eventType, 0)...)
	}
	return append(b, `]}`...)
}

// post sends a prepared body and expects 201.
func (c *apiClient) post(ctx context.Context, path string, body []byte) error {
	resp, err := c.send(ctx, http.MethodPost, path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		return problemOf(resp)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// appendLoad is what callers append for a while, in requests of perBody events each.
type appendLoad struct {
	eventType        string
	callers, perBody int
	lasting          time.Duration
}

// appendRun is what came of it.
type appendRun struct {
	events    int
	perSecond float64
	callP99   time.Duration
	started   time.Time
}

// appendRate puts the load on the server. The bodies are made before the clock runs: a producer's work isn't measured.
func (b *bench) appendRate(ctx context.Context, load appendLoad) (appendRun, error) {
	path, bodies := appendBodies(load.eventType, load.perBody)
	calls := make([][]time.Duration, load.callers)
	run := appendRun{started: time.Now()}
	group, ctx := errgroup.WithContext(ctx)
	for caller := range load.callers {
		group.Go(func() error {
			for i := caller; time.Since(run.started) < load.lasting; i++ {
				began := time.Now()
				if err := b.api.post(ctx, path, bodies[i%len(bodies)]); err != nil {
					return err
				}
				calls[caller] = append(calls[caller], time.Since(began))
			}
			return nil
		})
	}
	err := group.Wait()
	took := time.Since(run.started)
	all := slices.Sorted(slices.Values(slices.Concat(calls...)))
	if len(all) == 0 {
		return run, errors.Join(err, errors.New("no append was answered"))
	}
	run.events = len(all) * load.perBody
	run.perSecond = float64(run.events) / took.Seconds()
	run.callP99 = all[len(all)*99/100]
	return run, err
}

// appendBodies makes requests of perBody events each, and says where they go.
func appendBodies(eventType string, perBody int) (path string, bodies [][]byte) {
	const events = 10_000
	random := rand.New(rand.NewPCG(6, uint64(perBody))) //nolint:gosec // the same events in every run
	path = "/v1/tenants/default/events"
	if perBody > 1 {
		path += "/batch"
	}
	for range events / perBody {
		body := benchEvent(random, eventType, 0)
		if perBody > 1 {
			body = benchBatch(random, eventType, perBody)
		}
		bodies = append(bodies, body)
	}
	return path, bodies
}

// feedBatch is how many deliveries a request of feed leads to.
const feedBatch = 100

// feedBodies makes the requests of perBody events that feed sends in turn: before the clock runs, since a producer's
// work isn't measured.
func feedBodies(eventType string, perBody int) [][]byte {
	random := rand.New(rand.NewPCG(4, 5)) //nolint:gosec // the same events in every run
	bodies := make([][]byte, 10_000/perBody)
	for i := range bodies {
		bodies[i] = benchBatch(random, eventType, perBody)
	}
	return bodies
}

// subjectBodies makes requests for so many events, no two of which are about the same subject.
func subjectBodies(events int) [][]byte {
	random := rand.New(rand.NewPCG(7, 8)) //nolint:gosec // the same events in every run
	bodies := make([][]byte, events/feedBatch)
	subject := 0
	for i := range bodies {
		b := []byte(`{"events":[`)
		for n := range feedBatch {
			if n > 0 {
				b = append(b, ',')
			}
			subject++
			b = append(b, benchEventAbout(random, benchType, 0, fmt.Sprintf("person/%d", subject))...)
		}
		bodies[i] = append(b, `]}`...)
	}
	return bodies
}

// feed appends total events in requests of perBody, keeping at most ahead of them undelivered.
func feed(ctx context.Context, c *apiClient, bodies [][]byte, perBody, total, ahead int, arrived *arrivalCount) error {
	const callers = 16
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range callers {
		group.Go(func() error {
			for {
				mine := next.Add(int64(perBody))
				if mine > int64(total) {
					return nil
				}
				body := bodies[int(mine)/perBody%len(bodies)]
				if err := arrived.wait(ctx, mine-int64(ahead)); err != nil {
					return err
				}
				if err := c.post(ctx, "/v1/tenants/default/events/batch", body); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

// arrivalCount is how many events the receiver has got, as far as is known. Its zero value is none.
type arrivalCount struct {
	mu    sync.Mutex
	count int64         // guarded by mu
	moved chan struct{} // guarded by mu; closed when count changes; nil: nobody waits
}

func (a *arrivalCount) set(n int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.count = n; a.moved != nil {
		close(a.moved)
		a.moved = nil
	}
}

// wait returns when at least n have arrived, or with ctx's error.
func (a *arrivalCount) wait(ctx context.Context, n int64) error {
	for {
		a.mu.Lock()
		if a.count >= n {
			a.mu.Unlock()
			return nil
		}
		if a.moved == nil {
			a.moved = make(chan struct{})
		}
		moved := a.moved
		a.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// askArrivals is how often the receiver is asked: a fraction of the time in which what is ahead would be delivered.
const askArrivals = 20 * time.Millisecond

// countArrivals keeps asking the receiver how many events it has got, each so many times, until ctx ends.
func (b *bench) countArrivals(ctx context.Context, times int) *arrivalCount {
	var arrived arrivalCount
	go func() {
		tick := time.NewTicker(askArrivals)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			var seen benchStatistics
			if b.receiver.call(ctx, http.MethodGet, "/statistics", nil, &seen) == nil { // else asked again
				arrived.set(seen.Count / int64(times))
			}
		}
	}()
	return &arrived
}
