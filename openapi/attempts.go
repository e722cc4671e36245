package openapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/hooktrail/hooktrail/domain"
	"github.com/hooktrail/hooktrail/openapi/internal/rest"
	"github.com/hooktrail/hooktrail/projections"
)

// attemptOut is one HTTP request of a delivery.
type attemptOut struct {
	Number           int                   `json:"number" doc:"From 1." example:"1"`
	StartedAt        rest.Stamp            `json:"started_at" doc:"When the intent was recorded, before the first byte left." example:"2026-07-01T12:00:00.126Z"`
	FinishedAt       rest.Stamp            `json:"finished_at,omitzero" doc:"When the outcome was recorded; absent while the attempt is under way." example:"2026-07-01T12:00:00.2Z"`
	Outcome          domain.AttemptOutcome `json:"outcome,omitempty" doc:"succeeded, failed, or unknown: the request may have been delivered." example:"succeeded"`
	StatusCode       int                   `json:"status_code,omitempty" doc:"What the receiver answered." example:"200"`
	Error            string                `json:"error,omitempty" doc:"Why there is no success, for programs." example:"connection_refused"`
	Detail           string                `json:"detail,omitempty" doc:"The same for people." example:"nothing listens there"`
	DurationMS       float64               `json:"duration_ms,omitempty" doc:"How long the request took." example:"12.5"`
	Request          *requestOut           `json:"request,omitempty" doc:"What was sent, credentials redacted."`
	Response         *responseOut          `json:"response,omitempty" doc:"What came back."`
	RemoteAddr       string                `json:"remote_addr,omitempty" doc:"The address that was dialled." example:"203.0.113.7:443"`
	TLS              *tlsOut               `json:"tls,omitempty" doc:"What was negotiated."`
	Timings          *timingsOut           `json:"timings,omitempty" doc:"The request's phases."`
	KeyID            domain.UUID           `json:"key_id,omitzero" format:"uuid" doc:"The key that signed." example:"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d72"`
	KeyIDs           []domain.UUID         `json:"key_ids,omitempty" doc:"All keys that signed, the current one first." example:"[\"01939f2e-8a00-7c3d-9d4e-1f2a3b4c5d72\"]"`
	ProfileDigest    string                `json:"profile_digest" doc:"The wire format's document." example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
	EndpointVersion  int                   `json:"endpoint_version" doc:"The endpoint's version that was sent to." example:"3"`
	StartedSequence  int64                 `json:"started_sequence" doc:"The entry of the intent." example:"43"`
	FinishedSequence int64                 `json:"finished_sequence,omitempty" doc:"The entry of the outcome." example:"44"`
	NextAttemptAt    rest.Stamp            `json:"next_attempt_at,omitzero" doc:"When the next attempt was decided to be due." example:"2026-07-01T12:05:00Z"`
	DeliveryStatus   domain.DeliveryStatus `json:"delivery_status,omitempty" doc:"The delivery's status from then on." example:"succeeded"`
}

type requestOut struct {
	Method     string            `json:"method" doc:"The method." example:"POST"`
	URL        string            `json:"url" doc:"Values in the query are redacted." example:"https://receiver.example/hooks"`
	Headers    map[string]string `json:"headers" doc:"By lower-case name; credentials are redacted." example:"{\"content-type\":\"application/json\"}"`
	BodySHA256 string            `json:"body_sha256" doc:"In hex, of the exact bytes; …/attempts/{number}/body has them." example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
	BodyBytes  int               `json:"body_bytes" doc:"The body's length." example:"512"`
}

type responseOut struct {
	Headers    map[string]string `json:"headers" doc:"By lower-case name." example:"{\"content-type\":\"text/plain\"}"`
	Body       string            `json:"body" doc:"As much as is kept." example:"ok"`
	Base64     bool              `json:"base64,omitempty" doc:"The body isn't UTF-8 and is given in base64." example:"false"`
	BodySHA256 string            `json:"body_sha256,omitempty" doc:"In hex, of all that was read." example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
	BodyBytes  int64             `json:"body_bytes" doc:"How much was read." example:"2"`
	Truncated  bool              `json:"truncated" doc:"There was more than is kept." example:"false"`
	Incomplete bool              `json:"incomplete,omitempty" doc:"The connection ended before the answer did." example:"false"`
	Masked     bool              `json:"masked,omitempty" doc:"It contained secrets of the endpoint, which were masked." example:"false"`
}

type tlsOut struct {
	Version           string `json:"version" doc:"The protocol's version." example:"TLS 1.3"`
	CertificateSHA256 string `json:"certificate_sha256" doc:"In hex, of the receiver's own certificate." example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
}

