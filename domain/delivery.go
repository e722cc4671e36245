package domain

import "time"

// DeliveryStatus is where a delivery stands.
type DeliveryStatus string

// The statuses of a delivery. The last three are ends, of which only dead can be left again, by a redrive.
const (
	DeliveryPending   DeliveryStatus = "pending"  // no attempt has ended
	DeliveryRetrying  DeliveryStatus = "retrying" // the last attempt failed or is unknown; another follows
	DeliverySucceeded DeliveryStatus = "succeeded"
	DeliveryDead      DeliveryStatus = "dead"
	DeliveryGivenUp   DeliveryStatus = "cancelled"
)

// Ended says whether nothing more happens to the delivery by itself.
func (s DeliveryStatus) Ended() bool {
	return s == DeliverySucceeded || s == DeliveryDead || s == DeliveryGivenUp
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

// AttemptResult is how an attempt ended and what follows from it.
type AttemptResult struct {
	Number     int            `json:"number"`
	Outcome    AttemptOutcome `json:"outcome"`
	StatusCode int            `json:"status_code,omitempty"`
	Error      string         `json:"error,omitempty"`  // a stable code, such as "connection_refused"
	Detail     string         `json:"detail,omitempty"` // for a person; holds no secret
	DurationUS int64          `json:"duration_us"`
	FinishedAt time.Time      `json:"finished_at"` // the sender's clock; the schedule's gaps run from here

	// The decision.
	Status        DeliveryStatus `json:"status"`
	NextAttemptAt time.Time      `json:"next_attempt_at,omitzero"`

	Request    SentRequest     `json:"request,omitzero"`
	Response   CapturedAnswer  `json:"response,omitzero"`
	RemoteAddr string          `json:"remote_addr,omitempty"`
	TLS        *TLSInfo        `json:"tls,omitempty"`
	Timings    *AttemptTimings `json:"timings,omitempty"`
}

// SentRequest is what was sent, credentials redacted. The exact bytes of the body follow from the event, the profile
// and the attempt; the hash proves them.
type SentRequest struct {
	Method     string   `json:"method"`
	URL        string   `json:"url"`
	Headers    []Header `json:"headers,omitempty"`
	BodySHA256 string   `json:"body_sha256"` // hex
	BodyBytes  int      `json:"body_bytes"`
	// Keys are those that signed, where that isn't every key that the attempt's start names: a format that carries one
	// signature signs with one of them.
	Keys []UUID `json:"keys,omitempty"`
}

// CapturedAnswer is what came back, as far as it is kept.
type CapturedAnswer struct {
	Headers    []Header `json:"headers,omitempty"`
	BodySHA256 string   `json:"body_sha256,omitempty"` // hex, of everything that was read
	BodyBytes  int64    `json:"body_bytes,omitempty"`  // of everything that was read
	Truncated  bool     `json:"truncated,omitempty"`   // more was read than is kept, or more sent than was read
	Incomplete bool     `json:"incomplete,omitempty"`  // the body was cut off before its end
	Masked     bool     `json:"masked,omitempty"`      // the endpoint's own secrets stood in it and were masked
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
	DNS       int64 `json:"dns,omitempty"`
	Connect   int64 `json:"connect,omitempty"`
	TLS       int64 `json:"tls,omitempty"`
	FirstByte int64 `json:"first_byte,omitempty"`
}

// Delivery is one event for one endpoint, as a fold has it. Attempts counts the started ones.
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
	ScheduleBase    int       // attempts made before the schedule last began (by a redrive)
	NextAttemptAt   time.Time // zero when ended, and while an attempt is under way
	Open            bool      // an attempt is started and not finished
}

// MaxRetryAfter bounds how long a receiver may put off the next attempt.
const MaxRetryAfter = 24 * time.Hour

// Verdict is what an attempt's end says about going on.
type Verdict struct {
	Outcome   AttemptOutcome
	Permanent bool      // refused for good: no further attempt makes sense
	NotBefore time.Time // asked for by the receiver (Retry-After), where the profile honours it; zero: nothing asked
}

// Decide returns the delivery's status after its attempt with a number ended, and when the next one is due. random in
// [0, 1) spreads the gap. An unknown outcome is tried again like a failure.
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

// Redrive decides to set a dead delivery going again.
func (d Delivery) Redrive(now time.Time) (*DeliveryRedriven, error) {
	if d.Status != DeliveryDead {
		return nil, ErrConflict
	}
	return &DeliveryRedriven{Attempts: d.Attempts, NextAttemptAt: now.UTC().Truncate(time.Microsecond)}, nil
}

// Cancel decides that the delivery will not be tried again. One that has ended stays as it is: ErrConflict.
func (d Delivery) Cancel(reason CancelReason) (*DeliveryCancelled, error) {
	if d.Status.Ended() {
		return nil, ErrConflict
	}
	return &DeliveryCancelled{Reason: reason}, nil
}
