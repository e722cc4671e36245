package reconcile

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/projections"
)

// Bounds of a range that is read at once.
const (
	rangeEntries    = 2000    // of the tenant's log
	rangeDeliveries = 10_000  // named by its entries, by at most one entry's more
	rangeBytes      = 1 << 20 // of contents in a step
	rowsAtOnce      = 500
)

// maxPause bounds the pause after a range.
const maxPause = time.Second

// walk is one walk over a period.
type walk struct {
	log     domain.Log
	views   projections.Views
	tenant  domain.TenantID
	request domain.ReconciliationRequest
	sent    *spill // of what was sent; nil: there is no list to compare it with
	most    int64  // of what was sent
	done    *atomic.Int64

	result domain.ReconciliationResult
	apart  firstOf[domain.Discrepancy]
	spilt  int64 // deliveries that were sent
	erased int64 // deliveries that succeeded and whose event's id isn't known any more
	record []byte
}

// run walks the period.
func (w *walk) run(ctx context.Context) error {
	w.apart.less = func(a, b domain.Discrepancy) int {
		if a.Sequence != b.Sequence {
			return int(a.Sequence - b.Sequence)
		}
		return slices.Compare(a.Delivery[:], b.Delivery[:])
	}
	for from := w.request.From; from < w.request.To; {
		began := time.Now()
		r := logRange{from: from, to: min(from+rangeEntries, w.request.To)}
		if err := w.read(ctx, &r); err != nil {
			return err
		}
		if err := w.compare(ctx, &r); err != nil {
			return err
		}
		from = r.to
		w.done.Store(int64(from - w.request.From))
		if err := pause(ctx, min(time.Since(began), maxPause)); err != nil {
			return err
		}
	}
	w.result.Apart, w.result.ApartCount = w.apart.sorted(), w.apart.count
	return nil
}

// failure is why a reconciliation can't succeed, for those who asked for it.
type failure struct{ problem string }

// Error implements error.
func (f *failure) Error() string { return f.problem }

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// logRange is what the log says in a range of sequences.
type logRange struct {
	from, to domain.Sequence
	named    map[domain.UUID]domain.Sequence // deliveries, with the entries that make them
	names    map[domain.Sequence]string      // of events, by their sequences; "" for one that was erased
}

// read counts what the range's entries say. It shortens the range where they name many deliveries.
func (w *walk) read(ctx context.Context, r *logRange) error {
	r.named, r.names = make(map[domain.UUID]domain.Sequence), make(map[domain.Sequence]string)
	q := domain.Query{
		Tenant: w.tenant, Kind: "event.*", From: &r.from, To: &r.to, Limit: rangeEntries, Bytes: rangeBytes,
	}
	for {
		entries, next, err := w.log.Scan(ctx, q)
		if err != nil {
			return err
		}
		for i := range entries {
			w.count(&entries[i], r)
			if len(r.named) >= rangeDeliveries {
				r.to = entries[i].Sequence + 1
				return nil
			}
		}
		if next == nil {
			return nil
		}
		q.GoOn(*next)
	}
}

func (w *walk) count(e *domain.Entry, r *logRange) {
	w.result.Sums.CountRouting(e, w.request.Endpoint)
	if e.Fact == nil {
		w.apart.add(domain.Discrepancy{Kind: domain.DiscrepancyUnreadable, Sequence: e.Sequence})
	}
	for _, d := range domain.Routed(e) {
		if w.request.Endpoint.IsZero() || d.Endpoint == w.request.Endpoint {
			r.named[d.ID] = e.Sequence
		}
	}
	if e.Kind == domain.KindEventAppended {
		r.names[e.Sequence] = nameOf(e)
	}
}

// nameOf is what receivers call an event, "" where that was destroyed.
func nameOf(e *domain.Entry) string {
	f, ok := e.Fact.(*domain.EventAppended)
	if !ok || e.Erased {
		return ""
	}
	return domain.EventName(e.Tenant, e.Stream.ID, f.Event.EventIdentity)
}