type timingsOut struct {
	DNSMS       float64 `json:"dns_ms,omitempty" doc:"Finding the address." example:"1.2"`
	ConnectMS   float64 `json:"connect_ms,omitempty" doc:"Connecting." example:"3.4"`
	TLSMS       float64 `json:"tls_ms,omitempty" doc:"The TLS handshake." example:"5.6"`
	FirstByteMS float64 `json:"first_byte_ms,omitempty" doc:"From the beginning to the answer's first byte." example:"12.1"`
}

type listAttemptsIn struct {
	rest.ThingPath
	rest.AsOfQuery
}

// listAttempts answers with all of them: there are at most as many as a schedule has gaps.
func listAttempts(ctx context.Context, c *call, in *listAttemptsIn) (*rest.Listed[attemptOut], error) {
	var rows []projections.Attempt
	_, _, n, err := findDelivery(ctx, c, in.ThingPath, in.AsOfQuery,
		func(r projections.Reader, as projections.AsOf, row projections.Delivery) (err error) {
			rows, err = r.Attempts(ctx, row.ID, as)
			return err
		})
	if err != nil {
		return nil, err
	}
	out := &rest.Listed[attemptOut]{
		Sequence: rest.SequenceText(n),
		Body:     rest.Page[attemptOut]{Items: make([]attemptOut, 0, len(rows))},
	}
	for i := range rows {
		if !c.Hold.Grow(2 * rows[i].BodySize) { // as it is kept, and as it is shown
			return nil, rest.Full()
		}
		shown, err := showAttempt(ctx, c, &rows[i])
		if err != nil {
			return nil, err
		}
		out.Body.Items = append(out.Body.Items, shown)
	}
	return out, nil
}

// showAttempt shows an attempt as far as it has got: without an outcome, only its intent.
func showAttempt(ctx context.Context, c *call, a *projections.Attempt) (attemptOut, error) {
	out := attemptOut{
		Number: a.Started.Number, StartedAt: rest.Stamp(a.Begun.RecordedAt), StartedSequence: int64(a.Begun.Sequence),
		KeyIDs:        signedWith(a),
		ProfileDigest: a.Started.ProfileDigest, EndpointVersion: a.Started.EndpointVersion,
	}
	if len(out.KeyIDs) > 0 {
		out.KeyID = out.KeyIDs[0]
	}
	r := a.Result
	if r == nil {
		return out, nil
	}
	out.FinishedAt, out.FinishedSequence = rest.Stamp(a.Finished.RecordedAt), int64(a.Finished.Sequence)
	out.Outcome, out.StatusCode, out.Error, out.Detail = r.Outcome, r.StatusCode, r.Error, r.Detail
	out.DurationMS, out.Timings = milliseconds(r.DurationUS), showTimings(r.Timings)
	out.RemoteAddr, out.TLS = r.RemoteAddr, (*tlsOut)(r.TLS)
	out.NextAttemptAt, out.DeliveryStatus = rest.Stamp(r.NextAttemptAt), r.Status
	if r.Request.Method != "" {
		q := r.Request
		out.Request = &requestOut{q.Method, q.URL, showHeaders(q.Headers), q.BodySHA256, r.RequestBytes}
	}
	if r.StatusCode == 0 {
		return out, nil
	}
	answer, err := showResponse(ctx, c, a)
	out.Response = answer
	return out, err
}

// signedWith names the keys that signed; of an attempt without an outcome, those that could.
func signedWith(a *projections.Attempt) []domain.UUID {
	if a.Result != nil && len(a.Result.Keys) > 0 {
		return a.Result.Keys
	}
	return a.Started.Keys
}

