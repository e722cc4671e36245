package openapi

import (
	"context"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// reconciliationOut is a reconciliation as far as it is.
type reconciliationOut struct {
	ID           domain.UUID      `json:"id" format:"uuid" doc:"The reconciliation." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d75"`
	Status       string           `json:"status" doc:"queued, running, succeeded or failed; more may be added." example:"succeeded"`
	Progress     *progressOut     `json:"progress,omitempty" doc:"While it runs, as the server that does it knows it."`
	FromSequence int64            `json:"from_sequence" doc:"What was routed from this entry on." example:"0"`
	ToSequence   int64            `json:"to_sequence" doc:"And before this one." example:"4712"`
	AsOfSequence int64            `json:"as_of_sequence" doc:"What became of it as of this entry: the last one when it was asked for." example:"5100"`
	EndpointID   domain.UUID      `json:"endpoint_id,omitzero" format:"uuid" doc:"The one endpoint that it is about." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d70"`
	List         *receivedListOut `json:"list,omitempty" doc:"The receiver's list, which isn't kept."`
	Actor        actorOut         `json:"actor" doc:"Who asked for it."`
	Reason       string           `json:"reason,omitempty" doc:"Why." example:"quarterly review"`
	CreatedAt    rest.Stamp       `json:"created_at" doc:"When it was asked for." example:"2026-07-01T12:00:00Z"`
	FinishedAt   rest.Stamp       `json:"finished_at,omitzero" doc:"When it ended." example:"2026-07-01T12:00:03Z"`
	Problem      string           `json:"problem,omitempty" doc:"Why it failed." example:"the list was lost"`
	Sums         *sumsOut         `json:"sums,omitempty" doc:"What was found."`
	Apart        *apartOut        `json:"apart,omitempty" doc:"What doesn't close."`
	Received     *receivedOut     `json:"received,omitempty" doc:"The comparison with the receiver's list."`
}

type receivedListOut struct {
	SHA256 string `json:"sha256" doc:"Of the list's bytes, in hex." example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
	Bytes  int64  `json:"bytes" doc:"Its length." example:"40960"`
	IDs    int64  `json:"ids" doc:"Lines with an id." example:"1111"`
}

// sumsOut shows domain.ReconciliationSums.
type sumsOut struct {
	Events           int64                       `json:"events" doc:"Appended in the period: the sum of the four that follow." example:"7"`
	EventsRouted     int64                       `json:"events_routed" doc:"With a delivery." example:"4"`
	EventsSkipped    int64                       `json:"events_skipped" doc:"Without a delivery, and with subscriptions that were skipped." example:"1"`
	EventsUnmatched  int64                       `json:"events_unmatched" doc:"That no subscription matched." example:"1"`
	EventsUnreadable int64                       `json:"events_unreadable" doc:"Of which the content was destroyed or is damaged." example:"1"`
	Skipped          map[domain.SkipReason]int64 `json:"skipped" doc:"Skipped subscriptions by reason. What a filter decided about an erased subject's event isn't known any more." example:"{\"subscription_paused\":2}"`
	Routed           int64                       `json:"routed" doc:"Deliveries that routings made in the period. With those requested, the sum of the four that follow." example:"9"`
	Requested        int64                       `json:"requested" doc:"Deliveries that somebody asked for and no routing had made." example:"0"`
	Delivered        int64                       `json:"delivered" doc:"That succeeded." example:"5"`
	Pending          int64                       `json:"pending" doc:"That waited, retrying ones too." example:"1"`
	Dead             int64                       `json:"dead" doc:"That were given up." example:"2"`
	Cancelled        int64                       `json:"cancelled" doc:"That were cancelled." example:"1"`
	Attempts         int64                       `json:"attempts" doc:"Attempts of those deliveries that had ended." example:"12"`
	Unknown          int64                       `json:"unknown" doc:"Of those, attempts of which nobody knows whether they were delivered." example:"1"`
	Closes           bool                        `json:"closes" doc:"Both sums are right, and nothing is apart." example:"true"`
}

type apartOut struct {
	Count int64            `json:"count" doc:"How many." example:"1"`
	Items []discrepancyOut `json:"items" doc:"The first of them, at most 200."`
}

type discrepancyOut struct {
	Kind       domain.DiscrepancyKind `json:"kind" doc:"not_in_views: the log names the delivery, the views don't have it; not_in_log: the other way round; unreadable: the content of an event's entry was destroyed or is damaged; more may be added." example:"not_in_views"`
	Sequence   int64                  `json:"sequence" doc:"The entry." example:"44"`
	DeliveryID domain.UUID            `json:"delivery_id,omitzero" format:"uuid" doc:"The delivery." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d73"`
}

// receivedOut shows domain.ReceivedSums.
type receivedOut struct {
	Distinct    int64    `json:"distinct" doc:"Different ids in the list: the sum of both, undelivered and unsent." example:"6"`
	Both        int64    `json:"both" doc:"Sent, delivered, and in the list." example:"4"`
	Undelivered int64    `json:"undelivered" doc:"In the list although no attempt is known to have succeeded." example:"1"`
	Lacking     lackOut  `json:"lacking" doc:"Delivered, and not in the list."`
	Erased      int64    `json:"erased" doc:"Delivered, and not compared: the subject was erased, and the id with it." example:"0"`
	Repeated    linesOut `json:"repeated" doc:"Lines whose id is in an earlier line."`
	Unsent      linesOut `json:"unsent" doc:"Ids that were never sent in the period, by their first lines."`
}

type lackOut struct {
	Count int64        `json:"count" doc:"How many." example:"1"`
	Items []lackingOut `json:"items" doc:"The first of them, at most 200."`
}

type lackingOut struct {
	DeliveryID domain.UUID `json:"delivery_id" format:"uuid" doc:"The delivery." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d73"`
	EventID    string      `json:"event_id,omitempty" doc:"Its event; absent when the views don't have the delivery." example:"order-4711"`
}

type linesOut struct {
	Count int64   `json:"count" doc:"How many." example:"1"`
	Lines []int64 `json:"lines" doc:"Of the list, from 1: the first of them, at most 200." example:"[17]"`
}

// showReconciliation shows one as far as its stream and this process know it. names has the events of what is lacking.
func showReconciliation(c *call, entries []domain.Entry, names map[domain.UUID]string) reconciliationOut {
	var state domain.Reconciliation
	for i := range entries {
		state.Fold(&entries[i])
	}
	q := state.Request
	out := reconciliationOut{
		ID: entries[0].Stream.ID, Status: "running", FromSequence: int64(q.From), ToSequence: int64(q.To),
		AsOfSequence: int64(q.AsOf), EndpointID: q.Endpoint, List: (*receivedListOut)(q.List), Actor: actorOut(state.By),
		Reason: entries[0].Reason, CreatedAt: rest.Stamp(entries[0].RecordedAt),
	}
	if state.Result == nil {
		done, total, running, here := c.Reconciler.Progress(c.Tenant, out.ID)
		switch {
		case running:
			out.Progress = &progressOut{done, total}
		case here:
			out.Status = "queued"
		}
		return out
	}
	r := state.Result
	out.Status, out.Problem = string(r.Outcome), r.Problem
	out.FinishedAt = rest.Stamp(entries[len(entries)-1].RecordedAt)
	if r.Outcome != domain.ReconciliationSucceeded {
		return out
	}
	out.Sums, out.Apart = showSums(r), &apartOut{Count: r.ApartCount, Items: make([]discrepancyOut, len(r.Apart))}
	for i, d := range r.Apart {
		out.Apart.Items[i] = discrepancyOut{d.Kind, int64(d.Sequence), d.Delivery}
	}
	if r.Received != nil {
		out.Received = showReceived(r.Received, names)
	}
	return out
}

func showSums(r *domain.ReconciliationResult) *sumsOut {
	s := r.Sums
	out := &sumsOut{
		Events: s.Events, EventsRouted: s.EventsRouted, EventsSkipped: s.EventsSkipped, EventsUnmatched: s.EventsUnmatched,
		EventsUnreadable: s.EventsUnreadable, Skipped: s.Skipped, Routed: s.Routed, Requested: s.Requested,
		Delivered: s.Delivered, Pending: s.Pending, Dead: s.Dead, Cancelled: s.Cancelled, Attempts: s.Attempts, Unknown: s.Unknown,
		Closes: s.Close() && r.ApartCount == 0,
	}
	if out.Skipped == nil {
		out.Skipped = map[domain.SkipReason]int64{}
	}
	return out
}

func showReceived(r *domain.ReceivedSums, names map[domain.UUID]string) *receivedOut {
	lines := func(count int64, list []int64) linesOut { return linesOut{count, append([]int64{}, list...)} }
	out := &receivedOut{
		Distinct: r.Distinct, Both: r.Both, Undelivered: r.Undelivered, Erased: r.Erased,
		Lacking:  lackOut{Count: r.LackingCount, Items: make([]lackingOut, len(r.Lacking))},
		Repeated: lines(r.RepeatedCount, r.Repeated), Unsent: lines(r.UnsentCount, r.Unsent),
	}
	for i, id := range r.Lacking {
		out.Lacking.Items[i] = lackingOut{id, names[id]}
	}
	return out
}

// reconciliationEntries reads a reconciliation's stream.
func reconciliationEntries(ctx context.Context, c *call, id domain.UUID) ([]domain.Entry, error) {
	entries, err := domain.Select(ctx, c.Log, domain.Query{
		Tenant: c.Tenant, Stream: domain.Stream{Kind: domain.StreamReconciliation, ID: id}, Limit: 2,
	})
	if err == nil && len(entries) == 0 {
		err = domain.ErrNotFound
	}
	return entries, err
}

type getReconciliationIn struct {
	rest.ThingPath
	rest.WaitQuery
}

// getReconciliation reads the log, and of the views what the receiver lacks.
func getReconciliation(ctx context.Context, c *call, in *getReconciliationIn) (*rest.One[reconciliationOut], error) {
	id, err := in.UUID()
	if err != nil {
		return nil, err
	}
	if err := rest.Reached(ctx, c.Request, in.WaitQuery); err != nil {
		return nil, err
	}
	entries, err := reconciliationEntries(ctx, c, id)
	if err != nil {
		return nil, err
	}
	last := &entries[len(entries)-1]
	names := make(map[domain.UUID]string)
	if f, ok := last.Fact.(*domain.ReconciliationFinished); ok && f.Result.Received != nil {
		_, err := rest.View(ctx, c.Request, rest.Moment{}, func(r projections.Reader, as projections.AsOf) error {
			for _, delivery := range f.Result.Received.Lacking {
				row, err := r.Delivery(ctx, delivery, as)
				if isNotFound(err) {
					continue
				}
				if err != nil {
					return err
				}
				event, err := eventOfDelivery(ctx, c, r, row.Event)
				if err != nil {
					return err
				}
				names[delivery] = event.name
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return &rest.One[reconciliationOut]{
		Sequence: rest.SequenceText(last.Sequence), ETag: rest.ETag(last.StreamVersion),
		Body: showReconciliation(c, entries, names),
	}, nil
}

type listReconciliationsIn struct {
	rest.TenantPath
	rest.ListQuery
	From rest.Opt[rest.Time] `query:"from" doc:"Asked for at this time or later." example:"2026-07-01T00:00:00Z"`
	To   rest.Opt[rest.Time] `query:"to" doc:"Asked for before this time." example:"2026-08-01T00:00:00Z"`
	rest.WaitQuery
}

// listReconciliations goes through the log.
func listReconciliations(ctx context.Context, c *call, in *listReconciliationsIn) (*rest.Exact, error) {
	l, err := rest.NewWalk(c.Request, in.ListQuery, in.From, in.To)
	if err != nil {
		return nil, err
	}
	if err := rest.Reached(ctx, c.Request, in.WaitQuery); err != nil {
		return nil, err
	}
	head, err := rest.Head(ctx, c.Request, c.Tenant)
	if err != nil {
		return nil, err
	}
	pinned, err := l.Reflected(head)
	if err != nil {
		return nil, err
	}
	leave, err := rest.Scan(c.Request)
	if err != nil {
		return nil, err
	}
	defer leave()
	q := domain.Query{
		Tenant: c.Tenant, Kind: domain.KindReconciliationCreated,
		Since: in.From.Value.Std(), Until: in.To.Value.Std(),
	}
	all := func(*domain.Entry) bool { return true }
	return rest.LogPage(ctx, l, pinned, q, all, func(b []byte, e *domain.Entry) ([]byte, error) {
		entries, err := reconciliationEntries(ctx, c, e.Stream.ID)
		if err != nil {
			return nil, err
		}
		return rest.Splice(b, showReconciliation(c, entries, nil))
	})
}
