package domain

import (
	"fmt"
	"time"
)

// DeliveryStatus is the state of a delivery.
type DeliveryStatus string

// The statuses of a delivery. The last three are ends. A redrive leaves dead again, a resend any of them.
const (
	DeliveryPending   DeliveryStatus = "pending"  // no attempt has ended
	DeliveryRetrying  DeliveryStatus = "retrying" // the last attempt failed or is unknown; another follows
	DeliverySucceeded DeliveryStatus = "succeeded"
	DeliveryDead      DeliveryStatus = "dead"
	// DeliveryStatusCancelled: DeliveryCancelled is the fact that leads to it.
	DeliveryStatusCancelled DeliveryStatus = "cancelled"
)

// Ended reports whether nothing more happens to the delivery by itself.
func (s DeliveryStatus) Ended() bool {
	return s == DeliverySucceeded || s == DeliveryDead || s == DeliveryStatusCancelled
}

// AttemptOutcome is how one attempt ended.
type AttemptOutcome string

// The outcomes of an attempt.
const (
	OutcomeSucceeded AttemptOutcome = "succeeded"
	OutcomeFailed    AttemptOutcome = "failed"
	// OutcomeUnknown: the process ended between the start and the finish; the request may have been delivered.
	OutcomeUnknown AttemptOutcome = "unknown"
)

// AttemptResult is how an attempt ended and what follows from it. Erasing the event's subject destroys the exchange; the
// end is the tenant's and stays.
type AttemptResult struct {
	AttemptEnd
	Exchange
}

// AttemptEnd is the outcome of an attempt, with the decision that follows from it.
type AttemptEnd struct {
	Number     int            `json:"number"`
	Outcome    AttemptOutcome `json:"outcome"`
	StatusCode int            `json:"status_code,omitzero"`
	Error      string         `json:"error,omitempty"` // a stable code, such as "connection_refused"
	DurationUS int64          `json:"duration_us"`
	FinishedAt time.Time      `json:"finished_at"` // the sender's clock; the schedule's gaps run from here

	// The decision.
	Status        DeliveryStatus `json:"status"`
	NextAttemptAt time.Time      `json:"next_attempt_at,omitzero"`

	// Keys are those that signed, where that isn't every key that the attempt's start names: a format that carries one
	// signature signs with one of them.
	Keys         []UUID          `json:"keys,omitempty"`
	RequestBytes int             `json:"request_bytes,omitzero"` // of the body sent
	AnswerBytes  int64           `json:"answer_bytes,omitzero"`  // of the answer's body, as far as it was read
	RemoteAddr   string          `json:"remote_addr,omitempty"`
	TLS          *TLSInfo        `json:"tls,omitzero"`
	Timings      *AttemptTimings `json:"timings,omitzero"`
}

// Exchange is what went over the wire, which may hold anything that the event holds.
type Exchange struct {
	Detail   string         `json:"detail,omitempty"` // of a failure, for a person; holds no secret
	Request  SentRequest    `json:"request,omitzero"`
	Response CapturedAnswer `json:"response,omitzero"`
}

// SentRequest is what was sent, credentials redacted. The exact bytes of the body follow from the event, the profile
// and the attempt; the hash proves them.
type SentRequest struct {
	Method     string   `json:"method"`
	URL        string   `json:"url"`
	Headers    []Header `json:"headers,omitempty"`
	BodySHA256 string   `json:"body_sha256"` // hex
}

// CapturedAnswer is what came back, as far as it is kept.
type CapturedAnswer struct {
	Headers    []Header `json:"headers,omitempty"`
	BodySHA256 string   `json:"body_sha256,omitempty"` // hex, of everything that was read
	Truncated  bool     `json:"truncated,omitzero"`    // more was read than is kept, or more sent than was read
	Incomplete bool     `json:"incomplete,omitzero"`   // the connection ended before the answer did
	Masked     bool     `json:"masked,omitzero"`       // it contained the endpoint's own secrets, which were masked
}

// Header is one HTTP header line.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// TLSInfo is what was negotiated with the receiver.
type TLSInfo struct {
	Version           string `json:"version"`
	CertificateSHA256 string `json:"certificate_sha256"` // hex, of the leaf certificate
}

// AttemptTimings are the phases of a request, in microseconds; 0 for a phase that didn't take place.
type AttemptTimings struct {
	DNS       int64 `json:"dns,omitzero"`
	Connect   int64 `json:"connect,omitzero"`
	TLS       int64 `json:"tls,omitzero"`
	FirstByte int64 `json:"first_byte,omitzero"`
}

