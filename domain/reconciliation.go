package domain

// ReconciliationCreated says that somebody asked for a period to be reconciled. The work follows it.
type ReconciliationCreated struct{ Request ReconciliationRequest }

// ReconciliationFinished ends a reconciliation and holds its result.
type ReconciliationFinished struct{ Result ReconciliationResult }

// ReconciliationRequest is what is reconciled.
type ReconciliationRequest struct {
	From     Sequence `json:"from_sequence"` // of the routings, inclusive
	To       Sequence `json:"to_sequence"`   // exclusive
	AsOf     Sequence `json:"as_of_sequence"`
	Endpoint UUID     `json:"endpoint,omitzero"` // zero: the whole tenant
	// List is the receiver's own list of ids; nil: none was given. The list itself isn't kept beyond the work.
	List *ReceivedList `json:"list,omitzero"`
	Node UUID          `json:"node"` // that does the work
}

// ReceivedList names a list of ids that a receiver gave.
type ReceivedList struct {
	SHA256 string `json:"sha256"` // of its bytes, in hex
	Bytes  int64  `json:"bytes"`
	IDs    int64  `json:"ids"` // lines with an id
}

// ReconciliationOutcome is how a reconciliation ended.
type ReconciliationOutcome string

// The outcomes of a reconciliation.
const (
	ReconciliationSucceeded ReconciliationOutcome = "succeeded"
	ReconciliationFailed    ReconciliationOutcome = "failed"
)

// ReconciliationResult is what a reconciliation found. Lists are bounded by MaxDiscrepancies; their counts are whole.
type ReconciliationResult struct {
	Outcome ReconciliationOutcome `json:"outcome"`
	Problem string                `json:"problem,omitempty"` // why it failed
	Sums    ReconciliationSums    `json:"sums"`
	// Apart is what doesn't close.
	Apart      []Discrepancy `json:"apart,omitempty"`
	ApartCount int64         `json:"apart_count,omitzero"`
	Received   *ReceivedSums `json:"received,omitzero"` // nil without a list
}

// MaxDiscrepancies bounds each list of a ReconciliationResult.
const MaxDiscrepancies = 200

// ReconciliationSums count what the period's entries say, and what became of the deliveries that were made in it.
type ReconciliationSums struct {
	Events int64 `json:"events"`
	// An event is in one of these four. Unreadable: its content was destroyed or is damaged.
	EventsRouted     int64 `json:"events_routed"`
	EventsSkipped    int64 `json:"events_skipped"`
	EventsUnmatched  int64 `json:"events_unmatched"`
	EventsUnreadable int64 `json:"events_unreadable"`

	Skipped map[SkipReason]int64 `json:"skipped,omitempty"` // subscriptions, by reason

	// A delivery was made by a routing, or because somebody asked for one that no routing had made. It is in one of the
	// four behind.
	Routed    int64 `json:"routed"`
	Requested int64 `json:"requested,omitzero"`
	Delivered int64 `json:"delivered"`
	Pending   int64 `json:"pending"` // retrying ones too
	Dead      int64 `json:"dead"`
	Cancelled int64 `json:"cancelled"`

	Attempts int64 `json:"attempts"` // of those deliveries, that were finished
	Unknown  int64 `json:"unknown"`  // of those attempts, that may have been delivered
}

// Count adds a delivery and its attempts.
func (s *ReconciliationSums) Count(status DeliveryStatus, ends []AttemptEnd) {
	switch status {
	case DeliverySucceeded:
		s.Delivered++
	case DeliveryDead:
		s.Dead++
	case DeliveryStatusCancelled:
		s.Cancelled++
	default:
		s.Pending++
	}
	for i := range ends {
		s.Attempts++
		if ends[i].Outcome == OutcomeUnknown {
			s.Unknown++
		}
	}
}

