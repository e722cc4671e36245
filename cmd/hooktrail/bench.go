package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"
)

type benchCommand struct {
	JSON     bool `name:"json" help:"Print one JSON object and nothing else on standard output."`
	Events   int  `name:"events" default:"32000" help:"Events delivered in the measurement of the delivery rate, at least 2,000."`
	Parallel int  `name:"concurrency" default:"512" help:"The endpoint's concurrency, and that of the limit."`
}

// benchFigures are what one run measured. Rates are per second of wall time, on this machine, everything on it.
type benchFigures struct {
	Version          string  `json:"version"`
	Machine          string  `json:"machine"`
	AppendSinglePerS float64 `json:"append_single_per_s"` // POST …/events, 64 callers, 1 KiB
	AppendBatchPerS  float64 `json:"append_batch_per_s"`  // events/s by POST …/events/batch, 100 a request
	DeliveredPerS    float64 `json:"delivered_per_s"`     // appended in batches, routed, attempted, recorded; one endpoint
	LimitPerS        float64 `json:"limit_per_s"`         // the same requests signed and sent without a log
	DeliveryRatio    float64 `json:"delivery_ratio"`
	LatencyP50MS     float64 `json:"latency_p50_ms"` // from before the append to the arrival, at 50 events/s
	LatencyP99MS     float64 `json:"latency_p99_ms"`
	// SingleDelivered is what is delivered while events are appended one by one over HTTP, by number of callers.
	SingleDelivered map[string]singleFigures `json:"single_delivered"`
	FanOutPerS      float64                  `json:"fan_out_per_s"`       // deliveries/s where each event goes to ten endpoints
	SubjectPerS     float64                  `json:"subject_per_s"`       // delivered/s where each event is about another subject
	SubjectRatio    float64                  `json:"subject_ratio"`       // that, as a share of delivered_per_s
	BusyLatencyP50  float64                  `json:"busy_latency_p50_ms"` // as latency_p50_ms, at 1,000 events/s
	BusyLatencyP99  float64                  `json:"busy_latency_p99_ms"`
	// Quiet is what an event costs at 50 events/s, when nothing is shared between events.
	Quiet           quietFigures `json:"quiet"`
	DBBytesPerEvent float64      `json:"db_bytes_per_event"` // database growth per event delivered once, views included
	// DBBytesPerFurther is the growth for each further delivery of the same event.
	DBBytesPerFurther float64 `json:"db_bytes_per_further_delivery"`
	// DBBytesByTable says where those bytes are, indexes included.
	DBBytesByTable map[string]float64 `json:"db_bytes_by_table"`
	// CPUPerDeliveryUS is the processor time of each process; the generator is this one, which appends.
	CPUPerDeliveryUS map[string]float64 `json:"cpu_per_delivery_us"`
	EntriesPerCommit float64            `json:"entries_per_commit"` // mean size of a group commit while delivering
	LimitCPUUS       float64            `json:"limit_cpu_us"`       // processor time of one request of the limit, sender and receiver
	DeliveredEvents  int                `json:"delivered_events"`
	DurationSeconds  float64            `json:"duration_s"`
}

// singleFigures are of events that are appended one by one and delivered.
type singleFigures struct {
	AppendedPerS  float64 `json:"appended_per_s"`
	DeliveredPerS float64 `json:"delivered_per_s"`
	CallP99MS     float64 `json:"call_p99_ms"` // of the append
	// DBBytesPerEvent is the database's growth where no delivery waits for another: each attempt's start is part of its
	// event.
	DBBytesPerEvent float64 `json:"db_bytes_per_event"`
}

// quietFigures are the cost of one event that is delivered once, at a steady pace.
type quietFigures struct {
	CPUMS        map[string]float64 `json:"cpu_ms"`       // by process, in milliseconds
	Transactions float64            `json:"transactions"` // committed in the database
	Rows         float64            `json:"rows"`         // inserted, updated and deleted
}

// benchBound ends a run that doesn't end by itself.
const benchBound = 115 * time.Second

// Run starts a Postgres, a server and a receiver of its own, measures, and stops them.
func (c benchCommand) Run(ctx context.Context, p process) error {
	if c.Events < 2000 || c.Events > 1_000_000 {
		return usagef("--events must be between 2000 and 1000000")
	}
	if c.Parallel < 1 || c.Parallel > 1024 {
		return usagef("--concurrency must be between 1 and 1024")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, benchBound, errors.New("the measurement took too long"))
	defer cancel()
	started := time.Now()
	r, err := startRig(ctx, p.stderr)
	if err != nil {
		return err
	}
	defer r.stop()
	b := &bench{benchCommand: c, rig: r}
	if err := b.measure(ctx); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		return err
	}
	b.figures.DurationSeconds = round(time.Since(started).Seconds(), 1)
	if c.JSON {
		encoder := json.NewEncoder(p.stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(b.figures)
	}
	return b.figures.print(p.stdout)
}

