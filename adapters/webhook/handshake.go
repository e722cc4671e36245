package webhook

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hooktrail/hooktrail/domain"
)

// OwnershipCheckType is what an ownership check's body says in its member "type".
const OwnershipCheckType = "hooktrail.endpoint.ownership_check"

// Headers of CloudEvents' validation (§4.1 and §4.2).
const (
	headerRequestOrigin = "Webhook-Request-Origin"
	headerRequestRate   = "Webhook-Request-Rate"
	headerAllowedOrigin = "Webhook-Allowed-Origin"
	headerAllowedRate   = "Webhook-Allowed-Rate"
)

// challengeBytes are too many to guess, and 43 characters of base64url.
const challengeBytes = 32

// Handshake is one question to a receiver.
type Handshake struct {
	Kind domain.HandshakeKind
	// Origin is the name by which receivers know the sender, such as "hooks.bank.example"; of a CloudEvents handshake.
	Origin        string
	RatePerMinute int // asked for in a CloudEvents handshake; 0: no rate is asked for
	// ID is an ownership check's own. It takes the place of a delivery's event id, in headers that the profile signs.
	ID        domain.UUID
	Challenge string // of an ownership check: NewChallenge makes it, for one request only
}

// HandshakeVerdict is what a receiver answered.
type HandshakeVerdict struct {
	Passed      bool
	AllowedRate int    // requests per minute that a CloudEvents receiver lets in; 0: it set no limit
	Reason      string // for a person: why it didn't pass; "" if it did
}

// handshakeAnswer is what a verdict is based on. It is read before secrets are masked, and not recorded.
type handshakeAnswer struct {
	origin, rate string
	echoed       bool // the body gave the challenge back
}

// NewChallenge makes a challenge. It is a secret until its request is answered.
func NewChallenge() string {
	challenge := make([]byte, challengeBytes)
	_, _ = rand.Read(challenge) // crypto/rand.Read never fails (it aborts the program)
	return base64.RawURLEncoding.EncodeToString(challenge)
}

// BuildHandshake writes a handshake's request. It carries the endpoint's credentials and custom headers; an ownership
// check is signed as well, where what the profile signs is known without an event.
func (t *Target) BuildHandshake(h Handshake, at time.Time) (*Request, error) {
	switch h.Kind {
	case domain.HandshakeCloudEvents:
		return t.buildValidation(h)
	case domain.HandshakeOwnership:
		return t.buildOwnership(h, at)
	}
	return nil, fmt.Errorf("unknown handshake %q", h.Kind)
}

func (t *Target) buildValidation(h Handshake) (*Request, error) {
	if err := CheckOrigin(h.Origin); err != nil {
		return nil, err
	}
	header := t.constant.Clone()
	header.Del("Content-Type")
	header.Set(headerRequestOrigin, h.Origin)
	if h.RatePerMinute > 0 {
		header.Set(headerRequestRate, strconv.Itoa(h.RatePerMinute))
	}
	return &Request{
		Method: http.MethodOptions, URL: t.loggedURL, Header: header, target: t, masks: t.masks, handshake: &h,
	}, nil
}

func (t *Target) buildOwnership(h Handshake, at time.Time) (*Request, error) {
	if raw, err := base64.RawURLEncoding.DecodeString(h.Challenge); err != nil || len(raw) != challengeBytes {
		return nil, fmt.Errorf("an ownership check needs a challenge of %d bytes in base64url", challengeBytes)
	}
	body, err := json.Marshal(struct {
		Type       string `json:"type"`
		EndpointID string `json:"endpoint_id"`
		Challenge  string `json:"challenge"`
	}{OwnershipCheckType, t.endpointID, h.Challenge})
	if err != nil {
		return nil, fmt.Errorf("write an ownership check: %w", err)
	}
	header := t.constant.Clone()
	header.Set("Content-Type", "application/json")
	w := writer{
		target: t, attempt: Attempt{Number: 1, At: at},
		event: &Event{InternalID: h.ID, Type: OwnershipCheckType, OccurredAt: at},
	}
	w.signCheck(header, body)
	return &Request{
		Method: http.MethodPost, URL: t.loggedURL, Header: header, Body: body, target: t,
		masks: t.masks.and(h.Challenge), handshake: &h,
	}, nil
}

