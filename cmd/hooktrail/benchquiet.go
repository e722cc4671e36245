package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// pace of the quiet measurement, at which events share nothing.
const quietPerSecond, quietSeconds = 50, 10

// measureQuiet measures latency and cost of events that come one at a time.
func (b *bench) measureQuiet(ctx context.Context) (err error) {
	if err := b.pace(ctx, quietPerSecond, 2); err != nil { // connections, caches and plans warm up
		return err
	}
	if err := b.settle(ctx); err != nil {
		return err
	}
	before, err := b.activity(ctx)
	if err != nil {
		return err
	}
	f := &b.figures
	if f.LatencyP50MS, f.LatencyP99MS, err = b.measureLatency(ctx, quietPerSecond, quietSeconds); err != nil {
		return err
	}
	after, err := b.activity(ctx)
	if err != nil {
		return err
	}
	const events = quietPerSecond * quietSeconds
	f.Quiet = quietFigures{
		CPUMS:        map[string]float64{},
		Transactions: round((after.transactions-before.transactions)/events, 1),
		Rows:         round((after.rows-before.rows)/events, 1),
	}
	for process, us := range after.cpu.perDelivery(before.cpu, events) {
		f.Quiet.CPUMS[process] = us / 1000
	}
	return nil
}

// measureLatency appends at a steady pace and asks the receiver when the events came: p50 and p99, in milliseconds.
func (b *bench) measureLatency(ctx context.Context, perSecond, seconds int) (p50, p99 float64, err error) {
	if err := b.receiver.call(ctx, http.MethodDelete, "/statistics", nil, nil); err != nil {
		return 0, 0, err
	}
	if err := b.pace(ctx, perSecond, seconds); err != nil {
		return 0, 0, err
	}
	seen, err := b.arrivals(ctx, perSecond*seconds)
	if err != nil {
		return 0, 0, err
	}
	slices.Sort(seen.LatencyUS)
	at := func(share int) float64 { return round(float64(seen.LatencyUS[len(seen.LatencyUS)*share/100])/1000, 2) }
	return at(50), at(99), nil
}

// pace appends events at a steady rate, whatever the answers take.
func (b *bench) pace(ctx context.Context, perSecond, seconds int) error {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same events in every run; guarded by mu
	group, calls := errgroup.WithContext(ctx)
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for range perSecond * seconds {
		select {
		case <-calls.Done():
			return group.Wait()
		case <-tick.C:
		}
		group.Go(func() error {
			mu.Lock()
			body := benchEvent(random, benchType, time.Now().UnixNano())
			mu.Unlock()
			return b.api.post(calls, "/v1/tenants/default/events", body)
		})
	}
	return group.Wait()
}