// CountRouting adds an entry of an event, as far as it concerns an endpoint; zero: as far as it concerns any.
func (s *ReconciliationSums) CountRouting(e *Entry, endpoint UUID) {
	concerns := func(id UUID) bool { return endpoint.IsZero() || id == endpoint }
	var routing Routing
	var verdicts Verdicts
	switch f := e.Fact.(type) {
	case *EventAppended:
		routing, verdicts = f.Routing, f.Verdicts
	case *EventRouted:
		routing, verdicts = f.Routing, f.Verdicts
	}
	routed, skipped := int64(0), int64(0)
	for i := range routing.Deliveries {
		if concerns(routing.Deliveries[i].Endpoint) {
			routed++
		}
	}
	for _, list := range [][]Skipped{routing.Skipped, verdicts.Skipped} {
		for i := range list {
			if concerns(list[i].Endpoint) {
				if s.Skipped == nil {
					s.Skipped = make(map[SkipReason]int64)
				}
				s.Skipped[list[i].Reason]++
				skipped++
			}
		}
	}
	s.Routed += routed
	if e.Kind != KindEventAppended {
		return
	}
	s.Events++
	switch {
	case e.Fact == nil:
		s.EventsUnreadable++
	case routed > 0:
		s.EventsRouted++
	case skipped > 0:
		s.EventsSkipped++
	default:
		s.EventsUnmatched++
	}
}

// Close reports whether the sums close.
func (s *ReconciliationSums) Close() bool {
	return s.Events == s.EventsRouted+s.EventsSkipped+s.EventsUnmatched+s.EventsUnreadable &&
		s.Routed+s.Requested == s.Delivered+s.Pending+s.Dead+s.Cancelled
}

// Discrepancy is something that doesn't close.
type Discrepancy struct {
	Kind     DiscrepancyKind `json:"kind"`
	Sequence Sequence        `json:"sequence"` // of the entry
	Delivery UUID            `json:"delivery,omitzero"`
}

// DiscrepancyKind says what doesn't close.
type DiscrepancyKind string

// What doesn't close.
const (
	// DiscrepancyNotInViews: the log names the delivery and the views don't have it. They can be rebuilt.
	DiscrepancyNotInViews DiscrepancyKind = "not_in_views"
	// DiscrepancyNotInLog: the views have a delivery that the log doesn't name where they say.
	DiscrepancyNotInLog DiscrepancyKind = "not_in_log"
	// DiscrepancyUnreadable: the event's content was destroyed or is damaged, so what it was routed to isn't known.
	DiscrepancyUnreadable DiscrepancyKind = "unreadable"
)

// ReceivedSums compare a receiver's list with what was sent. Ids that the receiver has are named by their lines in its
// own list: they may be somebody's, and nothing of them is kept.
type ReceivedSums struct {
	Distinct int64 `json:"distinct"` // different ids in the list
	Both     int64 `json:"both"`     // of those, that were sent and delivered
	// Undelivered ids are in the list although no attempt is known to have succeeded.
	Undelivered int64 `json:"undelivered"`
	// Lacking are deliveries that succeeded and aren't in the list. Erased: their ids aren't known any more.
	Lacking       []UUID  `json:"lacking,omitempty"`
	LackingCount  int64   `json:"lacking_count"`
	Erased        int64   `json:"erased"`
	Repeated      []int64 `json:"repeated,omitempty"` // lines with an id that an earlier line has
	RepeatedCount int64   `json:"repeated_count"`
	Unsent        []int64 `json:"unsent,omitempty"` // lines whose id was never sent in the period
	UnsentCount   int64   `json:"unsent_count"`
}

// Reconciliation is one reconciliation, folded from its stream.
type Reconciliation struct {
	ID      UUID
	By      Actor
	Request ReconciliationRequest
	Result  *ReconciliationResult // nil: it isn't finished
	Version int
}

// Fold applies an entry of the reconciliation's stream. What can't be read leaves it as it was.
func (r *Reconciliation) Fold(e *Entry) {
	switch f := e.Fact.(type) {
	case *ReconciliationCreated:
		r.ID, r.By, r.Request = e.Stream.ID, e.By, f.Request
	case *ReconciliationFinished:
		r.Result = &f.Result
	}
	r.Version = e.StreamVersion
}
