package courier

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/domain"
)

// Secrets opens what is kept of an endpoint's credentials.
type Secrets interface {
	// Secret opens a secret, which opens only for the purpose that it was kept for.
	Secret(ctx context.Context, tenant domain.TenantID, id domain.UUID, purpose string) ([]byte, error)
}

// Config is what a Courier needs. All members are needed unless they say otherwise.
type Config struct {
	Sender    *webhook.Sender
	Profiles  *Profiles
	Secrets   Secrets
	UserAgent string // "Hooktrail/1.2.3"
	// Origin is the DNS name by which receivers know this instance in CloudEvents handshakes; "": by none, and no such
	// handshake can be made.
	Origin string
}

// Courier makes attempts and handshakes. It is safe for concurrent use.
type Courier struct {
	config  Config
	targets *lru.Cache[targetKey, *webhook.Target]
}

// New makes a courier.
func New(c Config) (*Courier, error) {
	targets, err := lru.New[targetKey, *webhook.Target](maxTargets)
	if err != nil {
		return nil, fmt.Errorf("make a courier: %w", err)
	}
	return &Courier{config: c, targets: targets}, nil
}

// Send makes one attempt and says how it ended, by the shipment's deadline.
func (c *Courier) Send(ctx context.Context, s domain.Shipment) domain.Answer {
	target, err := c.target(ctx, s.Endpoint, s.Attempt.Keys)
	if err != nil {
		return unsent(err)
	}
	request, err := target.Build(wireEvent(s.Endpoint.Tenant, s.Event), wireAttempt(s.Event, s.Attempt))
	if err != nil {
		return unsent(err)
	}
	result := c.config.Sender.Send(ctx, request, time.Until(s.Deadline))

	verdict := target.Judge(&result)
	answer := domain.Answer{
		Result: recorded(request, &result), Body: result.Body,
		Gone: verdict.Gone, Throttle: verdict.Throttle, NotBefore: verdict.NotBefore,
	}
	answer.Result.Outcome = domain.OutcomeFailed
	if verdict.Succeeded {
		answer.Result.Outcome = domain.OutcomeSucceeded
	}
	if signed := target.KeyIDs(); !slices.Equal(signed, s.Attempt.Keys) {
		answer.Result.Keys = signed
	}
	return answer
}

// unsent is the answer when no request could be made: the event's fault and permanent, or this instance's for now.
func unsent(err error) domain.Answer {
	answer := domain.Answer{Unsent: true, Result: domain.AttemptResult{
		AttemptEnd: domain.AttemptEnd{Outcome: domain.OutcomeFailed, Error: codeNotSendable, FinishedAt: now()},
		Exchange:   domain.Exchange{Detail: err.Error()},
	}}
	var refused *webhook.RefusedError
	if errors.As(err, &refused) {
		answer.Permanent, answer.Result.Error = true, refused.Code
	}
	return answer
}

// codeNotSendable is the error code of an attempt or a handshake for which no request could be made.
const codeNotSendable = "not_sendable"

// recorded is what the log keeps of an exchange.
func recorded(request *webhook.Request, result *webhook.Result) domain.AttemptResult {
	timings := result.Timings
	kept := domain.AttemptResult{
		AttemptEnd: domain.AttemptEnd{
			StatusCode: result.StatusCode, Error: string(result.ErrorCode),
			DurationUS: result.Duration().Microseconds(), FinishedAt: result.Finished.UTC().Truncate(time.Microsecond),
			RequestBytes: len(request.Body), AnswerBytes: result.BodyBytes,
			RemoteAddr: result.RemoteAddr, TLS: result.TLS, Timings: &timings,
		},
		Exchange: domain.Exchange{
			Detail: result.Error,
			Request: domain.SentRequest{
				Method: request.Method, URL: request.URL, Headers: request.LogHeader(), BodySHA256: request.BodySHA256(),
			},
			Response: domain.CapturedAnswer{
				Headers: result.Header, Truncated: result.Truncated, Incomplete: result.Incomplete, Masked: result.Masked,
			},
		},
	}
	if result.BodyBytes > 0 {
		kept.Response.BodySHA256 = result.BodySHA256
	}
	if result.BodyError != "" && kept.Detail == "" {
		kept.Detail = result.BodyError
	}
	return kept
}

// Body writes an attempt's body again, to the byte, from what the log has of it. No secret is needed, so it can be
// written after the endpoint's keys are destroyed. If the endpoint's format can't carry the event, nothing was sent:
// the error is domain.ErrNothingSent.
func (c *Courier) Body(ctx context.Context, sent domain.SentAttempt) ([]byte, error) {
	appended, ok := sent.Event.Fact.(*domain.EventAppended)
	if !ok {
		return nil, fmt.Errorf("the event's content is gone: %w", domain.ErrNotFound)
	}
	event := domain.LoggedEvent{
		ID: sent.Event.Stream.ID, Sequence: sent.Event.Sequence, RecordedAt: sent.Event.RecordedAt, Fact: appended,
	}
	profile, err := c.config.Profiles.find(ctx, sent.Endpoint)
	if err != nil {
		return nil, err
	}
	body, err := profile.Body(
		sent.Endpoint.ID.String(), wireEvent(sent.Endpoint.Tenant, event), wireAttempt(event, sent.Started))
	var refused *webhook.RefusedError
	if errors.As(err, &refused) {
		return nil, domain.ErrNothingSent
	}
	return body, err
}

func wireEvent(tenant domain.TenantID, e domain.LoggedEvent) *webhook.Event {
	attributes := &e.Fact.Event
	event := &webhook.Event{
		ID: attributes.ID, InternalID: e.ID, Sequence: int64(e.Sequence), Tenant: string(tenant), Source: attributes.Source,
		Type: string(attributes.Type), Subject: attributes.Subject, SchemaVersion: attributes.SchemaVersion,
		DataSchema: attributes.DataSchema, OccurredAt: attributes.OccurredAt, Extensions: attributes.Extensions,
		Data: e.Fact.Data, DataContentType: attributes.DataContentType, Hops: attributes.Hops,
	}
	if event.OccurredAt.IsZero() {
		event.OccurredAt = e.RecordedAt
	}
	return event
}

func wireAttempt(e domain.LoggedEvent, a domain.AttemptStarted) webhook.Attempt {
	return webhook.Attempt{Number: a.Number, At: a.At, Test: e.Fact.Event.Test != nil}
}

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