// Delivery is one event for one endpoint, as the fold sees it. Attempts counts the started ones.
type Delivery struct {
	ID              UUID
	Tenant          TenantID
	Event           UUID
	EventSequence   Sequence
	Endpoint        UUID
	EndpointVersion int // that routing saw; an attempt uses the one in force when it starts
	Subscriptions   []SubscriptionMatch
	Status          DeliveryStatus
	Attempts        int
	ScheduleBase    int          // attempts made before the schedule last began (by a redrive or a resend)
	NextAttemptAt   time.Time    // zero when ended, and while an attempt is under way
	Open            bool         // an attempt is started and not finished
	Node            UUID         // that started the open attempt; zero when none is
	Cancel          CancelReason // why it was cancelled; empty unless Status is DeliveryStatusCancelled
	Version         int          // of its stream; 0: no entry of its own yet
	// Asked: somebody asked for this event to go to this endpoint, by name or by a replay. It is for that request that the
	// delivery exists from then on, so it isn't cancelled for want of subscriptions.
	Asked bool
	// Replay is the replay that has the delivery in hand: from when it made or resent the delivery until that has ended.
	Replay UUID
	// SubjectKey seals the personal parts of the event and so of everything that is said of the delivery; see Draft. The
	// views don't keep it: it links all that is about one person.
	SubjectKey UUID
	// Retention is the retention class of the event.
	Retention string
}

// Routed returns the deliveries that an event.appended, event.routed or delivery.created entry makes, none for other
// entries.
func Routed(e *Entry) []Delivery {
	var routing *Routing
	switch f := e.Fact.(type) {
	case *DeliveryCreated:
		return []Delivery{{
			ID: e.Stream.ID, Tenant: e.Tenant, Event: f.Event, EventSequence: f.EventSequence, Endpoint: f.Endpoint,
			EndpointVersion: f.EndpointVersion, Status: DeliveryPending, NextAttemptAt: e.RecordedAt,
			Retention: f.Retention, Asked: true, Replay: f.Replay, Version: e.StreamVersion,
		}}
	case *EventAppended:
		routing = &f.Routing
	case *EventRouted:
		routing = &f.Routing
	default:
		return nil
	}
	deliveries := make([]Delivery, len(routing.Deliveries))
	for i := range routing.Deliveries {
		r := &routing.Deliveries[i]
		d := Delivery{
			ID: r.ID, Tenant: e.Tenant, Event: e.Stream.ID, EventSequence: e.EventSequence(),
			Endpoint: r.Endpoint, EndpointVersion: r.EndpointVersion, Subscriptions: r.Subscriptions,
			Status: DeliveryPending, NextAttemptAt: e.RecordedAt, SubjectKey: e.SubjectKey, Retention: routing.Retention,
		}
		if r.First != nil {
			d.start(r.First)
		}
		deliveries[i] = d
	}
	return deliveries
}

// Fold applies an entry of the delivery's stream: the only fold of a delivery, for the views, the dispatcher
// and an auditor alike. It reports an error, and changes nothing, for an entry that contradicts the state: one that leaves
// a version out, an attempt that starts or ends out of turn or after the delivery's end, a redrive of a delivery that
// can't be dead, a second end. Entries that were folded before (by their stream version) are ignored, the one that made
// the delivery among them.
func (d *Delivery) Fold(e *Entry) error {
	if e.StreamVersion <= d.Version {
		return nil
	}
	if e.StreamVersion != d.Version+1 {
		return fmt.Errorf("delivery %s: version %d follows version %d", d.ID, e.StreamVersion, d.Version)
	}
	switch f := e.Fact.(type) {
	case *AttemptStarted:
		if d.Open || f.Number != d.Attempts+1 || d.Status.Ended() {
			return fmt.Errorf("delivery %s: attempt %d started out of turn, after %d (%s)", d.ID, f.Number, d.Attempts, d.Status)
		}
		d.start(f)
	case *AttemptFinished:
		r := &f.Result
		if !d.Open || r.Number != d.Attempts {
			return fmt.Errorf("delivery %s: attempt %d finished but isn't the open one", d.ID, r.Number)
		}
		// The delivery may have been cancelled while the attempt was under way; then nothing follows the attempt.
		if !r.Status.Ended() && (d.Status.Ended() || r.Status != DeliveryRetrying) {
			return fmt.Errorf("delivery %s: an attempt's end made it %q, but it was %s", d.ID, r.Status, d.Status)
		}
		d.Open, d.Node, d.Status, d.NextAttemptAt = false, UUID{}, r.Status, r.NextAttemptAt
		if r.Status != DeliveryStatusCancelled {
			d.Cancel = ""
		}
	case *DeliveryRedriven:
		// Retrying is what foldDamaged assumes after an end that may have said dead.
		if d.Open || f.Attempts != d.Attempts || d.Status != DeliveryDead && d.Status != DeliveryRetrying {
			return fmt.Errorf("delivery %s: redriven after %d attempts, but it was %s after %d", d.ID, f.Attempts, d.Status, d.Attempts)
		}
		d.ScheduleBase, d.Status, d.NextAttemptAt, d.Cancel = f.Attempts, DeliveryRetrying, f.NextAttemptAt, ""
	case *DeliveryResent:
		if d.Open || f.Attempts != d.Attempts {
			return fmt.Errorf("delivery %s: resent after %d attempts, but it was %s after %d", d.ID, f.Attempts, d.Status, d.Attempts)
		}
		d.resend(f.NextAttemptAt)
		d.Replay = f.Replay
	case *DeliveryRescheduled:
		if d.Open || d.Status.Ended() {
			return fmt.Errorf("delivery %s: rescheduled, but it was %s", d.ID, d.Status)
		}
		d.NextAttemptAt = f.NextAttemptAt
	case *DeliveryCancelled: // an attempt under way still ends afterwards
		if d.Status.Ended() {
			return fmt.Errorf("delivery %s: cancelled, but it was %s already", d.ID, d.Status)
		}
		d.Status, d.NextAttemptAt, d.Cancel = DeliveryStatusCancelled, time.Time{}, f.Reason
	case nil:
		if e.Damaged {
			d.foldDamaged(e)
		}
	case *DeliveryCreated:
		return fmt.Errorf("delivery %s: created again", d.ID)
	}
	if d.Status.Ended() && !d.Open {
		d.Replay = UUID{}
	}
	d.Version = e.StreamVersion
	return nil
}