// signCheck signs a body that belongs to no event, and sets the headers that are signed with it. It does nothing if
// the profile signs something that only events have.
func (w *writer) signCheck(header http.Header, body []byte) {
	p := w.target.profile
	if p.signature == nil || len(w.target.signers) == 0 {
		return
	}
	signed := http.Header{}
	for _, part := range p.signature.content {
		if part.field == fieldNone || part.field == fieldBody {
			continue
		}
		value := string(w.appendField(nil, part.field, plain))
		if !part.field.known() || value == "" {
			return
		}
		signed.Set(p.headerOf(part.field), value)
	}
	for name, values := range signed {
		header[name] = values
	}
	header.Set(p.signature.header, w.signature(body))
}

// known reports whether a field is defined without an event.
func (f field) known() bool {
	switch f {
	case fieldID, fieldProducerID, fieldInternalID, fieldWebhookID, fieldType, fieldOccurredAt, fieldEndpointID,
		fieldAttempt, fieldTimestamp:
		return true
	}
	return false
}

// CheckOrigin refuses what receivers couldn't compare: an origin is a DNS name (§4.1.2).
func CheckOrigin(origin string) error {
	if origin == "" || checkHost(origin, false) != nil {
		return domain.Invalid("origin", `is a DNS name such as "hooks.bank.example"`)
	}
	return nil
}

// notice keeps what the verdict needs of an answer's header.
func (h *Handshake) notice(r *Result, header http.Header) {
	if h == nil {
		return
	}
	r.answer.origin = strings.Join(header.Values(headerAllowedOrigin), ", ") // two of them are no consent
	r.answer.rate = strings.Join(header.Values(headerAllowedRate), ", ")
}

// noticeBody reports whether a whole body is the challenge, or a JSON object with a member "challenge" that is it.
func (h *Handshake) noticeBody(r *Result, body []byte) {
	if h == nil || h.Kind != domain.HandshakeOwnership {
		return
	}
	given := bytes.TrimSpace(body)
	var object struct{ Challenge string }
	if bytes.HasPrefix(given, []byte("{")) && json.Unmarshal(given, &object) == nil {
		given = []byte(object.Challenge)
	}
	r.answer.echoed = subtle.ConstantTimeCompare(given, []byte(h.Challenge)) == 1
}

// Check says what the result of the handshake's own request means. The status code alone is never consent.
func (h Handshake) Check(r *Result) HandshakeVerdict {
	switch {
	case r.ErrorCode != "":
		return HandshakeVerdict{Reason: r.Error}
	case r.StatusCode < 200 || r.StatusCode > 299:
		return HandshakeVerdict{Reason: fmt.Sprintf("the receiver answered %d", r.StatusCode)}
	case h.Kind == domain.HandshakeCloudEvents:
		return h.checkConsent(r.answer)
	case !r.answer.echoed:
		return HandshakeVerdict{Reason: `the answer's body is neither the challenge nor a JSON object with it as "challenge"`}
	}
	return HandshakeVerdict{Passed: true}
}

func (h Handshake) checkConsent(a handshakeAnswer) HandshakeVerdict {
	switch {
	case a.origin == "":
		return HandshakeVerdict{Reason: "the answer has no header WebHook-Allowed-Origin"}
	case a.origin != "*" && !strings.EqualFold(a.origin, h.Origin):
		return HandshakeVerdict{Reason: "the answer's header WebHook-Allowed-Origin names another origin than " + h.Origin}
	case a.rate == "" && h.RatePerMinute > 0:
		return HandshakeVerdict{Reason: "the answer has no header WebHook-Allowed-Rate although a rate was asked for"}
	case a.rate == "" || a.rate == "*":
		return HandshakeVerdict{Passed: true}
	}
	rate, err := strconv.Atoi(a.rate)
	if err != nil || rate < 1 {
		return HandshakeVerdict{
			Reason: "the answer's header WebHook-Allowed-Rate is neither * nor a number of requests per minute",
		}
	}
	return HandshakeVerdict{Passed: true, AllowedRate: rate}
}
