package main

import (
	"context"
	"net/http"
	"time"
)

// benchRounds is how often deliveries and the limit take turns: the speed of a shared machine drifts, and what is to be
// compared must see the same of it.
const benchRounds = 4

// limitSlice is how long the limit is measured in each round.
const limitSlice = 2500 * time.Millisecond

// measureDeliveries measures deliveries and the limit in turns.
func (b *bench) measureDeliveries(ctx context.Context) error {
	bodies := feedBodies(benchType, feedBatch)
	perRound := b.Events / benchRounds / feedBatch * feedBatch
	var delivering, limiting time.Duration
	var sent int64
	var limitCPU time.Duration
	total := usage{tables: map[string]int64{}}
	for range benchRounds {
		before := b.processors()
		n, took, err := b.measureLimit(ctx, limitSlice)
		if err != nil {
			return err
		}
		after := b.processors()
		limitCPU += after.Generator + after.Receiver - before.Generator - before.Receiver
		sent, limiting = sent+n, limiting+took
		took, err = b.deliver(ctx, bodies, perRound, 1, &total)
		if err != nil {
			return err
		}
		delivering += took
	}
	f, events := &b.figures, benchRounds*perRound
	f.DeliveredEvents = events
	f.DeliveredPerS = round(float64(events)/delivering.Seconds(), 0)
	f.LimitPerS = round(float64(sent)/limiting.Seconds(), 0)
	f.DeliveryRatio = round(f.DeliveredPerS/f.LimitPerS, 3)
	f.LimitCPUUS = round(float64(limitCPU.Microseconds())/float64(sent), 0)
	f.CPUPerDeliveryUS = total.cpu.perDelivery(processors{}, events)
	f.EntriesPerCommit = round(total.entries/total.commits, 0)
	f.DBBytesPerEvent = round(float64(total.bytes)/float64(events), 0)
	f.DBBytesByTable = map[string]float64{}
	for table, size := range total.tables {
		if each := round(float64(size)/float64(events), 0); each >= 1 {
			f.DBBytesByTable[table] = each
		}
	}
	return nil
}

// measureSingle appends one by one while everything is delivered.
func (b *bench) measureSingle(ctx context.Context, callers int, lasting time.Duration) (f singleFigures, err error) {
	if err := b.receiver.call(ctx, http.MethodDelete, "/statistics", nil, nil); err != nil {
		return f, err
	}
	before, _, err := b.databaseBytes(ctx)
	if err != nil {
		return f, err
	}
	run, err := b.appendRate(ctx, appendLoad{benchType, callers, 1, lasting})
	if err != nil {
		return f, err
	}
	seen, err := b.arrivals(ctx, run.events)
	if err != nil {
		return f, err
	}
	delivering := time.Unix(0, seen.LastNS).Sub(run.started)
	f = singleFigures{
		AppendedPerS:  round(run.perSecond, 0),
		DeliveredPerS: round(float64(run.events)/delivering.Seconds(), 0),
		CallP99MS:     round(float64(run.callP99.Microseconds())/1000, 1),
	}
	if err := b.settle(ctx); err != nil {
		return f, err
	}
	after, _, err := b.databaseBytes(ctx)
	f.DBBytesPerEvent = round(float64(after-before)/float64(run.events), 0)
	return f, err
}

// measureSubjects has every event be about a subject that was never seen before.
func (b *bench) measureSubjects(ctx context.Context) error {
	events := b.Events / benchRounds / feedBatch * feedBatch
	total := usage{tables: map[string]int64{}}
	took, err := b.deliver(ctx, subjectBodies(events), events, 1, &total)
	if err != nil {
		return err
	}
	b.figures.SubjectPerS = round(float64(events)/took.Seconds(), 0)
	b.figures.SubjectRatio = round(b.figures.SubjectPerS/b.figures.DeliveredPerS, 2)
	return nil
}

// measureFanOut has every event go to fannedEndpoints endpoints.
func (b *bench) measureFanOut(ctx context.Context) error {
	for range fannedEndpoints {
		if err := b.subscribe(ctx, fannedType); err != nil {
			return err
		}
	}
	events := max(b.Events/2/fannedEndpoints/feedBatch, 1) * feedBatch
	total := usage{tables: map[string]int64{}}
	took, err := b.deliver(ctx, feedBodies(fannedType, feedBatch/fannedEndpoints), events, fannedEndpoints, &total)
	if err != nil {
		return err
	}
	b.figures.FanOutPerS = round(float64(events*fannedEndpoints)/took.Seconds(), 0)
	perEvent := float64(total.bytes) / float64(events)
	b.figures.DBBytesPerFurther = round((perEvent-b.figures.DBBytesPerEvent)/(fannedEndpoints-1), 0)
	return nil
}

// feedAhead is how many deliveries may be outstanding while events are fed.
const feedAhead = 2000

// deliver has events appended, feedBatch/times in a request, each of which arrives so many times, and counts at the
// receiver: the clock runs from the first append to the last arrival. What is used is counted until nothing is left to
// be done.
func (b *bench) deliver(ctx context.Context, bodies [][]byte, events, times int, total *usage) (time.Duration, error) {
	if err := b.receiver.call(ctx, http.MethodDelete, "/statistics", nil, nil); err != nil {
		return 0, err
	}
	before, err := b.usage(ctx)
	if err != nil {
		return 0, err
	}
	counting, stop := context.WithCancel(ctx)
	defer stop()
	started := time.Now()
	if err := feed(
		ctx,
		b.api,
		bodies,
		feedBatch/times,
		events,
		feedAhead/times,
		b.countArrivals(counting, times),
	); err != nil {
		return 0, err
	}
	seen, err := b.arrivals(ctx, events*times)
	if err != nil {
		return 0, err
	}
	took := time.Unix(0, seen.LastNS).Sub(started)
	if err := b.settle(ctx); err != nil {
		return 0, err
	}
	after, err := b.usage(ctx)
	if err != nil {
		return 0, err
	}
	total.add(before, after)
	return took, nil
}

// add adds what was used between two moments.
func (u *usage) add(before, after usage) {
	u.bytes += after.bytes - before.bytes
	u.entries += after.entries - before.entries
	u.commits += after.commits - before.commits
	u.cpu.Server += after.cpu.Server - before.cpu.Server
	u.cpu.Postgres += after.cpu.Postgres - before.cpu.Postgres
	u.cpu.Receiver += after.cpu.Receiver - before.cpu.Receiver
	u.cpu.Generator += after.cpu.Generator - before.cpu.Generator
	for table, size := range after.tables {
		u.tables[table] += size - before.tables[table]
	}
}
