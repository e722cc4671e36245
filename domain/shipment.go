package domain

import "time"

// Shipment is everything that one attempt needs. What it points to is shared and must not be changed.
type Shipment struct {
	Endpoint Endpoint // in the version that Attempt names
	Event    LoggedEvent
	Delivery Delivery // as it is with the attempt open
	Attempt  AttemptStarted
	// Deadline is when the attempt's timeout, counted from the commit of its start, has passed. It is a local time with
	// a monotonic reading.
	Deadline time.Time
}

// LoggedEvent is an event as the log has it.
type LoggedEvent struct {
	ID         UUID // the internal one
	Sequence   Sequence
	RecordedAt time.Time
	SubjectKey UUID // the key of its personal parts; see Draft
	Fact       *EventAppended
}

// Answer is how an attempt ended.
type Answer struct {
	// Result has everything but Number, Status and NextAttemptAt. Its outcome is succeeded or failed.
	Result    AttemptResult
	Body      []byte    // of the receiver's answer, as far as it is kept
	Permanent bool      // this delivery can't succeed: no further attempt makes sense
	Gone      bool      // the receiver wants nothing more at all; the delivery is dead, and the endpoint is disabled
	Throttle  bool      // the receiver gets too much: the whole endpoint slows down
	Unsent    bool      // no request could be made, which tells nothing of the receiver: it isn't disabled for it
	NotBefore time.Time // asked for by the receiver, at most MaxRetryAfter from now; zero: nothing asked
}