// awaitReady asks /readyz until it is green.
func (c *apiClient) awaitReady(ctx context.Context) error {
	for {
		resp, err := c.send(ctx, http.MethodGet, "/readyz", nil)
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server didn't become ready: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// bench is one run under way.
type bench struct {
	benchCommand
	*rig
	figures benchFigures
}

// measure runs the measurements one after the other.
func (b *bench) measure(ctx context.Context) (err error) {
	f := &b.figures
	f.Version, f.Machine = fullVersion(), fmt.Sprintf("%d cores, %s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
	if err := b.subscribe(ctx, benchType); err != nil {
		return err
	}
	b.say("latency and cost: 50 events/s for 10 s")
	if err := b.measureQuiet(ctx); err != nil {
		return err
	}
	b.say("latency: 1,000 events/s for 4 s")
	if f.BusyLatencyP50, f.BusyLatencyP99, err = b.measureLatency(ctx, 1000, 4); err != nil {
		return err
	}
	f.SingleDelivered = make(map[string]singleFigures)
	for _, callers := range []int{32, 64} {
		b.say("appends one by one while all is delivered, %d callers, 5 s", callers)
		if f.SingleDelivered[strconv.Itoa(callers)], err = b.measureSingle(ctx, callers, 5*time.Second); err != nil {
			return err
		}
	}
	b.say("appends that nobody gets: one by one, 64 callers, 5 s, and in batches of 100, 5 s")
	single, err := b.appendRate(ctx, appendLoad{"bench.appended", 64, 1, 5 * time.Second})
	if err != nil {
		return err
	}
	batch, err := b.appendRate(ctx, appendLoad{"bench.appended", 8, 100, 5 * time.Second})
	if err != nil {
		return err
	}
	f.AppendSinglePerS, f.AppendBatchPerS = round(single.perSecond, 0), round(batch.perSecond, 0)
	if err := b.settle(ctx); err != nil {
		return err
	}
	b.say("%d deliveries to one endpoint, and the limit without a log, in turns", b.Events)
	if err := b.measureDeliveries(ctx); err != nil {
		return err
	}
	b.say("%d deliveries of events about a subject each", b.Events/benchRounds)
	if err := b.measureSubjects(ctx); err != nil {
		return err
	}
	b.say("%d deliveries, ten of each event", b.Events/2)
	return b.measureFanOut(ctx)
}

// benchType is the type of the events that one endpoint gets, fannedType of those that fannedEndpoints get.
const (
	benchType       = "bench.delivered"
	fannedType      = "bench.fanned"
	fannedEndpoints = 10
)

// subscribe makes an endpoint that gets the events of a type.
func (b *bench) subscribe(ctx context.Context, eventType string) error {
	var endpoint struct{ ID string }
	err := b.api.call(ctx, http.MethodPost, "/v1/tenants/default/endpoints", map[string]any{
		"name": "bench", "url": b.receiver.base + "/", "concurrency": b.Parallel,
	}, &endpoint)
	if err != nil {
		return err
	}
	return b.api.call(ctx, http.MethodPost, "/v1/tenants/default/subscriptions", map[string]any{
		"endpoint_id": endpoint.ID, "event_types": []string{eventType},
	}, nil)
}

func (f benchFigures) print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintf(table, "machine\t%s, hooktrail %s\n", f.Machine, f.Version)
	fmt.Fprintf(table, "appends accepted, one by one\t%.0f/s\n", f.AppendSinglePerS)
	fmt.Fprintf(table, "events accepted, batches of 100\t%.0f/s\n", f.AppendBatchPerS)
	fmt.Fprintf(table, "delivered to one endpoint\t%.0f/s\n", f.DeliveredPerS)
	fmt.Fprintf(table, "limit without a log\t%.0f/s\n", f.LimitPerS)
	fmt.Fprintf(table, "delivered/limit\t%.2f\n", f.DeliveryRatio)
	for _, callers := range slices.Sorted(maps.Keys(f.SingleDelivered)) {
		s := f.SingleDelivered[callers]
		fmt.Fprintf(
			table,
			"delivered, appended one by one by %s callers\t%.0f/s, p99 of the call %.1f ms, %.0f bytes an event\n",
			callers,
			s.DeliveredPerS,
			s.CallP99MS,
			s.DBBytesPerEvent,
		)
	}
	fmt.Fprintf(table, "delivered, ten endpoints an event\t%.0f/s\n", f.FanOutPerS)
	fmt.Fprintf(table, "delivered, a subject an event\t%.0f/s, %.2f of that without\n", f.SubjectPerS, f.SubjectRatio)
	fmt.Fprintf(table, "append to receipt at 50/s\tp50 %.2f ms, p99 %.2f ms\n", f.LatencyP50MS, f.LatencyP99MS)
	fmt.Fprintf(table, "append to receipt at 1,000/s\tp50 %.2f ms, p99 %.2f ms\n", f.BusyLatencyP50, f.BusyLatencyP99)
	fmt.Fprintf(table, "an event at 50/s costs\tserver %.2f + Postgres %.2f ms, %.1f transactions, %.1f rows\n",
		f.Quiet.CPUMS["server"], f.Quiet.CPUMS["postgres"], f.Quiet.Transactions, f.Quiet.Rows)
	fmt.Fprintf(table, "database per event delivered once\t%.0f bytes\n", f.DBBytesPerEvent)
	fmt.Fprintf(table, "database per further delivery\t%.0f bytes\n", f.DBBytesPerFurther)
	cpu := f.CPUPerDeliveryUS
	fmt.Fprintf(table, "CPU per delivery\tserver %.0f + Postgres %.0f + receiver %.0f + generator %.0f µs\n",
		cpu["server"], cpu["postgres"], cpu["receiver"], cpu["generator"])
	fmt.Fprintf(table, "CPU per request of the limit\t%.0f µs\n", f.LimitCPUUS)
	return table.Flush()
}

func round(x float64, decimals int) float64 {
	scale := 1.0
	for range decimals {
		scale *= 10
	}
	return float64(int64(x*scale+0.5)) / scale
}
