package export

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// Bounds of what a report holds in memory and shows.
const (
	reportDays  = 10_000 // endpoints × days
	reportFails = 1_000  // causes of failure; every further one is counted as another
	reportDead  = 1_000  // dead letters that are listed; all are counted
)

//go:embed report.html
var reportHTML string

// reportWriter gathers what a report says. Nothing of it is in the file before the end, so it can't be gone on with.
type reportWriter struct {
	to     *file
	export *domain.Export

	last      domain.UUID // the delivery whose rows come
	totals    counts
	statuses  map[domain.DeliveryStatus]int64
	days      map[endpointDay]*counts
	failures  map[string]int64
	latencies histogram
	dead      []deadLetter
}

// counts are of deliveries and of their attempts.
type counts struct {
	Deliveries, Succeeded, Dead int64
	Attempts, Failed, Unknown   int64
}

type endpointDay struct {
	endpoint domain.UUID
	day      string
}

// deadLetter is a delivery that wasn't delivered, and why its last attempt failed.
type deadLetter struct {
	Delivery, Endpoint, Type, Event, Cause string
	Attempts                               int
	Ended                                  time.Time
}

func newReportWriter(to *file, x *domain.Export) *reportWriter {
	return &reportWriter{
		to: to, export: x, statuses: make(map[domain.DeliveryStatus]int64), days: make(map[endpointDay]*counts),
		failures: make(map[string]int64),
	}
}

func (w *reportWriter) add(rows []row) error {
	for i := range rows {
		r := &rows[i]
		at := endpointDay{r.delivery.Endpoint, r.delivery.Created.RecordedAt.UTC().Format(time.DateOnly)}
		day := w.days[at]
		if day == nil {
			if len(w.days) == reportDays {
				return &failure{domain.ExportTooLarge, fmt.Sprintf(
					"a report has at most %d days of endpoints: narrow the range, or choose one endpoint", reportDays)}
			}
			day = new(counts)
			w.days[at] = day
		}
		if r.delivery.ID != w.last {
			w.last = r.delivery.ID
			w.statuses[r.delivery.Status]++
			w.totals.deliver(r)
			day.deliver(r)
			if r.delivery.Status == domain.DeliveryDead && len(w.dead) < reportDead {
				w.dead = append(w.dead, deadLetter{
					Delivery: r.delivery.ID.String(), Endpoint: r.delivery.Endpoint.String(), Type: string(r.event.class.Type),
					Event: r.event.id, Attempts: r.delivery.Attempts, Ended: r.delivery.Ended.RecordedAt,
				})
			}
		}
		w.attempt(r, day)
	}
	return nil
}

func (c *counts) deliver(r *row) {
	c.Deliveries++
	switch r.delivery.Status {
	case domain.DeliverySucceeded:
		c.Succeeded++
	case domain.DeliveryDead:
		c.Dead++
	}
}

// attempt counts the attempt of a row.
func (w *reportWriter) attempt(r *row, day *counts) {
	if r.attempt == nil {
		return
	}
	w.totals.Attempts++
	day.Attempts++
	result := r.attempt.Result
	if result == nil {
		return
	}
	cause := causeOf(result)
	switch result.Outcome {
	case domain.OutcomeSucceeded:
		w.latencies.add(result.DurationUS)
		return
	case domain.OutcomeFailed:
		w.totals.Failed++
		day.Failed++
	case domain.OutcomeUnknown:
		w.totals.Unknown++
		day.Unknown++
	}
	if w.failures[cause] == 0 && len(w.failures) == reportFails {
		cause = "others"
	}
	w.failures[cause]++
	if n := len(w.dead); n > 0 && w.dead[n-1].Delivery == r.delivery.ID.String() {
		w.dead[n-1].Cause = cause
	}
}

// causeOf is why an attempt didn't succeed, in one word.
func causeOf(r *domain.AttemptResult) string {
	switch {
	case r.Outcome == domain.OutcomeUnknown:
		return "unknown"
	case r.Error != "":
		return r.Error
	}
	return fmt.Sprint("HTTP ", r.StatusCode)
}

func (w *reportWriter) pending() ([]byte, bool) { return nil, false }

// line is one line of a table.
type line struct {
	Name, Day string
	Count     int64
	counts
}

// close writes the report.
func (w *reportWriter) close() error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"time": domain.FormatTime, "ms": func(us int64) string { return fmt.Sprintf("%.1f", float64(us)/1000) },
	}).Parse(reportHTML)
	if err != nil {
		return fmt.Errorf("read the report's template: %w", err)
	}
	var statuses, failures, days []line
	for _, s := range []domain.DeliveryStatus{
		domain.DeliverySucceeded, domain.DeliveryDead, domain.DeliveryRetrying, domain.DeliveryPending, domain.DeliveryStatusCancelled,
	} {
		statuses = append(statuses, line{Name: string(s), Count: w.statuses[s]})
	}
	for _, cause := range slices.Sorted(maps.Keys(w.failures)) {
		failures = append(failures, line{Name: cause, Count: w.failures[cause]})
	}
	slices.SortStableFunc(failures, func(a, b line) int { return cmp.Compare(b.Count, a.Count) })
	for at, c := range w.days {
		days = append(days, line{Name: at.endpoint.String(), Day: at.day, counts: *c})
	}
	slices.SortFunc(days, func(a, b line) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Day, b.Day)) })
	var latencies []line
	for _, p := range []float64{50, 90, 95, 99, 99.9} {
		latencies = append(latencies, line{Name: fmt.Sprintf("%g %%", p), Count: w.latencies.percentile(p)})
	}
	return t.Execute(w.to, map[string]any{
		"Tenant": w.export.Tenant, "Sequence": w.export.Order.Sequence, "Query": describe(&w.export.Order.Query),
		"Totals": w.totals, "Statuses": statuses, "Failures": failures, "Days": days, "Latencies": latencies,
		"Measured": w.latencies.n, "Dead": w.dead,
	})
}

// describe says for people which rows a query chooses.
func describe(q *domain.ExportQuery) []line {
	var lines []line
	add := func(name, day string) {
		if day != "" {
			lines = append(lines, line{Name: name, Day: day})
		}
	}
	if q.From != nil {
		add("from sequence", fmt.Sprint(*q.From))
	}
	if q.To != nil {
		add("before sequence", fmt.Sprint(*q.To))
	}
	if !q.Since.IsZero() {
		add("from", domain.FormatTime(q.Since))
	}
	if !q.Until.IsZero() {
		add("before", domain.FormatTime(q.Until))
	}
	for _, t := range q.Types {
		add("event type", string(t))
	}
	add("endpoint", q.Endpoint.String())
	add("subscription", q.Subscription.String())
	add("status", string(q.Status))
	return lines
}

// histogram counts durations in buckets that are 1 % apart, which is how exact percentiles are.
type histogram struct {
	n       int64
	buckets map[int]int64
}

const bucketGrowth = 1.01

func (h *histogram) add(us int64) {
	if h.buckets == nil {
		h.buckets = make(map[int]int64)
	}
	h.n++
	h.buckets[int(math.Log(float64(max(us, 1)))/math.Log(bucketGrowth))]++
}

// percentile is the least duration that so many per cent don't exceed, by less than 1 % too large; 0: nothing was counted.
func (h *histogram) percentile(p float64) int64 {
	rank := int64(math.Ceil(float64(h.n) * p / 100))
	for _, b := range slices.Sorted(maps.Keys(h.buckets)) {
		if rank -= h.buckets[b]; rank <= 0 {
			return int64(math.Pow(bucketGrowth, float64(b+1)))
		}
	}
	return 0
}
