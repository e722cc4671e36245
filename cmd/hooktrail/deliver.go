package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hooktrail/hooktrail/adapters/dispatch"
	"github.com/hooktrail/hooktrail/adapters/webhook"
	"github.com/hooktrail/hooktrail/domain"
)

// secretReader opens a stored secret, which opens only for the purpose that it was kept for.
type secretReader func(ctx context.Context, tenant domain.TenantID, id domain.UUID, purpose string) ([]byte, error)

// courier joins the dispatcher to the webhook adapter: it makes each shipment's request, with the endpoint's secrets,
// and says how it ended. It implements dispatch.Sender and is safe for concurrent use.
type courier struct {
	sender    *webhook.Sender
	profiles  *profileSet
	secrets   secretReader
	userAgent string
	origin    string // by which receivers know this instance; "": by none

	mu      sync.Mutex
	targets map[targetKey]*webhook.Target // guarded by mu; bounded by maxTargets
}

// targetKey is what a target depends on: the configuration's version and the keys still in their overlap.
type targetKey struct {
	endpoint domain.UUID
	version  int
	keys     string
}

// secretsTimeout bounds the reading of an endpoint's secrets: a database that stalls must not hold its slots for long.
const secretsTimeout = 5 * time.Second

// maxTargets bounds the targets kept ready; past it all are made anew.
const maxTargets = 20_000

func newCourier(sender *webhook.Sender, profiles *profileSet, secrets secretReader, origin string) *courier {
	return &courier{
		sender: sender, profiles: profiles, secrets: secrets, userAgent: "Hooktrail/" + version, origin: origin,
		targets: map[targetKey]*webhook.Target{},
	}
}

// Send implements dispatch.Sender.
func (c *courier) Send(ctx context.Context, s dispatch.Shipment) dispatch.Answer {
	target, err := c.target(ctx, s.Endpoint, s.Attempt)
	if err != nil {
		return unsent(err)
	}
	request, err := target.Build(wireEvent(s.Endpoint.Tenant, s.Event), wireAttempt(s))
	if err != nil {
		return unsent(err)
	}
	result := c.sender.Send(ctx, request, time.Until(s.Deadline))
	answer := dispatch.Answer{Result: recorded(target, request, &result), Body: result.Body}
	judge(target, &result, &answer)
	if signed := target.KeyIDs(); !slices.Equal(signed, s.Attempt.Keys) {
		answer.Result.Keys = signed
	}
	return answer
}

// judge says what the receiver's answer means for the delivery.
func judge(target *webhook.Target, result *webhook.Result, answer *dispatch.Answer) {
	verdict := target.Judge(result)
	answer.Result.Outcome = domain.OutcomeFailed
	if verdict.Succeeded {
		answer.Result.Outcome = domain.OutcomeSucceeded
	}
	answer.Gone, answer.Throttle, answer.NotBefore = verdict.Gone, verdict.Throttle, verdict.NotBefore
}

// unsent is the answer when no request could be made: a fault of the event for good, or of this instance for now.
func unsent(err error) dispatch.Answer {
	answer := dispatch.Answer{Unsent: true, Result: domain.AttemptResult{
		AttemptEnd: domain.AttemptEnd{Outcome: domain.OutcomeFailed, Error: "not_sendable", FinishedAt: now()},
		Exchange:   domain.Exchange{Detail: err.Error()},
	}}
	var refused *webhook.RefusedError
	if errors.As(err, &refused) {
		answer.Permanent, answer.Result.Error = true, refused.Code
	}
	return answer
}