// compare counts what became of the range's deliveries, and notes what the views have otherwise than the log.
func (w *walk) compare(ctx context.Context, r *logRange) error {
	before := r.from - 1
	page := projections.Page{After: &before, Limit: rowsAtOnce}
	for more := true; more; {
		rows, ends, err := w.page(ctx, page, r.to)
		if err != nil {
			return err
		}
		if more = len(rows) == rowsAtOnce; more {
			last := &rows[len(rows)-1]
			page.After, page.AfterID = &last.Created.Sequence, last.ID
		}
		for i := range rows {
			row := &rows[i]
			_, routed := r.named[row.ID]
			requested := false
			if !routed {
				if requested, err = w.requested(ctx, row); err != nil {
					return err
				}
			}
			switch {
			case requested:
				w.result.Sums.Requested++
			case !routed:
				w.apart.add(domain.Discrepancy{
					Kind: domain.DiscrepancyNotInLog, Sequence: row.Created.Sequence, Delivery: row.ID,
				})
				continue
			}
			delete(r.named, row.ID)
			w.result.Sums.Count(row.Status, ends[i])
			if w.sent != nil && row.Attempts > 0 {
				if err := w.spill(ctx, row, r); err != nil {
					return err
				}
			}
		}
	}
	for id, at := range r.named {
		w.apart.add(domain.Discrepancy{Kind: domain.DiscrepancyNotInViews, Sequence: at, Delivery: id})
	}
	return nil
}

// requested reports whether the entry that made a delivery is the first of the delivery's own stream: somebody asked for
// it, and no routing did.
func (w *walk) requested(ctx context.Context, row *projections.Delivery) (bool, error) {
	to := row.Created.Sequence + 1
	made, err := domain.Select(ctx, w.log, domain.Query{
		Tenant: w.tenant, Stream: domain.Stream{Kind: domain.StreamDelivery, ID: row.ID},
		From: &row.Created.Sequence, To: &to, Limit: 1, HeadersOnly: true,
	})
	return len(made) > 0 && made[0].StreamVersion == 1, err
}

// page reads deliveries that were made before a sequence, and how their attempts ended, in a transaction of its own.
func (w *walk) page(
	ctx context.Context, page projections.Page, before domain.Sequence,
) (rows []projections.Delivery, ends [][]domain.AttemptEnd, err error) {
	as := projections.AsOf{Sequence: w.request.AsOf, Set: true}
	err = w.views.Read(ctx, w.tenant, w.request.AsOf, func(r projections.Reader) (err error) {
		rows, err = r.Deliveries(ctx, projections.DeliveryFilter{Endpoint: w.request.Endpoint}, page, as)
		if err != nil {
			return err
		}
		behind := func(d projections.Delivery) bool { return d.Created.Sequence >= before }
		if i := slices.IndexFunc(rows, behind); i >= 0 {
			rows = rows[:i]
		}
		ends, err = r.Ends(ctx, rows, as)
		return err
	})
	return rows, ends, err
}

// spill notes that a delivery was sent.
func (w *walk) spill(ctx context.Context, row *projections.Delivery, r *logRange) error {
	name, known := r.names[row.EventSequence]
	if !known { // its event is before the range
		to := row.EventSequence + 1
		made, err := domain.Select(ctx, w.log,
			domain.Query{Tenant: w.tenant, From: &row.EventSequence, To: &to, Limit: 1})
		if err != nil {
			return err
		}
		if len(made) > 0 {
			name = nameOf(&made[0])
		}
		r.names[row.EventSequence] = name
	}
	delivered := row.Status == domain.DeliverySucceeded
	if name == "" {
		if delivered {
			w.erased++
		}
		return nil
	}
	if w.spilt++; w.spilt > w.most {
		return &failure{fmt.Sprintf("more than %d deliveries were sent in the period: reconcile shorter ones", w.most)}
	}
	w.record = sentRecord(w.record, delivered, row.Created.Sequence, row.ID)
	return w.sent.add(name, w.record)
}