// showResponse reads the kept part of the answer's body from the log, which alone has it.
func showResponse(ctx context.Context, c *call, a *projections.Attempt) (*responseOut, error) {
	r := a.Result.Response
	out := &responseOut{
		Headers: showHeaders(r.Headers), BodySHA256: r.BodySHA256, BodyBytes: a.Result.AnswerBytes,
		Truncated:  r.Truncated,
		Incomplete: r.Incomplete, Masked: r.Masked,
	}
	if a.BodySize == 0 {
		return out, nil
	}
	e, err := rest.Entry(ctx, c.Request, a.Finished.Sequence)
	if err != nil {
		return nil, err
	}
	fact, ok := e.Fact.(*domain.AttemptFinished)
	if !ok {
		return nil, rest.Unreadable(*e)
	}
	out.Body = string(fact.Body)
	if !utf8.Valid(fact.Body) {
		out.Body, out.Base64 = base64Of(fact.Body), true
	}
	return out, nil
}

// showHeaders joins repeated fields with commas (RFC 9110 §5.2).
func showHeaders(list []domain.Header) map[string]string {
	headers := make(map[string]string, len(list))
	for _, h := range list {
		if before, ok := headers[h.Name]; ok {
			headers[h.Name] = before + ", " + h.Value
		} else {
			headers[h.Name] = h.Value
		}
	}
	return headers
}

func showTimings(t *domain.AttemptTimings) *timingsOut {
	if t == nil {
		return nil
	}
	return &timingsOut{milliseconds(t.DNS), milliseconds(t.Connect), milliseconds(t.TLS), milliseconds(t.FirstByte)}
}

func milliseconds(us int64) float64 {
	return float64(time.Duration(us)*time.Microsecond) / float64(time.Millisecond)
}

type getAttemptBodyIn struct {
	rest.ThingPath
	Number int `path:"number" minimum:"1" doc:"The attempt's number." example:"1"`
	rest.AsOfQuery
}

// bytesOut is a body in the form in which it was sent. Browsers never show it as a page, whatever it holds.
type bytesOut struct {
	ContentType string `header:"Content-Type"`
	Sniff       string `header:"X-Content-Type-Options" doc:"nosniff" example:"nosniff"`
	Disposition string `header:"Content-Disposition" doc:"attachment" example:"attachment"`
	Body        []byte
}

// getAttemptBody builds the body of an attempt again and proves by its hash that it is the one that was sent.
func getAttemptBody(ctx context.Context, c *call, in *getAttemptBodyIn) (*bytesOut, error) {
	var sent domain.SentAttempt
	var result *domain.AttemptResult
	var event projections.Event
	_, _, _, err := findDelivery(ctx, c, in.ThingPath, in.AsOfQuery,
		func(r projections.Reader, as projections.AsOf, row projections.Delivery) error {
			attempts, err := r.Attempts(ctx, row.ID, as)
			if err != nil {
				return err
			}
			if in.Number > len(attempts) {
				return domain.ErrNotFound
			}
			attempt := attempts[in.Number-1]
			sent.Delivery, sent.Started, result = row.Delivery, attempt.Started, attempt.Result
			endpoint, err := r.EndpointVersion(ctx, row.Endpoint, attempt.Started.EndpointVersion)
			if err != nil {
				return err
			}
			sent.Endpoint = endpoint.Endpoint
			event, err = r.Event(ctx, row.Event)
			return err
		})
	if err != nil {
		return nil, err
	}
	e, err := rest.HeldEntry(ctx, c.Request, event.Created.Sequence)
	if err != nil {
		return nil, err
	}
	if e.Fact == nil || e.Erased {
		return nil, rest.Unreadable(*e)
	}
	sent.Event = *e
	body, err := c.Courier.Body(ctx, sent)
	if err != nil {
		return nil, fmt.Errorf("build the body of attempt %d of delivery %s again: %w", in.Number, in.ID, err)
	}
	if result != nil && result.Request.BodySHA256 != "" {
		if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != result.Request.BodySHA256 {
			return nil, rest.Refuse(http.StatusInternalServerError, "body_differs",
				"The body built from the log isn't the one that was sent.")
		}
	}
	return &bytesOut{
		ContentType: "application/octet-stream", Sniff: "nosniff", Disposition: "attachment",
		Body: body,
	}, nil
}