// recorded is what the log keeps of an exchange.
func recorded(target *webhook.Target, request *webhook.Request, result *webhook.Result) domain.AttemptResult {
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

// Body builds an attempt's body again, for the API.
func (c *courier) Body(ctx context.Context, sent domain.SentAttempt) ([]byte, error) {
	appended, ok := sent.Event.Fact.(*domain.EventAppended)
	if !ok {
		return nil, fmt.Errorf("the event's content is gone: %w", domain.ErrNotFound)
	}
	profile, err := c.profiles.byDigest(ctx, sent.Endpoint.ProfileDigest)
	if err != nil {
		return nil, err
	}
	if profile == nil {
		return nil, fmt.Errorf("this server doesn't have the profile %s as the endpoint used it", sent.Endpoint.Profile)
	}
	event := dispatch.Event{
		ID: sent.Event.Stream.ID, Sequence: sent.Event.Sequence, RecordedAt: sent.Event.RecordedAt, Fact: appended,
	}
	attempt := wireAttempt(dispatch.Shipment{Event: event, Attempt: sent.Started})
	body, err := profile.Body(sent.Endpoint.ID.String(), wireEvent(sent.Endpoint.Tenant, event), attempt)
	var refused *webhook.RefusedError
	if errors.As(err, &refused) {
		return nil, domain.ErrNothingSent
	}
	return body, err
}

func wireEvent(tenant domain.TenantID, e dispatch.Event) *webhook.Event {
	a := e.Fact.Event
	occurred := a.OccurredAt
	if occurred.IsZero() {
		occurred = e.RecordedAt
	}
	return &webhook.Event{
		ID: a.ID, InternalID: e.ID, Sequence: int64(e.Sequence), Tenant: string(tenant), Source: a.Source,
		Type: string(a.Type), Subject: a.Subject, SchemaVersion: a.SchemaVersion, DataSchema: a.DataSchema,
		OccurredAt: occurred, Extensions: a.Extensions, Data: e.Fact.Data,
	}
}

func wireAttempt(s dispatch.Shipment) webhook.Attempt {
	return webhook.Attempt{Number: s.Attempt.Number, At: s.Attempt.At, Test: s.Event.Fact.Event.Test != nil}
}

// target returns the endpoint's target in one version, with the keys that the attempt names.
func (c *courier) target(ctx context.Context, e domain.Endpoint, a domain.AttemptStarted) (*webhook.Target, error) {
	var ids strings.Builder
	for _, id := range a.Keys {
		ids.WriteString(hex.EncodeToString(id[:]))
	}
	key := targetKey{e.ID, e.Version, ids.String()}
	c.mu.Lock()
	target := c.targets[key]
	c.mu.Unlock()
	if target != nil {
		return target, nil
	}
	ctx, cancel := context.WithTimeout(ctx, secretsTimeout)
	defer cancel()
	target, err := c.newTarget(ctx, e, a.Keys)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.targets) >= maxTargets {
		clear(c.targets)
	}
	c.targets[key] = target
	return target, nil
}

func (c *courier) newTarget(ctx context.Context, e domain.Endpoint, keys []domain.UUID) (*webhook.Target, error) {
	profile, err := c.profiles.byDigest(ctx, e.ProfileDigest)
	if err != nil {
		return nil, err
	}
	if profile == nil {
		return nil, fmt.Errorf("this server doesn't have the profile %s as the endpoint uses it", e.Profile)
	}
	config := webhook.TargetConfig{
		Profile: profile, EndpointID: e.ID.String(), URL: e.URL, Success: e.Success, UserAgent: c.userAgent, Origin: c.originFor(e),
	}
	for _, id := range keys {
		text, err := c.secrets(ctx, e.Tenant, id, domain.PurposeSigningKey)
		if err != nil {
			return nil, fmt.Errorf("open signing key %s: %w", id, err)
		}
		key, err := profile.ParseKey(id, string(text))
		if err != nil {
			return nil, fmt.Errorf("signing key %s: %w", id, err)
		}
		config.Keys = append(config.Keys, key)
	}
	if e.Query != nil {
		query, err := c.secrets(ctx, e.Tenant, e.Query.Secret, domain.PurposeQuery)
		if err != nil {
			return nil, fmt.Errorf("open the query of the endpoint's URL: %w", err)
		}
		base, _, _ := strings.Cut(e.URL, "?")
		config.URL = base + "?" + string(query)
	}
	if e.Auth != nil {
		value, err := c.secrets(ctx, e.Tenant, e.Auth.Secret, domain.PurposeAuth)
		if err != nil {
			return nil, fmt.Errorf("open the endpoint's credentials: %w", err)
		}
		config.Auth = webhook.Auth{Type: e.Auth.Type, In: e.Auth.In, Name: e.Auth.Name, Value: string(value)}
	}
	for _, h := range e.Headers {
		value, err := c.secrets(ctx, e.Tenant, h.Secret, domain.PurposeHeader)
		if err != nil {
			return nil, fmt.Errorf("open the endpoint's header %s: %w", h.Name, err)
		}
		config.Headers = append(config.Headers, domain.Header{Name: h.Name, Value: string(value)})
	}
	return webhook.NewTarget(config)
}

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
