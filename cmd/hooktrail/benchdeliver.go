package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// benchRounds is how often deliveries and the limit take turns: the speed of a shared machine drifts, and what is to be
// compared must see the same of it.
const benchRounds = 4

// limitSlice is how long the limit is measured in each round.
const limitSlice = 2500 * time.Millisecond

// usage is what the database and the processes have used so far.
type usage struct {
	bytes            int64
	tables           map[string]int64
	cpu              processors
	entries, commits float64
}

func (b *bench) usage(ctx context.Context) (u usage, err error) {
	if u.bytes, u.tables, err = b.databaseBytes(ctx); err != nil {
		return u, err
	}
	u.cpu = b.processors()
	u.entries, u.commits, err = b.commits(ctx)
	return u, err
}

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

// deliver has events appended, feedBatch/times in a request, each of which arrives so many times, and counts at the receiver: the clock runs from the first
// append to the last arrival. What is used is counted until nothing is left to be done.
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
	if err := feed(ctx, b.api, bodies, feedBatch/times, events, feedAhead/times, b.countArrivals(counting, times)); err != nil {
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

// commits reads from the server's metrics how many entries it has appended in how many commits.
func (b *bench) commits(ctx context.Context) (entries, commits float64, err error) {
	resp, err := b.api.send(ctx, http.MethodGet, "/metrics", nil)
	if err != nil {
		return 0, 0, err
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		switch name {
		case "hooktrail_log_batch_entries_sum":
			entries, err = strconv.ParseFloat(value, 64)
		case "hooktrail_log_batch_entries_count":
			commits, err = strconv.ParseFloat(value, 64)
		}
		if err != nil {
			return 0, 0, fmt.Errorf("read the server's metrics: %w", err)
		}
	}
	return entries, commits, nil
}

// databaseBytes is the size of the whole database, and of its tables with their indexes; partitions count as their parent.
func (b *bench) databaseBytes(ctx context.Context) (whole int64, tables map[string]int64, err error) {
	const query = `
		SELECT coalesce(i.inhparent::regclass::text, c.relname), sum(pg_total_relation_size(c.oid))::bigint
		  FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
		 WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace GROUP BY 1`
	rows, err := b.db.Query(ctx, query) //nolint:rowserrcheck // pgx.ForEachRow checks it
	if err != nil {
		return 0, nil, err
	}
	tables = map[string]int64{}
	var table string
	var size int64
	if _, err := pgx.ForEachRow(rows, []any{&table, &size}, func() error { tables[table] = size; return nil }); err != nil {
		return 0, nil, err
	}
	err = b.db.QueryRow(ctx, `SELECT pg_database_size(current_database())`).Scan(&whole)
	return whole, tables, err
}