// foldDamaged takes from an entry whose content doesn't open what its kind alone says, so that one such entry stops no
// fold. An attempt whose outcome can't be read is treated like one whose outcome is unknown: another follows.
func (d *Delivery) foldDamaged(e *Entry) {
	switch e.Kind {
	case KindAttemptStarted:
		d.Attempts, d.Open, d.Node, d.NextAttemptAt = d.Attempts+1, true, UUID{}, time.Time{}
	case KindAttemptFinished:
		d.Open, d.Node = false, UUID{}
		if !d.Status.Ended() {
			d.Status, d.NextAttemptAt = DeliveryRetrying, e.RecordedAt
		}
	case KindDeliveryRedriven:
		d.ScheduleBase, d.Status, d.NextAttemptAt, d.Cancel = d.Attempts, DeliveryRetrying, e.RecordedAt, ""
	case KindDeliveryResent:
		d.resend(e.RecordedAt)
	case KindDeliveryRescheduled:
		d.NextAttemptAt = e.RecordedAt
	case KindDeliveryCancelled:
		d.Status, d.NextAttemptAt, d.Cancel = DeliveryStatusCancelled, time.Time{}, ""
	}
}

// resend begins the schedule again.
func (d *Delivery) resend(next time.Time) {
	d.ScheduleBase, d.Status, d.NextAttemptAt, d.Cancel, d.Asked = d.Attempts, DeliveryRetrying, next, "", true
	if d.Attempts == 0 {
		d.Status = DeliveryPending
	}
}

func (d *Delivery) start(a *AttemptStarted) {
	d.Attempts, d.Open, d.Node, d.NextAttemptAt = a.Number, true, a.Node, time.Time{}
}

// MaxRetryAfter bounds how long a receiver may put off the next attempt.
const MaxRetryAfter = 24 * time.Hour

// Verdict is what the end of an attempt means for further attempts.
type Verdict struct {
	Outcome   AttemptOutcome
	Permanent bool      // refused for good: no further attempt makes sense
	NotBefore time.Time // asked for by the receiver (Retry-After), where the profile honours it; zero: nothing asked
}

// Decide returns the delivery's status after the end of an attempt, given its number, and when the next one is due.
// random in [0, 1) spreads the gap. An unknown outcome is retried like a failure.
func (s Schedule) Decide(number, base int, v Verdict, ended time.Time, random float64) (DeliveryStatus, time.Time) {
	if v.Outcome == OutcomeSucceeded {
		return DeliverySucceeded, time.Time{}
	}
	next, ok := s.Next(number-base, ended, random)
	if !ok || v.Permanent {
		return DeliveryDead, time.Time{}
	}
	asked := v.NotBefore
	if most := ended.Add(MaxRetryAfter); asked.After(most) {
		asked = most
	}
	if asked.After(next) {
		next = asked.UTC().Truncate(time.Microsecond)
	}
	return DeliveryRetrying, next
}

// Redrive decides to retry a dead delivery; any other is refused with ErrConflict.
func (d Delivery) Redrive(now time.Time) (*DeliveryRedriven, error) {
	if d.Status != DeliveryDead {
		return nil, ErrConflict
	}
	return &DeliveryRedriven{Attempts: d.Attempts, NextAttemptAt: now.UTC().Truncate(time.Microsecond)}, nil
}

// isZero reports whether nothing is known of the exchange.
func (e *Exchange) isZero() bool {
	r, a := &e.Request, &e.Response
	return e.Detail == "" && r.Method == "" && r.URL == "" && len(r.Headers) == 0 && r.BodySHA256 == "" &&
		len(a.Headers) == 0 && a.BodySHA256 == "" && !a.Truncated && !a.Incomplete && !a.Masked
}
