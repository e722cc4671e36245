package domain

import "time"

// HandshakeKind is what a receiver is asked before it gets deliveries.
type HandshakeKind string

// The kinds of handshake.
const (
	// HandshakeOwnership: the receiver answers a request with the challenge that it contains.
	HandshakeOwnership HandshakeKind = "ownership"
	// HandshakeCloudEvents: the receiver answers OPTIONS as "HTTP 1.1 Web Hooks for Event Delivery" §4 asks.
	HandshakeCloudEvents HandshakeKind = "cloudevents"
)

// Validate refuses an unknown kind. The empty kind means no handshake and is allowed.
func (k HandshakeKind) Validate(field string) error {
	switch k {
	case "", HandshakeOwnership, HandshakeCloudEvents:
		return nil
	}
	return Invalid(field, "must be ownership or cloudevents")
}

// HandshakeStart is the intent of a handshake.
type HandshakeStart struct {
	ID        UUID          `json:"id"` // of this handshake; the receiver sees it
	Kind      HandshakeKind `json:"kind"`
	URL       string        `json:"url"` // asked, the endpoint's own or the one that it is to change to; as in EndpointConfig
	Query     *SecretQuery  `json:"query,omitzero"`
	Keys      []UUID        `json:"keys,omitempty"`
	At        time.Time     `json:"at"`
	TimeoutMS int64         `json:"timeout_ms"`
	Node      UUID          `json:"node"`
}

// HandshakeResult is how a handshake ended.
type HandshakeResult struct {
	ID     UUID          `json:"id"`
	Kind   HandshakeKind `json:"kind"`
	Passed bool          `json:"passed"`
	// AllowedPerMinute is how many requests the receiver allows, where it says so; 0: no limit.
	AllowedPerMinute int       `json:"allowed_per_minute,omitzero"`
	StatusCode       int       `json:"status_code,omitzero"`
	Error            string    `json:"error,omitempty"`  // a stable code, such as "connection_refused"
	Detail           string    `json:"detail,omitempty"` // for a person; holds no secret
	DurationUS       int64     `json:"duration_us"`
	FinishedAt       time.Time `json:"finished_at"`

	Request      SentRequest     `json:"request,omitzero"`
	Response     CapturedAnswer  `json:"response,omitzero"`
	Keys         []UUID          `json:"keys,omitempty"`         // that signed, where that isn't every key of the start
	RequestBytes int             `json:"request_bytes,omitzero"` // of the body sent
	AnswerBytes  int64           `json:"answer_bytes,omitzero"`  // of the answer's body, as far as it was read
	RemoteAddr   string          `json:"remote_addr,omitempty"`
	TLS          *TLSInfo        `json:"tls,omitzero"`
	Timings      *AttemptTimings `json:"timings,omitzero"`
}

// StartHandshake decides to ask the receiver at a URL, which the caller has validated for the endpoint.
func (e Endpoint) StartHandshake(start HandshakeStart) (*EndpointHandshakeStarted, error) {
	if e.Deleted {
		return nil, ErrNotFound
	}
	if start.Kind == "" {
		return nil, Invalid("handshake", "must be ownership or cloudevents")
	}
	if err := start.Kind.Validate("handshake"); err != nil {
		return nil, err
	}
	return &EndpointHandshakeStarted{Endpoint: e.EndpointConfig, Handshake: start}, nil
}

// FinishHandshake decides what follows from the end of a handshake. One that passed sets the endpoint's URL to its own,
// verifies an endpoint that requires this kind, and lowers the rate limit to what the receiver allows.
func (e Endpoint) FinishHandshake(start HandshakeStart, result HandshakeResult, body []byte) (*EndpointHandshakeFinished, error) {
	if e.Deleted {
		return nil, ErrNotFound
	}
	result.ID, result.Kind = start.ID, start.Kind
	if !result.Passed {
		return &EndpointHandshakeFinished{e.EndpointConfig, result, body}, nil
	}
	config := e.EndpointConfig
	config.URL, config.Query = start.URL, start.Query
	if config.Handshake == start.Kind {
		config.Unverified = false
	}
	limit := min(float64(result.AllowedPerMinute)/60, maxPerSecond) // more, no later change of the endpoint could keep
	if limit > 0 && (config.RateLimit == nil || config.RateLimit.PerSecond > limit) {
		config.RateLimit = &RateLimit{PerSecond: limit, Burst: 1}
	}
	return &EndpointHandshakeFinished{config, result, body}, nil
}
