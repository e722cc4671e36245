package webhook

import (
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hooktrail/hooktrail/domain"
)

// ErrorCode is why an attempt got no usable answer. The set may grow; a code never changes its meaning.
type ErrorCode string

// Why an attempt failed, beyond its status code.
const (
	AddressRefused    ErrorCode = "address_refused"    // by the egress guard, or the name has no address; nothing was sent
	ConnectionRefused ErrorCode = "connection_refused" // nobody listens
	ConnectionFailed  ErrorCode = "connection_failed"  // no connection for another reason, such as no route
	ConnectionReset   ErrorCode = "connection_reset"   // ended before the answer; the request may have been received
	TLSFailed         ErrorCode = "tls_failed"         // handshake, or the receiver's certificate
	// ClientCertificate is a receiver that asks for a client certificate and ends the connection without one.
	ClientCertificate ErrorCode = "client_certificate_required"
	Timeout           ErrorCode = "timeout"        // no answer in time; the request may have been received
	ProtocolError     ErrorCode = "protocol_error" // the answer isn't HTTP, or its header is too large
	// RequestRefused is an HTTP/2 receiver that gave the request back without looking at it (REFUSED_STREAM, GOAWAY).
	RequestRefused ErrorCode = "request_refused"
	Redirect       ErrorCode = "redirect_refused" // the answer points elsewhere, where it isn't followed
	Cancelled      ErrorCode = "cancelled"        // by this process, which is ending; the request may have been received
)

// Bounds of what is read of an answer.
const (
	KeptBodyBytes   = 16 << 10 // of its body, kept
	ReadBodyBytes   = 32 << 10 // of its body, read and hashed; then the connection or stream is closed
	maxHeaderBytes  = 32 << 10
	maxErrorText    = 300
	maxRetryAfter   = 24 * time.Hour
	maxLoggedHeader = 64 // header lines of an answer that are kept
)

// Result is what came of sending one request. It contains none of the endpoint's own secrets.
type Result struct {
	StatusCode int       // 0: no answer
	ErrorCode  ErrorCode // "": an answer that isn't a redirect
	Error      string    // for a person; ""  without ErrorCode

	Started    time.Time
	Finished   time.Time // gaps of a retry schedule run from here
	Timings    domain.AttemptTimings
	RemoteAddr string          // that was connected to; "": no connection
	TLS        *domain.TLSInfo // nil: no TLS

	// Header has one entry a line: names in lower case and order, lines of one name in the order in which they came. A
	// value that isn't UTF-8 is kept as base64, under its name and ";base64", which no header's name can hold.
	Header []domain.Header
	Body   []byte // at most KeptBodyBytes
	// BodySHA256, in hex, and BodyBytes are of everything that was read. If something was masked, the hash is of what
	// is kept, masked: a hash of the rest would let a guessed secret be confirmed.
	BodySHA256 string
	BodyBytes  int64
	Truncated  bool   // more came than is kept, or more was coming than was read
	Incomplete bool   // the body ended before its end, by the receiver's fault or the time's; BodyError is why
	BodyError  string // why reading the body ended early; the status code counts all the same
	Masked     bool   // header, body or error contained a secret of the endpoint, which was replaced by [masked]

	// RetryAfter is what the receiver asked for, at most 24 h; 0: nothing. Whether it counts is the profile's choice.
	RetryAfter time.Duration

	answer handshakeAnswer // of a handshake
}

// Duration is how long the whole exchange took.
func (r *Result) Duration() time.Duration { return r.Finished.Sub(r.Started) }

// retryAfter reads the header in both of its forms (RFC 9110 §10.2.3).
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if value == "" {
		return 0
	}
	if strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil { // too large for any integer: as long as possible (RFC 9111 §1.2.2)
			return maxRetryAfter
		}
		return time.Duration(min(seconds, int64(maxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}

// captureHeader lists an answer's headers as they may be recorded.
func (r *Result) captureHeader(h http.Header, m masks) {
	r.Header = make([]domain.Header, 0, min(len(h), maxLoggedHeader))
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			if len(r.Header) == maxLoggedHeader {
				r.Truncated = true
				break
			}
			line := domain.Header{}
			var hitValue, hitName bool
			line.Value, hitValue = m.text(value) // first: a key's bytes are no UTF-8
			line.Name, hitName = m.name(strings.ToLower(name))
			if !utf8.ValidString(line.Value) {
				line.Name += ";base64"
				line.Value = base64.StdEncoding.EncodeToString([]byte(line.Value))
			}
			r.Masked = r.Masked || hitValue || hitName
			r.Header = append(r.Header, line)
		}
	}
	sortHeader(r.Header)
}
